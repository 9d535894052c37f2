// Whom a reply goes to besides and its subject: what is begun there is kept in the draft.

const NAMES = ["cc", "bcc", "subject"];

/** Make the fields in *box* keep what is entered in *draft*. */
export class AlongFields {
  constructor(box, draft, signal) {
    this.draft = draft;
    this.fold = box.matches("details") ? box : box.querySelector("details");
    const { fold } = this;
    this.fields = NAMES.map((name) => box.querySelector(`[name="${name}"]`)).filter(Boolean);
    for (const field of this.fields) {
      field.addEventListener("input", () => {
        const { fields } = this;
        const changed = fields.some((one) => one.value !== one.defaultValue);
        draft.along = changed ? Object.fromEntries(fields.map((one) => [one.name, one.value])) : null;
        draft.changed();
      });
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault(); // else it would be sent now
        field.form.querySelector("textarea").focus();
      });
    }
    let pressed = false;
    fold?.querySelector("summary").addEventListener("click", () => { pressed = true; });
    fold?.addEventListener("toggle", () => {
      if (fold.open && pressed) fold.querySelector("input").focus();
      pressed = false;
    });
    draft.addEventListener("change", () => this.draw(), { signal });
    this.draw();
  }

  draw() {
    for (const field of this.fields) {
      if (document.activeElement !== field) field.value = this.draft.along?.[field.name] ?? field.defaultValue;
    }
    if (!this.fold) return;
    if (this.fields.some((field) => this.fold.contains(field) && field.value !== field.defaultValue)) this.fold.open = true;
    // What stands in the line while the fields are folded.
    const copies = this.fold.querySelector("[data-along-copies]");
    copies.textContent = this.fold.querySelector("[name=cc]").value;
    copies.parentElement.hidden = !copies.textContent;
  }
}

/** Let *form* follow the account that is chosen in *select*: its files, signature and proposed subject are that account's. */
export function places(select, form) {
  const draw = () => {
    [form.dataset.account] = select.value.split(":");
    const { subject } = form.elements;
    const proposed = select.selectedOptions[0].dataset.subject;
    if (subject && proposed) {
      const own = subject.value !== subject.defaultValue;
      const { value } = subject;
      subject.defaultValue = proposed; // which a field that nobody wrote in shows
      subject.value = own ? value : proposed;
    }
    for (const one of form.querySelectorAll("[data-signature-of]")) {
      one.hidden = one.dataset.signatureOf !== form.dataset.account;
      const box = one.querySelector("input");
      if (box) box.disabled = one.hidden;
    }
  };
  select.addEventListener("change", draw);
  draw();
}
