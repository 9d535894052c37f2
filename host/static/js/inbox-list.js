// The list of conversations: rows in their order, more of them as one scrolls. Rows that would move while somebody
// points at the list, or has scrolled it, wait until they are asked for.

import { read } from "./composer-draft.js";
import { textLeft, waits } from "./device-texts.js";
import { elements } from "./inbox-thread.js";

const PLACE = "lobby-list";
const OWN_MS = 5000;
const MOST_PAGES = 20; // loaded again after a reload

const part = (name) => document.querySelector(`[data-part="${name}"]`);

export class List {
  constructor(words) {
    this.words = words;
    this.rows = part("list");
    this.scroller = part("scroll");
    this.button = document.querySelector("[data-changed]");
    this.held = new Map(); // by id: the row to come, or null for one that is to go
    this.opened = null;
    this.own = new Set(); // ids of what is being changed from the list itself: these rows move at once
    this.button.addEventListener("click", () => this.release());
    document.getElementById("list").addEventListener("mouseleave", () => this.settle());
    this.scroller.addEventListener("scroll", () => this.settle(), { passive: true });
    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-more]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.more(link);
    });
    this.watcher = new IntersectionObserver((seen) => {
      for (const one of seen) if (one.isIntersecting) this.more(one.target);
    }, { root: this.scroller, rootMargin: "0px 0px 800px 0px" });
    this.watch();
    for (const row of this.rows.children) this.draft(Number(row.dataset.row));
    window.addEventListener("pagehide", () => this.remember());
    this.comeBack();
  }

  /** Note how far somebody has come in the list, for the case that this page is loaded anew. */
  remember() {
    try {
      sessionStorage.setItem(PLACE, JSON.stringify({ list: this.words.list, rows: this.rows.children.length, top: this.place() }));
    } catch {
      // Storage is full or forbidden: the list begins at its top.
    }
  }

  /** After a reload: load as many rows as there were, and go where one was. */
  async comeBack() {
    const was = remembered();
    const [how] = performance.getEntriesByType("navigation");
    if (!["reload", "back_forward"].includes(how?.type) || was?.list !== this.words.list || !(was.top > 0)) return;
    for (let pages = 0; pages < MOST_PAGES && this.rows.children.length < was.rows; pages += 1) {
      const link = this.scroller.querySelector("[data-more]"), before = this.rows.children.length;
      if (!link || this.place() > 0) break; // somebody scrolls already
      await this.more(link);
      if (this.rows.children.length === before) break;
    }
    if (this.place() === 0) this.restore(was.top);
  }

  find(id) {
    return this.rows.querySelector(`[data-row="${Number(id)}"]`);
  }

  link(id) {
    return id ? this.find(id)?.querySelector("a") : null;
  }

  /** Return the link the keys act on: the focused one, else the one that is open, else the first. */
  current() {
    const active = document.activeElement.closest?.(".conv");
    return active ?? this.link(this.opened) ?? this.rows.querySelector(".conv");
  }

  /** Return the link below the conversation *id*, else the one above it. */
  after(id) {
    const row = this.find(id);
    return (row?.nextElementSibling ?? row?.previousElementSibling)?.querySelector("a");
  }

  /** Show that the conversation *id* is open. */
  choose(id) {
    this.opened = id;
    for (const link of this.rows.querySelectorAll(".conv[aria-current]")) link.removeAttribute("aria-current");
    this.link(id)?.setAttribute("aria-current", "true");
  }

  /** The conversation *id* is no longer open: if it does not belong here any more, it may go. */
  leave(id) {
    if (this.held.get(id) === null) this.show({ [id]: null });
  }

  isUnread(id) {
    return Boolean(this.link(id)?.classList.contains("is-unread"));
  }

  read(id) {
    this.link(id)?.classList.remove("is-unread");
  }

  place() {
    return this.scroller.scrollTop;
  }

  restore(place) {
    this.scroller.scrollTop = place;
  }

  busy() {
    return this.scroller.scrollTop > 8 || document.getElementById("list").matches(":hover");
  }

  /** What happens to the conversation *id* in the next seconds was done in the list: its row does not wait. */
  touched(id) {
    this.own.add(id);
    setTimeout(() => this.own.delete(id), OWN_MS);
  }

  /** Take rows as they are now; null takes one out. */
  show(rows) {
    const busy = this.busy();
    for (const [key, html] of Object.entries(rows)) {
      const id = Number(key), there = this.find(id);
      const [row] = html === null ? [null] : elements(html);
      const stays = row && there && there.dataset.order === row.dataset.order;
      this.held.delete(id);
      if (stays) this.put(row, there);
      else if (!row && id === this.opened) this.held.set(id, null); // it stays where it is until one leaves it
      else if (busy && !this.own.has(id) && (row || there)) {
        this.held.set(id, row?.cloneNode(true) ?? null);
        if (row && there) {
          row.dataset.order = there.dataset.order; // as it is now, where it was
          this.put(row, there);
        }
      } else this.place_(id, row, there);
    }
    this.tell();
  }

  /** Put *row* where *there* is. */
  put(row, there) {
    const focused = there.contains(document.activeElement);
    there.replaceWith(row);
    this.mark(row);
    if (focused) row.querySelector("a").focus({ preventScroll: true });
  }

  /** Put *row* where it belongs, or take the conversation out where it is null. */
  place_(id, row, there = this.find(id)) {
    const focused = there?.contains(document.activeElement);
    const beside = focused && !row ? (there.nextElementSibling ?? there.previousElementSibling)?.querySelector("a") : null;
    there?.remove();
    if (!row) {
      beside?.focus({ preventScroll: true });
      return;
    }
    const next = [...this.rows.children].find((other) => other.dataset.order < row.dataset.order);
    if (next) next.before(row);
    else if (!document.querySelector("[data-more]")) this.rows.append(row);
    this.mark(row);
    if (focused && row.isConnected) row.querySelector("a").focus({ preventScroll: true });
  }

  mark(row) {
    const id = Number(row.dataset.row);
    if (id === this.opened) row.querySelector("a").setAttribute("aria-current", "true");
    this.draft(id);
  }

  /** Say how many wait to take their place, and what there is if nothing is. */
  tell() {
    const count = [...this.held.keys()].filter((id) => id !== this.opened).length;
    this.button.hidden = !count;
    this.button.querySelector("span").textContent = this.words.textChanged.replace("{n}", count);
    this.rows.hidden = this.rows.children.length === 0;
    part("empty").hidden = !this.rows.hidden;
  }

  /** Nobody points at the list any more: what waited may take its place. */
  settle() {
    if (this.held.size && !this.busy()) this.release();
  }

  /** Let everything that waits take its place, and show the top. */
  release() {
    for (const [id, row] of [...this.held]) {
      if (row === null && id === this.opened) continue;
      this.held.delete(id);
      this.place_(id, row);
    }
    this.scroller.scrollTop = 0;
    this.tell();
  }

  watch() {
    this.watcher.disconnect();
    const link = this.scroller.querySelector("[data-more]");
    if (link) this.watcher.observe(link);
  }

  /** Fetch the next page and put it below. */
  async more(link) {
    if (this.loading) return;
    this.loading = true;
    link.setAttribute("aria-busy", "true");
    try {
      const url = new URL(this.words.list, location.href);
      url.searchParams.set("before", link.dataset.more);
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!response.ok) return;
      const answer = await response.json();
      for (const row of elements(answer.rows)) {
        if (this.find(row.dataset.row) || this.held.has(Number(row.dataset.row))) continue;
        this.rows.append(row);
        this.mark(row);
      }
      if (answer.more) link.dataset.more = answer.more;
      else link.remove();
    } catch {
      // The link is still there to be pressed.
    } finally {
      this.loading = false;
      link.removeAttribute("aria-busy");
      this.watch();
    }
  }

  /** Take over what a page that was loaded anew has. */
  renew(fresh) {
    const place = this.place(), focused = Number(document.activeElement.closest?.("[data-row]")?.dataset.row);
    const beside = focused && this.after(focused)?.closest("[data-row]").dataset.row;
    this.held.clear();
    this.rows.innerHTML = fresh.querySelector("[data-part=list]").innerHTML;
    part("empty").innerHTML = fresh.querySelector("[data-part=empty]").innerHTML;
    this.scroller.querySelector("[data-more]")?.remove();
    const more = fresh.querySelector("[data-more]");
    if (more) part("empty").before(more);
    this.choose(this.opened);
    for (const row of this.rows.children) this.draft(Number(row.dataset.row));
    this.tell();
    (this.link(focused) ?? this.link(beside))?.focus({ preventScroll: true });
    this.restore(place);
    this.watch();
  }

  /** Show in its row what was begun on this device and not sent, or waits to be sent. */
  draft(id) {
    const line = this.find(id)?.querySelector(".conv-text");
    const waiting = waits().findLast((one) => one.id === id && !one.sending)?.text.trim();
    const begun = (kind) => (read(`lobby-draft-${kind}-${id}`) || textLeft(id, kind)).trim();
    const text = waiting || ["reply", "note"].map(begun).find(Boolean);
    line?.querySelector(".conv-draft")?.remove();
    if (!line || !text) return;
    const mark = document.createElement("span");
    mark.className = waiting ? "conv-draft conv-waits" : "conv-draft";
    const word = document.createElement("b");
    word.textContent = waiting ? this.words.textWaits : this.words.textDraft;
    if (waiting) mark.append(document.querySelector("template[data-waits-icon]").content.cloneNode(true));
    mark.append(word, ` ${text.slice(0, 120)} `);
    line.prepend(mark);
  }

  /** Move the focus by *step* rows; return the conversations there and one further. */
  move(step) {
    const links = [...this.rows.querySelectorAll(".conv")];
    if (!links.length) return [];
    const focused = links.indexOf(document.activeElement);
    const from = focused >= 0 ? focused : links.findIndex((link) => link.hasAttribute("aria-current"));
    const at = Math.min(links.length - 1, Math.max(0, from + step)), next = links[at];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    return [next, links[at + step]].map((link) => Number(link?.closest("[data-row]").dataset.row)).filter(Boolean);
  }
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
  } catch {
    return null;
  }
}
