// Writing: drafts that survive, a byte counter, what a text too long would become, and sending once.

import { csrfToken } from "./base.js";
import { textLength } from "./bytes.js";
import { write as insert } from "./composer-canned.js";
import { read, write } from "./composer-draft.js";
import { Tools } from "./composer-tools.js";
import { opening } from "./typed-ahead.js";

export { textLength };
const OVERFLOW_DELAY_MS = 150;

/**
 * Make the composer inside *root* work. `onSent(html)` gets the new messages, `onWriting(on)` hears that somebody
 * writes a reply, `onDraft()` that what is begun changed. `newest()` is the id of the newest message that is shown.
 * `settled()` resolves to the version of the draft on the desk, once none is on its way. `onAway(mode, sent)` hears that the
 * desk was not reached when something was sent: the button, the fields and where to; `onTaken(mode, text)` that it was taken. `onSending(mode, key)` hears the key
 * that something is sent with, and null once the desk answered.
 */
export class Composer {
  constructor(root, { words, onSent, onWriting, onDraft, onAway, onTaken, onSending, newest, settled }) {
    Object.assign(this, { root, words, onSent, onWriting, onDraft, onAway, onTaken, onSending, newest, settled });
    this.section = root.querySelector("[data-composer]");
    this.signature = this.section.dataset.signature;
    this.life = new AbortController();
    for (const form of root.querySelectorAll("[data-form]")) this.attach(form);
    const panel = root.querySelector("[data-emoji]");
    panel.addEventListener("toggle", async () => {
      const { emoji } = await import("./composer-emoji.js"); // few open it
      emoji(panel, (char) => insert(this.text(), char));
    }, { once: true });
    root.addEventListener("click", async (event) => {
      const opens = event.target.closest("[data-templates-open]");
      if (!opens) return;
      const found = await opening(import("./composer-templates.js").catch(() => null)); // few channels have templates
      if (found) found.pick(opens, this);
      else this.problem(this.words.textUnsaved); // offline
    }, { signal: this.life.signal });
    // One for all: what says how the window stands is drawn anew by itself, and leads to a form as well.
    root.addEventListener("click", (event) => {
      const tab = event.target.closest("[data-tab]");
      if (!tab || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.show(tab.dataset.tab);
      this.text()?.focus();
    }, { signal: this.life.signal });
  }

  /** The composer is about to be drawn anew: give back what was held outside of it. */
  end() {
    this.life.abort();
  }

  /** The comment that is answered, where one is, and how. */
  answering() {
    const { answers, mode } = this.section.dataset;
    const begun = this.chosen || [...this.root.querySelectorAll("[data-form]:not([data-form=note]) textarea")].some((one) => one.value.trim());
    return { answers: begun ? answers : "", mode };
  }

  /** The form on top. */
  form() {
    return this.root.querySelector("[data-form]:not([hidden])");
  }

  text() {
    return this.form()?.querySelector("textarea");
  }

  /** Whether a reply or a note is on its way. */
  isSending() {
    return this.root.querySelector("[data-form][data-sending]") !== null;
  }

  /** The desk has *text*, which was sent as *mode*: it is not begun any more. */
  taken(mode, text) {
    const form = this.root.querySelector(`[data-form="${mode}"]`);
    if (form?.querySelector("textarea").value !== text) return;
    form.querySelector("textarea").value = "";
    this.count(form);
  }

  show(mode) {
    for (const form of this.root.querySelectorAll("[data-form]")) form.hidden = form.dataset.form !== mode;
    for (const tab of this.root.querySelectorAll("[data-tab]")) {
      if (tab.dataset.tab === mode) tab.setAttribute("aria-current", "true");
      else tab.removeAttribute("aria-current");
    }
    this.section.dataset.mode = mode;
    if (this.tools && mode !== this.tools.form.dataset.form) this.tools.pause();
    this.problem(null);
  }

  attach(form) {
    const text = form.querySelector("textarea");
    const key = `lobby-draft-${form.dataset.form}-${form.dataset.conversation}`;
    if (!text.value) text.value = read(key);
    if (form.elements.seen) this.follow(form, text);
    if (form.dataset.peopleUrl) {
      form.addEventListener("focusin", async () => {
        const found = await import("./composer-mention.js").catch(() => null); // until a note is written nobody is mentioned
        if (!found) return; // offline
        const say = (words) => { this.root.querySelector("[data-say]").textContent = words; };
        new found.Mentions(form, say, this.life.signal).look(); // something may have been typed meanwhile
      }, { once: true, signal: this.life.signal });
    }
    text.addEventListener("input", () => {
      write(key, text.value);
      this.count(form);
      this.onDraft();
    });
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit(event.shiftKey ? form.querySelector("[name=then][value=close]") : null);
      }
    });
    form.elements.later_at?.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // else it would be sent now
      form.requestSubmit(form.querySelector("[data-own]"));
    });
    form.addEventListener("change", (event) => {
      if (event.target.name === "overflow") this.label(form);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation(); // the page's own guard against double clicks would keep the button off for long
      if (form.dataset.sending) return; // a second click sends nothing twice
      this.sent = this.send(form, text, key, event.submitter);
    });
    if ("tools" in form.dataset) this.tools = new Tools(form, this, this.life.signal); // one form of a composer has them
    this.count(form);
  }

  /** Remember what was there when somebody began to write: if a colleague answers after that, Send asks. */
  follow(form, text) {
    const look = () => { form.elements.seen.value = this.newest() || ""; };
    look();
    let empty = !text.value;
    text.addEventListener("focus", look);
    text.addEventListener("blur", () => this.onWriting(false));
    text.addEventListener("input", () => {
      if (empty) look();
      empty = !text.value;
      this.onWriting(!empty);
    });
  }

  count(form) {
    if ("tools" in form.dataset) this.tools.unfilled.draw();
    const counter = form.querySelector("[data-bytes]");
    if (!counter) return;
    const limit = Number(form.dataset.limit);
    const used = textLength(form.querySelector("textarea").value, form.dataset.unit);
    const number = new Intl.NumberFormat(document.documentElement.lang);
    counter.textContent = counter.dataset.text
      .replace("{used}", number.format(used)).replace("{limit}", number.format(limit));
    counter.classList.toggle("over", used > limit);
    if (!form.dataset.overflowUrl) return; // what is too long there is refused
    clearTimeout(this.overflowTimer);
    if (used > limit) {
      this.overflowTimer = setTimeout(() => this.overflow(form), OVERFLOW_DELAY_MS);
    } else {
      form.querySelector("[data-overflow]").replaceChildren();
      this.label(form);
    }
  }

  /** Ask the desk what the text would become: it is the one that decides when it is sent. */
  async overflow(form) {
    const body = fields(form);
    const asked = (this.asked = (this.asked ?? 0) + 1);
    try {
      const response = await post(form.dataset.overflowUrl, body);
      if (!response.ok || asked !== this.asked) return;
      const answer = await response.json();
      const box = form.querySelector("[data-overflow]");
      const focused = box.contains(document.activeElement) ? document.activeElement.value : null;
      box.innerHTML = answer.html;
      form.dataset.parts = answer.count;
      if (focused) box.querySelector(`input[value="${focused}"]`)?.focus();
      this.label(form);
    } catch {
      // Without an answer the desk splits when it is sent, which loses nothing.
    }
  }

  label(form) {
    const label = form.querySelector("[data-label]");
    if (!label) return;
    const button = label.closest("button");
    const choice = form.querySelector("input[name=overflow]:checked")?.value;
    if (!choice) label.textContent = button.dataset.one;
    else if (choice === "truncate") label.textContent = button.dataset.cut;
    else label.textContent = button.dataset.many.replace("{n}", form.dataset.parts);
  }

  /** Take over what an undone reply gave back, in the form it was written in. */
  refill(mode = "reply") {
    const form = this.root.querySelector(`[data-form="${mode}"]`);
    if (!form) return;
    const text = form.querySelector("textarea");
    text.value = read(`lobby-draft-${mode}-${form.dataset.conversation}`);
    this.show(mode);
    this.count(form);
    this.onDraft();
    text.focus();
  }

  /** Send what stands in *form*; *how* is the button that was pressed, where it says more than that. */
  async send(form, text, key, how) {
    form.dataset.sending = "1";
    const button = form.querySelector("[data-send]") ?? form.querySelector("button[type=submit]");
    form.querySelector("#send-menu:popover-open")?.hidePopover();
    button.setAttribute("aria-disabled", "true");
    const tools = "tools" in form.dataset ? this.tools : null;
    let focus = text;
    try {
      const held = await tools?.ready(text.value);
      if (held) {
        if (held[0]) this.problem(...held);
        else focus = form.querySelector("[aria-invalid]") ?? text;
        return;
      }
      const sent = text.value;
      const parts = tools?.draft.snapshot();
      const body = fields(form);
      if (how?.name) body.set(how.name, how.value);
      if (tools) body.set("draft", tools.draft.noted());
      tools?.draft.fill(body);
      tools?.typing?.off();
      const version = await this.settled?.();
      if (version) body.set("draft_version", version);
      if (!(await this.post(form, body, how))) return;
      this.onWriting(false);
      if (text.value === sent) text.value = "";
      this.onTaken(form.dataset.form, sent);
      write(key, text.value);
      this.onDraft();
      tools?.sent(parts);
      this.count(form);
    } finally {
      delete form.dataset.sending;
      button.removeAttribute("aria-disabled");
      this.onDraft(); // what was not sent goes on being kept
      focus.focus();
    }
  }

  /** Send a heart by itself; what is being written stays. */
  async sendHeart(form) {
    if (form.dataset.sending) return;
    form.dataset.sending = "1";
    this.heartKey ??= newKey(); // kept until it is sent: once more is no second heart
    const body = new FormData();
    body.append("heart", "1");
    body.append("undo", form.elements.undo.value);
    body.append("reply_key", this.heartKey);
    try {
      if (await this.post(form, body)) this.heartKey = null;
    } finally {
      delete form.dataset.sending;
      this.onDraft();
    }
  }

  /** Post a reply or a note; show what became of it. Return whether the desk took it. */
  async post(form, body, how = null) {
    try {
      if (!body.has("heart")) this.onSending(form.dataset.form, body.get("reply_key"));
      const response = await post(form.action, body);
      const answer = await response.json();
      if (!body.has("heart")) this.onSending(form.dataset.form, null);
      if (answer.reply_key && body.get("reply_key") === form.elements.reply_key.value) {
        form.elements.reply_key.value = answer.reply_key;
      }
      if (answer.error?.newer) {
        this.onSent(answer.error.newer); // in the thread, too
        if (!(await meanwhile(answer.error.newer, body.get("text")))) return false;
        form.elements.seen.value = answer.error.seen;
        body.set("seen", answer.error.seen);
        body.set("reply_key", form.elements.reply_key.value);
        return this.post(form, body, how);
      }
      if (!response.ok) {
        this.problem(answer.error?.message ?? this.words.textUnsaved, answer.error?.next);
        return false;
      }
      this.problem(null);
      if (answer.goto) location.assign(answer.goto); // it goes on in another conversation
      else this.onSent(answer.messages, body.get("then"));
      return true;
    } catch {
      this.problem(this.words.textUnsaved);
      if (!body.has("heart")) this.onAway(form.dataset.form, { how, body, action: form.action });
      return false;
    }
  }

  /** Return what it says went wrong with a reply, for {@link problem}; null: nothing. */
  saysWrong() {
    if (this.problemOf !== "send") return null;
    const box = this.root.querySelector("[data-problem]");
    return ["sentence", "next"].map((name) => box.querySelector(`[data-problem-${name}]`).textContent);
  }

  /** Say what went wrong; *of* is what it is about, which takes it away when that is no longer so. */
  problem(sentence, next = "", of = "send") {
    const box = this.root.querySelector("[data-problem]");
    this.problemOf = !sentence ? "" : [this.words.textUnsaved, this.words.textSilent, this.words.textNotHere].includes(sentence) ? "away" : of;
    box.hidden = !sentence;
    box.querySelector("[data-problem-sentence]").textContent = sentence ?? "";
    box.querySelector("[data-problem-next]").textContent = next ?? "";
  }
}

/** Show what a colleague answered meanwhile, and ours. Return whether ours is to be sent all the same. */
function meanwhile(html, own) {
  const dialog = document.querySelector("[data-meanwhile]");
  dialog.querySelector("[data-theirs]").innerHTML = html;
  dialog.querySelector("[data-own]").textContent = own;
  for (const one of dialog.querySelectorAll("[data-message], [id]:not(h2)")) one.removeAttribute("data-message");
  return new Promise((resolve) => {
    const answer = (anyway) => () => {
      dialog.close();
      resolve(anyway);
    };
    dialog.querySelector("[data-keep]").onclick = answer(false);
    dialog.querySelector("[data-anyway]").onclick = answer(true);
    dialog.onclose = () => resolve(false); // Escape; after an answer it changes nothing
    dialog.showModal();
  });
}

function post(url, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  return fetch(url, { method: "POST", body, headers, credentials: "same-origin" });
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return what stands in the fields of a form: not the files, which have been sent by themselves. */
function fields(form) {
  const body = new FormData(form);
  body.delete("file");
  if (form.querySelector("[data-quoted]")) body.delete("reply_to"); // the draft has it
  return body;
}
