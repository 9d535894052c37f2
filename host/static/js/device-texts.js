// Texts that only this device has: drafts that the desk doesn't have yet, and replies that wait until somebody sends them.
// They outlive the app, which a phone ends whenever it likes. Everybody's are their own; nobody sees another person's.

import { leaving, left, pageUser as user } from "./page-user.js";

const WAITS = "lobby-waits-";
const LEFT = "lobby-left-";
const WHO = "lobby-who";
const OF_TAB = ["lobby-draft-", "lobby-reply-", "lobby-kept-"];

/** Run *use*, which a storage that is full or forbidden may stop. */
function attempt(use, otherwise) {
  try {
    return use();
  } catch {
    return otherwise;
  }
}

const keysOf = (storage, ...starts) => Object.keys(storage).filter((key) => starts.some((start) => key.startsWith(start)));

// Somebody else was signed in in this tab before: what they wrote there is theirs.
attempt(() => {
  if (!user) return;
  const before = sessionStorage.getItem(WHO);
  if (before && before !== user) for (const key of keysOf(sessionStorage, ...OF_TAB)) sessionStorage.removeItem(key);
  sessionStorage.setItem(WHO, user);
});

/** The name of this tab: the same after a reload. */
export const tab = attempt(() => {
  const found = sessionStorage.getItem("lobby-tab") ?? crypto.getRandomValues(new Uint32Array(2)).join("");
  sessionStorage.setItem("lobby-tab", found);
  return found;
}, String(performance.timeOrigin));

function parsed(text) {
  return attempt(() => JSON.parse(text ?? "null"), null);
}

// Replies that wait: a list that all tabs share

let waiting = stored();
let isStored = true;
const watchers = new Set();

function stored() {
  const found = attempt(() => parsed(localStorage.getItem(WAITS + user)), null);
  const isOne = (one) => Number.isSafeInteger(one?.id) && ["mode", "name", "key", "text", "inbox", "action"].every((name) => typeof one[name] === "string")
    && Array.isArray(one.body) && Number.isFinite(one.at);
  return user && Array.isArray(found) ? found.filter(isOne) : [];
}

/** Return the replies that wait, oldest first. */
export const waits = () => waiting;

/** Let *change* return the list as it is from now on, of that which all tabs have. */
export function changeWaits(change) {
  // What could not be stored is known on this page alone.
  waiting = change(isStored ? stored() : waiting);
  isStored = attempt(() => {
    if (waiting.length) localStorage.setItem(WAITS + user, JSON.stringify(waiting));
    else localStorage.removeItem(WAITS + user);
    return true;
  }, false);
}

/** Call *heard* when another tab changed the list. */
export const watchWaits = (heard) => watchers.add(heard);

window.addEventListener("storage", ({ key }) => {
  if (key !== null && key !== WAITS + user) return;
  if (isStored) waiting = stored();
  for (const heard of watchers) heard();
});

// Drafts that the desk doesn't have yet, of each tab its own

const leftKey = (conversation, of = tab) => `${LEFT}${user}-${conversation}-${of}`;

/** Keep what this tab has of the draft in *conversation*. Return whether that worked. */
export function leave(conversation, record) {
  return Boolean(user) && attempt(() => {
    localStorage.setItem(leftKey(conversation), JSON.stringify({ ...record, at: Date.now(), tab }));
    return true;
  }, false);
}

/** The desk has the draft, or somebody took it over from the tab *of*. */
export function forgetLeft(conversation, of = tab) {
  attempt(() => localStorage.removeItem(leftKey(conversation, of)));
}

/** Return the conversations in which something only this device has was begun, below the address *start*. */
export function conversationsBelow(start) {
  const left = allLeft(`${LEFT}${user}-`).filter(({ url }) => url?.startsWith(start)).map(({ url }) => Number(url.split("/").at(-2)));
  return [...left, ...waiting.filter(({ inbox }) => inbox.startsWith(start)).map(({ id }) => id)];
}

/** Return what tabs left of the draft in *conversation*, newest first. */
export function leftOf(conversation) {
  return allLeft(`${LEFT}${user}-${conversation}-`).sort((one, two) => two.at - one.at);
}

function allLeft(start) {
  const found = attempt(() => keysOf(localStorage, start).map((key) => parsed(localStorage.getItem(key))), []);
  return user ? found.filter((one) => one?.content?.texts && one.base && typeof one.tab === "string") : [];
}

/** Return the text of *mode* that only this device has in *conversation*; empty for none. */
export function textLeft(conversation, mode) {
  return leftOf(conversation).map((one) => one.content.texts[mode]?.text).find((text) => typeof text === "string" && text.trim()) ?? "";
}

// Signing out deletes them, so it asks first

function countHere() {
  const left = allLeft(`${LEFT}${user}-`).flatMap((one) => Object.values(one.content.texts).map(({ text }) => text));
  return new Set([...waiting.map(({ text }) => text), ...left]).size;
}

window.addEventListener("submit", (event) => {
  const { signsOut: own, textOne, textMany } = event.target.dataset;
  if (!own) return;
  if (isStored) waiting = stored();
  const count = countHere();
  if (count) event.target.dataset.confirm = count === 1 ? textOne : textMany.replace("{n}", count);
  else delete event.target.dataset.confirm;
}, true);

document.addEventListener("submit", (event) => {
  // Without a connection sw.js signs out, and can't reach these.
  if (event.target.dataset.signsOut && !event.defaultPrevented) leaving(!navigator.onLine);
});

// Plain http knows no Clear-Site-Data: the page after signing out deletes them, and what the browser still shows of them.
const gone = left();
if (gone) {
  attempt(() => { for (const key of keysOf(localStorage, WAITS + gone, `${LEFT}${gone}-`)) localStorage.removeItem(key); });
  navigator.serviceWorker?.getRegistration("/").then((worker) => worker?.getNotifications()).then((shown) => {
    for (const one of shown ?? []) one.close();
  }).catch(() => {});
}
