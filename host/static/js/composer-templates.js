// The picker of approved templates: a list to search, and a form whose preview fills as it is typed.

import { post } from "./base.js";
import { fill } from "./composer-parts.js";
import { tell } from "./notice.js";

const MOST_PAGES = 20;

/**
 * Open the picker that *opener* names; it gets the focus back.
 *
 * *composer* has `problem`, which is called if it does not open; and `newest` and `onSent` where templates are sent into its
 * conversation.
 */
export async function pick(opener, composer) {
  if (opener.dataset.opening) return;
  opener.dataset.opening = "1";
  try {
    const response = await fetch(opener.dataset.templatesOpen, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!response.ok) throw new Error(String(response.status));
    const held = document.createElement("template");
    held.innerHTML = await response.text();
    // Outside of the composer, which may be drawn anew while somebody fills in a template.
    const dialog = document.body.appendChild(held.content.querySelector("dialog"));
    new Picker(dialog, opener, composer).open();
  } catch {
    composer.problem(composer.words?.textUnsaved);
  } finally {
    delete opener.dataset.opening;
  }
}

class Picker {
  constructor(dialog, opener, composer) {
    Object.assign(this, { dialog, opener, composer, pages: 0 });
    const part = (name) => dialog.querySelector(`[data-templates-${name}]`);
    this.list = part("list");
    this.choose = part("choose");
    this.chosen = part("chosen");
    this.more = part("more");
    this.none = part("none");
    this.status = part("status");
    this.search = part("search");
    this.filters = [...dialog.querySelectorAll("[data-templates-filter]")];
    this.search.addEventListener("input", () => this.filter());
    for (const one of this.filters) one.addEventListener("change", () => this.filter());
    dialog.addEventListener("click", (event) => this.click(event));
    dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.send(event.target);
    });
    dialog.addEventListener("input", (event) => this.preview(event.target));
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") event.stopPropagation(); // the dialog's own; not the page's
    });
    dialog.addEventListener("close", () => this.end());
  }

  open() {
    this.dialog.showModal();
    this.search.focus();
    this.load(this.dialog.dataset.list);
  }

  end() {
    this.dialog.remove();
    const there = this.opener.isConnected ? this.opener : document.querySelector("[data-templates-open]");
    there?.focus();
  }

  click({ target }) {
    const on = (selector) => target.closest(selector);
    if (on("[data-templates-close]")) this.dialog.close();
    else if (on("[data-templates-load]")) this.load(on("[data-templates-load]").dataset.templatesLoad);
    else if (on("[data-template-back]")) this.back();
    else if (on("[data-template-pick]")) this.show(on("[data-template-item]"));
  }

  /** Load a page, and those after it: a search looks at all of them. */
  async load(url) {
    const words = this.dialog.dataset;
    this.more.replaceChildren();
    this.status.textContent = words.textLoading;
    let next = "";
    try {
      const response = await fetch(url, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (!response.ok) throw new Error(String(response.status));
      const held = document.createElement("template");
      held.innerHTML = await response.text();
      const end = held.content.querySelector("[data-templates-next]");
      next = end.dataset.templatesNext;
      if (end.matches("li")) end.remove();
      else this.more.append(end);
      this.list.append(...held.content.querySelectorAll("[data-template-item]"));
    } catch {
      this.more.append(this.again(url));
    }
    if (!this.dialog.isConnected) return;
    this.pages += 1;
    this.options();
    this.filter(Boolean(next));
    if (next && this.pages % MOST_PAGES) await this.load(next);
    else if (next) this.more.append(this.again(next, "…"));
  }

  /** Return a button that loads *url*. */
  again(url, label = this.dialog.dataset.textFailed) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm btn-quiet";
    button.dataset.templatesLoad = url;
    button.textContent = label;
    return button;
  }

  items() {
    return [...this.list.children];
  }

  /** Offer the languages and categories that there are. */
  options() {
    for (const select of this.filters) {
      const name = select.dataset.templatesFilter;
      if (name === "state") continue;
      const there = new Set([...select.options].map((one) => one.value));
      const found = new Set(this.items().map((item) => item.dataset[name]).filter((one) => one && !there.has(one)));
      for (const one of [...found].sort()) select.add(new Option(one, one));
      select.hidden = select.options.length < 3;
    }
  }

  filter(loading = false) {
    const words = this.search.value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of this.items()) {
      const fits = words.every((word) => item.dataset.words.includes(word))
        && this.filters.every((one) => !one.value || item.dataset[one.dataset.templatesFilter] === one.value);
      item.hidden = !fits;
      shown += fits;
    }
    this.none.hidden = shown > 0 || loading || this.more.childElementCount > 0;
    this.status.textContent = loading ? this.dialog.dataset.textLoading : fill(this.dialog.dataset.textFound, { n: shown });
  }

  /** Show the form of the template *item*. */
  show(item) {
    this.item = item;
    const form = item.querySelector("template").content.querySelector("form").cloneNode(true);
    if (form.elements.seen) form.elements.seen.value = this.composer.newest() || "";
    this.chosen.replaceChildren(form);
    this.choose.hidden = true;
    this.chosen.hidden = false;
    this.status.textContent = "";
    for (const input of form.querySelectorAll("[data-key]")) this.preview(input);
    const empty = [...form.querySelectorAll("[data-key], [type=file]")].find((one) => !one.value);
    (empty ?? form.querySelector("[type=submit], [data-template-back]")).focus();
  }

  back() {
    this.chosen.replaceChildren();
    this.chosen.hidden = true;
    this.choose.hidden = false;
    this.filter();
    this.item?.querySelector("[data-template-pick]").focus();
  }

  /** Put what was typed into its places of the preview; an empty field leaves a gap. */
  preview(input) {
    if (!input.dataset?.key) return;
    const value = input.value.trim();
    for (const place of input.form.querySelectorAll(`[data-fill="${CSS.escape(input.dataset.key)}"]`)) {
      place.textContent = value || "\u2003\u2003";
      place.classList.toggle("filled", Boolean(value));
    }
  }

  async send(form) {
    if (form.dataset.sending) return;
    form.dataset.sending = "1";
    const button = form.querySelector("[type=submit]");
    button.setAttribute("aria-disabled", "true");
    this.problem(form, "");
    this.status.textContent = this.dialog.dataset.textSending;
    try {
      const response = await post(form.action, new FormData(form));
      const answer = await response.json();
      if (response.ok) {
        this.dialog.close();
        if (answer.goto) location.assign(answer.goto); // a conversation of its own
        else this.composer.onSent(answer.messages);
        return;
      }
      if (answer.reply_key) form.elements.reply_key.value = answer.reply_key;
      if (answer.error?.newer) {
        this.composer.onSent(answer.error.newer); // in the thread, too; the next press sends all the same
        form.elements.seen.value = answer.error.seen;
        if (answer.error.closed) form.elements.reopen.value = "1";
      }
      this.problem(form, answer.error?.message ?? this.dialog.dataset.textUnsent, answer.error?.next);
    } catch {
      this.problem(form, this.dialog.dataset.textUnsent);
    } finally {
      delete form.dataset.sending;
      button.removeAttribute("aria-disabled");
      this.status.textContent = "";
    }
  }

  problem(form, sentence, next = "") {
    const box = form.querySelector("[data-template-problem]");
    tell(box, sentence, next);
  }
}
