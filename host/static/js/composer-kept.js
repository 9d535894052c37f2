// A draft on the desk: what is begun here is in every tab and device of the person, and what they begin there is here.
//
// Versions tell copies apart, not clocks. A copy remembers what the desk had (its base); what differs from that was
// written here, what the desk has by now was written elsewhere. Where both changed one text, both stay: the one that
// stands here in the field, the other beside it.

import { csrfToken } from "./base.js";
import { after, draftOf, EMPTY, noted, read, rest, whole, without, write } from "./composer-draft.js";
import { changeWaits, conversationsBelow, forgetLeft, leave, leftOf, waits } from "./device-texts.js";
import { deleted } from "./page-user.js";

const SAVE_MS = 2000; // at most one write in so long
const GATHER_MS = 300;
const AGAIN_MS = 30000;
const ANSWER_MS = 10000;
const MODES = ["reply", "private", "onward", "note"];
const PARTS = Object.keys(EMPTY());
const NEVER = "never";
const page = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const all = new Map();

/** Return the draft of a conversation: the same one as long as the page is open. */
export function keptOf(conversation, url, show, mark) {
  if (!all.has(conversation)) all.set(conversation, new Kept(conversation, url));
  const found = all.get(conversation);
  found.url ??= url;
  if (show) found.show = show;
  if (mark !== undefined) found.marked(mark);
  return found;
}

/**
 * Take what was begun in *conversation* out of this browser: its customer was erased. Without one, in all of them whose address
 * begins with *start*. Return whether there was anything.
 */
export function loseDraft(conversation, start) {
  const ids = conversation ? [conversation] : [...new Set([...conversationsBelow(start), ...[...all.values()].filter(({ url }) => url?.startsWith(start)).map((one) => one.conversation)])];
  return ids.map((id) => keptOf(id).lose()).includes(true);
}

/** The *message* of *conversation* has no content any more: nothing that was begun there quotes it. Return whether anything did. */
export function loseQuote(conversation, message) {
  const quoting = MODES.map((mode) => draftOf(keyOf(mode, conversation))).filter(({ quote }) => Number(quote?.id) === message);
  for (const draft of quoting) {
    draft.quote = null;
    draft.changed();
  }
  return quoting.length > 0;
}

const nothing = () => ({ texts: {}, others: {}, parts: {} });
const same = (one, two) => JSON.stringify(sorted(one ?? null)) === JSON.stringify(sorted(two ?? null));
const keyOf = (mode, conversation) => (mode === "reply" ? String(conversation) : `${mode}-${conversation}`);

class Kept {
  /** `show(kept, refused)` draws what is to be seen of it. */
  constructor(conversation, url) {
    Object.assign(this, { conversation, url, show: () => {}, composer: null, colleagues: [], refused: null });
    this.key = `lobby-kept-${conversation}`;
    this.markKey = `lobby-kept-mark-${conversation}`;
    const left = leftOf(conversation), others = this.takeOver(left);
    const base = parsed(read(this.key));
    this.mark = read(this.markKey) || left[0]?.mark; // when the customer was last erased, as was known when this was begun
    this.version = base?.version ?? 0;
    this.base = { ...nothing(), ...base?.content };
    this.others = structuredClone(this.base.others);
    for (const [mode, some] of Object.entries(others)) this.others[mode] = [...(this.others[mode] ?? []), ...some];
    this.texts = {};
    for (const mode of MODES) {
      this.texts[mode] = rest(conversation, mode, read(`lobby-draft-${mode}-${conversation}`)); // what stands in the field
      const draft = draftOf(keyOf(mode, conversation));
      // What this tab could not store is nothing that somebody deleted: the desk is asked for it.
      for (const [part, isHere] of [["texts", whole(conversation, mode, this.texts[mode])], ["parts", !draft.isEmpty()]]) {
        if (isHere || !this.base[part][mode]) continue;
        delete this.base[part][mode];
        this.version = 0;
      }
      draft.addEventListener("change", () => this.changed());
    }
    this.behind = false; // whether the desk's draft still has what was sent
    this.gone = []; // what was sent while a save was on its way that may hold it
    this.savedAt = -Infinity;
    this.notes = 0; // how often what the desk has became known
    this.failures = 0;
    // What was taken over is this tab's now.
    if (left.length && (!this.isChanged() || this.leaveHere())) for (const one of left) forgetLeft(conversation, one.tab);
    if (this.isChanged()) this.leaveHere();
    window.addEventListener("online", () => this.changed(0));
    window.addEventListener("pagehide", () => this.leave());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.leave();
      else if (this.isOpen) this.refresh();
    });
  }

  /**
   * Take over what tabs left that ended before the desk had it, newest first. A field that has nothing, or what theirs was begun
   * with, takes it; else it is another version. Return those, by mode.
   */
  takeOver(left) {
    const others = {};
    const isNew = !read(this.key) && MODES.every((mode) => !read(`lobby-draft-${mode}-${this.conversation}`) && draftOf(keyOf(mode, this.conversation)).isEmpty());
    if (isNew && left[0]?.version) write(this.key, JSON.stringify({ version: left[0].version, content: { ...nothing(), ...left[0].base } }));
    for (const { content, base, tab } of left) {
      for (const mode of MODES) {
        const key = `lobby-draft-${mode}-${this.conversation}`;
        const text = content.texts[mode]?.text ?? "", here = read(key), was = base.texts?.[mode]?.text;
        if (text.trim() && (!here.trim() || here === was)) write(key, text);
        else if (text.trim() && !here.includes(text.trim())) (others[mode] ??= []).push({ text, by: `left-${tab}` });
        for (const one of content.others?.[mode] ?? []) {
          if (!(base.others?.[mode] ?? []).some((other) => same(other, one))) (others[mode] ??= []).push(one);
        }
        const draft = draftOf(keyOf(mode, this.conversation)), parts = content.parts?.[mode];
        if (parts && draft.isEmpty()) draft.restore(JSON.stringify(parts));
      }
    }
    return others;
  }

  /** Keep on this device what the desk does not have yet. Return whether that worked. */
  leaveHere() {
    const content = this.local();
    if (same(content, nothing())) {
      forgetLeft(this.conversation);
      return true;
    }
    return leave(this.conversation, { version: this.version, base: this.base, content, mark: this.mark, url: this.url });
  }

  /** The desk says when the customer was last erased, empty for never: what was begun before is lost. */
  marked(erased) {
    const before = this.mark;
    this.mark = erased || NEVER;
    if (before !== undefined && before !== this.mark && this.lose()) document.dispatchEvent(new CustomEvent("lobby-draft-lost", { detail: this.conversation }));
    write(this.markKey, this.mark);
  }

  /** Take out everything that was begun, here and in what tabs left. Return whether there was anything. */
  lose() {
    const { conversation } = this, left = leftOf(conversation), isWaiting = waits().some(({ id }) => id === conversation);
    const had = !same(this.local(), nothing()) || left.length > 0 || isWaiting;
    clearTimeout(this.timer);
    this.timer = null;
    this.merging = true;
    this.others = {};
    for (const mode of MODES) {
      this.put(mode, "");
      const draft = draftOf(keyOf(mode, conversation));
      Object.assign(draft, EMPTY());
      draft.changed();
    }
    for (const one of left) forgetLeft(conversation, one.tab);
    if (isWaiting) changeWaits((all) => all.filter(({ id }) => id !== conversation));
    this.rest({ version: 0, content: nothing() });
    this.merging = false;
    this.composer?.onDraft();
    this.show(this);
    return had;
  }

  /** Its conversation is open now, or not any more. */
  open(isOpen) {
    this.isOpen = isOpen;
    if (isOpen) this.refresh();
    else this.attach(null);
  }

  /** Stand in *composer* from now on; null: in none. */
  attach(composer) {
    if (!composer && this.composer) this.local(); // what stands there is kept
    this.composer = composer;
    for (const mode of composer ? MODES : []) {
      const field = this.field(mode);
      if (!field) continue;
      // A full storage gave it nothing back.
      if (!field.value && this.texts[mode]) this.put(mode, this.texts[mode]);
      this.texts[mode] = field.value;
    }
    this.show(this);
  }

  field(mode) {
    return this.composer?.root.querySelector(`[data-form="${mode}"] textarea`);
  }

  /** Return what stands here. */
  local() {
    const found = nothing();
    for (const mode of MODES) {
      this.texts[mode] = this.field(mode)?.value ?? this.texts[mode] ?? "";
      const text = wellFormed(whole(this.conversation, mode, this.texts[mode]));
      const before = this.base.texts[mode];
      if (text.trim()) found.texts[mode] = before?.text === text ? before : { text, by: page };
      if (this.others[mode]?.length) found.others[mode] = this.others[mode];
      const parts = filled(parsed(draftOf(keyOf(mode, this.conversation)).noted()) ?? {});
      if (Object.keys(parts).length) found.parts[mode] = parts;
    }
    return found;
  }

  isChanged() {
    const here = this.local();
    return this.behind || MODES.some((mode) => (here.texts[mode]?.text ?? "") !== (this.base.texts[mode]?.text ?? "")
      || !same(here.others[mode], this.base.others[mode])
      || PARTS.some((name) => !same(here.parts[mode]?.[name], this.base.parts[mode]?.[name])));
  }

  /** Something was written, or may have been. */
  changed(soon = GATHER_MS) {
    if (!this.url || this.merging) return;
    if (!this.isChanged()) {
      forgetLeft(this.conversation);
      return;
    }
    // While the desk is away, the app may end at any moment.
    if (this.refused || !navigator.onLine) this.leaveHere();
    this.schedule(soon);
  }

  schedule(soon = GATHER_MS) {
    if (this.timer && soon) return;
    clearTimeout(this.timer);
    const wait = this.failures ? Math.min(SAVE_MS * 2 ** this.failures, AGAIN_MS) : SAVE_MS;
    this.timer = setTimeout(() => this.save(), Math.max(soon, this.savedAt + (soon ? wait : SAVE_MS) - performance.now()));
  }

  /** Save what stands here, one request at a time. */
  save({ keepalive = false } = {}) {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.saving) {
      this.schedule();
      return this.saving;
    }
    if (!this.url || !this.isChanged() || deleted()) return Promise.resolve();
    const sent = this.local();
    const text = JSON.stringify(sent);
    if (text === this.tooMuch) return Promise.resolve(); // the desk does not take it, however often it is asked
    this.savedAt = performance.now();
    this.saving = this.send(sent, text, keepalive).finally(() => {
      this.saving = null;
      if (this.isChanged()) this.schedule();
      if (this.told && this.told !== this.version) this.refresh();
    });
    return this.saving;
  }

  async send(sent, text, keepalive) {
    const body = new FormData();
    body.append("version", this.version);
    body.append("content", text);
    if (this.mark !== undefined) body.append("erased", this.mark === NEVER ? "" : this.mark);
    let answer = {}, status = 0;
    try {
      const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
      const signal = keepalive ? undefined : AbortSignal.timeout(ANSWER_MS);
      const response = await fetch(this.url, { method: "POST", body, headers, keepalive, signal, credentials: "same-origin" });
      status = response.status;
      answer = await response.json();
    } catch {
      // No answer, or none to read: the desk is away, or this device is.
    }
    if (status === 200 && answer.version !== undefined) {
      this.rest({ version: answer.version, content: stripped(sent, this.gone) });
      if (this.gone.length) this.refresh(); // saved before or after it was sent: only the desk knows
    } else if (status === 409 && answer.content) {
      this.marked(answer.erased);
      this.merge(answer);
    } else {
      this.again = !status || status >= 500 || status === 408 || status === 429;
      this.failures = this.again ? this.failures + 1 : 0;
      this.tooMuch = this.again ? null : text;
      this.leaveHere();
      this.refused = { again: this.again, sentence: answer.error?.message, next: answer.error?.next };
      this.show(this);
      return;
    }
    this.failures = 0;
    this.tooMuch = null;
    this.refused = null;
    this.show(this);
  }

  /** Note what the desk has. */
  rest({ version, content }) {
    this.notes += 1;
    this.behind = false;
    this.version = version;
    this.base = { ...nothing(), ...structuredClone(content) };
    write(this.key, version ? JSON.stringify({ version, content: this.base }) : "");
    if (!this.isChanged()) forgetLeft(this.conversation);
  }

  /** The desk has *sent*: what is written or chosen from now on is new, also where it is the same once more. */
  landed(sent) {
    const left = stripped(this.base, [sent]);
    // Its draft there goes if nothing else is in it; else what was sent still stands before the rest.
    const isBehind = !same(left, nothing()) && !same(left, this.base);
    if (this.saving || this.failures || isBehind) this.gone.push(sent);
    this.rest({ version: this.version, content: left });
    this.behind = isBehind;
    if (isBehind) this.changed(0);
  }

  /** Ask the desk what it has; it may be of another tab or device. */
  async refresh() {
    if (!this.url) return;
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    this.asking = true;
    const known = this.notes;
    try {
      const response = await fetch(this.url, {
        headers: { Accept: "application/json" }, credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (!response.ok) return;
      const answer = await response.json();
      this.colleagues = answer.colleagues;
      this.marked(answer.erased);
      // While one is being saved the answer may be older than that; what is saved says so itself. One that was saved
      // since the question is newer, too: whoever merged the answer would take its text away.
      if (known !== this.notes) this.askAgain = true;
      else if (!this.saving && (this.gone.length || answer.version !== this.version)) this.merge(answer);
      this.show(this);
      this.changed();
    } catch {
      // The next sign of a change, or of a person, asks again.
    } finally {
      this.asking = false;
      if (this.askAgain) {
        this.askAgain = false;
        this.refresh();
      }
    }
  }

  /** Somebody's draft changed in this conversation. */
  heard({ user, version, empty, shown }, own) {
    if (user === own) {
      this.told = version;
      if (version !== this.version && !this.saving) this.refresh();
    } else if (shown || empty === this.colleagues.some((one) => one.id === user)) {
      this.refresh();
    }
  }

  /** Bring together what stands here and what the desk has by now. Nothing anybody wrote is lost. */
  merge(answer) {
    const content = { ...nothing(), ...answer.content }, theirs = stripped(content, this.gone);
    const here = this.local(), { base } = this;
    this.merging = true;
    for (const mode of MODES) {
      this.others[mode] = mergeOthers(base.others[mode], here.others[mode], theirs.others[mode]);
      const [was, is, now] = [base, here, theirs].map((one) => one.texts[mode]?.text ?? "");
      if (now !== was && now !== is) {
        if (is === was || !is.trim()) this.put(mode, rest(this.conversation, mode, now));
        else this.offer(mode, is, theirs.texts[mode]);
      }
      // What stands in the field is no other version of it.
      this.others[mode] = this.others[mode].filter((one) => !whole(this.conversation, mode, this.texts[mode]).includes(one.text.trim()));
      this.mergeParts(mode, base.parts[mode] ?? {}, theirs.parts[mode] ?? {});
      // Of two subjects ours stands in the field. Theirs is offered like a text.
      const subjects = [base, here, theirs].map((one) => one.parts[mode]?.along?.subject ?? "");
      if (new Set(subjects).size === 3 && subjects[1] && subjects[2]) this.others[mode].push({ text: subjects[2], by: `${theirs.texts[mode]?.by ?? ""}-s` });
    }
    this.gone = [];
    this.rest({ version: answer.version, content });
    this.merging = false;
    this.composer?.onDraft();
  }

  /** Keep *text*, which another page wrote, beside what stands here. */
  offer(mode, here, text) {
    // Of each page the newest is kept, and ours stands in the field.
    this.others[mode] = this.others[mode].filter((one) => one.by !== text?.by && one.by !== page);
    if (text?.text.trim() && !here.includes(text.text.trim())) this.others[mode].push(text);
  }

  mergeParts(mode, base, theirs) {
    const draft = draftOf(keyOf(mode, this.conversation)), here = filled(parsed(noted(draft.parts())) ?? {});
    // What is on its way is no part of what is chosen here, whether the desk has it by now or not.
    const [before, then] = [base, theirs].map((parts) => draft.flying.reduce(lessParts, filled(parts)));
    let isNew = false;
    for (const name of PARTS) {
      const [was, is, now] = [before[name], here[name], then[name]];
      if (same(now, was) || same(now, is)) continue;
      const value = same(is, was) ? now : together(name, was, is, now);
      if (name === "files") {
        const known = new Map(draft.files.map((file) => [file.id, file]));
        const uploaded = (value ?? []).map((file) => known.get(file.id) ?? { ...file, state: "ready" });
        draft.files = [...uploaded, ...draft.files.filter((file) => !file.id)];
      } else {
        draft[name] = value ?? EMPTY()[name];
      }
      isNew = true;
    }
    if (!isNew) return;
    const tools = this.composer?.tools;
    if (tools?.draft === draft) tools.forget(); // another channel, or this one before, may have had tools for it
    draft.changed();
  }

  /** Put *text* into the field of *mode*, as if it had been written here. */
  put(mode, text) {
    this.texts[mode] = text;
    write(`lobby-draft-${mode}-${this.conversation}`, whole(this.conversation, mode, text));
    const field = this.field(mode);
    if (!field) return;
    const before = field.value, at = document.activeElement === field && field.selectionStart;
    field.value = text;
    // The caret stays where it was, also in a text that another one was put above.
    const now = text.endsWith(before) ? at + text.length - before.length : Math.min(at, text.length);
    if (at !== false) field.setSelectionRange(now, now);
    this.composer.count(field.form);
  }

  /** Do with another version of a text what the person chose: take it, add it below, or discard it. */
  choose(mode, other, what) {
    this.local();
    const here = this.texts[mode];
    this.others[mode] = this.others[mode].filter((one) => one !== other && !same(one, other));
    if (what === "add") this.put(mode, here.trim() ? `${here.trimEnd()}\n\n${other.text}` : other.text);
    if (what === "take") {
      this.put(mode, other.text);
      if (here.trim()) this.others[mode].push({ text: here, by: `${page}-b` }); // the two change places
    }
    this.composer?.onDraft();
    this.show(this);
    this.changed();
    this.field(mode)?.focus();
  }

  /** Return the mode of a text that stands in no field, because its field is locked. */
  locked() {
    return this.composer && MODES.find((mode) => !this.field(mode) && this.texts[mode]?.trim());
  }

  /** Put the text of *mode*, whose field is locked, into the one of *to*; without *to* it is discarded. */
  move(mode, to) {
    this.local();
    const text = this.texts[mode], here = this.texts[to] ?? "";
    this.put(mode, "");
    if (to) {
      this.put(to, here.trim() ? `${here.trimEnd()}\n\n${text}` : text);
      this.composer?.show(to);
    }
    this.composer?.onDraft();
    this.show(this);
    this.changed();
    this.composer?.text()?.focus();
  }

  /** Before it is sent: nothing of it is on its way any more. Return the version that what is sent is based on. */
  async settled() {
    clearTimeout(this.timer);
    this.timer = null;
    await Promise.race([this.saving, new Promise((resolve) => { setTimeout(resolve, SAVE_MS); })]);
    clearTimeout(this.timer);
    this.timer = null;
    return this.version;
  }

  /** The page goes, or is put aside: what is not saved yet is saved now. */
  leave() {
    if (this.isChanged()) this.leaveHere();
    if (this.timer) this.save({ keepalive: true });
  }

  /** Take *text* out of *mode*: it was sent or discarded elsewhere on this page. */
  drop(mode, text) {
    this.local();
    if (text && this.texts[mode] === text) this.put(mode, "");
    this.changed(0);
    this.composer?.onDraft();
  }
}

/** Return *value* with its keys in order: the desk gives them back in another one. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** Return *text* without half characters, which no JSON can hold. */
const wellFormed = (text) => text.toWellFormed?.() ?? text;

/** Return what both sides have of versions, without what either has dealt with since. */
function mergeOthers(base = [], here = [], theirs = []) {
  const has = (list, one) => list.some((other) => same(other, one));
  const kept = theirs.filter((one) => has(here, one) || !has(base, one));
  return [...kept, ...here.filter((one) => !has(base, one) && !has(kept, one))];
}

/** Return both of what was changed in two places, where that is possible; else what stands here. */
function together(name, was, is, now) {
  if (name === "along") return mergeAlong(was ?? {}, is ?? {}, now ?? {});
  if (!Array.isArray(is ?? now)) return is ?? now;
  const known = new Set();
  return [...(is ?? []), ...(now ?? [])].filter((one) => {
    const key = JSON.stringify(one?.id ?? one);
    return !known.has(key) && known.add(key);
  });
}

function mergeAlong(was, is, now) {
  const found = {};
  for (const name of new Set([...Object.keys(is), ...Object.keys(now)])) {
    const [before, here, there] = [was, is, now].map((one) => one[name] ?? "");
    if (here === before || here === there) found[name] = there;
    else if (there === before || !["cc", "bcc"].includes(name)) found[name] = here;
    else found[name] = [...new Set([here, there].flatMap((one) => one.split(",")).map((one) => one.trim()).filter(Boolean))].join(", ");
  }
  return found;
}

/** Return those of *parts* that are something. */
function filled(parts) {
  return Object.fromEntries(PARTS.filter((name) => (Array.isArray(parts[name]) ? parts[name].length : parts[name])).map((name) => [name, parts[name]]));
}

/** Return *parts* without those of *gone*. */
const lessParts = (parts, gone) => filled(without(sorted(parts), sorted(parsed(noted(gone)) ?? {})));

/** Return *content* without *some*, which was sent. */
function stripped(content, some) {
  const texts = { ...content.texts }, parts = { ...content.parts };
  for (const { mode, text, parts: gone } of some) {
    const left = after(text, texts[mode]?.text ?? "");
    if (left.trim()) texts[mode] = { ...texts[mode], text: left };
    else delete texts[mode];
    if (gone && parts[mode]) parts[mode] = lessParts(parts[mode], gone);
    if (parts[mode] && !Object.keys(parts[mode]).length) delete parts[mode];
  }
  return { ...content, texts, parts };
}

function parsed(text) {
  try {
    return JSON.parse(text || "null");
  } catch {
    return null;
  }
}
