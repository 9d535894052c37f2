// Whose page this is. A browser has one session for all its tabs: while this page is open, its person may sign out in another
// tab, and the next one sign in. Then the page covers what it shows and loads again. What it sends says whose it is, and the desk
// refuses what another person's page sends.

const HEADER = "X-Page-User";
const NOBODY = "0";
const HERE = "lobby-here"; // who is signed in and in which session, as the newest page knows; missing: nobody
const LEAVING = "lobby-leaving"; // who is signing out
const COPY = "lobby-1-copy-"; // as in sw.js
const ANSWER_MS = 10000;
const LEAVING_MS = 5000;

const root = document.documentElement;
const { user = "", session } = root.dataset;

/** The id of the person this page is of; empty for nobody, and where the desk couldn't tell. */
export const pageUser = user === NOBODY ? "" : user;

// What this page sends and is answered

const plain = window.fetch.bind(window);

window.fetch = async (what, options = {}) => {
  const { origin } = new URL(what.url ?? what, location.href);
  if (!user || origin !== location.origin || options.credentials === "omit") return plain(what, options);
  const headers = new Headers(options.headers ?? what.headers);
  headers.set(HEADER, user);
  const response = await plain(what, { ...options, headers });
  const now = response.headers.get(HEADER);
  if (pageUser && now && now !== user && !response.headers.has("X-Copied")) look();
  if (!response.headers.has("X-Form-Expired") || !(await renew())) return response;
  // The same person signed in again: nothing was done yet, for the token was of the session before.
  const { body } = options;
  if (headers.has("X-CSRFToken")) headers.set("X-CSRFToken", token().content);
  if (body?.has?.("csrf_token")) body.set("csrf_token", token().content);
  return plain(what, { ...options, headers });
};

/** Return *address* so that it says whose page asks, for what sends no headers. */
export const asPage = (address) => (user ? `${address}${address.includes("?") ? "&" : "?"}page_user=${user}` : address);

/** Say in *request*, an XMLHttpRequest, whose page it is from. */
export const signed = (request) => user && request.setRequestHeader(HEADER, user);

const token = () => document.querySelector("meta[name=csrf-token]");

/** Use *value* as the token of this page: it may have been made in a session before. */
export function setToken(value) {
  if (!value || value === token().content) return;
  token().content = value;
  for (const field of document.querySelectorAll("input[name=csrf_token]")) field.value = value;
}

/** Ask the desk who is signed in: their id; null where it doesn't answer. The same person as before gets a token of the session. */
async function ask() {
  try {
    const response = await plain("/page-user", { headers: { Accept: "application/json" }, credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS) });
    const now = await response.json();
    if (now.user === user) setToken(now.token);
    return now.user || null;
  } catch {
    return null;
  }
}

async function renew() {
  const now = await ask();
  if (now && now !== user) look();
  return now === user;
}

// The page of another person, or of nobody

let sheet = null;
let title = "";
let isOver = false;
let isDeleted = false;
let isLooking = false;

/** Whether the person of this page signed out: it keeps nothing on this device any more. */
export const over = () => isOver;

/** Whether what this page kept was deleted with that: nothing of it goes to the desk any more, either. */
export const deleted = () => isDeleted;

/** Hide everything, also from who can't see it. */
function cover() {
  if (sheet) return;
  sheet = document.querySelector("[data-cover-sheet]").content.firstElementChild.cloneNode(true);
  sheet.addEventListener("cancel", (event) => event.preventDefault()); // Escape
  document.body.append(sheet);
  root.dataset.covered = "";
  sheet.showModal(); // above other dialogs
  title = document.title;
  document.title = sheet.dataset.title;
  for (const one of document.querySelectorAll("audio, video")) one.pause();
}

function uncover() {
  if (!sheet) return;
  if (document.title === sheet.dataset.title) document.title = title; // what was drawn below may have another one by now
  sheet.remove();
  sheet = null;
  delete root.dataset.covered;
}

// No command of the page runs by key below.
window.addEventListener("keydown", (event) => { if (sheet) event.stopImmediatePropagation(); }, true);

/** Whether something stands in a form here that is lost if the page loads again; drafts of replies aren't. */
function isBegun() {
  const fields = [...document.querySelectorAll("form[method=post]:not([data-form]) :is(textarea, input:not([type=hidden]))")];
  return fields.some((field) => (["checkbox", "radio"].includes(field.type) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue));
}

/** Return who is signed in as far as this browser knows. */
const known = () => attempt(() => localStorage.getItem(HERE))?.split(" ")[0] ?? NOBODY;

/** Cover the page until it is known who is signed in. */
async function look() {
  cover();
  if (isLooking) return;
  isLooking = true;
  const now = isOver ? NOBODY : (await ask()) ?? known();
  isLooking = false;
  if (now === user && !isOver) uncover();
  else if (now === NOBODY && !isOver && isBegun()) {
    sheet.querySelector("[role=alert]").hidden = true;
    sheet.querySelector("[data-cover-out]").hidden = false;
  } else load();
}

let isLoading = false;

/** Load the page again, as whoever is signed in sees it. A form that led here is not sent once more. */
async function load() {
  if (isLoading) return;
  isLoading = true;
  try {
    for (const name of await caches.keys()) if (name.startsWith(COPY)) await caches.delete(name);
  } catch {
    // Plain http has no caches.
  }
  location.replace(location.pathname + location.search);
}

// What tabs tell each other

const channel = "BroadcastChannel" in window ? new BroadcastChannel("lobby-page-user") : null;

/** Somebody is signed in, as another tab knows: *text* is their id and the mark of their session. */
function hear(text) {
  const [now, mark] = (text ?? NOBODY).split(" ");
  if (!user) return;
  if (isOver && now !== user) load();
  else if (now !== user || sheet) look();
  else if (mark !== session) ask();
}

/** The person *who* is signing out. */
function hearLeaving(who) {
  if (!pageUser || who !== pageUser || isOver) return;
  end();
  cover();
  setTimeout(load, LEAVING_MS); // the page after that says so before
}

/** From now on nothing of this page is kept on this device: neither what is on its way to be nor what a leaving page keeps. */
function end() {
  isOver = true;
  isDeleted = !navigator.onLine;
  attempt(() => sessionStorage.clear());
  Storage.prototype.setItem = () => {};
}

/** The person of this page signs out: tell the other tabs. Where *isAway*, nothing else deletes what is kept here. */
export function leaving(isAway) {
  attempt(() => localStorage.setItem(LEAVING, pageUser));
  channel?.postMessage({ leaving: pageUser });
  if (isAway) attempt(() => localStorage.clear());
  end();
}

/** Return who signed out before this page, which is nobody's; what they left is to be deleted. */
export function left() {
  const who = attempt(() => localStorage.getItem(LEAVING));
  if (who) attempt(() => localStorage.removeItem(LEAVING));
  return user === NOBODY ? who : null;
}

function attempt(use) {
  try {
    return use();
  } catch {
    return null; // the storage is full or forbidden
  }
}

channel?.addEventListener("message", ({ data }) => (data.leaving ? hearLeaving(data.leaving) : hear(data.here)));
window.addEventListener("storage", ({ key, newValue }) => {
  if (key === HERE) hear(newValue);
  if (key === LEAVING && newValue) hearLeaving(newValue);
});

// A page out of a copy on this device is no news of anybody.
if (user && !("copied" in root.dataset)) {
  const here = `${user} ${session}`;
  attempt(() => (pageUser ? localStorage.setItem(HERE, here) : localStorage.removeItem(HERE)));
  channel?.postMessage({ here });
}

// Back in the history, and out of the background, a page may be older than the session.
window.addEventListener("pageshow", (event) => { if (event.persisted && user) look(); });
document.addEventListener("visibilitychange", () => {
  const here = document.hidden ? null : attempt(() => localStorage.getItem(HERE));
  if (here) hear(here);
});
