// The service worker: shows pushes while no page is open and opens what they are about, and answers without a connection
// from the copy that offline-copy.js keeps. It is one file, so that no two versions of its parts ever meet.
//
// A copy is one cache for a person, a workspace and a version of the files: the page of the inbox, its files and the
// conversations of its list. A page that comes out of it meets nothing of another version.

const ICON = "/static/icon-192.png";
const BADGE = "/static/badge-96.png";
const ACTION_MS = 15000;

const COPY = "lobby-1-copy-"; // the number changes when what is in a copy does
const WORDS = "lobby-1-words"; // the pages that say there is no connection
const SIGN_OUT = "lobby-1-sign-out"; // a form that has to reach the desk yet
const STATE = "/offline/state"; // in a copy: what it is of, and when the desk was last asked
const NO_LINE = "/offline", SIGNED_OUT = "/offline?signed-out=1";
const KEPT_MS = 7 * 24 * 3600 * 1000;
const START_MS = 200; // so long the app waits for the desk before it starts with its copy
const SILENT_MS = 5000; // so long a page waits for it
const FRESH_MS = 15000;
const AWAY = [502, 503, 504]; // of the proxy, while the desk is away
const INBOX = /^\/w\/(\d+)\/inbox(\/\d+)?$/;
const THREAD = /^\/w\/\d+\/inbox\/\d+\/thread$/;
const FILE = /^\/(modules|styles|static)\//;

self.addEventListener("install", (event) => {
  event.waitUntil(storeWords().catch(() => {}).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => event.waitUntil(begin()));

async function begin() {
  for (const name of await caches.keys()) {
    if (name.startsWith("lobby-") && !name.startsWith("lobby-1-")) await caches.delete(name);
  }
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
}

/** Store the pages that say there is no connection, as somebody sees them who is not signed in. */
async function storeWords() {
  const cache = await caches.open(WORDS);
  const files = new Set();
  for (const address of [NO_LINE, SIGNED_OUT]) {
    const response = await fetch(address, { credentials: "omit" });
    if (!response.ok) throw new Error(String(response.status));
    for (const [, file] of (await response.clone().text()).matchAll(/(?:href|src)="(\/(?:modules|styles|static\/js)\/[^"]+)"/g)) files.add(file);
    await cache.put(address, response);
  }
  await cache.addAll(files);
}

// Without a connection, and before it is there

const lately = { other: 0 }; // when another page was last asked for: somebody else may have signed in there
const fresh = new Map(); // by path: pages on their way, for whoever was shown a copy meanwhile

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && request.method === "GET") event.respondWith(page(event, url));
  else if (request.mode === "navigate" && url.pathname === "/logout") event.respondWith(signOut(request));
  else if (request.mode === "navigate" && url.pathname === "/share") event.respondWith(keepShared(request));
  else if (request.mode === "navigate") lately.other = Date.now();
  else if (request.method !== "GET") return;
  else if (FILE.test(url.pathname)) event.respondWith(file(request));
  else if (THREAD.test(url.pathname)) event.respondWith(thread(request, url));
  else if (fresh.has(url.pathname)) event.respondWith(freshPage(request, url.pathname));
});

/** Return the response, or null where the desk is away. */
const answered = (asked) => asked.then((response) => (AWAY.includes(response.status) ? null : response), () => null);

const within = (ms, promise) => Promise.race([promise, new Promise((resolve) => { setTimeout(resolve, ms, null); })]);

/** Return the copies that are not too old: their caches and what they are of, the latest first. */
async function copies() {
  const found = [];
  for (const name of await caches.keys()) {
    if (!name.startsWith(COPY)) continue;
    const cache = await caches.open(name);
    const state = await (await cache.match(STATE))?.json();
    if (state && Math.abs(Date.now() - state.at) < KEPT_MS) found.push({ cache, ...state });
    else if (state) await caches.delete(name); // one without is being made
  }
  return found.sort((one, two) => two.at - one.at);
}

async function forget() {
  for (const name of await caches.keys()) if (name.startsWith(COPY)) await caches.delete(name);
  const shared = await (await caches.match(SHARED, { cacheName: SHARE }))?.json();
  if (shared?.user) await caches.delete(SHARE); // who shares while signed out signs in and adds it
}

/** Return the copied page that *url* names, or null. */
async function copied(url) {
  const [, workspace] = INBOX.exec(url.pathname) ?? [];
  if (!workspace || [...url.searchParams.keys()].some((name) => name !== "pane")) return null;
  const copy = (await copies()).find((one) => one.workspace === Number(workspace));
  return (await copy?.cache.match(copy.page)) ?? null;
}

async function page(event, url) {
  if (await caches.has(SIGN_OUT)) return afterSignOut(event.request); // the page on its way was asked for before that
  const isStart = url.pathname === "/";
  const [latest] = isStart ? await copies() : [];
  const copy = latest ? Response.redirect(latest.page, 302) : await copied(url);
  // A start is where nothing of the desk is open; where somebody was elsewhere just now, another person may be signed in.
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const isElsewhere = Date.now() - lately.other < FRESH_MS, starts = !pages.length && !isElsewhere;
  if (!isStart && !INBOX.test(url.pathname)) lately.other = Date.now();
  const asked = Promise.resolve(event.preloadResponse).then((early) => early ?? fetch(event.request)).then(async (response) => {
    if (url.pathname === "/login" && response.ok) await forget(); // whoever sees it is signed out
    return response;
  });
  const answer = answered(asked);
  if (!copy) return (await answer) ?? asked.catch(noLine);
  if (isStart && starts) return copy;
  const patience = starts ? START_MS : SILENT_MS;
  const early = await (isElsewhere ? answer : within(patience, answer));
  if (early) return early;
  if (!isStart) fresh.set(url.pathname, { answer, until: Date.now() + FRESH_MS });
  event.waitUntil(answer);
  return copy;
}

/** Return the page that was on its way while its copy was shown; else ask for it. */
async function freshPage(request, path) {
  const { answer, until } = fresh.get(path);
  fresh.delete(path);
  const response = Date.now() < until ? await answer : null;
  return response && response.type !== "opaqueredirect" ? response : fetch(request);
}

const noLine = async () => (await caches.match(NO_LINE)) ?? Response.error();

async function file(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

/** Answer with the conversation, or with its copy where the desk does not answer and the page is of its version. */
async function thread(request, url) {
  const asked = fetch(request), answer = answered(asked);
  const name = `${COPY}${request.headers.get("X-Copy")}-${url.pathname.split("/")[2]}`;
  if (!(await caches.has(name))) return asked;
  const response = await within(SILENT_MS, answer);
  if (response?.status === 404) await (await caches.open(name)).delete(url.pathname);
  if (response?.status === 401) await forget();
  return response ?? (await (await caches.open(name)).match(url.pathname)) ?? asked;
}

/** Sign out; without a connection on this device at once, and at the desk as soon as there is one. */
async function signOut(request) {
  const form = await request.clone().text();
  try {
    return await fetch(request);
  } catch {
    await forget();
    await (await caches.open(SIGN_OUT)).put("/logout", new Response(form));
    for (const one of await self.registration.getNotifications()) one.close();
    return (await caches.match(SIGNED_OUT)) ?? Response.error();
  }
}

/** Sign out at the desk, which is left to do; throws where it doesn't answer. */
async function tellSignOut() {
  const form = await (await caches.match("/logout", { cacheName: SIGN_OUT }))?.text();
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  if (form !== undefined) await fetch("/logout", { method: "POST", body: form, headers, redirect: "manual" });
  await caches.delete(SIGN_OUT);
}

/** Sign out at the desk, and ask for the page then. */
async function afterSignOut(request) {
  try {
    await tellSignOut();
    return await fetch(request);
  } catch {
    return (await caches.match(SIGNED_OUT)) ?? Response.error();
  }
}

// What another app shares: it stays on this device until inbox-shared.js adds it to a reply

const SHARE = "lobby-1-share", SHARED = "/share/what";
const SHARED_FILES = 10, SHARED_BYTES = 100 * 1024 * 1024, SHARED_LETTERS = 20000;

/** Keep what was shared, and open Lobby. Another site may have sent it: nothing is added to a reply unasked. */
async function keepShared(request) {
  try {
    const form = await request.formData();
    const words = ["title", "text", "url"].map((name) => String(form.get(name) ?? "").trim());
    // Many apps send the same in two fields.
    const text = words.filter((one, at) => one && !words.some((other, there) => there !== at && other.includes(one) && (other !== one || there < at))).join("\n");
    const all = form.getAll("files").filter((one) => one instanceof File && (one.name || one.size));
    const files = [];
    for (const file of all) {
      const bytes = files.reduce((sum, one) => sum + one.size, file.size);
      if (files.length < SHARED_FILES && bytes <= SHARED_BYTES) files.push(file);
    }
    await caches.delete(SHARE);
    if (!text && !all.length) return Response.redirect("/", 303);
    const cache = await caches.open(SHARE);
    for (const [at, file] of files.entries()) await cache.put(`/share/${at}`, new Response(file));
    const named = files.map(({ name, type }) => ({ name, type }));
    await cache.put(SHARED, Response.json({ text: text.slice(0, SHARED_LETTERS), files: named, leftOut: all.length - files.length, at: Date.now() }));
    return Response.redirect("/", 303);
  } catch {
    await caches.delete(SHARE); // no room
    return Response.redirect("/share", 303);
  }
}

/** Return what the desk wants shown; browsers insist on something being shown for each push. */
function contentOf(event) {
  try {
    const { title, body = "", tag, url = "/", at, test = "", unread, actions, silent = false, closes = "" } = event.data.json();
    const words = { title: String(title), body: String(body), tag: String(tag), url: String(url) };
    return { ...words, at: Number(at), test, unread, actions, silent, closes: String(closes) };
  } catch {
    return { title: "Lobby", body: "", tag: "lobby", url: "/notifications", at: Date.now(), test: "" };
  }
}

/** Show the number of unread notifications on the icon of the app. */
async function count(unread) {
  if (typeof unread !== "number" || !("setAppBadge" in navigator)) return;
  await (unread > 0 ? navigator.setAppBadge(unread) : navigator.clearAppBadge()).catch(() => {});
}

/** Show *content* as a notification; *buttons* are its actions, and *more* changes its options. */
async function notify(content, buttons, more = {}) {
  await self.registration.showNotification(content.title, {
    body: content.body,
    tag: content.tag,
    icon: ICON,
    badge: BADGE,
    timestamp: content.at || Date.now(),
    actions: buttons,
    data: { url: content.url, content },
    ...more,
  });
}

/** The actions of *content*; those that the browser can't show are left out by it. */
function buttonsOf({ actions }) {
  if (!actions) return [];
  return [
    { action: "open", title: String(actions.open) },
    { action: "snooze", title: String(actions.snooze) },
  ];
}

/** Close the other notifications about the page that *content* names; with a slash at its end, about all below it. */
async function closeOthers({ tag, closes }) {
  if (!closes) return;
  for (const one of await self.registration.getNotifications()) {
    const url = one.data?.url ?? "";
    if (one.tag !== tag && (closes.endsWith("/") ? url.startsWith(closes) : url === closes)) one.close();
  }
}

async function show(content) {
  const before = await self.registration.getNotifications({ tag: content.tag });
  const silent = content.silent === true; // it takes back what is shown
  const renotify = before.length > 0 && !silent; // one more message in the same conversation
  await Promise.all([notify(content, buttonsOf(content), { renotify, silent }), count(content.unread)]);
  await closeOthers(content);
  if (!content.test) return;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages) page.postMessage({ type: "push-arrived", test: content.test });
}

/** Show what was pushed. To a device whose person signed out, of which the desk doesn't know yet, it says nothing. */
async function arrived(event) {
  if (!(await caches.has(SIGN_OUT))) return show(contentOf(event));
  await tellSignOut().catch(() => {});
  return show(contentOf({}));
}

self.addEventListener("push", (event) => event.waitUntil(arrived(event)));

/** Focus the page that already shows *address*, or open it. What is written in other pages stays untouched. */
async function open(address) {
  const wanted = new URL(address, self.location.origin);
  if (wanted.origin !== self.location.origin) return;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const here = pages.find((page) => new URL(page.url).pathname === wanted.pathname);
  if (here) await here.focus();
  else await self.clients.openWindow(wanted.href);
}

/** Send *fields* to the desk; throws where it does not answer. */
const post = (address, fields) => fetch(address, {
  method: "POST",
  headers: { Accept: "application/json" },
  body: new URLSearchParams(fields),
  credentials: "same-origin",
  redirect: "error",
  signal: AbortSignal.timeout(ACTION_MS),
});

/** Ask the desk to *act* on the conversation of *content*. Return its answer; `ok` says whether it did. */
async function askDesk(content, act, until) {
  try {
    const response = await post(content.actions.address, { do: act, token: content.actions.token, shown: content.actions.shown ?? "", until });
    const answer = await response.json();
    return response.ok ? answer : { ok: false, why: answer.error?.message };
  } catch {
    return { ok: false }; // the desk does not answer
  }
}

/** Snooze, or undo it, and say in the same notification what happened. Pressing it opens the conversation. */
async function act(content, action, until) {
  const answer = await askDesk(content, action, until);
  const said = { ...content, at: Date.now() };
  if (!answer.ok) {
    await notify({ ...said, title: String(content.actions.failed), body: String(answer.why ?? content.title) }, []);
    return;
  }
  if (action === "undo") {
    await notify(content, buttonsOf(content), { silent: true });
    return;
  }
  const data = { url: content.url, content, until: String(answer.until) };
  const undo = [{ action: "undo", title: String(answer.undo) }];
  await notify({ ...said, title: String(answer.title) }, undo, { silent: true, data });
}

/** Subscribe again when the push service ended the subscription *old*, and tell the desk; a page repairs what fails. */
async function resubscribe(old, found) {
  const options = old?.options ?? { userVisibleOnly: true };
  const now = found ?? (options.applicationServerKey ? await self.registration.pushManager.subscribe(options) : null);
  if (!old || !now) return;
  const { endpoint, keys } = now.toJSON();
  await post("/notifications/devices/moved", { old: old.endpoint, endpoint, p256dh: keys.p256dh, auth: keys.auth });
}

self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(resubscribe(event.oldSubscription, event.newSubscription).catch(() => {}));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url = "/", content, until = "" } = event.notification.data ?? {};
  const isAction = content?.actions && (event.action === "snooze" || event.action === "undo");
  event.waitUntil(isAction ? act(content, event.action, until) : open(url));
});
