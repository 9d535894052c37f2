// Connecting in a provider's own dialog: the button's side, and the window's side when it has come back.

import { post } from "./base.js";

const LOOK_MS = 1000;
const NAME = "lobby-sign-in";
const ENDED = new Set(["done", "failed"]);

/** Return where sentences about a button go. */
function boxOf(form) {
  const part = form.closest("section:has([data-sign-in-box])") ?? document;
  return part.querySelector("[data-sign-in-box]");
}

/** Show one sentence beside the button. */
function say(box, sentence, next = "", tone = "warn") {
  box.hidden = false;
  box.className = `notice notice-${tone}`;
  box.querySelector("[data-sentence]").textContent = sentence;
  box.querySelector("[data-next]").textContent = next;
}

/** Follow one journey: the desk knows how far it is, whatever became of the window. */
class Journey {
  constructor(form, popup) {
    this.form = form;
    this.popup = popup;
    this.box = boxOf(form);
    this.told = false;
  }

  async begin() {
    let answer = null;
    try {
      const response = await post(this.form.action, new FormData(this.form));
      if (response.ok) answer = await response.json();
    } catch {
      // No connection: the same sentence as for an answer that is none.
    }
    if (!answer) {
      this.popup.close();
      say(this.box, this.form.dataset.failed);
      return;
    }
    this.watch = answer.watch;
    this.popup.location.replace(answer.url);
    say(this.box, this.form.dataset.waiting, "", "info");
    this.look();
  }

  /** Look now, and again until it has ended. */
  look() {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      try {
        const response = await fetch(this.watch, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (response.status === 401 || response.status === 404) return;
        if (response.ok && this.show(await response.json())) return;
      } catch {
        // The connection is away; the next look may find it.
      }
      this.look();
    }, LOOK_MS);
  }

  /** Show how far it is; true when it has ended. */
  show(answer) {
    if (answer.state === "done") {
      // A page that is the answer to a form cannot be loaded anew.
      if (this.box.dataset.done) location.assign(this.box.dataset.done);
      else location.reload();
      return true;
    }
    if (answer.state === "failed") {
      const problem = answer.problems?.[0];
      say(this.box, problem?.sentence ?? this.form.dataset.failed, problem?.next_step ?? "", "bad");
      return true;
    }
    // A provider may cut the window off from this page; then it looks closed although it is not.
    if (!this.told && this.popup.closed) {
      this.told = true;
      say(this.box, this.form.dataset.closed, this.form.dataset.closedNext);
    }
    return false;
  }
}

let current = null;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-sign-in-form]")) return;
  event.preventDefault();
  // At once, in the press itself: a window opened later counts as an unasked one and is blocked.
  const popup = window.open("about:blank", NAME, "popup,width=640,height=760");
  if (!popup) {
    say(boxOf(form), form.dataset.blocked, form.dataset.blockedNext);
    return;
  }
  current = new Journey(form, popup);
  current.begin();
});

window.addEventListener("message", (event) => {
  if (event.origin === location.origin && event.data === NAME && current?.watch) current.look();
});

const ended = document.querySelector("[data-sign-in]");
if (ended && window.name === NAME) {
  if (window.opener && ENDED.has(ended.dataset.signIn)) window.opener.postMessage(NAME, location.origin);
  if (ended.dataset.signIn === "done") setTimeout(() => window.close(), 2500);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("[data-close]");
    if (!link || !window.opener) return;
    event.preventDefault();
    window.close();
  });
}
