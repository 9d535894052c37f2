// The box that is typed into until a conversation has come (typed-ahead.js). It is a field of its own, so that the browser does
// with every key, paste and input method what it does in any other.

export class Box {
  /** *machine()* is the machine it belongs to, *words(writing)* names what is written, *left()* takes the focus after Escape. */
  constructor(template, { machine, words, left }) {
    Object.assign(this, { template, machine, words, left, root: null, key: "" });
    // The key that opens it may be held down: it is no letter of the text.
    window.addEventListener("keydown", (event) => { if (!event.repeat) this.key = event.key; }, true);
  }

  show(writing, why) {
    if (!this.root) this.make();
    const field = this.field();
    field.setAttribute("aria-label", this.words(writing));
    this.root.querySelector("[data-typed-to]").textContent = this.words(writing);
    this.root.querySelector("[data-typed-says]").textContent = this.root.dataset[why];
    this.root.dataset.why = why;
    // Once it stays, it covers nothing of the composer of the conversation that stayed.
    const below = document.querySelector("[data-composer]")?.offsetHeight ?? 0;
    this.root.style.setProperty("--ahead-over", `${below}px`);
    if (why !== "coming") return;
    if (field.value !== writing.text) field.value = writing.text;
    field.focus({ preventScroll: true });
  }

  hide() {
    this.root?.remove();
    this.root = null;
  }

  field() {
    return this.root?.querySelector("textarea");
  }

  /** Where in it somebody is. */
  selection() {
    const { selectionStart, selectionEnd } = this.field();
    return [selectionStart, selectionEnd];
  }

  isFocused() {
    return Boolean(this.root) && document.activeElement === this.field();
  }

  make() {
    this.root = this.template.content.firstElementChild.cloneNode(true);
    document.body.append(this.root);
    const field = this.field(), opener = this.key;
    field.addEventListener("input", () => this.machine().typed(field.value));
    field.addEventListener("compositionstart", () => this.machine().composes(true));
    // What was put together is in the field a moment later.
    field.addEventListener("compositionend", () => setTimeout(() => this.machine().composes(false)));
    field.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        this.machine().leave();
        this.left();
      } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault(); // nothing is sent to somebody who is not seen yet
        event.stopPropagation();
      } else if (event.repeat && event.key === opener && !field.value) event.preventDefault();
    });
    this.root.querySelector("button").addEventListener("click", () => {
      if (this.machine().leave()) this.machine().leave();
      this.left();
    });
  }
}
