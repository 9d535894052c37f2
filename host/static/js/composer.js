// Writing: drafts that survive, a byte counter, what a text too long would become, and sending once.

import { csrfToken } from "./base.js";
import { textLength } from "./bytes.js";
import { write as insert } from "./composer-canned.js";
import { after, cameBack, departs, Draft, holds, isFlying, landed, noted, read, rest, whole, write } from "./composer-draft.js";
import { Tools } from "./composer-tools.js";
import { tell } from "./notice.js";
import { asked } from "./sending.js";
import { opening } from "./typed-ahead.js";

export { textLength };
const NEAR = 0.8; // of the limit: from there on a phone counts, too
const OVERFLOW_DELAY_MS = 150;

const lines = new Map(); // what is on its way one after the other, of each field; it outlives the composer

const nothing = () => {};

// A composer that stands alone, with no thread around it: what comes back stands in its own form again.
const ALONE = {
  newest: nothing, settled: nothing, first: nothing, onSent: nothing, onWriting: nothing, onDraft: nothing,
  onSending: nothing, onTaken: nothing, onAway: nothing,
  now() {
    return this;
  },
  onRefused(_sent, sentence, next) {
    if (sentence) this.problem(sentence, next);
  },
  onBack(mode, text) {
    const form = this.root.querySelector(`[data-form="${mode}"]`);
    form.querySelector("textarea").value = text;
    this.count(form);
  },
};

/**
 * Make the composer inside *root* work. `onSent(html, then)` gets the new messages, `onWriting(on)` hears that somebody
 * writes a reply, `onDraft()` that what is begun changed. `newest()` is the id of the newest message that is shown.
 * `settled()` resolves to the version of the draft on the desk, once none is on its way. `now()` is the composer that stands
 * in its conversation by now; null: another one is open. Of what is sent, `onSending(sent)` hears that it leaves,
 * `onTaken(sent)` that the desk has it, `onRefused(sent, ...words)` that it doesn't want it, and `onAway(sent)` that
 * nobody knows; `first(key)` is the text that was sent with that key first. `onBack(mode, text)` puts back what was sent, and what was written since. What is left out is as in ALONE.
 */
export class Composer {
  constructor(root, hears) {
    Object.assign(this, ALONE, hears);
    this.root = root;
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
      const tab = event.target.closest("[data-tab], [data-turns]");
      if (!tab || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.show(tab.dataset.tab ?? tab.dataset.turns);
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
    return isFlying(this.root.querySelector("[data-form]").dataset.conversation) || this.root.querySelector("[data-sending]") !== null;
  }

  /** The desk has *text* of *mode*: it is not begun any more. */
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
    const { form: mode, conversation } = form.dataset;
    if (!text.value) text.value = rest(conversation, mode, read(key));
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
      write(key, whole(conversation, mode, text.value));
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
      this.send(form, text, event.submitter);
    });
    if ("tools" in form.dataset) { // one form of a composer has them
      this.tools = new Tools(form, this, this.life.signal);
      if (form.dataset.caption) this.tools.draft.addEventListener("change", () => this.count(form), { signal: this.life.signal });
    }
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
    const caption = "tools" in form.dataset ? this.tools.captionLimit() : 0;
    const limit = caption || Number(form.dataset.limit);
    const used = textLength(form.querySelector("textarea").value, form.dataset.unit);
    const number = new Intl.NumberFormat(document.documentElement.lang);
    counter.textContent = counter.dataset.text
      .replace("{used}", number.format(used)).replace("{limit}", number.format(limit));
    counter.classList.toggle("over", used > limit);
    counter.classList.toggle("near", used > limit * NEAR);
    if (!form.dataset.overflowUrl) return; // what is too long there is refused
    clearTimeout(this.overflowTimer);
    if (used > limit && !caption) { // a caption is not split
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
    button.classList.toggle("cuts", Boolean(choice)); // that is not told by a picture alone
    if (!choice) label.textContent = button.dataset.one;
    else if (choice === "truncate") label.textContent = button.dataset.cut;
    else label.textContent = button.dataset.many.replace("{n}", form.dataset.parts);
  }

  /** Take over what an undone reply gave back, in the form it was written in. */
  refill(mode = "reply") {
    const form = this.root.querySelector(`[data-form="${mode}"]`);
    if (!form) return;
    const text = form.querySelector("textarea");
    text.value = rest(form.dataset.conversation, mode, read(`lobby-draft-${mode}-${form.dataset.conversation}`));
    this.show(mode);
    this.count(form);
    this.onDraft();
    text.focus();
  }

  /** Send what stands in *form*; *how* is the button that was pressed, where it says more than that. */
  send(form, text, how) {
    form.querySelector("#send-menu:popover-open")?.hidePopover();
    const tools = "tools" in form.dataset ? this.tools : null;
    const held = tools?.held(text.value);
    if (held) {
      if (held[0]) this.problem(...held);
      (held[0] ? text : form.querySelector("[aria-invalid]") ?? text).focus();
      return;
    }
    if (!text.value.trim() && !tools?.draft.isBegun() && this.isSending()) return; // a second click
    text.focus();
    this.problem(null);
    const sent = this.depart(form, text, tools, how);
    this.sent = inLine(sent, () => this.fly(sent));
  }

  /** What stands in *form* leaves it: whatever is written from now on is another one. */
  depart(form, text, tools, how) {
    const { form: mode, conversation } = form.dataset, body = fields(form);
    if (how?.name) body.set(how.name, how.value);
    // What goes with this text only.
    const along = [...form.querySelectorAll("input[name=mention], input[name=mention_team]")];
    const suggestion = form.elements.suggestion?.value;
    for (const one of along) one.remove();
    if (suggestion) form.elements.suggestion.value = "";
    const sent = { mode, conversation, body, how, tools, along, suggestion, text: text.value, key: body.get("reply_key"), action: form.action };
    Object.assign(sent, { first: this.first(sent.key), parts: tools?.take(), draft: tools?.draft });
    departs(sent);
    text.value = "";
    form.elements.reply_key.value = newKey();
    tools?.typing?.off();
    this.onWriting(false);
    this.count(form);
    this.onDraft();
    return sent;
  }

  /** Send *sent*, which stands in no field any more. Return whether the desk took it. */
  async fly(sent) {
    const { body, parts, tools } = sent;
    const held = await tools?.arrived(parts.files);
    if (held) {
      this.back(sent);
      this.now()?.problem(...held);
      return false;
    }
    if (parts) {
      body.set("draft", noted(parts));
      Draft.fill(body, parts);
    }
    const version = await this.settled();
    if (version) body.set("draft_version", version);
    return this.post(sent);
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
      const { answer, isTaken } = await asked(form.action, body);
      if (!isTaken) {
        this.problem(answer.error?.message ?? this.words.textUnsaved, answer.error?.next);
        return;
      }
      this.heartKey = null;
      this.problem(null);
      this.onSent(answer.messages);
    } finally {
      delete form.dataset.sending;
      this.onDraft();
    }
  }

  /** Post *sent*, and show what became of it. Return whether the desk took it. */
  async post(sent) {
    const { body } = sent;
    this.onSending(sent);
    const { answer, isTaken, isAway } = await asked(sent.action, body);
    if (isTaken) {
      this.landed(sent);
      this.now()?.problem(null);
      if (answer.goto) location.assign(answer.goto); // it goes on in another conversation
      else this.onSent(answer.messages, body.get("then") ?? body.get("reopen"));
      return true;
    }
    if (isAway) {
      this.back(sent, sent.key); // it may have arrived: once more with its key is not twice
      this.now()?.problem(this.words.textUnsaved);
      this.onAway(sent);
      return false;
    }
    const { error = {} } = answer, composer = this.now();
    if (error.newer && composer) {
      this.onRefused(sent); // until that is decided it is no more than a draft
      this.onSent(error.newer); // in the thread, too
      holds(sent, true);
      const anyway = await meanwhile(error, sent.text);
      holds(sent, false);
      if (anyway) {
        if (error.closed) body.set("reopen", "1");
        body.set("seen", error.seen);
        body.set("reply_key", (sent.key = newKey()));
        return this.post(sent);
      }
      this.back(sent);
      return false;
    }
    if (error.code === "already_sent") sent.text = after(sent.first ?? "", sent.text); // that much arrived
    this.back(sent);
    this.onRefused(sent, error.message ?? this.words.textUnsaved, error.next);
    return false;
  }

  /** The desk has *sent*: it is kept no more. */
  landed(sent) {
    landed(sent);
    this.onTaken(sent);
    this.onDraft();
  }

  /** *sent* and what waits behind it are here again, above what was written since; the next try has *key*. */
  back(sent, key = newKey()) {
    const form = this.now()?.root.querySelector(`[data-form="${sent.mode}"]`);
    const { text, all } = cameBack(sent, form?.querySelector("textarea").value);
    for (const one of form ? all.toReversed() : []) {
      form.append(...one.along);
      if (one.suggestion) form.elements.suggestion.value = one.suggestion;
    }
    if (form) form.elements.reply_key.value = key;
    this.onBack(sent.mode, text);
    this.onDraft();
  }

  /** Return what it says went wrong with a reply, for {@link problem}; null: nothing. */
  saysWrong() {
    if (this.problemOf !== "send") return null;
    const box = this.root.querySelector("[data-problem]");
    return ["b", "b + span"].map((one) => box.querySelector(one).textContent);
  }

  /** Say what went wrong; *of* is what it is about, which takes it away when that is no longer so. */
  problem(sentence, next = "", of = "send") {
    const box = this.root.querySelector("[data-problem]");
    this.problemOf = !sentence ? "" : [this.words.textUnsaved, this.words.textSilent, this.words.textNotHere].includes(sentence) ? "away" : of;
    box.dataset.of = sentence === this.words.textNotHere ? "" : this.problemOf; // the rest of it the line at the top says
    tell(box, sentence, next);
  }
}

/** Show what a colleague did meanwhile, as *error* says, and ours. Return whether ours is to be sent all the same. */
function meanwhile({ newer, code, closed }, own) {
  const dialog = document.querySelector("[data-meanwhile]"), title = dialog.querySelector("h2");
  title.textContent = code === "closed_meanwhile" ? title.dataset.textClosed : title.dataset.textAnswered;
  dialog.querySelector("[data-reopens]").hidden = !closed;
  dialog.querySelector("[data-theirs]").innerHTML = newer;
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

/** Run *fly* once what was sent from the same field before *sent* has arrived; where that came back, *sent* did as well. */
function inLine(sent, fly) {
  const field = `${sent.mode}-${sent.conversation}`;
  const turn = (lines.get(field) ?? Promise.resolve()).then(() => !sent.isBack && fly()).finally(() => {
    if (lines.get(field) === turn) lines.delete(field);
  });
  lines.set(field, turn);
  return turn;
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
