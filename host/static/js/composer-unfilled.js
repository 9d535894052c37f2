// What a canned reply left to be filled in: named above the text, gone through with Tab, and not sent.

import { fill } from "./composer-parts.js";

/** Watches the text of *form*. The pattern is the desk's own: host/inbox/variables.py. */
export class Unfilled {
  constructor(form) {
    this.form = form;
    this.text = form.querySelector("textarea");
    this.bar = form.querySelector("[data-unfilled]");
    this.pattern = new RegExp(this.bar.dataset.unfilled, "g");
    this.labels = Object.fromEntries(JSON.parse(this.bar.dataset.labels));
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Tab" || event.ctrlKey || event.altKey || event.metaKey) return;
      // Behind the last one Tab goes on as ever: nobody is caught in the text.
      if (this.select(event.shiftKey ? -1 : 1)) event.preventDefault();
    });
    this.bar.querySelector("button").addEventListener("click", () => this.first());
  }

  /** Return where something is to be filled in, and what. */
  places() {
    return [...this.text.value.matchAll(this.pattern)].map((found) => ({
      start: found.index, end: found.index + found[0].length, label: found[1] ?? this.labels[found[2]],
    }));
  }

  /** Select the next place behind the caret, or with *step* -1 the one before it. Return whether there is one. */
  select(step) {
    const { selectionStart, selectionEnd } = this.text;
    const places = this.places();
    const found = step > 0
      ? places.find((one) => one.start >= selectionEnd)
      : places.findLast((one) => one.end <= selectionStart);
    if (found) this.mark(found);
    return Boolean(found);
  }

  /** Select the first place. */
  first() {
    const [found] = this.places();
    if (found) this.mark(found);
    return Boolean(found);
  }

  mark({ start, end }) {
    this.text.focus();
    this.text.setSelectionRange(start, end);
  }

  draw() {
    const labels = [...new Set(this.places().map((one) => one.label))];
    const words = this.bar.dataset;
    const sentence = labels.length > 1 ? words.textMany : words.textOne;
    this.bar.hidden = !labels.length;
    const buttons = [this.form.querySelector("button[type=submit]"), this.form.querySelector(".send-more")];
    for (const button of buttons.filter(Boolean)) button.disabled = labels.length > 0;
    const said = labels.length ? fill(sentence, { what: labels[0], n: labels.length - 1 }) : "";
    const place = this.bar.querySelector("[data-unfilled-text]");
    if (place.textContent !== said) place.textContent = said;
  }
}
