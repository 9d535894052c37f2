// Where a reply goes from, whom it goes to, its subject: what is begun there is kept in the draft.

const NAMES = ["own_address", "answer", "to", "cc", "bcc", "subject"];

/** Return what *field* begins with: recipients with those of *choice*, the option that says whom it goes to. */
function begun(field, choice) {
  if (field.options) return [...field.options].find((one) => one.defaultSelected)?.value ?? field.options[0].value;
  return choice?.dataset[field.name] ?? field.defaultValue;
}

/** Let *field* show *value*; what the account has no more is no choice. */
function show(field, value) {
  field.value = value;
  if (field.options && field.selectedIndex < 0) field.value = begun(field);
}

/** Return the addresses in *field*, without names. */
const addresses = (field) => (field.value.match(/(?:"[^"\n]*"|[^,;\n"])+/g) ?? [])
  .map((one) => one.slice(one.lastIndexOf("<") + 1).replace(">", "").trim().toLowerCase());

/** Make the fields in *box* keep what is entered in *draft*. */
export class AlongFields {
  constructor(box, draft, signal) {
    this.draft = draft;
    this.fold = box.matches("details") ? box : box.querySelector("details");
    const { fold } = this;
    const form = box.closest("form");
    const { answer, to, cc } = form.elements;
    Object.assign(this, { answer, to, cc });
    this.fields = NAMES.map((name) => form.elements[name]).filter(Boolean);
    this.known = JSON.parse(box.dataset.known ?? "[]");
    this.leftOut = form.querySelector("[data-along-left-out]");
    this.lists = form.querySelectorAll("[data-along-list]");
    for (const field of this.fields) {
      field.addEventListener("input", () => {
        if (field === answer) for (const one of [to, cc]) one.value = begun(one, this.chosen());
        this.keep();
      });
      if (field.options) continue;
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault(); // else it would be sent now
        form.querySelector("textarea").focus();
      });
    }
    this.leftOut?.querySelector("button").addEventListener("click", () => {
      cc.value = [cc.value.trim(), ...this.missing().map((one) => one.written)].filter(Boolean).join(", ");
      this.keep();
      form.querySelector("textarea").focus(); // the button is gone
    });
    let pressed = false;
    fold?.querySelector("summary").addEventListener("click", () => { pressed = true; });
    fold?.addEventListener("toggle", () => {
      if (fold.open && pressed) cc.focus();
      pressed = false;
    });
    draft.addEventListener("change", () => this.draw(), { signal });
    this.draw();
  }

  /** Return the option that says whom it goes to, if there is a choice. */
  chosen() {
    return this.answer?.selectedOptions[0];
  }

  /** Keep what is entered; recipients that follow from the choice follow it later too, when there are newer messages. */
  keep() {
    const changed = this.fields.filter((one) => one.value !== begun(one, this.chosen()));
    const follows = (one) => this.answer && [this.to, this.cc].includes(one) && !changed.includes(one);
    const kept = this.fields.filter((one) => !follows(one)).map((one) => [one.name, one.value]);
    this.draft.along = changed.length ? Object.fromEntries(kept) : null;
    this.draft.changed();
    this.draw();
  }

  /** Return who took part and would not get the reply. */
  missing() {
    const { to, cc, bcc } = this.fold.closest("form").elements;
    const given = new Set([to, cc, bcc].flatMap(addresses));
    return this.known.filter((one) => !given.has(one.address.toLowerCase()));
  }

  draw() {
    for (const field of this.fields) {
      if (document.activeElement !== field) show(field, this.draft.along?.[field.name] ?? begun(field, this.chosen()));
    }
    if (!this.fold) return;
    if (this.fields.some((field) => this.fold.contains(field) && field.value !== begun(field, this.chosen()))) this.fold.open = true;
    // What stands in the line while the fields are folded.
    const copies = this.fold.querySelector("[data-along-copies]");
    copies.textContent = this.cc.value;
    copies.parentElement.hidden = !copies.textContent;
    if (!this.to) return;
    this.fold.querySelector("[data-along-to]").textContent = this.to.value;
    const missing = this.missing();
    this.leftOut.hidden = !missing.length;
    this.leftOut.querySelector("[data-names]").textContent = missing.map((one) => one.name).join(", ");
    const read = [this.to, this.cc, this.fields.find((field) => field.name === "bcc")].filter(Boolean).flatMap(addresses);
    for (const list of this.lists) list.hidden = !read.includes(list.dataset.alongList);
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
