// The inbox page: opens conversations beside the list, follows what happens, acts without leaving.

import { csrfToken } from "./base.js";
import { cameBack, departs, draftOf, landed, read as readDraft, write as writeDraft } from "./composer-draft.js";
import { keptOf } from "./composer-kept.js";
import { tab } from "./device-texts.js";
import { Ahead } from "./inbox-ahead.js";
import { Back } from "./inbox-back.js";
import { editing } from "./inbox-edit.js";
import { keys } from "./inbox-keys.js";
import { List } from "./inbox-list.js";
import { macros } from "./inbox-macros.js";
import { conversation, elements, Log } from "./inbox-thread.js";
import { commanded, selecting, undoLast } from "./bulk.js";
import "./gallery.js";
import { conversationLost, cover, forgetHere, isMember, takesAway } from "./erased.js";
import { fitForms } from "./inbox-form.js";
import { watchMedia } from "./inbox-media.js";
import { players } from "./inbox-player.js";
import { showKept } from "./inbox-kept.js";
import { Presence } from "./inbox-presence.js";
import { tapping } from "./inbox-tap.js";
import { keepCurrent } from "./inbox-time.js";
import { Undoing } from "./inbox-undo.js";
import { Unsent } from "./inbox-unsent.js";
import { Live } from "./live.js";
import { notice } from "./notice.js";
import { copied, copyMark, forget, OfflineCopy, renewToken } from "./offline-copy.js";
import { OfflineLine } from "./offline-line.js";
import { ask as askForNews, entitle, told as toldNews } from "./notices.js";
import { header, heldNow, whole } from "./pieces.js";
import { reactions } from "./reactions.js";
import { showSending } from "./inbox-sending.js";
import { asked } from "./sending.js";
import { swiping } from "./inbox-swipe.js";
import { below, TypedAhead } from "./typed-ahead.js";
import { Box } from "./typed-ahead-box.js";

const GATHER_MS = 60;
const AGAIN_MS = 2000;
const LOADING_MS = 300;
const SILENT_MS = 10000;
const MOST = 200;
const KEYBOARD = 120; // pixels; what covers less is no keyboard

const data = document.querySelector("[data-inbox]").dataset;
const main = document.getElementById("main");
const part = (name) => document.querySelector(`[data-part="${name}"]`);
const list = new List(data);
const presence = new Presence(data);

const undoing = new Undoing({
  first: undoLast,
  post: (url, body) => post(url, body),
  report: (sentence, next) => report(sentence ?? data.textUnsaved, next),
  show: (id) => go(addressOf(id)),
  back(conversation, message, mode) {
    ask({ rows: [conversation], head: conversation === opened });
    if (conversation !== opened) return;
    if (message) log?.remove(message);
    composer?.refill(mode);
  },
});

const unsent = new Unsent(new URL(data.inboxUrl, location.href).pathname, (ids) => {
  for (const id of ids ?? Array.from(list.rows.children, (row) => Number(row.dataset.row))) list.draft(id);
  back?.draw();
  line.waits();
});
const line = new OfflineLine(data, { waiting: () => unsent.all, open: (id) => go(addressOf(id)) });

document.addEventListener("lobby-acted", ({ detail }) => { for (const id of detail) list.touched(id); });
document.addEventListener("lobby-draft-lost", ({ detail }) => unsent.onChange([detail]));

// What is typed for a conversation before it is there: at first on this device, then in its field, or a draft

const draftKey = ({ id, mode }) => `lobby-draft-${mode}-${id}`;
const textOf = (writing) => below(writing.begun, writing.text);
const box = new Box(document.querySelector("template[data-typed-ahead]"), {
  machine: () => typed,
  words({ id, mode }) {
    const { dataset } = box.template, name = list.find(id)?.dataset.name ?? (id === opened && part("opened").dataset.name);
    return mode === "reply" && name ? dataset.textReply.replace("{name}", name) : dataset[{ note: "textNote", private: "textPrivate" }[mode] ?? "textUnnamed"];
  },
  left: () => (list.link(typed.state.coming ?? opened) ?? list.current())?.focus({ preventScroll: true }),
});
const typed = new TypedAhead({
  begun: (id, mode) => readDraft(draftKey({ id, mode })),
  show: (writing, why) => box.show(writing, why),
  hide: () => box.hide(),
  isFocused: () => box.isFocused(),
  keep(writing) {
    writeDraft(draftKey(writing), textOf(writing));
    list.draft(writing.id);
  },
  save(writing) {
    const draft = keptOf(writing.id, `${new URL(data.inboxUrl, location.href).pathname}/${writing.id}/draft`);
    draft.put(writing.mode, textOf(writing));
    draft.changed(0);
    list.draft(writing.id);
  },
  place(writing, focus) {
    if (writing.id !== opened || !composer) return false;
    const has = (mode) => composer.root.querySelector(`[data-form="${mode}"]`);
    if (writing.mode === "reply" && !has("reply") && has("private")) { // as R does
      kept?.put("reply", writing.begun);
      writing.mode = "private";
    }
    const field = has(writing.mode)?.querySelector("textarea");
    if (!field) return false;
    composer.show(writing.mode);
    if (field.value === below(writing.begun, writing.drawn)) field.value = textOf(writing);
    else field.value = below(field.value, writing.text); // another draft was drawn
    if (writing.text) field.dispatchEvent(new Event("input", { bubbles: true }));
    if (!focus) return true;
    const [start, end] = box.selection().map((at) => field.value.length - writing.text.length + at);
    field.focus();
    field.setSelectionRange(start, end);
    return true;
  },
}, { early: window.lobbyTyped });

const drawSending = showSending(() => opened, (text) => {
  announce(text);
  log?.toEnd();
});

let back = null;
let shared = null; // what another app shared, until it is added to a reply
let opened = null; // the id of the conversation that is open
let log = null;
let composer = null;
let kept = null; // the draft of the conversation that is open, as the desk has it
let isOld = "copied" in document.documentElement.dataset; // something of this page is of the copy on this device
let said = null; // what is said above everything of what somebody did

// What changed, asked for together

const nothing = () => ({ rows: new Set(), messages: new Set(), said: new Set(), head: false, composer: false, here: false });
let waiting = nothing();
let timer = null;
let asking = false;

function ask(change) {
  for (const kind of ["rows", "messages", "said"]) {
    for (const id of change[kind] ?? []) waiting[kind].add(id);
  }
  for (const kind of ["head", "composer", "here"]) waiting[kind] ||= Boolean(change[kind]);
  schedule(GATHER_MS);
}

function schedule(delay) {
  clearTimeout(timer);
  timer = setTimeout(fetchUpdates, delay);
}

/** Ask the desk for JSON; throws where it does not answer, or refuses. */
async function load(url, options = {}) {
  const limit = AbortSignal.timeout(SILENT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
  const has = heldNow();
  const headers = { Accept: "application/json", "X-Copy": copyMark(data.user), ...header(has), ...options.headers };
  const response = await fetch(url, { credentials: "same-origin", ...options, headers, signal });
  if (response.headers.has("X-Copied")) {
    isOld = true;
    live.doubt();
  }
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw Object.assign(new Error(String(response.status)), { status: response.status, error: answer.error });
  }
  return whole(await response.json(), has);
}

/** Fetch what is waited for, however many events asked for it, one request at a time. */
async function fetchUpdates() {
  if (asking) return; // whoever is under way looks again afterwards
  const wanted = waiting, about = part("opened");
  waiting = nothing(); // what happens from here on is asked for again
  const rows = [...wanted.rows], said = [...wanted.said], messages = about.dataset.latest === "true" ? [...wanted.messages] : [];
  for (const [kind, ids] of [["rows", rows], ["messages", messages], ["said", said]]) {
    for (const id of ids.splice(MOST)) waiting[kind].add(id);
  }
  const url = new URL(data.updates, location.href);
  if (rows.length) url.searchParams.set("rows", rows.join(","));
  if (opened) url.searchParams.set("conversation", opened);
  const answered = wanted.composer && composer?.answering();
  if (answered?.answers) url.searchParams.set("quote", answered.answers);
  if (answered && composer.section.dataset.answers) url.searchParams.set("write", answered.mode);
  const choice = choices, asked = performance.now();
  if (messages.length) url.searchParams.set("messages", messages.join(","));
  if (said.length) url.searchParams.set("said", said.join(","));
  for (const kind of ["head", "composer", "here"]) if (wanted[kind]) url.searchParams.set(kind, "1");
  asking = true;
  let delay = GATHER_MS;
  try {
    const answer = await load(url);
    if (answer.composer && choice !== choices) {
      delete answer.composer; // of before somebody chose another comment
      ask({ composer: true });
    }
    show(answer, about, asked);
  } catch {
    ask(wanted);
    delay = AGAIN_MS;
  } finally {
    asking = false;
  }
  if (waiting.rows.size || waiting.messages.size || waiting.head || waiting.composer || waiting.here) schedule(delay);
}

/** Show what the desk answered to what was *asked* then; what it says of *about*, only while that is what is open. */
function show(answer, about, asked) {
  if (answer.rows) list.show(answer.rows);
  if (answer.filters) replaceContent(part("filters"), answer.filters);
  if (answer.heading) replaceContent(part("heading"), answer.heading);
  if ("off" in answer) replaceContent(part("off"), answer.off);
  if (answer.news) toldNews(answer.news);
  if (about === part("opened") && opened) {
    if (answer.messages) showMessages(answer.messages, asked);
    for (const id of answer.gone ?? []) if (log?.find(id)?.classList.contains("cm-other")) log.remove(id);
    if (answer.head) showHead(answer.head);
    if (answer.contact) showContact(answer.contact);
    if (answer.composer) showComposer(answer.composer);
  }
  if (answer.here) presence.set(answer.here);
  else presence.draw();
  const told = Object.values(answer.names ?? {});
  if (told.length) announce(told.slice(0, 3).map((name) => data.textNew.replace("{name}", name)).join(". "));
}

const openerOf = (menu) => part("head")?.querySelector(`[data-menu="${menu}"] > summary`) ?? document.querySelector(`[data-menu="${menu}"] > summary`);

/** Replace what *element* holds, and keep the focus where it was if the same thing is there again. */
function replaceContent(element, html) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const menu = focused?.matches("summary") && focused.closest("details.menu")?.dataset.menu;
  element.innerHTML = html;
  if (menu) openerOf(menu)?.focus();
  if (focused?.id) document.getElementById(focused.id)?.focus();
  else if (focused?.href) element.querySelector(`a[href="${CSS.escape(focused.getAttribute("href"))}"]`)?.focus();
}

// The conversation that is open

/** Load what a conversation needs beside the list. */
async function loadConversation() {
  if (!conversation.Composer) await import("./inbox-conversation.js");
}

/** Make what stands in the conversation's place work. */
function start() {
  const place = part("opened");
  opened = Number(place.dataset.conversation) || null;
  const scroller = place.querySelector(".thread-scroll");
  log = scroller ? new Log(scroller) : null;
  list.choose(opened);
  presence.enter(opened, place.dataset.presence);
  undoing.enter(opened);
  unsent.enter(opened, null);
  kept?.open(false);
  kept = opened && place.dataset.draft ? keptOf(opened, place.dataset.draft, (one) => { if (one === kept) showKept(one, place); }, place.dataset.erased) : null;
  shared?.draw();
  conversation.foreseen?.enter(place);
  if (!log) return;
  watchMedia(scroller, data);
  fitForms(scroller);
  players(scroller);
  startComposer();
  kept?.open(true);
  drawSending();
  log.toEnd();
  look();
  const newer = place.querySelector("[data-newer]");
  newer.addEventListener("click", () => {
    newer.hidden = true;
    log.toEnd();
  });
  scroller.addEventListener("scroll", () => {
    if (!log.atEnd()) return;
    newer.hidden = true;
    look();
  }, { passive: true });
}

function showMessages(html, asked) {
  const atEnd = log.atEnd();
  const added = log.put(html, asked);
  markAnswered();
  if (!added.length) return;
  if (atEnd) log.toEnd();
  else if (added.some((item) => "inbound" in item.dataset)) part("opened").querySelector("[data-newer]").hidden = false;
  look();
}

let headIsOld = false;
let actedHere = false;

function showHead(html) {
  const head = part("head");
  // Somebody may be choosing in a menu: not under their hands, unless it was they who changed it.
  headIsOld = !actedHere && head.querySelector("details.menu[open]") !== null;
  if (headIsOld) return;
  actedHere = false;
  replaceContent(head, html);
  conversation.foreseen?.changed();
  // Name and picture of somebody new come after their first message: they belong to that message, too.
  const face = head.querySelector(".avatar").innerHTML;
  for (const one of log?.list.querySelectorAll(".msg[data-inbound]:not([data-writer]) > .avatar") ?? []) {
    if (one.innerHTML !== face) one.innerHTML = face;
  }
}

function showContact(html) {
  const pane = part("contact");
  const choosing = pane?.querySelector("details.menu[open]");
  const writing = pane?.querySelector("details.edit[open]"); // what somebody types there is not saved yet
  if (pane && !choosing && !writing) pane.replaceChildren(...elements(html)[0].children);
}

let composerIsOld = false;

function showComposer(html) {
  const box = part("composer");
  if (!box) return; // who reads only has none
  // What is on its way is emptied where it was written. Drawn anew meanwhile, it would stand there unsent.
  composerIsOld = Boolean(composer?.isSending());
  if (composerIsOld) return;
  const [fresh] = elements(html);
  if (composer && fresh.dataset.signature === composer.signature) {
    part("window").replaceWith(fresh.querySelector("[data-part=window]"));
    markAnswered();
    return;
  }
  const focused = box.contains(document.activeElement), onTemplates = focused && document.activeElement.matches("[data-templates-open]");
  // Where nothing but a note could be written, nobody chose to write one.
  const mode = box.querySelector("[data-form=reply], [data-form=private], [data-form=onward]") && composer?.signature && composer.section.dataset.mode;
  const chosen = composer?.chosen && composer.section.dataset.answers === fresh.dataset.answers;
  const wrong = composer?.saysWrong();
  box.replaceChildren(fresh);
  startComposer();
  conversation.foreseen?.draw();
  composer.chosen = chosen;
  if (mode && mode !== fresh.dataset.mode && fresh.querySelector(`[data-form="${mode}"]`)) composer.show(mode);
  if (wrong) composer?.problem(...wrong); // nobody may have read it yet
  if (focused) ((onTemplates && box.querySelector("[data-templates-open]")) || composer.text())?.focus();
}

let choices = 0; // how often somebody chose what to answer

/** Answer the comment *id*, publicly or privately as *mode* says. */
async function answer(id, mode) {
  const here = opened;
  choices += 1;
  typed.expect(here);
  typed.write(mode);
  const url = new URL(data.updates, location.href);
  for (const [name, value] of Object.entries({ conversation: here, composer: 1, quote: id, write: mode })) url.searchParams.set(name, value);
  const told = await load(url).catch(() => null);
  await composer?.sent; // until then it stays as it is
  if (here !== opened) return;
  if (!told?.composer) {
    typed.failed(here);
    report(data.textSilent);
    return;
  }
  choices += 1; // what was asked for meanwhile is about the comment before
  if (composer) composer.signature = ""; // another comment: it is drawn anew
  showComposer(told.composer);
  if (!composer) {
    typed.failed(here);
    return;
  }
  composer.chosen = true;
  typed.arrived(here);
  if (typed.state.name === "rest") composer.text()?.focus();
}

/** Mark the comment that is answered. */
function markAnswered() {
  const id = part("composer")?.querySelector("[data-composer]")?.dataset.answers;
  for (const one of log.list.querySelectorAll(".cm.is-at")) one.classList.toggle("is-at", one.dataset.message === id);
  if (id) log.find(id)?.classList.add("is-at");
}

/** Return the comment keys are about: the one with the focus, else the one that is answered. */
function comment() {
  return document.activeElement.closest?.(".cm[data-inbound]") ?? log?.list.querySelector(".cm.is-at");
}

/** What an assistant suggests. */
const suggested = () => part("window")?.querySelector("[data-suggestion]");

/** Send what is suggested, as a reply. */
async function take(form) {
  const here = opened, button = form.querySelector("button");
  button.disabled = true;
  try {
    const response = await post(form.action, new FormData(form));
    const answer = await response.json().catch(() => ({}));
    if (response.ok) sentHere(here, answer.messages);
    else report(answer.error?.message ?? data.textUnsaved, answer.error?.next);
  } catch {
    report(data.textUnsaved);
  } finally {
    button.disabled = false;
    ask({ rows: [here], head: true, composer: true });
  }
}

/** Put what is suggested into the field, where it becomes a person's. */
function edit() {
  const block = suggested(), reply = composer?.root.querySelector("[data-form=reply]");
  if (!block || !reply) return;
  composer.show("reply");
  reply.elements.suggestion.value = block.dataset.suggestion;
  const field = composer.text();
  field.value = block.querySelector("[data-suggested]").dataset.suggested;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

/** Show what was sent in *here*; return whether that is still open. */
function sentHere(here, html) {
  undoing.sent(here, part("opened").dataset.name, html);
  if (here !== opened) return false;
  showMessages(html);
  const [mine] = elements(html);
  if (mine?.classList.contains("cm")) log.find(mine.dataset.message)?.scrollIntoView({ block: "nearest" });
  else log.toEnd();
  return true;
}

function startComposer() {
  composer?.end();
  composer = null;
  if (!part("composer")) return;
  const here = opened, mine = kept, { name } = part("opened").dataset;
  const seen = () => (here === opened ? log.lastId() : 0);
  composer = new conversation.Composer(part("composer"), {
    words: data,
    newest: seen,
    onWriting: (on) => presence.typing(here, on),
    settled: () => mine.settled(),
    now: () => (here === opened ? composer : null),
    onSending: (sent) => unsent.add(here, name, sent, seen(), tab),
    first: (key) => unsent.first(key),
    onTaken(sent) {
      mine.landed(sent);
      unsent.answered(here, sent);
    },
    onAway(sent) {
      unsent.add(here, name, sent, seen());
      live.doubt();
    },
    onRefused(sent, sentence, next) {
      unsent.answered(here, sent);
      if (!sentence) return;
      if (here === opened) composer?.problem(sentence, next);
      else report(data.textNotSent.replace("{name}", () => name), sentence);
    },
    onBack: (mode, text) => mine.put(mode, text),
    onDraft() {
      list.draft(here);
      if (here === opened) unsent.written();
      mine.changed();
      if (here === opened && composerIsOld && !composer.isSending()) ask({ composer: true });
    },
    onSent(html, then) {
      ask({ rows: [here], head: Boolean(then) });
      if (!sentHere(here, html)) return;
      composer.chosen = false;
      ask({ composer: Boolean(composer.section.dataset.answers) });
      if (then !== "close") return;
      const next = list.after(here);
      go(next ? new URL(next.href) : addressOf(null));
    },
  });
  kept?.attach(composer);
  unsent.enter(here, composer);
  shared?.draw();
  markAnswered();
}

/** *record* was on its way when its page ended. It is sent once more: with its key, so it arrives once. */
async function resume(record) {
  const { id, mode, text, key, name, inbox } = record, url = new URL(record.action, location.origin);
  const body = new FormData();
  for (const [field, value] of record.body) if (field !== "draft_version") body.append(field, value);
  const draft = mode === "note" ? null : draftOf(mode === "reply" ? String(id) : `${mode}-${id}`);
  const sent = { conversation: String(id), mode, text, key, draft, parts: draft?.takeAgain(body.get("draft")) };
  departs(sent);
  const isFresh = unsent.isFresh(record) && url.origin === location.origin && url.pathname.startsWith(`${inbox}/`);
  const { answer, isTaken, isAway } = isFresh ? await asked(url, body) : { isAway: true };
  const mine = keptOf(id, `${inbox}/${id}/draft`);
  if (isTaken) {
    landed(sent);
    mine.landed(sent);
    unsent.answered(id, sent);
    if (id === opened) sentHere(id, answer.messages);
    else undoing.sent(id, name, answer.messages);
  } else {
    const field = mine.field(mode), back = cameBack(sent, field?.value);
    mine.put(mode, back.text);
    if (isAway) {
      if (field) field.form.elements.reply_key.value = key;
      unsent.away(record);
    } else {
      unsent.answered(id, sent);
      report(id === opened ? answer.error?.message : data.textNotSent.replace("{name}", () => name), id === opened ? answer.error?.next : answer.error?.message);
    }
  }
  mine.changed();
  ask({ rows: [id] });
}

/** Offer what another app shared; few phones ever have any. */
async function lookForShared() {
  if (!("caches" in window) || !document.querySelector("[data-shared]") || !(await caches.has("lobby-1-share"))) return;
  const { findShared } = await import("./inbox-shared.js");
  shared = await findShared(data.user, () => composer);
}

const ahead = new Ahead({
  fetches: (id) => load(threadOf(id), { headers: { "X-Prefetch": "1" } }),
  allows: (id) => fetch(threadOf(id), { method: "HEAD", credentials: "same-origin", signal: AbortSignal.timeout(SILENT_MS) })
    .then((response) => response.ok, () => false),
  wanted: (id) => id !== opened && id !== coming?.id && live.connected,
});

function threadOf(id) {
  const url = addressOf(id);
  url.pathname += "/thread";
  return url;
}

let leaving = new AbortController();
let coming = null; // the conversation that is being opened, and what was told of it meanwhile

/** Show the conversation *id* beside the list, or none. Return whether that worked; null: another was asked for. */
async function open(id) {
  leaving.abort();
  if (id === opened) {
    coming = null;
    main.classList.remove("is-loading");
    typed.expect(id);
    list.choose(id);
    return true;
  }
  const going = leaving = new AbortController();
  list.choose(id);
  const entering = coming = { id, told: [] };
  typed.expect(id);
  const slow = setTimeout(() => main.classList.add("is-loading"), LOADING_MS);
  try {
    let place = document.querySelector("template[data-nothing]").content.firstElementChild.cloneNode(true);
    if (id) {
      const loading = loadConversation();
      loading.catch(() => {}); // awaited below
      const early = await ahead.take(id);
      if (going.signal.aborted) return null;
      [place] = elements((early ?? await load(threadOf(id), { signal: going.signal })).html);
      await loading;
    }
    if (going.signal.aborted) return null;
    composer?.end();
    composer = null;
    kept?.open(false);
    kept = null;
    const before = opened;
    part("opened").replaceWith(place);
    banner("");
    main.classList.toggle("panes-empty", !id);
    start();
    coming = null;
    for (const one of entering.told) follow(...one);
    list.leave(before);
    title();
    if (id) announce(data.textOpened.replace("{name}", place.dataset.name));
    return true;
  } catch (problem) {
    if (going.signal.aborted) return null;
    list.choose(opened);
    if (problem.status === 401) location.reload();
    else report(problem.error?.message ?? (navigator.onLine ? data.textSilent : data.textNotHere));
    if (problem.status === 404) ask({ rows: [id] });
    typed.failed(id);
    return false;
  } finally {
    clearTimeout(slow);
    if (going === leaving) {
      main.classList.remove("is-loading");
      coming = null;
    }
  }
}

/** Return which conversation and pane *url* names, or nothing where it is another page or another list. */
function placeOf(url) {
  const base = new URL(data.inboxUrl, location.href);
  const found = url.origin === base.origin && url.pathname.startsWith(base.pathname) && url.pathname.slice(base.pathname.length);
  if (found === false || !/^(\/\d+)?$/.test(found)) return null;
  const [there, here] = [url, base].map((one) => new URLSearchParams(one.search));
  const pane = there.get("pane");
  there.delete("pane");
  there.sort();
  here.sort();
  if (there.toString() !== here.toString()) return null;
  return { id: Number(found.slice(1)) || null, pane };
}

function addressOf(id) {
  const url = new URL(data.inboxUrl, location.href);
  if (id) url.pathname += `/${id}`;
  return url;
}

/** Go where a link of the inbox leads. */
async function go(url, { push = true } = {}) {
  const { id, pane } = placeOf(url);
  const top = list.place();
  const done = await open(id);
  if (done === false && !push) history.replaceState(null, "", addressOf(opened)); // back to one that is gone
  if (!done) return;
  if (push && url.href !== location.href) history.pushState(null, "", url);
  const shown = pane && (pane !== "contact" || id) ? pane : id ? "thread" : "list";
  for (const name of ["list", "filters", "thread", "contact"]) main.classList.toggle(`panes-${name}`, name === shown);
  document.body.classList.toggle("in-thread", shown === "thread");
  list.restore(top);
  // A private reply may need a composer of its own; that asks for it.
  const alone = typed.state.writing?.mode === "private" && !composer?.root.querySelector("[data-form=private]");
  const link = alone && comment()?.querySelector("a[data-mode=private]");
  if (link) link.click();
  else typed.arrived(id);
  // On a phone the list is away now: the focus goes along.
  if (document.activeElement.offsetParent === null || document.activeElement === document.body) {
    (shown === "list" ? list.link(id) ?? list.current() : part("opened").querySelector(".thread-scroll"))?.focus({ preventScroll: true });
  }
}

window.addEventListener("popstate", () => {
  if (placeOf(new URL(location.href))) go(new URL(location.href), { push: false });
  else location.reload();
});

const lookedAt = new Map();

/** Tell the desk that somebody has seen the messages, if somebody has. */
async function look() {
  const { read, latest } = part("opened").dataset;
  if (!log || !read || document.hidden || latest !== "true" || !log.atEnd()) return;
  const last = log.lastId(), here = opened;
  if (last <= (lookedAt.get(here) ?? 0) && !list.isUnread(here)) return;
  lookedAt.set(here, last);
  try {
    await post(read, new URLSearchParams({ until: last }));
    list.read(here);
  } catch {
    lookedAt.delete(here);
  }
}

function post(url, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  return fetch(url, { method: "POST", body, headers, credentials: "same-origin" });
}

async function earlier(link) {
  const url = new URL(part("opened").dataset.earlier, location.href);
  url.searchParams.set("before", link.dataset.earlierThan);
  if (link.dataset.below) url.searchParams.set("below", link.dataset.below); // what others said in one thread
  const shown = log, asked = performance.now();
  const answer = await load(url).catch(() => null);
  if (!answer || shown !== log) return;
  const fromEnd = log.scroller.scrollTop;
  log.put(answer.messages, asked);
  log.scroller.scrollTop = fromEnd;
  if (answer.earlier) link.dataset.earlierThan = answer.earlier;
  else link.remove();
}

let menuDone = false; // a menu was closed from within, or by Enter on its opener, which has the focus

document.addEventListener("click", (event) => {
  const opener = event.detail === 0 && event.target.closest?.("details.menu[open] > summary"); // 0: pressed by a key
  if (opener) menuDone = true;
});

/** Escape may be meant for a menu that has just closed by itself: it leaves its opener, and nothing else. */
function leavesMenu() {
  const was = menuDone && document.activeElement.matches("details.menu > summary");
  menuDone = false;
  if (was) part("opened").querySelector(".thread-scroll")?.focus({ preventScroll: true });
  return was;
}

/** Send a small form without leaving the page; what it changed comes back through the stream. */
async function act(form, pressed = null) {
  const button = pressed ?? form.querySelector("button");
  const message = form.closest("[data-message]")?.dataset.message;
  const focused = button && document.activeElement === button;
  const here = opened, beside = message && log?.beside(message);
  const body = new FormData(form);
  if (pressed?.name) body.set(pressed.name, pressed.value);
  if (button) button.disabled = true; // which takes the focus away
  let done = false;
  try {
    const response = await post(form.action, body);
    done = response.ok;
    const menu = form.closest("details.menu");
    if (!done) {
      const answer = await response.json().catch(() => ({}));
      report(answer.error?.message ?? data.textUnsaved, answer.error?.next);
    } else {
      if (menu) menu.open = false;
      if (menu?.contains(button) && focused && document.activeElement === document.body) {
        menu.querySelector("summary").focus();
        menuDone = true;
      }
      settled("act");
    }
    if (done) form.closest("details.edit")?.removeAttribute("open");
    if (done && form.dataset.act === "undo") undoing.undone(await response.json(), Number(message));
    actedHere = true;
    ask({ rows: [here], messages: message ? [Number(message)] : [], head: true });
    if (done && form.dataset.act === "unread") {
      lookedAt.delete(here);
      await go(addressOf(null));
    }
  } catch {
    report(data.textUnsaved);
  } finally {
    if (button) button.disabled = false;
    if (focused && document.activeElement === document.body && here === opened) {
      if (button.isConnected) button.focus();
      else if (message) log?.land(log.find(message) ?? beside);
    }
  }
  return done;
}

/** Say what went wrong: in the composer where there is one, else above everything. */
function report(sentence, next) {
  if (composer) composer.problem(sentence, next, "act");
  else banner(sentence);
}

/** What went wrong with *of* is not so any more: it is not said any longer. */
function settled(of) {
  if (["away", of].includes(composer?.problemOf)) composer.problem(null);
  if (of === "act" || [data.textUnsaved, data.textSilent, data.textNotHere].includes(said?.textContent.trim())) banner("");
}

/** Put an emoji on a message, or take it away: *emoji* is empty then. */
async function react(url, emoji, message) {
  try {
    const response = await post(url, new URLSearchParams({ emoji }));
    if (response.ok) settled("act");
    else {
      const answer = await response.json().catch(() => ({}));
      report(answer.error?.message ?? data.textUnsaved, answer.error?.next);
    }
  } catch {
    report(data.textUnsaved);
  }
  ask({ messages: [message] });
}

function title() {
  const name = part("opened").dataset.name;
  entitle(`${name ? `${name} · ` : ""}${data.title}`);
}

function announce(text) {
  document.querySelector("[data-announce]").textContent = text;
}

/** Whether *page* fits this one. A page of the copy does not where the person or the version is another one by now. */
async function isSame(page) {
  const user = page.querySelector("[data-inbox]")?.dataset.user, { version } = page.documentElement.dataset;
  const isFit = user === data.user && (version === document.documentElement.dataset.version || !("copied" in document.documentElement.dataset));
  if (!isFit) await forget();
  return isFit;
}

/** Bring a page that came out of the copy up to date. */
async function catchUp() {
  const { id } = placeOf(new URL(location.href)) ?? {};
  if (id && id !== opened) await go(new URL(location.href), { push: false });
  await resync();
}

/** Load everything anew, except what somebody is writing. */
async function resync() {
  ahead.forget();
  const asked = performance.now();
  try {
    const response = await fetch(location.href, { credentials: "same-origin" });
    if (response.status === 404 && opened && !response.headers.has("X-Copied") && (await isMember())) {
      showNothing(); // the person may not see it any more
      conversationLost();
      history.replaceState(null, "", addressOf(null));
      await go(addressOf(null), { push: false });
      await resync();
      return;
    }
    if (!response.ok || response.headers.has("X-Copied")) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (response.redirected || !(await isSame(page))) {
      location.reload(); // what is written is kept
      return;
    }
    renewToken(page);
    const there = (name) => page.querySelector(`[data-part="${name}"]`);
    list.renew(there("scroll"));
    const same = Number(there("opened").dataset.conversation) === (opened ?? 0);
    for (const name of ["filters", "heading", "off"]) if (part(name) && there(name)) replaceContent(part(name), there(name).innerHTML);
    if (same && opened && there("opened").dataset.erased !== part("opened").dataset.erased) {
      kept?.marked(there("opened").dataset.erased);
      await reopen();
    } else if (log && same) { // a menu that is open stays: its words would run as commands without it
      if (there("head")) showHead(there("head").innerHTML);
      if (there("contact")) showContact(there("contact").outerHTML);
      log.fill(there("log"), asked);
      showComposer(there("composer")?.innerHTML);
      look();
    }
    isOld = false;
    askForNews();
    ask({ here: true });
  } catch {
    // The next event tries again.
  }
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button || event.defaultPrevented) return;
  const answered = event.target.closest("a[data-answer]");
  if (answered) {
    event.preventDefault();
    answered.closest("details")?.removeAttribute("open");
    answer(answered.dataset.answer, answered.dataset.mode);
    return;
  }
  const source = event.target.closest("a[data-source]");
  if (source) {
    event.preventDefault(); // a place in the history would open the conversation once more
    document.getElementById(source.hash.slice(1))?.focus();
    return;
  }
  const unfolds = event.target.closest("[data-unfolds]");
  if (unfolds) {
    const open = unfolds.closest("section").classList.toggle("is-open");
    unfolds.setAttribute("aria-expanded", String(open));
    return;
  }
  if (event.target.closest("a[data-edits]")) {
    event.preventDefault();
    edit();
    return;
  }
  const more = event.target.closest("[data-earlier-than]");
  const link = event.target.closest("a[href]");
  if (more) {
    event.preventDefault();
    earlier(more);
  } else if (link && !link.target && !link.hash && placeOf(new URL(link.href))) {
    event.preventDefault();
    go(new URL(link.href));
  }
});

document.addEventListener("submit", (event) => {
  if ("sends" in event.target.dataset) {
    event.preventDefault();
    event.stopPropagation();
    take(event.target);
    return;
  }
  if (!("act" in event.target.dataset)) return;
  event.preventDefault();
  event.stopPropagation();
  act(event.target, event.submitter);
}, true);

for (const done of ["focusout", "toggle"]) {
  document.addEventListener(done, () => headIsOld && ask({ head: true }), true);
}

const form = (name) => part("head")?.querySelector(`form[data-act="${name}"]`);
const change = () => form("close") ?? form("reopen");
const toMe = () => form("assign")?.querySelector(`button[name="assignee"][value="${Number(data.user)}"]`);
const write = (mode) => {
  if (!composer?.root.querySelector(`[data-form="${mode}"]`)) return;
  composer.show(mode);
  composer.text()?.focus();
};

/** Open *menu* and go there: to what it asks, else to its opener, from where the arrows lead on. */
function unfold(menu) {
  if (!menu) return;
  menu.open = true;
  (menu.querySelector("[data-first]") ?? menu.querySelector("input:not([type=hidden])") ?? menu.querySelector("summary")).focus();
}

const macro = macros({
  here: () => opened,
  newest: () => log?.lastId(),
  shown: () => part("head")?.querySelector("form input[name=shown]")?.value ?? "",
  report,
  done(answer) {
    actedHere = true;
    if (answer.messages) showMessages(answer.messages);
    announce(answer.sentence);
    report(null);
    ask({ rows: [opened], head: true, composer: true });
  },
});

/** Return *commands* as they act on the conversation that is open: not on it while another one is on its way. */
const onOpened = (commands) => Object.fromEntries(Object.entries(commands).map(([name, run]) => [name, () => typed.isFree && run()]));
/** Return *commands* that write: they wait for the conversation that is on its way. */
const writing = (commands) => Object.fromEntries(Object.entries(commands).map(([name, run]) => [name, () => typed.write(name) || run()]));

/** Return *commands*, which are about what is selected in the list where something is. */
const onSelected = (commands) => Object.fromEntries(Object.entries(commands).map(([name, run]) => [name, () => commanded(name) || run()]));

keys({
  ...writing({
    reply() {
      const link = comment()?.querySelector("a[data-mode=reply]");
      if (link && link.dataset.answer !== composer?.section.dataset.answers) link.click();
      else write(composer?.root.querySelector("[data-form=reply]") ? "reply" : "private"); // below some posts nothing is public
    },
    private: () => comment()?.querySelector("a[data-mode=private]")?.click(),
    note: () => write("note"),
  }),
  ...onSelected(onOpened({
    hide: () => comment()?.querySelector("[data-moderate=hidden], [data-moderate=shown]")?.form.requestSubmit(),
    close: () => change()?.requestSubmit(),
    "close-next": async () => {
      const here = opened, next = list.after(here), to = next ? new URL(next.href) : addressOf(null);
      const { id } = placeOf(to);
      typed.expect(id); // the next key is for that one
      if (form("close") && !(await act(form("close")))) typed.failed(id);
      else if (here === opened && !coming) go(to);
    },
    mine() {
      const button = toMe();
      if (button && !button.hasAttribute("aria-current")) form("assign").requestSubmit(button);
    },
    assign: () => unfold(form("assign")?.closest("details")),
    labels: () => unfold(part("head")?.querySelector("[data-menu=labels]")),
    snooze() {
      unfold(part("head")?.querySelector("[data-menu=snooze]"));
      form("wake")?.requestSubmit();
    },
    spam: () => form("spam")?.requestSubmit(),
    automation: () => (form("keep") ?? form("leave"))?.requestSubmit(),
    accept: () => suggested()?.querySelector("form[data-sends]").requestSubmit(),
    edit,
    dismiss: () => suggested()?.querySelector("form[data-act=dismiss]").requestSubmit(),
    why() {
      const why = suggested()?.querySelector("details");
      suggested()?.classList.add("is-open"); // it may be folded
      if (why) why.open = !why.open;
    },
    unread: () => form("unread")?.requestSubmit(),
    contact() {
      const pane = part("contact");
      if (!pane) return;
      if (pane.offsetParent === null) part("head").querySelector("a.only-narrow")?.click();
      pane.tabIndex = -1;
      pane.focus();
    },
    latest: () => log?.toEnd(),
    macros: () => macro.show(),
  })),
  next: () => ahead.soon(...list.move(1)),
  previous: () => ahead.soon(...list.move(-1)),
  open: () => list.current()?.click(),
  leave() {
    if (leavesMenu()) return;
    const found = document.querySelector("[data-found]"); // whoever came from a search goes back to it
    if (found) found.click();
    else go(addressOf(null));
  },
  changes: () => list.release(),
  filters: () => part("filters").querySelector("a[aria-current], a.filter")?.focus(),
  select: () => document.querySelector("[data-select]")?.click(),
  tick: () => selecting.tick(() => list.current()),
  "tick-to": () => selecting.range(() => list.current()),
  "tick-all": selecting.all,
  untick: selecting.none,
  bulk: selecting.actions,
  sort: () => unfold(document.querySelector("[data-menu=sort]")),
  undo: () => typed.isFree && undoing.latest(),
  async search() {
    const field = document.querySelector("[data-search-field]");
    if (field.offsetParent === null) { // where there is room for one pane, the list comes back
      const url = addressOf(opened);
      url.searchParams.set("pane", "list");
      await go(url);
    }
    field.focus();
    field.select();
  },
}, data, (again) => macro.commands(again).map((line) => ({ ...line, run: () => commanded("macros") || (typed.isFree && line.run()) })), (key, command) => typed.stops(key, command));

// Where the keyboard lies over the page, as on iOS, the thread becomes as high as what is left.
const seen = window.visualViewport;
function fitKeyboard() {
  const covered = window.innerHeight - seen.height * seen.scale > KEYBOARD && seen.scale < 1.1;
  const end = log?.atEnd();
  if (covered) document.documentElement.style.setProperty("--seen", `${seen.height}px`);
  else document.documentElement.style.removeProperty("--seen");
  document.documentElement.classList.toggle("has-keyboard", covered);
  if (covered && document.body.classList.contains("in-thread")) {
    window.scrollTo(0, 0);
    document.activeElement.scrollIntoView({ block: "nearest" });
  }
  if (end) log.toEnd();
}
seen?.addEventListener("resize", fitKeyboard);

reactions(react);
tapping(main);
swiping({ touched: (id) => list.touched(id), ask: (id) => ask({ rows: [id], head: id === opened, composer: id === opened }) });
editing(post, (message) => ask({ rows: [opened], messages: [message] }));
for (const record of unsent.lost) resume(record); // what is on its way stands in no field
start();
document.addEventListener("visibilitychange", () => look());

keepCurrent(document, data, isOld ? 0 : Date.parse(data.now) - Date.now(), (element) => {
  const row = element.closest("[data-row]");
  ask(row ? { rows: [Number(row.dataset.row)] } : { composer: true });
});

/** Say that the desk is away, and what can be read all the same. */
async function showLine() {
  line.draw(live.connected);
  const copy = live.connected ? null : await copied(data).catch(() => null);
  if (copy && !live.connected) line.draw(false, copy);
  quiet();
}

/** Say above everything what is wrong with what somebody did. That the desk is away is more important. */
function banner(sentence) {
  said?.remove();
  said = null;
  if (sentence) {
    said = notice(sentence, "", { tone: "warn", role: "status" });
    said.classList.add("offline");
    document.body.append(said);
  }
  quiet();
}

function quiet() {
  if (said) said.hidden = line.isShown;
}

presence.onUnknown = () => ask({ here: true });

/** Ask for what a change touches. */
function follow(topic, told) {
  if (topic === "addons" || topic === "account") {
    resync();
    return;
  }
  if (topic === "catch_up") return;
  if (topic === "notice") {
    if (told.users.includes(Number(data.user))) askForNews();
    return;
  }
  if (topic === "access") {
    if (told.users.includes(Number(data.user))) isMember().then((yes) => yes && resync());
    return;
  }
  const here = told.conversation === opened;
  if (takesAway(topic, told)) {
    forgetHere(topic, told, here);
    offline.soon();
  }
  if (topic === "erased") {
    erased(told);
    return;
  }
  if (topic !== "presence") ahead.forget(told.conversation);
  // What is on its way may have been read before this happened.
  if (coming?.id && told.conversation === coming.id && topic !== "presence") coming.told.push([topic, told]);
  if (topic === "presence") {
    // What one has read oneself, maybe in another tab, changes one's own list alone.
    if (told.state !== "read") presence.told(told);
    else if (told.user === Number(data.user)) ask({ rows: [told.conversation] });
    return;
  }
  if (topic === "draft") {
    if (here) kept?.heard(told, Number(data.user));
    return;
  }
  if (topic === "gone") {
    if (log && (here || log.find(told.message))) log.remove(told.message);
    return;
  }
  ask({
    rows: [told.conversation],
    messages: (here || "post" in part("opened").dataset) && told.message ? [told.message] : [],
    said: topic === "message" && !here ? [told.message] : [],
    head: here && topic === "conversation",
    // Of a comment that was deleted nothing is left to answer.
    composer: here && (["message", "conversation"].includes(topic) || (topic === "changed" && Boolean(composer?.section.dataset.answers))),
  });
}

/** Messages of a conversation were erased, or its customer: nothing of them stays on the page. */
function erased({ conversation, contact }) {
  ahead.forget(conversation);
  if (contact) undoing.erased(conversation);
  unsent.onChange([conversation]);
  if (coming?.id === conversation) coming.told.push(["erased", { conversation, contact }]);
  ask({ rows: [conversation] });
  // Below a post there may be what others said.
  if (conversation === opened || (opened && "post" in part("opened").dataset)) reopen();
}

/** Show the conversation that is open as the desk has it now. Until it answers, nothing of it is on the page. */
async function reopen() {
  const id = opened, focused = part("opened").contains(document.activeElement);
  showNothing();
  await open(id);
  if (focused && opened === id) part("opened").querySelector(".thread-scroll")?.focus({ preventScroll: true });
}

function showNothing() {
  composer?.end();
  composer = null;
  kept?.open(false);
  kept = null;
  part("opened").replaceWith(document.querySelector("template[data-nothing]").content.firstElementChild.cloneNode(true));
  start();
  title();
}

/** The person is no member any more: nothing of the workspace stays on the page. */
function left() {
  live.stop();
  showNothing();
  list.rows.replaceChildren();
  cover();
}

/** Take the text of *record*, which was sent or discarded, out of the draft: here, and on the desk. */
async function drop({ id, inbox, mode, text }) {
  const key = `lobby-draft-${mode}-${id}`;
  if (id === opened) composer?.taken(mode, text);
  if (readDraft(key) === text) writeDraft(key, "");
  const draft = keptOf(id, `${inbox}/${id}/draft`);
  await draft.refresh();
  draft.drop(mode, text);
  list.draft(id);
}

back = document.querySelector("dialog[data-back]") && new Back(unsent, data, {
  drop,
  open: (id) => go(addressOf(id)),
  sent(record, html) {
    ask({ rows: [record.id], head: record.id === opened });
    undoing.sent(record.id, record.name, html);
    if (record.id === opened) showMessages(html);
  },
});
back?.draw();
back?.arrived();

const live = new Live({
  stream: data.live,
  poll: data.poll,
  after: Number(data.after),
  onResync: resync,
  onConnection(connected) {
    if (!connected) ahead.forget(); // what happens from here on is not told
    if (connected && isOld) resync();
    showLine();
    if (connected) settled("away");
    unsent.line(connected);
    if (connected) back?.arrived();
  },
  onEvent: follow,
  onAsked: () => kept?.refresh(),
  onGone: left,
});

const offline = new OfflineCopy(data, () => live.connected);
lookForShared();
if (isOld) catchUp();
