// The copy of the inbox on this device, for reading without a connection: the page, its files and the conversations of its
// list. The installed app keeps one, and browsers in which the person chose it. sw.js answers from it.

import { over, setToken } from "./page-user.js";

const COPY = "lobby-1-copy-"; // as in sw.js
const STATE = "/offline/state";
const FIRST_MS = 5000;
const SOON_MS = 500;
const EVERY_MS = 120000;
const SELDOM_MS = 3600000; // where it keeps failing
const ANSWER_MS = 20000;
const PAGE_KEPT_MS = 3600000;

const root = document.documentElement;
const choice = (user) => `lobby-offline-${user}`;

/** Return whether this device keeps a copy for *user*: as they chose, else where Lobby is installed. */
export function isKept(user) {
  try {
    const chosen = localStorage.getItem(choice(user));
    if (chosen) return chosen === "yes";
  } catch {
    return false; // where nothing may be stored, nothing is
  }
  return window.matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
}

/** Keep a copy on this device from now on, or none. */
export async function keep(user, isWanted) {
  localStorage.setItem(choice(user), isWanted ? "yes" : "no");
  if (isWanted) await serve();
  else await forget();
}

/** Whether this browser can keep a copy. */
export const canKeep = () => window.isSecureContext && "serviceWorker" in navigator && "caches" in window;

const serve = () => navigator.serviceWorker.register("/sw.js", { scope: "/", updateViaCache: "none" });

/** Remove the copies on this device; *but* tells which stay. */
export async function forget(but = () => false) {
  if (!("caches" in window)) return;
  for (const name of await caches.keys()) if (name.startsWith(COPY) && !but(name)) await caches.delete(name);
}

/**
 * Remove the conversation *id* from the copies on this device, and the list, which may say something of it: they are fetched
 * again. Without *id*, remove the copies of *workspace*.
 */
export async function forgetConversation(id, workspace) {
  if (!("caches" in window)) return;
  if (!id) {
    await forget((name) => !name.endsWith(`-${workspace}`));
    return;
  }
  const of = new RegExp(`/inbox(/${Number(id)}/thread)?$`);
  for (const name of await caches.keys()) {
    if (!name.startsWith(COPY)) continue;
    const cache = await caches.open(name);
    for (const request of await cache.keys()) if (of.test(new URL(request.url).pathname)) await cache.delete(request);
  }
}

/** The mark of this page's version and person, by which sw.js finds the copy that fits. */
export const copyMark = (user) => `${root.dataset.version}-${user}`;

/** Return how many conversations can be read without a connection, and as of when; null where none can. */
export async function copied({ user, workspace }) {
  const name = `${COPY}${copyMark(user)}-${workspace}`;
  if (!canKeep() || !(await caches.has(name))) return null;
  const state = await (await (await caches.open(name)).match(STATE))?.json();
  return state?.count ? state : null;
}

export class OfflineCopy {
  /** *inbox* has the addresses; *isConnected* tells whether the desk answers. */
  constructor(inbox, isConnected) {
    Object.assign(this, { inbox, isConnected, failures: 0 });
    this.user = Number(inbox.user);
    this.name = `${COPY}${copyMark(this.user)}-${inbox.workspace}`;
    if (!canKeep()) return;
    if (!isKept(this.user)) {
      forget().catch(() => {});
      return;
    }
    this.again(FIRST_MS);
    document.addEventListener("visibilitychange", () => this.again(document.hidden ? 0 : FIRST_MS));
  }

  /** Something of it was taken out: fetch what is there now. */
  soon() {
    if (this.timer && !document.hidden) this.again(SOON_MS);
  }

  again(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      await this.update();
      if (!document.hidden) this.again(Math.min(EVERY_MS * 2 ** this.failures, SELDOM_MS));
    }, delay);
  }

  /** Bring the copy up to date: one page at a time, of all that are open. */
  async update() {
    if (over() || !this.isConnected() || !navigator.onLine || navigator.connection?.saveData) return;
    try {
      await serve();
      await navigator.locks.request("lobby-copy", { ifAvailable: true }, async (lock) => lock && this.fetch());
      this.failures = 0;
    } catch {
      this.failures += 1;
      // No answer, or no room: what is there stays as it is, and the next time tries again.
    }
  }

  async fetch() {
    const mine = `-${this.user}-${this.inbox.workspace}`;
    await forget((name) => name === this.name || name.slice(COPY.length).split("-")[1] === String(this.user)); // nothing of another person
    const before = await (await caches.match(STATE, { cacheName: this.name }))?.json();
    const response = await this.ask(`${this.inbox.offline}?after=${before?.after ?? 0}`);
    const isMember = ![403, 404].includes(response.status);
    if (isMember && !response.ok) throw new Error(String(response.status));
    const told = isMember ? await response.json() : { user: this.user, most: 0 };
    if (told.user !== this.user || !told.most) {
      await forget((name) => told.user === this.user && !name.endsWith(mine));
      return;
    }
    const cache = await caches.open(this.name);
    const address = (id) => new URL(`${this.page()}/${id}/thread`, location.href).pathname;
    const stored = new Set((await cache.keys()).map((request) => new URL(request.url).pathname));
    let count = 0;
    for (const id of told.conversations) {
      if (!this.isConnected()) return;
      const isOld = before === undefined || told.changed === null || told.changed.includes(id);
      if ((isOld || !stored.has(address(id))) && !(await this.store(cache, address(id)))) continue;
      count += 1;
    }
    const wanted = new Set(told.conversations.map(address));
    for (const path of stored) if (path.endsWith("/thread") && !wanted.has(path)) await cache.delete(path);
    const isOld = !before || !stored.has(this.page()) || told.changed === null || told.changed.length || before.list !== told.conversations.join() || Date.now() - before.paged > PAGE_KEPT_MS;
    if (isOld) await this.storePage(cache);
    const now = Date.now();
    const state = { at: now, paged: isOld ? now : before.paged, after: told.after, count, list: told.conversations.join(), user: this.user, workspace: Number(this.inbox.workspace), page: this.page() };
    if (!(await caches.has(this.name))) return; // removed meanwhile: somebody signed out
    await cache.put(STATE, Response.json(state));
    // What is of another version is of no use to anybody from now on.
    await forget((name) => name === this.name || !name.endsWith(mine));
  }

  /** Return the address of the inbox without a filter. */
  page() {
    return new URL(this.inbox.inboxUrl, location.href).pathname;
  }

  /** Ask the desk, which takes it for no activity of the person; throws where it does not answer. */
  async ask(address, headers = {}) {
    const response = await fetch(address, {
      headers: { "X-Prefetch": "1", ...headers }, credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (response.redirected || response.status === 401) {
      await forget(); // signed out
      throw new Error("signed out");
    }
    return response;
  }

  async store(cache, address) {
    const response = await this.ask(address, { Accept: "application/json" });
    if (response.status === 404 || response.status === 403) {
      await cache.delete(address);
      return false;
    }
    if (!response.ok) throw new Error(String(response.status));
    await cache.put(address, copyOf(response, await response.text()));
    return true;
  }

  async storePage(cache) {
    const response = await this.ask(this.page());
    const html = await response.text();
    const page = new DOMParser().parseFromString(html, "text/html");
    if (!response.ok || page.documentElement.dataset.version !== root.dataset.version) throw new Error("another version");
    const files = new Set([...page.querySelectorAll("link[rel=stylesheet], link[rel=modulepreload], link[rel=prefetch], link[data-icon], script[src]")].map((one) => one.href || one.src));
    const known = new Set((await cache.keys()).map((request) => request.url));
    await cache.addAll([...files].filter((address) => !known.has(address)));
    await cache.put(this.page(), copyOf(response, html.replace("<html ", "<html data-copied ")));
  }
}

/** Return *response* with *text*, and a header by which it is known as a copy. */
function copyOf(response, text) {
  const headers = new Headers(response.headers); // its policies stay
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name);
  headers.set("X-Copied", "1");
  return new Response(text, { headers });
}

/** Put the token of *page* into this one: a page that was stored may have that of a session before. */
export const renewToken = (page) => setToken(page.querySelector("meta[name=csrf-token]")?.content);
