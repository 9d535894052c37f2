// Replies that have not left: the seconds they have in the thread, and a toast for one of another conversation.

import { putBack } from "./composer-draft.js";
import { elements } from "./inbox-thread.js";

const TICK_MS = 250;
const FIELDS = "input:not([type=checkbox]), textarea, select, [contenteditable]";
/** Whether *field* is the composer's and empty: there is nothing to undo in it. */
const isEmpty = (field) => !field.value && field.matches("[data-composer] [data-form] textarea");

/** Return when the seconds of *element* are over: they began when it came, whatever this browser's clock says. */
function ends(element) {
  element.dataset.ends ??= Date.now() + Number(element.dataset.leaves) * 1000;
  return Number(element.dataset.ends);
}

/**
 * Follows replies that can be undone. *post(url)* asks the desk, *report(sentence, next)* says what went wrong,
 * *show(conversation)* opens one, *back(conversation, message, mode)* shows what came back, in the form *mode*.
 * *first(since)* undoes something else that was done after that time, and says whether there was such.
 */
export class Undoing {
  constructor({ post, report, show, back, first }) {
    Object.assign(this, { post, report, show, back, first, waiting: [], opened: null, toast: null });
    setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("keydown", (event) => this.key(event));
    for (const kind of ["input", "focusin", "focusout"]) document.addEventListener(kind, () => this.hint());
  }

  /** A reply was sent in *conversation*, with *name*: *html* is what the thread shows of it. */
  sent(conversation, name, html) {
    for (const item of elements(html)) {
      const leaves = item.querySelector("[data-leaves]"), undo = item.querySelector("form[data-act=undo]");
      if (!leaves || !undo) continue;
      const until = ends(leaves);
      const now = item.querySelector("form[data-act=send_now]").getAttribute("action");
      this.waiting.push({ conversation, name, until, at: Date.now(), undo: undo.getAttribute("action"), now, length: this.left(until), message: item.dataset.message });
    }
    this.tick();
  }

  /** The conversation *id* is open: what is its own stands in its thread. */
  enter(id) {
    this.opened = id;
    this.tick();
  }

  left(until) {
    return (until - Date.now()) / 1000;
  }

  tick() {
    this.waiting = this.waiting.filter((one) => this.left(one.until) > 0);
    for (const one of document.querySelectorAll("[data-leaves]")) {
      const left = this.left(ends(one));
      if (left > 0) one.textContent = one.dataset.text.replace("{n}", Math.ceil(left));
    }
    this.draw(this.waiting.findLast((one) => one.conversation !== this.opened));
    this.hint();
  }

  /** Show the toast of *reply*; none: take it away. */
  draw(reply) {
    if (!reply || this.toast?.reply !== reply) {
      this.toast?.place.remove();
      this.toast = null;
    }
    if (!reply) return;
    this.toast ??= this.make(reply);
    if (!this.toast) return;
    const { place, text, ring } = this.toast;
    const left = this.left(reply.until);
    if (!place.isConnected) this.put(place);
    const words = text.dataset.text.replace("{n}", Math.ceil(left)).replace("{name}", reply.name);
    if (text.textContent !== words) text.textContent = words;
    ring.setAttribute("stroke-dasharray", `${Math.max(0, Math.min(100, (left / reply.length) * 100))} 100`);
  }

  make(reply) {
    const template = document.querySelector("template[data-toast]");
    if (!template) return null;
    const place = document.createElement("div");
    place.className = "toast-place";
    place.append(template.content.cloneNode(true));
    place.querySelector("[data-toast-undo]").addEventListener("click", () => this.undo(reply));
    place.querySelector("[data-toast-now]").addEventListener("click", () => this.now(reply));
    return { reply, place, text: place.querySelector("[data-toast-text]"), ring: place.querySelector(".on") };
  }

  /** Over the messages where there are some, else over the page. */
  put(place) {
    const thread = document.querySelector(".thread-scroll")?.parentElement;
    const above = document.querySelector("[data-part=composer]");
    place.classList.toggle("toast-page", !thread);
    if (thread && above?.parentElement === thread) above.before(place);
    else document.body.append(place);
  }

  /** The key is shown while it undoes something: not while a field has it for what is typed there. */
  hint() {
    const field = document.activeElement?.closest(FIELDS);
    document.documentElement.classList.toggle("undo-types", Boolean(field && !isEmpty(field)));
  }

  /** Undo the latest reply that can be, or what was done after it. Return whether there was one. */
  latest() {
    const reply = this.waiting.at(-1);
    if (this.first(reply?.at ?? 0)) return true;
    const form = [...document.querySelectorAll(".msg-waits form[data-act=undo]:has(kbd)")].at(-1);
    if (reply) this.undo(reply);
    else form?.requestSubmit();
    return Boolean(reply || form);
  }

  /** Ctrl+Z and ⌘Z undo a reply; in a field they undo what is typed, unless it is the composer and empty. */
  key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.isComposing || event.defaultPrevented) return;
    if (event.key.toLowerCase() !== "z" || event.target.closest("dialog")) return;
    const field = event.target.closest(FIELDS);
    if (field && !isEmpty(field)) return;
    if (this.latest()) event.preventDefault();
  }

  async undo(reply) {
    this.forget(reply);
    const answer = await this.ask(reply.undo);
    if (!answer) return;
    this.undone(answer, reply.message);
    if (reply.conversation !== this.opened) await this.show(reply.conversation);
  }

  /** The desk gave a reply back: it stands in the composer again. */
  undone(answer, message) {
    this.waiting = this.waiting.filter((one) => one.message !== String(message));
    putBack(answer.conversation, answer.draft);
    this.back(answer.conversation, message, answer.draft.mode);
    const said = document.querySelector("[data-undo-say]");
    if (said) said.textContent = said.dataset.undone;
    this.tick();
  }

  async now(reply) {
    this.forget(reply);
    await this.ask(reply.now);
  }

  /** The customer of *conversation* was erased: nothing that was sent to them can be undone, and nobody is named. */
  erased(conversation) {
    this.waiting = this.waiting.filter((one) => one.conversation !== conversation);
    this.tick();
  }

  forget(reply) {
    this.waiting = this.waiting.filter((one) => one !== reply);
    this.tick();
  }

  async ask(url) {
    try {
      const response = await this.post(url, new URLSearchParams());
      const answer = await response.json().catch(() => ({}));
      if (response.ok) return answer;
      this.report(answer.error?.message, answer.error?.next);
    } catch {
      this.report();
    }
    return null;
  }
}
