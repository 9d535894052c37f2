// Where a reply goes from, whom it goes to besides, its subject: what is begun there is kept in the draft.

const NAMES = ["own_address", "cc", "bcc", "subject"];

/** Return what *field* begins with. */
const begun = (field) => field.options ? [...field.options].find((one) => one.defaultSelected)?.value ?? field.options[0].value : field.defaultValue;

/** Let *field* show *value*; what the account has no more is no choice. */
function show(field, value) {
  field.value = value;
  if (field.options && field.selectedIndex < 0) field.value = begun(field);
}

/** Make the fields in *box* keep what is entered in *draft*. */
export class AlongFields {
  constructor(box, draft, signal) {
    this.draft = draft;
    this.fold = box.matches("details") ? box : box.querySelector("details");
    const { fold } = this;
    const { elements } = box.closest("form");
    this.fields = NAMES.map((name) => elements[name]).filter(Boolean);
    for (const field of this.fields) {
      field.addEventListener("input", () => {
        const { fields } = this;
        const changed = fields.some((one) => one.value !== begun(one));
        draft.along = changed ? Object.fromEntries(fields.map((one) => [one.name, one.value])) : null;
        draft.changed();
      });
      if (field.options) continue;
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
      if (document.activeElement !== field) show(field, this.draft.along?.[field.name] ?? begun(field));
    }
    if (!this.fold) return;
    if (this.fields.some((field) => this.fold.contains(field) && field.value !== begun(field))) this.fold.open = true;
    // What stands in the line while the fields are folded.
    const copies = this.fold.querySelector("[data-along-copies]");
    copies.textContent = this.fold.querySelector("[name=cc]").value;
    copies.parentElement.hidden = !copies.textContent;
  }
}

/** Let *form* follow the account that is chosen in *select*: files, signature, proposed subject and addresses are that account's. */
export function places(select, form) {
  const draw = () => {
    [form.dataset.account] = select.value.split(":");
    const { subject, own_address: from } = form.elements;
    const proposed = select.selectedOptions[0].dataset.subject;
    if (subject && proposed) {
      const own = subject.value !== subject.defaultValue;
      const { value } = subject;
      subject.defaultValue = proposed; // which a field that nobody wrote in shows
      subject.value = own ? value : proposed;
    }
    for (const one of from?.querySelectorAll("optgroup") ?? []) one.hidden = one.disabled = one.dataset.of !== form.dataset.account;
    if (from?.selectedOptions[0]?.parentElement.disabled) {
      from.value = "";
      from.dispatchEvent(new Event("input")); // the draft follows
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
