// Tells the customer that somebody is writing, and when they stopped.

import { post } from "./base.js";

const AGAIN_MS = 8000;
const IDLE_MS = 12000;

export class Typing {
  constructor(form, { signal }) {
    this.url = form.dataset.typingUrl;
    this.toldAt = -Infinity;
    this.shown = false;
    const text = form.querySelector("textarea");
    text.addEventListener("input", () => {
      if (text.value.trim()) this.on();
      else this.off();
    });
    text.addEventListener("blur", () => this.off());
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.off(); }, { signal });
    signal.addEventListener("abort", () => this.off());
  }

  on() {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.off(), IDLE_MS);
    if (performance.now() - this.toldAt < AGAIN_MS) return;
    this.toldAt = performance.now();
    this.shown = true;
    this.tell("1");
  }

  off() {
    clearTimeout(this.idle);
    if (!this.shown) return;
    this.shown = false;
    this.toldAt = -Infinity;
    this.tell("0");
  }

  /** Nobody waits for the answer, and nothing is said if it fails: it is a courtesy. */
  tell(on) {
    post(this.url, { on }).catch(() => {});
  }
}
