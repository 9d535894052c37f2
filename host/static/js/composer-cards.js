// The carousel: cards side by side, each with a title, a line, a picture and buttons.

import { characters, clone, fill } from "./composer-parts.js";

const BLANK = () => ({ title: "", subtitle: "", image: "", url: "", buttons: [] });

/** The carousel of *draft*: a dialog to write it, and a line in the composer that says it is there. */
export class Cards {
  /** @param upload `upload(file)` sends a picture to the desk and gives its answer. */
  constructor(form, draft, { signal, upload }) {
    Object.assign(this, { form, draft, onPicture: upload });
    this.dialog = form.parentElement.querySelector("[data-cards]");
    this.limits = JSON.parse(this.dialog.dataset.limits);
    this.list = this.dialog.querySelector("[data-cards-list]");
    this.strip = form.querySelector("[data-cards-strip]");
    const on = (name, act) => this.dialog.querySelector(`[data-cards-${name}]`).addEventListener("click", act);
    form.querySelector("[data-tool=cards]").addEventListener("click", () => this.open());
    this.strip.querySelector("[data-cards-edit]").addEventListener("click", () => this.open());
    this.strip.querySelector("[data-cards-remove]").addEventListener("click", () => this.clear());
    on("add", () => this.add());
    on("done", () => this.done());
    on("clear", () => this.clear());
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") event.stopPropagation(); // the dialog's own; not the page's
    });
    this.dialog.addEventListener("close", () => {
      this.draft.editing = false;
      if (!this.dialog.isConnected) return;
      this.prune();
      form.querySelector("textarea").focus();
    });
    draft.addEventListener("change", () => this.count(), { signal });
    this.count();
    if (draft.editing) this.open();
  }

  count() {
    this.strip.hidden = !this.draft.cards.length;
    const text = this.strip.querySelector("[data-cards-count]");
    const { length } = this.draft.cards;
    text.textContent = fill(length === 1 ? text.dataset.one : text.dataset.many, { n: length });
  }

  open() {
    this.draft.editing = true;
    if (!this.draft.cards.length) this.draft.cards = [BLANK()];
    this.list.replaceChildren(...this.draft.cards.map((card) => this.card(card)));
    this.number();
    this.dialog.showModal();
    this.list.querySelector("input").focus();
  }

  add() {
    const card = BLANK();
    this.draft.cards = [...this.draft.cards, card];
    const item = this.list.appendChild(this.card(card));
    this.number();
    this.draft.changed();
    item.querySelector("input").focus();
  }

  /** Close, unless something is wrong: then say what, beside its field. */
  done() {
    let first = null;
    [...this.list.children].forEach((item, index) => {
      const wrong = this.check(this.draft.cards[index], item);
      first ??= wrong;
    });
    if (first) first.focus();
    else this.dialog.close();
  }

  clear() {
    this.draft.cards = [];
    this.draft.changed();
    if (this.dialog.open) this.dialog.close();
    else this.form.querySelector("textarea").focus();
  }

  /** Leave cards out that nothing was written into. */
  prune() {
    const blank = (card) => !card.title && !card.subtitle && !card.image && !card.upload && !card.url && !card.buttons.length;
    this.draft.cards = this.draft.cards.filter((card) => !blank(card));
    this.draft.changed();
  }

  number() {
    const { elements } = this.limits;
    [...this.list.children].forEach((item, index) => {
      item.querySelector("[data-card-number]").textContent = fill(item.dataset.text, { n: index + 1 });
      item.querySelector("[data-card-remove]").hidden = this.list.children.length === 1;
    });
    this.dialog.querySelector("[data-cards-add]").disabled = this.draft.cards.length >= elements;
    const count = this.dialog.querySelector("[data-cards-of]");
    count.textContent = fill(count.dataset.text, { n: this.draft.cards.length, most: elements });
  }

  card(card) {
    const item = clone(this.dialog, "card");
    for (const name of ["title", "subtitle", "image", "url"]) {
      const input = item.querySelector(`[data-card-field="${name}"]`);
      input.value = card[name] ?? "";
      input.addEventListener("input", () => {
        card[name] = input.value.trim();
        this.draft.changed();
        mark(input, "");
      });
    }
    this.upload(card, item);
    const buttons = item.querySelector("[data-card-buttons]");
    const add = item.querySelector("[data-button-add]");
    const limit = () => { add.hidden = card.buttons.length >= this.limits.buttons; };
    const append = (button) => buttons.append(this.button(card, button, () => { limit(); add.focus(); }));
    for (const button of card.buttons) append(button);
    add.addEventListener("click", () => {
      const button = { title: "", opens: true, value: "" };
      card.buttons.push(button);
      append(button);
      limit();
      this.draft.changed();
      buttons.lastElementChild.querySelector("input").focus();
    });
    limit();
    item.querySelector("[data-card-remove]").addEventListener("click", () => {
      this.draft.cards = this.draft.cards.filter((other) => other !== card);
      const near = item.previousElementSibling ?? item.nextElementSibling;
      item.remove();
      this.number();
      this.draft.changed();
      near.querySelector("input").focus();
    });
    return item;
  }

  /** A picture may be uploaded instead of named by its address. */
  upload(card, item) {
    const button = item.querySelector("[data-card-upload]");
    if (!button) return;
    const input = item.querySelector("input[type=file]");
    const address = item.querySelector('[data-card-field="image"]');
    const chosen = item.querySelector("[data-card-picture]");
    const show = () => {
      chosen.hidden = !card.upload;
      address.closest("[data-card-address]").hidden = Boolean(card.upload);
      chosen.querySelector("[data-card-picture-name]").textContent = card.upload?.name ?? "";
    };
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      const [file] = input.files;
      input.value = "";
      if (!file) return;
      button.disabled = true;
      const answer = await this.onPicture(file);
      button.disabled = false;
      mark(address, answer.error ?? "");
      if (answer.error) return;
      card.upload = { id: answer.id, name: file.name };
      card.image = address.value = "";
      this.draft.changed();
      show();
    });
    chosen.querySelector("button").addEventListener("click", () => {
      delete card.upload;
      this.draft.changed();
      show();
      button.focus();
    });
    show();
  }

  button(card, button, onRemove) {
    const row = clone(this.dialog, "button");
    const title = row.querySelector("[data-button-title]");
    const does = row.querySelector("select");
    const value = row.querySelector("[data-button-value]");
    const show = () => {
      title.value = button.title;
      does.value = button.opens ? "url" : "payload";
      value.value = button.value;
      const label = button.opens ? value.dataset.url : value.dataset.payload;
      value.placeholder = label;
      value.setAttribute("aria-label", label);
    };
    row.addEventListener("input", ({ target }) => {
      Object.assign(button, { title: title.value.trim(), opens: does.value === "url", value: value.value.trim() });
      mark(target, "");
      if (target === does) show();
      this.draft.changed();
    });
    row.querySelector("[data-button-remove]").addEventListener("click", () => {
      card.buttons.splice(card.buttons.indexOf(button), 1);
      row.remove();
      this.draft.changed();
      onRemove();
    });
    show();
    return row;
  }

  /** Mark what is wrong with *card*; return the first field that is. */
  check(card, item) {
    const { title, subtitle, button_title: label, payload } = this.limits;
    const words = this.dialog.dataset;
    let first = null;
    const say = (input, error) => {
      mark(input, error);
      if (error) first ??= input;
    };
    const field = (name) => item.querySelector(`[data-card-field="${name}"]`);
    const long = (text, most) => (characters(text) > most ? fill(words.textLong, { used: characters(text), most }) : "");
    const address = (text) => (!text || /^https:\/\/[^\s/]+\.?[^\s]*$/i.test(text) ? "" : words.textAddress);
    const more = card.subtitle || card.image || card.upload || card.url || card.buttons.length;
    say(field("title"), !card.title ? words.textTitle : !more ? words.textMore : long(card.title, title));
    say(field("subtitle"), long(card.subtitle, subtitle));
    if (!card.upload) say(field("image"), address(card.image));
    say(field("url"), address(card.url));
    [...item.querySelectorAll("[data-button]")].forEach((row, index) => {
      const button = card.buttons[index];
      say(row.querySelector("[data-button-title]"), button.title ? long(button.title, label) : words.textLabel);
      const value = row.querySelector("[data-button-value]");
      if (button.opens) say(value, button.value ? address(button.value) : words.textAddress);
      else say(value, long(button.value, payload));
    });
    return first;
  }
}

/** Say what is wrong with *input* below it; nothing, where *error* is empty. */
function mark(input, error) {
  const box = input.closest("[data-checked]")?.querySelector("[data-error]");
  if (!box || !input.matches("input")) return;
  box.textContent = error;
  input.classList.toggle("is-invalid", Boolean(error));
  if (error) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}
