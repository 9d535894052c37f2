// What changed, as it happens: a stream where the desk has one to give, asking every few seconds otherwise.

import { asPage } from "./page-user.js";

const POLL_MS = 5000;
const ONLY_POLL_MS = 2000; // where there is no stream to be had
const HIDDEN_POLL_MS = 15000;
const AWAY_POLL_MS = 3000;
const STREAM_AGAIN_MS = 2000;
const STREAM_AGAIN_AT_MOST_MS = 30000;
const SILENT_MS = 50000; // the desk says something every 15 seconds
const ANSWER_MS = 10000;
const REMEMBERED = 1000;
const SIGNALS = ["draft"]; // told as it happens only: who was away asks for what they are about
const TOPICS = ["message", "state", "changed", "gone", "conversation", "account", "addons", "catch_up", "presence", "notice", "erased", "access"];

// A thousand browsers lose their streams in the same moment and should not all be back in the same one.
const about = (ms) => ms * (0.5 + Math.random());

/**
 * Follow a workspace. Calls `onEvent(topic, data)` for each change, `onResync()` when too much was missed to
 * tell one by one, `onConnection(connected)` when the desk goes away or comes back, `onAsked()` where the desk had
 * to be asked in place of a stream, which tells more, `onGone()` where the person is no member any more. Without *stream*, the desk is always asked.
 */
export class Live {
  constructor({ stream, poll, after, onEvent, onResync, onConnection, onAsked, onGone }) {
    Object.assign(this, { streamUrl: stream, pollUrl: poll, after, onEvent, onResync, onConnection, onAsked, onGone });
    this.source = null;
    this.timer = null;
    this.connected = true;
    this.seen = new Set();
    this.turn = 0;
    this.refused = 0;
    this.streamAgainAt = 0;
    // A tab nobody looks at gives its stream back: a browser has six connections to one host, for all its tabs.
    document.addEventListener("visibilitychange", () => this.restart());
    window.addEventListener("pagehide", () => this.stop());
    window.addEventListener("offline", () => this.doubt());
    window.addEventListener("online", () => this.restart());
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.restart(); });
    this.restart();
  }

  stop() {
    this.turn += 1;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    if (this.source) this.source.close();
    this.source = null;
  }

  restart() {
    this.stop();
    if (document.hidden) this.poll(HIDDEN_POLL_MS);
    else if (this.streamUrl) this.stream();
    else this.poll(about(ONLY_POLL_MS));
  }

  stream() {
    const source = new EventSource(asPage(`${this.streamUrl}?after=${this.after}`));
    this.source = source;
    for (const topic of TOPICS) {
      source.addEventListener(topic, (event) => this.take(Number(event.lastEventId), topic, event.data));
    }
    for (const topic of SIGNALS) {
      source.addEventListener(topic, (event) => {
        if (source === this.source) this.heard();
        this.onEvent(topic, JSON.parse(event.data));
      });
    }
    this.heard();
    source.addEventListener("beat", () => this.heard());
    source.addEventListener("resync", (event) => {
      this.seen.clear();
      this.after = Number(event.lastEventId) || this.after;
      this.onResync();
    });
    source.addEventListener("open", () => {
      this.refused = 0;
      this.report(true);
    });
    source.addEventListener("error", () => this.lost(source));
  }

  /** The stream said something; a desk that stands still closes no connection. */
  heard() {
    const { source } = this;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(source), SILENT_MS);
  }

  lost(source) {
    if (source !== this.source) return;
    // Cut, refused or silent: ask instead, and try for a stream again soon, less soon each time it is refused.
    this.stop();
    const wait = Math.min(STREAM_AGAIN_MS * 2 ** this.refused, STREAM_AGAIN_AT_MOST_MS);
    this.refused += 1;
    this.streamAgainAt = Date.now() + about(wait);
    this.poll(about(500));
  }

  /** The desk was not reached: it is away until it answers. */
  doubt() {
    this.stop();
    this.report(false);
    this.poll(about(500));
  }

  poll(delay) {
    const turn = this.turn;
    this.timer = setTimeout(async () => {
      try {
        const response = await fetch(`${this.pollUrl}?after=${this.after}`, {
          headers: { Accept: "application/json" },
          credentials: "same-origin",
          signal: AbortSignal.timeout(ANSWER_MS),
        });
        if (response.status === 404) this.onGone?.();
        if (response.status === 401 || response.status === 404) return; // signed out, which covers the page; or no member any more
        if (!response.ok) throw new Error(String(response.status));
        const found = await response.json();
        if (turn !== this.turn) return; // a stream was opened meanwhile, and tells the same
        this.report(true);
        if (found.resync) {
          this.seen.clear();
          this.onResync();
        }
        for (const event of found.events) this.take(event.id, event.topic, event.data);
        this.after = Math.max(this.after, found.last);
        if (!document.hidden) this.onAsked?.();
      } catch {
        if (turn !== this.turn) return;
        this.report(false);
      }
      const left = this.streamAgainAt - Date.now();
      if (document.hidden) this.poll(about(HIDDEN_POLL_MS));
      else if (!this.connected) this.poll(about(AWAY_POLL_MS));
      else if (left > POLL_MS) this.poll(about(POLL_MS));
      else this.timer = setTimeout(() => this.restart(), Math.max(0, left));
    }, delay);
  }

  take(id, topic, data) {
    if (this.source) this.heard();
    // What is told after a reconnect reaches back a little, in case of events that became visible late.
    if (this.seen.has(id)) return;
    this.seen.add(id);
    if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value);
    if (id > this.after) this.after = id;
    this.onEvent(topic, JSON.parse(data));
  }

  report(connected) {
    const changes = this.connected !== connected;
    this.connected = connected;
    if (changes) this.onConnection(connected);
  }
}
