// Quoting: which message the reply is an answer to, shown above the text.

const EXCERPT = 160;

export class Quote {
  constructor(form, draft, { signal }) {
    Object.assign(this, { form, draft });
    this.strip = form.querySelector("[data-quoted]");
    this.input = this.strip.querySelector("input");
    const name = this.strip.querySelector("[data-quoted-name]");
    const text = this.strip.querySelector("[data-quoted-text]");
    if (this.input.value) {
      // The page came with one: it was asked for by its address, which is done with now.
      const address = new URL(location.href);
      address.searchParams.delete("quote");
      history.replaceState(history.state, "", address);
      this.draft.quote = { id: this.input.value, name: name.textContent, text: text.textContent };
    }
    this.show = () => {
      const { quote } = draft;
      this.strip.hidden = !quote;
      this.input.disabled = true; // the draft says it when it is sent
      name.textContent = quote?.name ?? "";
      text.textContent = quote?.text ?? "";
    };
    this.strip.querySelector("[data-quoted-remove]").addEventListener("click", (event) => {
      event.preventDefault();
      this.set(null);
    });
    form.querySelector("textarea").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !draft.quote) return;
      event.stopPropagation();
      this.set(null);
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[data-quote]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const { quote: id, name: who } = link.dataset;
      this.set({ id, name: who, text: excerpt(link.closest("[data-message]")) });
    }, { signal });
    draft.addEventListener("change", this.show, { signal });
    this.show();
  }

  set(quote) {
    this.draft.quote = quote;
    this.draft.changed();
    this.form.querySelector("textarea").focus();
  }
}

/** Return what a message says, or is called, in one line. */
function excerpt(message) {
  const words = message.querySelector(".words")?.textContent.trim();
  const text = (words || message.querySelector(".bubble")?.textContent || "").replace(/\s+/g, " ").trim();
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text;
}
