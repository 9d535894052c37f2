// Canned replies: `/` in the text, or their button, shows them; the one that is chosen takes the place of the slash.

import { post } from "./base.js";
import { fill } from "./composer-parts.js";

const ASKED = /(^|\s)\/([^\s/]{0,40})$/u;
const AGAIN_MS = 200;
const FRESH_MS = 60000;

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** Write *words* over what is selected in *text*, so that the browser can undo it. */
export function write(text, words) {
  text.focus();
  if (words && document.execCommand("insertText", false, words)) return;
  text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

/** The list over the reply of *form*; what is used is noted in *draft*, to be counted when it is sent. */
export class Canned {
  constructor(form, draft, { say, unfilled, problem }) {
    Object.assign(this, { form, draft, say, unfilled, problem });
    this.text = form.querySelector("textarea");
    this.box = form.querySelector("[data-canned]");
    this.list = this.box.querySelector("[role=listbox]");
    this.view = this.box.querySelector("[data-canned-view]");
    this.words = this.box.dataset;
    this.base = null; // those used most; where there are more, what is typed is asked for
    this.answer = null;
    this.found = [];
    this.at = 0;
    this.text.addEventListener("input", () => this.look());
    this.text.addEventListener("click", () => this.look());
    this.text.addEventListener("keydown", (event) => this.key(event), { capture: true });
    this.text.addEventListener("blur", (event) => {
      if (!this.box.contains(event.relatedTarget)) this.close();
    });
    this.box.addEventListener("mousedown", (event) => {
      if (!event.target.closest("a")) event.preventDefault(); // the text keeps the focus and its caret
    });
    this.box.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      const language = event.target.closest("[data-language]");
      if (option) {
        this.at = [...this.list.children].indexOf(option);
        this.use(false);
      } else if (language) {
        this.found[this.at].language = language.dataset.language;
        this.draw();
      }
    });
    form.querySelector("[data-tool=canned]").addEventListener("click", () => this.start());
  }

  /** Begin with a slash of our own, which goes again where nothing is chosen. */
  start() {
    const { value, selectionStart } = this.text;
    this.text.focus();
    this.text.setSelectionRange(selectionStart, this.text.selectionEnd);
    write(this.text, /(^|\s)$/u.test(value.slice(0, selectionStart)) ? "/" : " /");
    this.ours = true;
  }

  /** Return where the slash stands and what follows it, if the caret is behind one. */
  asked() {
    const { value, selectionStart, selectionEnd } = this.text;
    if (selectionStart !== selectionEnd) return null;
    const found = ASKED.exec(value.slice(0, selectionStart));
    return found && { start: selectionStart - found[2].length - 1, end: selectionStart, query: found[2] };
  }

  async look() {
    if (!this.text.value && this.draft.canned.length) {
      this.draft.canned = []; // what is written now is another reply
      this.draft.changed();
    }
    const asked = this.asked();
    if (!asked || this.left === asked.start) {
      if (!asked) this.left = null;
      this.close();
      return;
    }
    this.left = null;
    if (!this.base || Date.now() - this.base.at > FRESH_MS) {
      this.loading ??= this.load("").finally(() => { this.loading = null; });
      await this.loading;
    } else if (this.base.total > this.base.replies.length) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.load(asked.query).then(() => this.show()), AGAIN_MS);
    }
    this.show();
  }

  /** Ask the desk for the replies, filled for this conversation. */
  async load(query) {
    const url = new URL(this.words.url, location.href);
    if (query) url.searchParams.set("q", query);
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!response.ok) return;
      this.answer = { ...await response.json(), at: Date.now() };
      if (!query) this.base = this.answer;
    } catch {
      // The desk does not answer: a slash is a slash.
    }
  }

  show() {
    const asked = this.asked();
    if (!asked || !this.answer) return this.close();
    const query = folded(asked.query);
    const rank = (one) => {
      const shortcut = folded(one.shortcut);
      if (shortcut.startsWith(query)) return 0;
      return shortcut.includes(query) || folded(one.title).includes(query) ? 1 : 2;
    };
    // Those used most come first; of those, what begins as typed.
    this.found = this.answer.replies.filter((one) => rank(one) < 2).sort((a, b) => rank(a) - rank(b));
    if (!this.found.length && (query || this.base.total)) return this.close();
    this.at = 0;
    this.box.hidden = false;
    this.draw();
    return null;
  }

  close() {
    if (this.box.hidden) return;
    this.box.hidden = true;
    for (const name of ["aria-activedescendant", "aria-controls"]) this.text.removeAttribute(name);
    this.ours = false;
  }

  key(event) {
    if (this.box.hidden || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      this.at = (this.at + step + this.found.length) % this.found.length;
      this.draw();
    } else if ((event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && this.found.length) {
      this.use(event.ctrlKey || event.metaKey);
    } else if (event.key === "Escape") {
      const asked = this.asked();
      const { ours } = this;
      this.left = asked?.start ?? null; // until another slash
      this.close();
      if (ours && asked && !asked.query) this.erase(asked);
    } else {
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  erase({ start, end }) {
    this.text.setSelectionRange(start, end);
    if (!document.execCommand("delete")) write(this.text, "");
  }

  /** Put what is chosen in the place of the slash; send it at once if *send* and nothing is to be filled in. */
  async use(send) {
    const one = this.found[this.at];
    const asked = this.asked();
    if (!one || !asked) return;
    this.close();
    this.text.setSelectionRange(asked.start, asked.end);
    const words = one.texts[one.language]?.text ?? "";
    if (words) write(this.text, words);
    else this.erase(asked);
    this.close();
    this.draft.canned = [...new Set([...this.draft.canned, one.id])];
    this.draft.changed();
    if (one.files.length) await this.files(one);
    this.text.setSelectionRange(asked.start, asked.start);
    const open = this.unfilled.select(1) || this.unfilled.first();
    if (!open) this.text.setSelectionRange(asked.start + words.length, asked.start + words.length);
    if (send && !open) this.form.requestSubmit();
  }

  async files(one) {
    try {
      const response = await post(this.words.filesUrl.replace("/0/", `/${one.id}/`));
      const answer = await response.json();
      if (!response.ok) throw new Error(String(response.status));
      for (const file of answer.files) this.draft.files.push({ ...file, state: "ready" });
      this.draft.changed();
      if (one.refused.length) this.problem(fill(this.words.textRefused, { why: one.refused.join(" ") }));
    } catch {
      this.problem(this.words.textNoFiles);
    }
  }

  draw() {
    this.list.replaceChildren(...this.found.map((one, index) => this.option(one, index)));
    const chosen = this.list.children[this.at];
    chosen?.scrollIntoView({ block: "nearest" });
    this.text.setAttribute("aria-controls", this.list.id);
    if (chosen) this.text.setAttribute("aria-activedescendant", chosen.id);
    const number = new Intl.NumberFormat(document.documentElement.lang);
    const { total } = this.base;
    this.box.querySelector("[data-canned-count]").textContent = total
      ? fill(this.words.textCount, { n: number.format(this.found.length), total: number.format(total) })
      : "";
    this.box.querySelector("[data-canned-none]").hidden = total > 0;
    this.view.hidden = !this.found.length;
    if (this.found.length) this.preview(this.found[this.at]);
  }

  option(one, index) {
    const option = make("li", "canned", { role: "option", id: `canned-${one.id}`, "aria-selected": String(index === this.at) });
    const code = make("code", "truncate", { translate: "no" }, `/${one.shortcut}`);
    const problem = one.over ? fill(this.words.textOver, { n: one.over.toLocaleString(document.documentElement.lang) })
      : one.refused.length ? this.words.textNotHere : "";
    const whose = make("span", "canned-sub micro muted");
    if (one.files.length) whose.append(icon("clip"), make("span", "visually-hidden", {}, this.words.textFile));
    whose.append(one.whose);
    option.append(code, make("span", "micro t-warn", {}, problem), make("span", "truncate", {}, one.title), whose);
    return option;
  }

  /** Show the text of *one* as it would be inserted: what is filled, and what is still open. */
  preview(one) {
    const head = make("p", "canned-head");
    head.append(make("b", "truncate", {}, one.title));
    if (one.languages.length > 1) {
      const languages = make("span", "push lang", { role: "group", "aria-label": this.words.textLanguage });
      for (const [code, name] of one.languages) {
        languages.append(make("button", "", { type: "button", "data-language": code, "aria-pressed": String(code === one.language) }, name));
      }
      head.append(languages);
    }
    const shown = one.texts[one.language] ?? { parts: [], length: 0 };
    const text = make("p", "canned-text");
    for (const [state, words] of shown.parts) {
      text.append(state === "words" ? words : make("span", state === "set" ? "var is-set" : "var", {}, words));
    }
    const variables = shown.parts.filter(([state]) => state !== "words");
    const set = variables.filter(([state]) => state === "set").length;
    const lines = [];
    if (set < variables.length) lines.push(fill(this.words.textFilled, { n: set, total: variables.length }));
    if (one.files.length) lines.push(one.files.join(", "));
    lines.push(...one.refused);
    const format = (value) => value.toLocaleString(document.documentElement.lang);
    if (this.answer.limit) lines.push(fill(this.words.textBytes, { used: format(shown.length), limit: format(this.answer.limit) }));
    this.view.replaceChildren(head, text, ...lines.map((line) => make("p", "micro muted", {}, line)));
  }
}

function make(tag, className, attributes = {}, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(text);
  return element;
}

function icon(name) {
  const template = document.createElement("template");
  template.innerHTML = '<svg class="ic ic-sm" aria-hidden="true"><use/></svg>';
  template.content.querySelector("use").setAttribute("href", `#i-${name}`);
  return template.content.firstChild;
}
