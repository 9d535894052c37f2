// Notification settings: turns push notifications on in this browser, and says whether a test arrived.

import { post } from "./base.js";
import { subscription } from "./notices.js";

const section = document.querySelector("[data-push]");
const words = section.dataset;
const button = section.querySelector("[data-push-on]");
const line = section.querySelector("[data-push-result]");
const ARRIVES_MS = 30000;

function say(where, sentence, worked) {
  where.textContent = sentence;
  where.classList.toggle("t-good", worked === true);
  where.classList.toggle("t-bad", worked === false);
}

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

/** Why this browser cannot have pushes; empty if it can. */
function obstacle() {
  if (!window.isSecureContext) return words.textInsecure;
  if ("serviceWorker" in navigator && "PushManager" in window && "Notification" in window) return "";
  const isApple = /iPhone|iPad/.test(navigator.userAgent);
  return isApple ? words.textHomeScreen : words.textUnable;
}

async function turnOn() {
  const answer = Notification.permission === "default" ? await Notification.requestPermission() : Notification.permission;
  if (answer !== "granted") return say(line, words.textDenied, false);
  await navigator.serviceWorker.register("/sw.js", { scope: "/", updateViaCache: "none" });
  const worker = await navigator.serviceWorker.ready;
  const { key } = await (await post(words.key)).json();
  const before = await worker.pushManager.getSubscription();
  await before?.unsubscribe(); // it may be of another key
  const found = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(key) });
  const { endpoint, keys } = found.toJSON();
  const response = await post(words.add, { endpoint, p256dh: keys.p256dh, auth: keys.auth });
  const made = await response.json();
  if (response.ok) {
    location.reload();
    return null;
  }
  await found.unsubscribe();
  const { message, next_step: next = "" } = made.error ?? {};
  return say(line, message ? `${message} ${next}`.trim() : words.textFailed, false);
}

/** Mark the row of this browser, and offer to turn it on if it has none. */
async function look() {
  const why = obstacle();
  if (why) {
    say(line, why);
    return;
  }
  const found = await subscription();
  const { id = null } = found ? await (await post(words.here, { endpoint: found.endpoint })).json() : {};
  const row = id === null ? null : section.querySelector(`[data-device="${id}"]`);
  section.querySelector("[data-push-new]").hidden = row !== null;
  if (row) row.querySelector("[data-here]").hidden = false;
  else button.hidden = false;
  if (!row && Notification.permission === "denied") say(line, words.textDenied, false);
}

button.addEventListener("click", async () => {
  button.setAttribute("aria-disabled", "true");
  try {
    await turnOn();
  } catch {
    say(line, words.textFailed, false);
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

/** Return a promise of the seconds until the test *id* arrives in this browser; null: it did not. */
function arrival(id) {
  const began = performance.now();
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), ARRIVES_MS);
    navigator.serviceWorker?.addEventListener("message", (event) => {
      if (event.data?.type !== "push-arrived" || event.data.test !== id) return;
      clearTimeout(timer);
      resolve((performance.now() - began) / 1000);
    });
  });
}

for (const form of section.querySelectorAll("form[data-push-test]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const row = form.closest("[data-device]");
    const result = row.querySelector("[data-result]");
    const isHere = !row.querySelector("[data-here]").hidden;
    const id = Math.random().toString(36).slice(2);
    const arrived = isHere ? arrival(id) : null;
    try {
      const response = await post(form.action, { test: id });
      const { worked, sentence, error } = await response.json();
      if (!response.ok) say(result, error?.message ?? words.textFailed, false);
      else say(result, isHere || !worked ? sentence : `${sentence} ${words.textLookThere}`, worked);
      if (!worked || !isHere) return;
      const seconds = await arrived;
      const after = seconds === null ? words.textNotArrived : words.textArrived.replace("{n}", seconds.toFixed(1));
      say(result, after, seconds !== null);
    } catch {
      say(result, words.textFailed, false);
    }
  });
}

for (const box of section.querySelectorAll("input[data-content]")) {
  box.addEventListener("change", () => box.form.requestSubmit());
}

look().catch(() => say(line, words.textFailed, false));
