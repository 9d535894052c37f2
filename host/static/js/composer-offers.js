// What is sent along with a reply as a short list: answers to tap, products, a post, a location, contact cards.

import { characters, clone, fill } from "./composer-parts.js";

/** A strip above the text with what was added to a list of the draft, and a field to add more. */
export class Strip {
  /**
   * @param name which strip: `[data-strip=name]`, opened by `[data-tool=name]`.
   * @param access `read()` gives what to show as texts, `add(text)` returns what is wrong with one,
   *   `remove(index)`, `clear()`.
   */
  constructor(form, draft, name, access, { signal, say }) {
    Object.assign(this, { form, draft, access, say });
    this.box = form.querySelector(`[data-strip="${name}"]`);
    this.input = this.box.querySelector("input");
    this.second = this.box.querySelector("[data-strip-second]");
    this.error = this.box.querySelector("[data-strip-error]");
    this.list = this.box.querySelector("[data-strip-list]");
    this.tool = form.querySelector(`[data-tool="${name}"]`);
    this.tool.addEventListener("click", () => this.open());
    this.box.querySelector("[data-strip-add]").addEventListener("click", () => this.add());
    this.box.querySelector("[data-strip-close]").addEventListener("click", () => this.close());
    for (const ask of this.box.querySelectorAll("[data-strip-ask]")) {
      ask.addEventListener("click", () => {
        this.access.ask(ask.dataset.stripAsk, ask.textContent.trim());
        this.draft.changed();
        this.input.focus();
      });
    }
    for (const input of [this.input, this.second]) input?.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) {
        if (event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        this.add();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        if (!this.access.read().length && !this.input.value) this.close();
        else form.querySelector("textarea").focus();
      }
    });
    for (const input of [this.input, this.second]) input?.addEventListener("input", () => this.complain(""));
    draft.addEventListener("change", () => this.draw(), { signal });
    this.opened = false;
    this.draw();
  }

  open() {
    this.opened = true;
    this.draw();
    this.input.focus();
  }

  close() {
    this.opened = false;
    this.empty();
    this.complain("");
    this.access.clear();
    this.draft.changed();
    this.form.querySelector("textarea").focus();
  }

  /** It was sent: nothing is left to show. */
  sent() {
    this.opened = false;
    this.draw();
  }

  /** Take over what stands in the field; return whether nothing is wrong with it. */
  add() {
    const text = this.input.value.trim();
    const error = text || this.second?.value ? this.access.add(text, this.second?.value.trim()) : "";
    this.complain(error);
    if (error) {
      this.input.focus();
      return false;
    }
    this.empty();
    if (text) {
      this.draft.changed();
      if (this.second && !this.box.querySelector("[data-strip-form]").hidden) this.input.focus();
    }
    return true;
  }

  empty() {
    for (const input of [this.input, this.second]) if (input) input.value = "";
  }

  /** Say what is wrong with what stands in the field; nothing, where *error* is empty. */
  complain(error) {
    this.error.textContent = error;
    this.input.classList.toggle("is-invalid", Boolean(error));
    if (error) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  draw() {
    const shown = this.access.read();
    this.box.hidden = !this.opened && !shown.length;
    const count = this.box.querySelector("[data-strip-count]");
    if (count) count.textContent = fill(count.dataset.text, { n: shown.length });
    for (const ask of this.box.querySelectorAll("[data-strip-ask]")) ask.hidden = this.access.asked(ask.dataset.stripAsk);
    const full = this.access.full?.() ?? false;
    this.box.querySelector("[data-strip-form]").hidden = full;
    this.list.replaceChildren(...shown.map((text, index) => this.chip(text, index)));
    if (full && document.activeElement === document.body) this.list.querySelector("button:last-child")?.focus();
  }

  chip(text, index) {
    const chip = clone(this.form, "chip");
    chip.querySelector("[data-chip-text]").textContent = text;
    chip.querySelector("[data-chip-label]").textContent = text;
    chip.querySelector("button").addEventListener("click", () => {
      this.access.remove(index);
      this.draft.changed();
      (this.box.querySelector("[data-strip-form]").hidden ? this.list.querySelector("button") : this.input)?.focus();
    });
    return chip;
  }
}

/** How a strip reads and writes the draft's quick replies. *alone*: one that asks for something has no others beside it. */
export function quickReplies(draft, { most, title, alone }, words) {
  return {
    read: () => draft.quickReplies.map((one) => one.title),
    full: () => draft.quickReplies.length >= most || (alone && draft.quickReplies.some((one) => one.ask)),
    add(text) {
      if (characters(text) > title) return fill(words.textTitleLong, { used: characters(text), most: title });
      if (draft.quickReplies.some((one) => same(one.title, text))) return words.textTwice;
      draft.quickReplies = [...draft.quickReplies, { title: text, payload: "" }];
      return "";
    },
    asked: (ask) => draft.quickReplies.some((one) => alone || one.ask === ask),
    ask(ask, title) {
      draft.quickReplies = [...draft.quickReplies, { title, ask }];
    },
    remove(index) { draft.quickReplies = draft.quickReplies.filter((_, at) => at !== index); },
    clear() { draft.quickReplies = []; },
  };
}

/** How a strip reads and writes the draft's buttons: each a label, and the page it opens if it opens one. */
export function buttons(draft, { most, title }, words) {
  return {
    read: () => draft.buttons.map(({ title: label, url }) => (url ? `${label} → ${host(url)}` : label)),
    full: () => draft.buttons.length >= most,
    add(text, url) {
      if (!text || characters(text) > title) return fill(words.textButtonLong, { used: characters(text), most: title });
      if (url && !/^https:\/\/[^\s/]+\S*$/i.test(url)) return words.textButtonAddress;
      if (!url && draft.buttons.some((one) => !one.url && same(one.title, text))) return words.textTwice;
      draft.buttons = [...draft.buttons, { title: text, url: url ?? "" }];
      return "";
    },
    remove(index) { draft.buttons = draft.buttons.filter((_, at) => at !== index); },
    clear() { draft.buttons = []; },
  };
}

function same(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}

function host(url) {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** How a strip reads and writes the draft's products: ids, several at once. */
export function products(draft, { most }, words) {
  return {
    read: () => draft.products,
    full: () => draft.products.length >= most,
    add(text) {
      const ids = text.split(/[\s,;]+/).filter((id) => id && !draft.products.includes(id));
      const odd = ids.find((id) => !/^[\w-]{1,64}$/.test(id));
      if (odd) return fill(words.textNoId, { text: odd });
      if (draft.products.length + ids.length > most) return fill(words.textTooManyProducts, { most });
      draft.products = [...draft.products, ...ids];
      return "";
    },
    remove(index) { draft.products = draft.products.filter((_, at) => at !== index); },
    clear() { draft.products = []; },
  };
}

/** How a strip reads and writes the draft's own post: an id or the link people copy. */
export function ownPost(draft, _limits, words) {
  return {
    read: () => (draft.post ? [draft.post] : []),
    full: () => Boolean(draft.post),
    add(text) {
      if (!/^\d{5,40}$/.test(text) && !/^https:\/\/[^\s/]+\/\S+$/.test(text)) return words.textNoPost;
      draft.post = text;
      return "";
    },
    remove() { draft.post = ""; },
    clear() { draft.post = ""; },
  };
}

/** How a strip reads and writes the draft's location: what was pasted, which the desk reads, and a name. */
export function location(draft, _limits, words) {
  return {
    read: () => (draft.location ? [draft.location.name || draft.location.at] : []),
    full: () => Boolean(draft.location),
    add(at, name) {
      if (!/\d[^\d]+\d/.test(at)) return words.textNoPlace;
      draft.location = { at, name: name ?? "" };
      return "";
    },
    remove() { draft.location = null; },
    clear() { draft.location = null; },
  };
}

/** How a strip reads and writes the draft's contact cards: a name each, and how to reach them. */
export function contacts(draft, { most }, words) {
  return {
    read: () => draft.contacts.map(({ name, reach }) => `${name}, ${reach}`),
    full: () => draft.contacts.length >= most,
    add(name, reach) {
      if (!name || !reach) return words.textNoContact;
      draft.contacts = [...draft.contacts, { name, reach }];
      return "";
    },
    remove(index) { draft.contacts = draft.contacts.filter((_, at) => at !== index); },
    clear() { draft.contacts = []; },
  };
}
