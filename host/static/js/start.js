// The list of first steps: shows what has been done meanwhile, without touching the step somebody is in.

import "./base.js";
import { Live } from "./live.js";

const GATHER_MS = 150;

const place = document.querySelector("[data-start]");
const announce = document.querySelector("[data-announce]");
const stepsOf = (root) => root.querySelectorAll("[data-step]");
let timer = null;

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(update, GATHER_MS);
}

/** Replace the contents of *old* by those of *fresh*; the link in it that has the focus keeps it. */
function refill(old, fresh) {
  if (old.innerHTML === fresh.innerHTML) return;
  const href = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  old.replaceChildren(...fresh.childNodes);
  if (href !== null) [...old.querySelectorAll("a[href]")].find((link) => link.getAttribute("href") === href)?.focus();
}

/** Put in what has changed: the counts beside it, the heading, each step whose state has, and what was done. */
function show(fresh) {
  refill(document.querySelector("nav[data-beside]"), fresh.querySelector("nav[data-beside]"));
  refill(place.querySelector("[data-reach]"), fresh.querySelector("[data-reach]"));
  const now = new Map([...stepsOf(place)].map((step) => [step.dataset.step, step]));
  const changed = [...stepsOf(fresh)].filter((step) => now.get(step.dataset.step)?.dataset.state !== step.dataset.state);
  const next = fresh.querySelector(".st-next");
  place.querySelector(".st-head").replaceWith(fresh.querySelector(".st-head"));
  for (const step of stepsOf(fresh)) {
    const old = now.get(step.dataset.step);
    // A name or an answer may come after the message it belongs to.
    if (step.dataset.state === "done" && old?.dataset.state === "done") refill(old, step);
  }
  const writing = document.activeElement?.closest?.("textarea, input:not([type=hidden])")?.closest("[data-step]");
  for (const step of changed) {
    const old = now.get(step.dataset.step);
    if (old === writing) continue; // what somebody types there is not sent yet
    const opened = old.querySelector("details[open]") !== null;
    // One is open at a time: the next one opens only if nobody is writing in another.
    if (writing) step.querySelector("details")?.removeAttribute("open");
    else if (opened) step.querySelector("details")?.setAttribute("open", "");
    old.replaceWith(step);
  }
  if (next && !place.querySelector(".st-next")) place.querySelector(".st-page").append(next);
  const done = changed.filter((step) => step.dataset.state === "done").map((step) => step.querySelector(".st-t b").textContent);
  if (done.length) announce.textContent = `${done.join(", ")}: ${place.querySelector("[data-left]").textContent}`;
}

async function update() {
  try {
    const response = await fetch(place.dataset.start + location.search, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (response.status === 401 || response.status === 404) return;
    if (!response.ok) throw new Error(String(response.status));
    const held = document.createElement("template");
    held.innerHTML = await response.text();
    show(held.content);
  } catch {
    clearTimeout(timer);
    timer = setTimeout(update, 2000);
  }
}

new Live({
  stream: place.dataset.live,
  poll: place.dataset.poll,
  after: Number(place.dataset.after),
  onEvent: (topic) => { if (topic !== "presence" && topic !== "draft") schedule(); },
  onResync: schedule,
  onConnection: (connected) => { if (connected) schedule(); },
});
window.addEventListener("pageshow", (event) => { if (event.persisted) schedule(); });
