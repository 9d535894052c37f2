// Connecting in a provider's own dialog: the button's side, and the window's side when it has come back.

import { post } from "./base.js";
import { tell } from "./notice.js";

const LOOK_MS = 1000;
const READ_MS = 1500; // how long the window shows how it ended, when its opener shows it too
const ALONE_MS = 4000; // how long its opener may take to say so
const NAME = "lobby-sign-in";
const FEATURES = "popup,width=640,height=760";
const ENDED = new Set(["done", "failed"]);

/** Return where sentences about a button go. */
function boxOf(form) {
  const part = form.closest("section:has([data-sign-in-box])") ?? document;
  return part.querySelector("[data-sign-in-box]");
}

/** Show one sentence beside the button. */
function say(box, sentence, next = "", tone = "warn") {
  box.className = `notice notice-${tone}`;
  tell(box, sentence, next);
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
    offer(this.box, null);
    say(this.box, this.form.dataset.opening, "", "info");
    if (this.popup) this.popup.document.body.textContent = this.form.dataset.opening;
    let answer = null;
    try {
      const response = await post(this.form.action, new FormData(this.form));
      if (response.ok) answer = await response.json();
    } catch {
      // No connection: the same sentence as for an answer that is none.
    }
    if (!answer) {
      this.popup?.close();
      say(this.box, this.form.dataset.failed, "", "bad");
      return;
    }
    this.watch = answer.watch;
    this.page = answer.show;
    if (this.popup) {
      this.popup.location.replace(answer.url);
      say(this.box, this.form.dataset.waiting, "", "info");
    } else {
      say(this.box, this.form.dataset.blocked, this.form.dataset.blockedNext);
      offer(this.box, answer.url, (popup) => {
        this.popup = popup;
        offer(this.box, null);
        say(this.box, this.form.dataset.waiting, "", "info");
      });
    }
    this.look();
  }

  /** Look in *delay* milliseconds, and again until it has ended. */
  look(delay = LOOK_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      if (current !== this) return;
      try {
        const response = await fetch(this.watch, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (response.status === 401 || response.status === 404) return;
        if (response.ok && this.show(await response.json())) return;
      } catch {
        // The connection is away; the next look may find it.
      }
      this.look();
    }, delay);
  }

  /** Show how far it is; true when it has ended. */
  show(answer) {
    if (current !== this) return true; // another one was begun here
    if (answer.state === "done") {
      // What could not be connected is said in the window alone, which stays for it.
      acknowledge(this.page, answer.problems?.length ? "stay" : "close");
      // A page that is the answer to a form cannot be loaded anew.
      if (this.box.dataset.done) location.assign(this.box.dataset.done);
      else location.reload();
      return true;
    }
    if (answer.state === "failed") {
      const problem = answer.problems?.[0];
      offer(this.box, null);
      say(this.box, problem?.sentence ?? this.form.dataset.failed, problem?.next_step ?? "", "bad");
      acknowledge(this.page, "close");
      return true;
    }
    // A provider may cut the window off from this page; then it looks closed although it is not.
    if (!this.told && this.popup?.closed) {
      this.told = true;
      say(this.box, this.form.dataset.closed, this.form.dataset.closedNext);
    }
    return false;
  }
}

/** Tell the window of the attempt at *page* that this page shows how it ended, and whether it may close. */
function acknowledge(page, what) {
  try {
    // Kept, for the window may still be loading when this page has left.
    localStorage.setItem(NAME, `${page} ${what}`);
  } catch {
    // Without storage the window stays, and says so.
  }
}

function acknowledged() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

/** Show a link that opens *url* in the window, and tell *opened* that it did; without *url*, take it away. */
function offer(box, url, opened) {
  const old = box.querySelector("[data-open]");
  const link = old.cloneNode(true); // without what listened to it
  old.replaceWith(link);
  link.hidden = !url;
  if (!url) {
    link.removeAttribute("href");
    return;
  }
  link.href = url;
  link.target = NAME;
  link.addEventListener("click", (event) => {
    const popup = window.open(url, NAME, FEATURES);
    if (popup) event.preventDefault(); // else the link opens a tab: no browser takes that for an unasked window
    opened(popup);
  });
  link.focus();
}

let current = null;
// Both reach the window and its opener also where the provider's page has cut the one off from the other.
const windows = new BroadcastChannel(NAME);

// Captured, so that the page's own guard against double clicks leaves the button alone: it has to work again at once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-sign-in-form]")) return;
  event.preventDefault();
  // At once, in the press itself: a window opened later counts as an unasked one and is blocked.
  const popup = window.open("about:blank", NAME, FEATURES);
  clearTimeout(current?.timer);
  current = new Journey(form, popup);
  current.begin();
}, true);

const ended = document.querySelector("[data-sign-in]");
if (ended && ENDED.has(ended.dataset.signIn)) {
  const alone = setTimeout(() => { ended.querySelector("[data-alone]").hidden = false; }, ALONE_MS);
  /** Close if the page that opened this window shows how it ended. */
  const settle = (answer) => {
    if (answer !== `${location.pathname} close` && answer !== `${location.pathname} stay`) return;
    clearTimeout(alone);
    if (answer.endsWith("close")) setTimeout(() => window.close(), READ_MS);
  };
  window.addEventListener("storage", (event) => { if (event.key === NAME) settle(event.newValue); });
  settle(acknowledged());
  windows.postMessage(location.pathname);
} else {
  windows.addEventListener("message", ({ data }) => { if (data === current?.page) current.look(0); });
}
if (ended) {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("[data-close]");
    if (!link || !window.opener || window.opener.closed) return;
    event.preventDefault();
    window.close();
  });
}
