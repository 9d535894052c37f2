// "Back online": the replies that wait on this device, each with what came since it was written. Nothing is sent without a press.

import { agreed, csrfToken } from "./base.js";
import { read, write } from "./composer-draft.js";
import { elements } from "./inbox-thread.js";
import { dayTime } from "./inbox-time.js";
import { tell } from "./notice.js";

const MOST = 50; // cards that the desk makes at once
const GOES_MS = 1200;
const ANSWER_MS = 10000;
const LATER = "lobby-back-later";

export class Back {
  /**
   * *unsent* has the replies, *open(id)* shows a conversation, *drop(record)* takes its text out of the draft, *sent(record, html)*
   * hears that one was sent.
   */
  constructor(unsent, data, { open, drop, sent }) {
    Object.assign(this, { unsent, data, open, drop, sent });
    this.dialog = document.querySelector("dialog[data-back]");
    this.note = document.querySelector("[data-back-line]");
    this.list = this.dialog.querySelector("[data-back-cards]");
    this.cards = new Map(); // by key
    this.note.querySelector("button").addEventListener("click", () => this.show());
    this.dialog.querySelector("[data-back-later]").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => {
      write(LATER, Math.max(0, ...this.unsent.all.map((one) => one.at)));
      this.draw();
    });
  }

  /** Say how many wait, and take out what waits no more. */
  draw() {
    const { all, connected } = this.unsent, { dialog, note } = this;
    for (const [key, card] of this.cards) {
      if (all.some((one) => one.key === key) || "sent" in card.dataset) continue;
      card.remove();
      this.cards.delete(key);
    }
    const count = all.length, words = this.words(count);
    if (dialog.open && !count && !this.cards.size) dialog.close();
    for (const text of [dialog.querySelector("[data-back-count]"), note.querySelector("b")]) {
      if (text.textContent !== words) text.textContent = words;
    }
    const isHere = count === 1 && Boolean(this.unsent.here());
    note.hidden = !connected || !count || dialog.open || isHere;
  }

  words(count) {
    const { textOne, textMany } = this.dialog.dataset;
    return count === 1 ? textOne : textMany.replace("{n}", count);
  }

  /** The line is back: show what waits, unless somebody is in the middle of something or has put it off. */
  arrived() {
    const { all } = this.unsent, field = document.activeElement;
    const isWriting = field?.matches("textarea, input:not([type=hidden])") && field.value && !all.some((one) => one.text === field.value);
    const isHere = all.length === 1 && Boolean(this.unsent.here());
    if (!all.length || isWriting || isHere || document.querySelector("dialog[open]")) return;
    if (all.every((one) => one.at <= Number(read(LATER)))) return; // put off in this tab
    this.show();
  }

  async show() {
    if (this.asking) return;
    this.asking = true;
    const some = this.unsent.all.slice(0, MOST);
    try {
      const made = await this.fetch(some);
      this.cards.clear();
      this.list.replaceChildren();
      for (const [at, record] of some.entries()) this.put(record, made[at]);
      if (this.cards.size && !document.querySelector("dialog[open]")) this.dialog.showModal();
    } catch {
      // The desk is away again: the line stays, and can be pressed once more.
    } finally {
      this.asking = false;
      this.draw();
    }
  }

  /** Ask the desk what came since each of *records* was written; return their cards. */
  async fetch(records) {
    const url = new URL(this.data.since, location.href);
    url.searchParams.set("waiting", records.map(({ mode, id, seen }) => `${mode}-${id}-${Number(seen) || 0}`).join(","));
    const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw new Error(String(response.status));
    const { cards } = await response.json();
    return cards.map((html) => elements(html)[0]);
  }

  put(record, card) {
    if (!this.unsent.find(record.key)) return; // sent or discarded meanwhile
    const part = (name) => card.querySelector(`[data-back-${name}]`);
    if (!part("name").textContent) part("name").textContent = record.name;
    part("when").textContent = part("when").dataset.text.replace("{time}", () => dayTime(record.at));
    part("text").textContent = record.text;
    part("more").hidden = !record.more;
    part("discard").addEventListener("click", () => this.discard(record, card));
    part("edit")?.addEventListener("click", () => this.edit(record));
    if (record.more || !["reply", "note"].includes(record.mode)) part("send")?.remove();
    part("send")?.addEventListener("click", () => this.send(record, card));
    this.cards.get(record.key)?.replaceWith(card);
    this.cards.set(record.key, card);
    if (!card.isConnected) this.list.append(card);
  }

  problem(card, ...sentences) {
    const box = card.querySelector("[data-back-problem]");
    tell(box, ...sentences);
  }

  async discard(record, card) {
    const button = card.querySelector("[data-back-discard]");
    if (!(await agreed(button.dataset.confirm, button))) return;
    const now = this.unsent.find(record.key);
    this.unsent.remove((one) => one.key === record.key);
    this.drop(now ?? record);
    this.step();
  }

  async edit(record) {
    this.dialog.close();
    await this.open(record.id);
    this.unsent.edit(this.unsent.find(record.key) ?? record);
  }

  /** Send what the composer would have sent, under the same key: in two tabs it is sent once. */
  async send(record, card) {
    const button = card.querySelector("[data-back-send]"), now = this.unsent.find(record.key);
    if (!now || card.dataset.sending) return;
    const url = new URL(now.action, location.origin);
    if (url.origin !== location.origin || !url.pathname.startsWith(`${now.inbox}/`)) return;
    const body = new FormData();
    for (const [name, value] of now.body) if (!["draft_version", "seen"].includes(name)) body.append(name, value);
    body.set("seen", card.dataset.newest);
    if (card.dataset.reopens) body.set("reopen", "1");
    if (card.querySelector(".back-since")) body.delete("then"); // whoever closed it did not know what came since
    card.dataset.sending = "1";
    button.setAttribute("aria-disabled", "true");
    let answer = {}, isTaken = false;
    try {
      const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
      const response = await fetch(url, { method: "POST", body, headers, credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS) });
      answer = await response.json();
      isTaken = response.ok;
    } catch {
      // No answer, or none to read: it stays, and once more is not twice.
    }
    delete card.dataset.sending;
    button.removeAttribute("aria-disabled");
    if (isTaken) this.taken(now, card, answer);
    else if (answer.error?.newer) await this.again(now, card, answer.error);
    else this.problem(card, answer.error?.message ?? this.data.textUnsaved, answer.error?.next);
  }

  taken(record, card, { messages }) {
    card.dataset.sent = "";
    const done = this.dialog.querySelector("template[data-back-sent]").content.cloneNode(true);
    card.querySelector(".back-acts").replaceChildren(done);
    card.querySelector("[data-back-problem]").hidden = true;
    this.unsent.remove((one) => one.key === record.key);
    this.drop(record);
    this.sent(record, messages);
    setTimeout(() => {
      card.remove();
      this.cards.delete(record.key);
      this.step();
    }, GOES_MS);
  }

  /** Somebody answered since the card was made: show that before it is sent. */
  async again(record, card, error) {
    try {
      const [fresh] = await this.fetch([record]);
      this.put(record, fresh);
      if (error.closed) fresh.dataset.reopens = "1";
      this.problem(fresh, error.message, error.next);
      fresh.querySelector("[data-back-send]")?.focus();
    } catch {
      this.problem(card, error.message, error.next);
    }
  }

  /** One card is gone: go to the next, or end. */
  step() {
    this.draw();
    if (!this.dialog.open) return;
    if (!this.cards.size) {
      if (this.unsent.all.length) this.show(); // there were more than fit
      else this.dialog.close();
    } else if (document.activeElement === document.body || document.activeElement === this.dialog) {
      this.list.querySelector("button")?.focus();
    }
  }
}
