// What waits for the person at this browser, on every page: the bell, the number in the title and on the tab's icon,
// and what the browser shows or sounds for. Of several tabs one asks the desk, and one shows each thing.

const EVERY_MS = 30000;
const FIRST_MS = 3000;
const FRESH_MS = 25000;
const GATHER_MS = 150;
const ANSWER_MS = 10000;
const REMEMBERED = 200;
const CONFIRM_MS = 3600000;
const ICON = 64;

const bell = document.querySelector("[data-bell]");
const KEY = `lobby-news-${bell?.dataset.bell}`; // of whoever is signed in: a browser may be several people's
const SHOWN = `lobby-shown-${bell?.dataset.bell}`;
let own = Number(bell?.dataset.own ?? 0);
let rest = document.title.replace(/^\(\d+\) /, "");
let timer = null;
let ended = false;

/** Name the page; the number of what is one's own stands before. */
export function entitle(text) {
  rest = text;
  document.title = `${own ? `(${own}) ` : ""}${rest}`;
}

/** Show how much waits: *unread* notices, and conversations that are one's *own*. */
export function told({ unread, own: number }) {
  if (!bell) return;
  const count = bell.querySelector(".bell-count");
  count.textContent = unread > 9 ? "9+" : unread;
  count.hidden = !unread;
  bell.setAttribute("aria-label", unread ? bell.dataset.textSome.replace("{n}", unread) : bell.dataset.textNone);
  own = number;
  entitle(rest);
  badge();
  appBadge(unread);
}

/** Show how much is unread on the icon of the installed app. */
function appBadge(unread) {
  if (!("setAppBadge" in navigator)) return;
  (unread ? navigator.setAppBadge(unread) : navigator.clearAppBadge()).catch(() => {});
}

/** Put the number on the icon of the tab. */
async function badge() {
  const link = document.querySelector("link[data-icon]");
  link.dataset.plain ??= link.href;
  const number = own;
  if (!number) {
    link.href = link.dataset.plain;
    return;
  }
  const image = new Image(ICON, ICON);
  image.src = link.dataset.plain;
  await image.decode().catch(() => {});
  if (number !== own) return; // another one came meanwhile
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = ICON;
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0, ICON, ICON);
  pen.fillStyle = "#c0271f";
  pen.beginPath();
  pen.roundRect(ICON * 0.3, ICON * 0.36, ICON * 0.7, ICON * 0.64, ICON * 0.2);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.font = `bold ${ICON * 0.56}px sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(number > 9 ? "9+" : number, ICON * 0.65, ICON * 0.71, ICON * 0.62);
  link.href = canvas.toDataURL("image/png");
}

/** Ask the desk soon, whatever other tabs know. */
export function ask() {
  if (!bell || ended) return;
  clearTimeout(timer);
  timer = setTimeout(look, GATHER_MS);
}

async function look() {
  clearTimeout(timer);
  try {
    const response = await fetch(bell.dataset.news, {
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (response.ok) {
      const { unread, own: number, show } = await response.json();
      told({ unread, own: number });
      write(KEY, JSON.stringify({ at: Date.now(), unread, own: number }));
      if (show.length) await present(show);
    } else {
      ended = response.status < 500; // signed out, or something to be done first
      if (response.status === 401) appBadge(0);
    }
  } catch {
    // The desk does not answer; the next time it may.
  }
  again();
}

function again() {
  clearTimeout(timer);
  if (!ended) timer = setTimeout(turn, EVERY_MS);
}

/** Ask, unless another tab has just done so: what it learned is here already. */
function turn() {
  const { at = 0 } = JSON.parse(read(KEY) || "{}");
  if (Math.abs(Date.now() - at) < FRESH_MS) again();
  else look();
}

/** Show and sound for each of *found* once, in one tab of all. */
async function present(found) {
  const pushes = (await subscription()) !== null; // this browser gets it from its push service
  const once = () => {
    const shown = JSON.parse(read(SHOWN) || "[]");
    const fresh = found.filter((one) => !shown.includes(one.id));
    if (!fresh.length) return;
    write(SHOWN, JSON.stringify([...shown, ...fresh.map((one) => one.id)].slice(-REMEMBERED)));
    for (const one of fresh.filter((each) => each.show && !(pushes && each.pushed))) {
      notify(one.title, one.text, `lobby-${one.id}`, one.url);
    }
    const loud = fresh.filter((one) => one.sound);
    if (loud.length) sound(loud.some((one) => one.own));
  };
  if (navigator.locks) await navigator.locks.request(SHOWN, once);
  else once();
}

const open = new Map(); // notifications of the browser that this page shows, with where they lead

/** Close what this browser shows about *conversation*; null: about any of *workspace*. */
export async function closeAbout(conversation, workspace) {
  const about = new RegExp(conversation ? `/inbox/${Number(conversation)}(?!\\d)` : `/w/${Number(workspace)}/`);
  for (const [one, url] of open) if (about.test(url)) one.close();
  try {
    const worker = await navigator.serviceWorker?.getRegistration("/");
    for (const one of (await worker?.getNotifications()) ?? []) if (about.test(one.data?.url)) one.close();
  } catch {
    // Private windows have none.
  }
}

/** Show a notification of the browser. Return a promise of whether it was shown. */
export function notify(title, body, tag, url) {
  return new Promise((resolve) => {
    if (!("Notification" in window) || Notification.permission !== "granted") {
      resolve(false);
      return;
    }
    try {
      const one = new Notification(title, { body, tag, lang: document.documentElement.lang, silent: true });
      open.set(one, url);
      one.addEventListener("close", () => open.delete(one));
      one.addEventListener("show", () => resolve(true));
      one.addEventListener("error", () => resolve(false));
      one.addEventListener("click", () => {
        window.focus();
        one.close();
        if (url) location.assign(url);
      });
    } catch {
      resolve(false); // some browsers leave it to what runs behind pages, of which the desk has none
    }
  });
}

/** Return this browser's subscription at its push service, or null. */
export async function subscription() {
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) return null;
  try {
    const worker = await navigator.serviceWorker.getRegistration("/");
    return (await worker?.pushManager.getSubscription()) ?? null;
  } catch {
    return null; // private windows have none
  }
}

/** Tell the desk now and then that this browser is in use; end a subscription that is not the person's. */
async function confirmDevice() {
  const here = `lobby-push-${bell.dataset.bell}`;
  const known = `lobby-push-endpoint-${bell.dataset.bell}`;
  const found = await subscription();
  if (!found) return;
  const old = read(known);
  const isMoved = Boolean(old) && old !== found.endpoint;
  if (!isMoved && Date.now() - Number(read(here) || 0) < CONFIRM_MS) return;
  try {
    let id = null;
    // The push service replaced the subscription, and the service worker may have had no session to say so.
    if (isMoved) {
      const { endpoint, keys } = found.toJSON();
      id = await tellDesk(bell.dataset.moved, { old, endpoint, p256dh: keys.p256dh, auth: keys.auth });
    }
    id ??= await tellDesk(bell.dataset.devices, { endpoint: found.endpoint });
    if (id === null) {
      await found.unsubscribe();
      write(known, "");
      return;
    }
    write(here, String(Date.now()));
    write(known, found.endpoint);
  } catch {
    // The desk does not answer; the next page tries again.
  }
}

/** POST *values* about this browser; return the id of its device, null if it is none of the person's. */
async function tellDesk(address, values) {
  const response = await fetch(address, {
    method: "POST",
    body: new URLSearchParams(values),
    headers: {
      "X-CSRFToken": document.querySelector("meta[name='csrf-token']").content,
      Accept: "application/json",
    },
    credentials: "same-origin",
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!response.ok) throw new Error(String(response.status));
  return (await response.json()).id;
}

let speaker = null;

/** Sound: two notes up for what is one's *own*, one for what nobody has. Return whether the browser lets it. */
export async function sound(mine = true) {
  try {
    speaker ??= new AudioContext();
    // Until somebody has pressed something on this page, a browser leaves the promise open.
    await Promise.race([speaker.resume(), new Promise((resolve) => { setTimeout(resolve, 500); })]);
    if (speaker.state !== "running") return false;
    (mine ? [660, 880] : [440]).forEach((pitch, at) => note(pitch, speaker.currentTime + at * 0.14));
    return true;
  } catch {
    return false;
  }
}

function note(pitch, at) {
  const tone = speaker.createOscillator();
  const volume = speaker.createGain();
  tone.frequency.value = pitch;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.12, at + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
  tone.connect(volume).connect(speaker.destination);
  tone.start(at);
  tone.stop(at + 0.4);
}

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage is full or forbidden: each tab goes by itself.
  }
}

if (bell) {
  window.addEventListener("storage", (event) => {
    if (event.key === KEY && event.newValue) told(JSON.parse(event.newValue));
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  document.querySelector("[data-signs-out]")?.addEventListener("submit", () => appBadge(0));
  window.addEventListener("pagehide", () => clearTimeout(timer));
  window.addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  if (own) badge();
  timer = setTimeout(look, FIRST_MS);
  confirmDevice();
}
