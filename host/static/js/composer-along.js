// Whom a reply goes to besides and its subject: what is begun there is kept in the draft.

const NAMES = ["cc", "bcc", "subject"];

/** Make the fields in *box* keep what is entered in *draft*. */
export class AlongFields {
  constructor(box, draft, signal) {
    this.draft = draft;
    this.box = box;
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
    box.addEventListener("toggle", () => {
      if (box.open && box.contains(document.activeElement)) this.fields[0].focus();
    });
    draft.addEventListener("change", () => this.draw(), { signal });
    this.draw();
  }

  draw() {
    for (const field of this.fields) {
      if (document.activeElement !== field) field.value = this.draft.along?.[field.name] ?? field.defaultValue;
    }
    if (this.draft.along) this.box.open = true;
    // What stands in the line while the fields are folded.
    const copies = this.box.querySelector("[data-along-copies]");
    copies.textContent = this.fields[0].value;
    copies.parentElement.hidden = !copies.textContent;
  }
}
