// The inbox page: follows what happens, moves by keyboard, acts without leaving.

import { csrfToken } from "./base.js";
import { Composer } from "./composer.js";
import { move, moreRows, showRows } from "./inbox-list.js";
import { elements, Log } from "./inbox-thread.js";
import "./gallery.js";
import { watchMedia } from "./inbox-media.js";
import { keepCurrent } from "./inbox-time.js";
import { Live } from "./live.js";
import { reactions } from "./reactions.js";

const GATHER_MS = 60;
const AGAIN_MS = 2000;
const MOST = 200;

const data = document.querySelector("[data-inbox]").dataset;
const part = (name) => document.querySelector(`[data-part="${name}"]`);
const scroller = document.querySelector(".thread-scroll");
const log = scroller ? new Log(scroller) : null;
const opened = data.conversation ? Number(data.conversation) : null;
const newer = document.querySelector("[data-newer]");

let composer = null;

const nothing = () => ({ rows: new Set(), messages: new Set(), names: new Set(), head: false, composer: false });
let waiting = nothing();
let timer = null;
let asking = false;

function ask(change) {
  for (const kind of ["rows", "messages", "names"]) {
    for (const id of change[kind] ?? []) waiting[kind].add(id);
  }
  waiting.head ||= Boolean(change.head);
  waiting.composer ||= Boolean(change.composer);
  schedule(GATHER_MS);
}

function schedule(delay) {
  clearTimeout(timer);
  timer = setTimeout(fetchUpdates, delay);
}

/** Fetch what is waited for, however many events asked for it, one request at a time. */
async function fetchUpdates() {
  if (asking) return; // whoever is under way looks again afterwards
  const wanted = waiting;
  waiting = nothing(); // what happens from here on is asked for again
  const rows = [...wanted.rows], messages = data.latest === "true" ? [...wanted.messages] : [];
  for (const [kind, ids] of [["rows", rows], ["messages", messages]]) {
    for (const id of ids.splice(MOST)) waiting[kind].add(id);
  }
  const url = new URL(data.updates, location.href);
  if (rows.length) url.searchParams.set("rows", rows.join(","));
  if (opened) url.searchParams.set("conversation", opened);
  if (messages.length) url.searchParams.set("messages", messages.join(","));
  if (wanted.head) url.searchParams.set("head", "1");
  if (wanted.composer) url.searchParams.set("composer", "1");
  asking = true;
  let delay = GATHER_MS;
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!response.ok) throw new Error(String(response.status));
    show(await response.json(), wanted.names);
  } catch {
    ask(wanted);
    delay = AGAIN_MS;
  } finally {
    asking = false;
  }
  if (waiting.rows.size || waiting.messages.size || waiting.head || waiting.composer) schedule(delay);
}

function show(answer, names) {
  if (answer.rows) showRows(answer.rows, opened);
  if (answer.filters) replaceContent(part("filters"), answer.filters);
  if (answer.heading) replaceContent(part("heading"), answer.heading);
  if (answer.unread !== undefined) title(answer.unread);
  if (answer.messages) showMessages(answer.messages);
  if (answer.head) showHead(answer.head);
  if (answer.contact) showContact(answer.contact);
  if (answer.composer) showComposer(answer.composer);
  const told = [...names].map((id) => answer.names?.[id]).filter(Boolean);
  if (told.length) announce(told.slice(0, 3).map((name) => data.textNew.replace("{name}", name)).join(". "));
}

/** Replace what *element* holds, and keep the focus where it was if the same thing is there again. */
function replaceContent(element, html) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  element.innerHTML = html;
  if (focused?.id) document.getElementById(focused.id)?.focus();
  else if (focused?.href) element.querySelector(`a[href="${CSS.escape(focused.getAttribute("href"))}"]`)?.focus();
}

function showMessages(html) {
  const atEnd = log.atEnd();
  const added = log.put(html);
  if (!added.length) return;
  if (atEnd) log.toEnd();
  else if (added.some((item) => "inbound" in item.dataset)) newer.hidden = false;
  look();
}

let headIsOld = false;
let actedHere = false;

function showHead(html) {
  const head = part("head");
  // Somebody may be choosing an assignee: not under their hands, unless it was they who changed it.
  headIsOld = !actedHere && head.contains(document.activeElement) && document.activeElement.tagName === "SELECT";
  if (headIsOld) return;
  actedHere = false;
  replaceContent(head, html);
}

function showContact(html) {
  const pane = part("contact");
  const choosing = pane?.contains(document.activeElement) && document.activeElement.tagName === "SELECT";
  if (pane && !choosing) pane.replaceChildren(...elements(html)[0].children);
}

function showComposer(html) {
  const box = part("composer");
  const [fresh] = elements(html);
  if (composer && fresh.dataset.signature === composer.signature) {
    part("window").replaceWith(fresh.querySelector("[data-part=window]"));
    return;
  }
  const focused = box.contains(document.activeElement);
  box.replaceChildren(fresh);
  startComposer();
  if (focused) composer.text()?.focus();
}

function startComposer() {
  composer?.end();
  composer = new Composer(part("composer"), {
    words: data,
    onSent(html) {
      showMessages(html);
      log.toEnd();
      ask({ rows: [opened] });
    },
  });
}

let lookedAt = 0;

/** Tell the desk that somebody has seen the messages, if somebody has. */
async function look() {
  if (!log || document.hidden || data.latest !== "true" || !log.atEnd()) return;
  const last = log.lastId();
  if (last <= lookedAt) return;
  lookedAt = last;
  const body = new URLSearchParams({ until: last });
  try {
    await fetch(data.read, { method: "POST", body, headers: jsonHeaders(), credentials: "same-origin" });
  } catch {
    lookedAt = 0;
  }
}

function jsonHeaders() {
  return { Accept: "application/json", "X-CSRFToken": csrfToken() };
}

async function earlier(link) {
  const url = new URL(data.earlier, location.href);
  url.searchParams.set("before", link.dataset.earlierThan);
  const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!response.ok) return;
  const answer = await response.json();
  const fromEnd = scroller.scrollTop;
  log.put(answer.messages);
  scroller.scrollTop = fromEnd;
  if (answer.earlier) link.dataset.earlierThan = answer.earlier;
  else link.remove();
}

/** Send a small form without leaving the page; what it changed comes back through the stream. */
async function act(form) {
  const button = form.querySelector("button");
  const message = form.closest("[data-message]")?.dataset.message;
  const focused = button && document.activeElement === button;
  if (button) button.disabled = true; // which takes the focus away
  try {
    const body = new FormData(form);
    const response = await fetch(form.action, { method: "POST", body, headers: jsonHeaders(), credentials: "same-origin" });
    if (!response.ok) {
      const answer = await response.json().catch(() => ({}));
      composer?.problem(answer.error?.message ?? data.textUnsaved, answer.error?.next);
    }
    actedHere = true;
    ask({ rows: [opened], messages: message ? [Number(message)] : [], head: true });
  } catch {
    composer?.problem(data.textUnsaved);
  } finally {
    if (button) button.disabled = false;
    const there = button?.isConnected ? button : message && log?.find(message)?.querySelector("[data-hide]");
    if (focused && document.activeElement === document.body) there?.focus();
  }
}

/** Put an emoji on a message, or take it away: *emoji* is empty then. */
async function react(url, emoji, message) {
  const body = new URLSearchParams({ emoji });
  try {
    const response = await fetch(url, { method: "POST", body, headers: jsonHeaders(), credentials: "same-origin" });
    if (!response.ok) {
      const answer = await response.json().catch(() => ({}));
      composer?.problem(answer.error?.message ?? data.textUnsaved, answer.error?.next);
    }
  } catch {
    composer?.problem(data.textUnsaved);
  }
  ask({ messages: [message] });
}

function title(unread) {
  document.title = unread ? `(${unread}) ${data.title}` : data.title;
}

function announce(text) {
  document.querySelector("[data-announce]").textContent = text;
}

/** Load everything anew, except what somebody is writing. */
async function resync() {
  try {
    const response = await fetch(location.href, { credentials: "same-origin" });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const name of ["filters", "heading", "list", "empty", "head", "contact"]) {
      const [here, there] = [part(name), page.querySelector(`[data-part="${name}"]`)];
      if (!here || !there) continue;
      here.innerHTML = there.innerHTML;
      here.hidden = there.hidden;
    }
    if (log) {
      log.list.innerHTML = page.querySelector("[data-part=log]").innerHTML;
      log.remember();
      log.group();
      showComposer(page.querySelector("[data-part=composer]").innerHTML);
      look();
    }
    title(Number(page.querySelector("[data-inbox]").dataset.unread));
  } catch {
    // The next event tries again.
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.target.closest("dialog, :popover-open")) return;
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "r" && composer) {
    event.preventDefault();
    composer.text()?.focus();
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-earlier-than], [data-more]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    if (link.dataset.more) moreRows(link, data.list);
    else earlier(link);
  }
});

document.addEventListener("submit", (event) => {
  if (!("act" in event.target.dataset)) return;
  event.preventDefault();
  event.stopPropagation();
  act(event.target);
}, true);

document.addEventListener("focusout", () => {
  if (headIsOld) ask({ head: true });
});

document.addEventListener("change", (event) => {
  if ("submitOnChange" in event.target.dataset) event.target.form.requestSubmit();
});

if (log) {
  watchMedia(scroller, data);
  startComposer();
  reactions(react);
  log.toEnd();
  look();
  newer.addEventListener("click", () => {
    newer.hidden = true;
    log.toEnd();
  });
  scroller.addEventListener("scroll", () => {
    if (log.atEnd()) {
      newer.hidden = true;
      look();
    }
  }, { passive: true });
  document.addEventListener("visibilitychange", () => look());
}

keepCurrent(document, data, Date.parse(data.now) - Date.now(), (element) => {
  const row = element.closest("[data-row]");
  ask(row ? { rows: [Number(row.dataset.row)] } : { composer: true });
});

let offline = null;

new Live({
  stream: data.live,
  poll: data.poll,
  after: Number(data.after),
  onResync: resync,
  onConnection(connected) {
    offline?.remove();
    offline = null;
    if (connected) return;
    offline = document.createElement("div");
    offline.className = "notice notice-warn offline";
    offline.setAttribute("role", "status");
    offline.textContent = data.textOffline;
    document.body.append(offline);
  },
  onEvent(topic, change) {
    if (topic === "addons" || topic === "account") {
      resync();
      return;
    }
    if (topic === "catch_up") return;
    const here = change.conversation === opened;
    if (topic === "gone") {
      if (here && log) log.remove(change.message);
      return;
    }
    const ids = here && change.message ? [change.message] : [];
    ask({
      rows: [change.conversation],
      messages: ids,
      names: topic === "message" && !here ? [change.conversation] : [],
      head: here && topic === "conversation",
      composer: here && (topic === "message" || topic === "conversation"),
    });
  },
});
