// Who else has which conversation open, and who writes there: told to the desk, and shown in list and thread.

import { csrfToken, post } from "./base.js";
import { together } from "./inbox-kept.js";

const AGAIN_MS = 12000;
const LEASE_MS = 30000;
const IDLE_MS = 6000;

const part = (name) => document.querySelector(`[data-part="${name}"]`);

export class Presence {
  /** `onUnknown()` is called when the desk should be asked who is there. */
  constructor(words) {
    this.words = words;
    this.people = new Map(); // by user: their name, initials and tone
    this.here = new Map(); // by conversation: by user, what they do and since when it is known
    this.url = null;
    this.state = "viewing";
    this.onUnknown = () => {};
    this.set(JSON.parse(words.here));
    setInterval(() => this.again(), AGAIN_MS);
    window.addEventListener("pagehide", () => this.away());
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.say(); });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.away() : this.say()));
  }

  /** The person at this browser has the conversation *id* open now. */
  enter(id, url) {
    const left = this.id;
    if (!url && this.url) this.away();
    Object.assign(this, { id, url, state: "viewing" });
    clearTimeout(this.idle);
    this.say(left && left !== id ? left : "");
    this.draw();
  }

  typing(id, on) {
    clearTimeout(this.idle);
    if (id !== this.id) return;
    if (on) this.idle = setTimeout(() => this.typing(id, false), IDLE_MS);
    const state = on ? "typing" : "viewing";
    if (state === this.state) return;
    this.state = state;
    this.say();
  }

  /** Tell the desk. Nobody waits for the answer: it is told again soon. */
  say(left = "") {
    if (this.url && !document.hidden) post(this.url, { state: this.state, left }).catch(() => {});
  }

  away() {
    if (!this.url) return;
    const body = new FormData();
    body.append("csrf_token", csrfToken());
    body.append("state", "away");
    navigator.sendBeacon(this.url, body);
  }

  /** Say that we are still there; forget, or ask about, those who have not been heard of. */
  again() {
    this.say();
    const old = Date.now() - LEASE_MS;
    if (!document.hidden && [...this.here.values()].some((group) => [...group.values()].some((one) => one.at < old))) this.onUnknown();
  }

  /** Take what the desk knows: everybody who is somewhere. */
  set(found) {
    this.here.clear();
    for (const { conversation, user, state, ...person } of found) {
      this.people.set(user, person);
      this.note(conversation, user, state);
    }
    this.draw();
  }

  /** One change, as it happens. */
  told({ conversation, user, state }) {
    if (user === Number(this.words.user)) return;
    if (state === "away") this.here.get(conversation)?.delete(user);
    else this.note(conversation, user, state);
    if (!this.people.has(user)) this.onUnknown();
    this.draw(conversation);
  }

  note(conversation, user, state) {
    if (!this.here.has(conversation)) this.here.set(conversation, new Map());
    this.here.get(conversation).set(user, { state, at: Date.now() });
  }

  /** Return who is in a conversation: name, initials, tone, state. */
  in(id) {
    const found = [...(this.here.get(id) ?? [])].filter(([user]) => this.people.has(user));
    return found.map(([user, { state }]) => ({ user, state, ...this.people.get(user) }));
  }

  draw(only = null) {
    for (const row of document.querySelectorAll("[data-row]")) {
      const id = Number(row.dataset.row);
      if (only && id !== only) continue;
      const place = row.querySelector("[data-present]"), there = this.in(id);
      if (!there.length && !place.hasChildNodes()) continue;
      place.replaceChildren(...there.slice(0, 3).map((one) => this.face(one, "avatar-xs")));
      const own = row.querySelector("[data-assignee]");
      if (own) own.hidden = there.some((one) => one.user === Number(own.dataset.assignee));
    }
    if (only && only !== this.id) return;
    const there = this.in(this.id);
    part("here")?.replaceChildren(...there.slice(0, 4).map((one) => this.face(one, "avatar-sm")));
    const strip = part("typing");
    if (!strip) return;
    const typing = there.filter((one) => one.state === "typing");
    strip.hidden = !typing.length;
    const hint = document.createElement("span");
    hint.className = "soft-note";
    hint.textContent = this.words.textTypingHint;
    const who = typing.map((one) => {
      const span = document.createElement("span");
      span.dataset.user = one.user;
      span.textContent = this.words.textTyping.replace("{name}", one.name);
      return span;
    });
    strip.replaceChildren(...who, ...(typing.length ? [hint] : []));
    together(strip.parentElement);
  }

  face({ name, initials, tone, state }, size) {
    const face = document.createElement("span");
    face.className = `avatar ${size} tone-${tone} is-here${state === "typing" ? " is-typing" : ""}`;
    face.textContent = initials;
    face.translate = false;
    face.setAttribute("role", "img");
    const words = state === "typing" ? this.words.textTypingShort : this.words.textViewing;
    face.title = words.replace("{name}", name);
    face.setAttribute("aria-label", face.title);
    return face;
  }
}
