// The search page by keyboard: J and K through what was found, / into the field, Esc to the inbox. Where there is
// room, a message that was found is shown beside it, where it stands. A search that takes long goes on by itself:
// what was found stands still, and what is older is put below.

import { live } from "./search-live.js";
import { tokens } from "./search-tokens.js";

const form = document.querySelector(".search-bar");
const field = form.querySelector(".search-words");
const hits = () => [...document.querySelectorAll("[data-hit]")];
const MOST_ROUNDS = 100; // of a fifth of a second each; then it is asked for

tokens(form);
live(form, () => {
  show(hits().find((hit) => hit.dataset.around));
  finish();
});

// On a phone the filters are folded; without this script they are open.
if (matchMedia("(max-width: 859.98px)").matches) document.querySelector("[data-filters]").open = false;

function move(step) {
  const all = hits();
  if (!all.length) return;
  const from = all.indexOf(document.activeElement);
  const next = all[Math.min(all.length - 1, Math.max(0, from < 0 ? 0 : from + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

const around = () => document.querySelector("[data-around-pane]");
const hasRoom = () => Boolean(around()?.offsetParent);
let shown = null;

/** Show *hit* beside the results. */
async function show(hit) {
  if (!hit?.dataset.around || hit === shown || !hasRoom()) return;
  shown?.removeAttribute("aria-current");
  shown = hit;
  hit.setAttribute("aria-current", "true");
  const response = await fetch(hit.dataset.around, { headers: { Accept: "application/json" }, credentials: "same-origin" }).catch(() => null);
  const answer = response?.ok ? await response.json() : null;
  if (!answer || hit !== shown) return; // its link still leads there
  const pane = around();
  pane.innerHTML = answer.head;
  pane.querySelector(".log").innerHTML = answer.messages;
  pane.querySelector("[data-open-here]").href = hit.href;
  const message = pane.querySelector(`li[data-message="${Number(hit.dataset.message)}"]`);
  message?.classList.add("found");
  if (message && hit.dataset.here) {
    const line = document.createElement("p");
    line.className = "micro muted around-here";
    line.textContent = hit.dataset.here;
    message.append(line);
  }
  mark(pane.querySelector(".log"), hit);
  message?.scrollIntoView({ block: "center" });
}

/** Mark in *log* the words that are marked in *hit*, where the browser can. */
function mark(log, hit) {
  if (!CSS.highlights) return;
  const words = new Set([...hit.querySelectorAll("mark")].map((one) => one.textContent.toLowerCase()));
  const places = [];
  const texts = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.toLowerCase();
    for (const word of words) {
      for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
        if (at + word.length > texts.currentNode.length) break; // a letter became two
        const place = new Range();
        place.setStart(texts.currentNode, at);
        place.setEnd(texts.currentNode, at + word.length);
        places.push(place);
      }
    }
  }
  CSS.highlights.set("found", new Highlight(...places));
}

document.addEventListener("focusin", (event) => show(event.target.closest("[data-hit]")));
document.addEventListener("click", (event) => {
  const hit = event.target.closest("[data-hit]");
  // The way back leads to this one.
  if (hit?.id) history.replaceState(history.state, "", `#${hit.id}`);
  // The first click shows it; Enter, and a second click, go there.
  const plain = event.detail === 1 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!plain || !hit?.dataset.around || !hasRoom()) return;
  event.preventDefault();
  show(hit);
});
document.addEventListener("dblclick", (event) => {
  const hit = event.target.closest("[data-hit]");
  if (hit) location.assign(hit.href);
});

const more = () => document.querySelector("[data-more]");
const back = () => (/^#hit-\d+$/.test(location.hash) ? location.hash.slice(1) : "");
const came = () => document.getElementById(back());

/** Put what is found further back below the rest. Return whether that worked. */
async function goOn() {
  const before = more();
  const link = before.querySelector("a");
  if ("stopped" in before.dataset) {
    const line = before.querySelector("[role=status]");
    if (line) line.textContent = before.dataset.going;
    before.classList.add("is-going");
  }
  const response = await fetch(link.href, { credentials: "same-origin" }).catch(() => null);
  if (!response?.ok) {
    before.classList.remove("is-going");
    return false; // its link still leads there
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!before.isConnected) return false; // something else is shown by now
  const found = [...page.querySelectorAll(".search-hits > li")];
  const list = document.querySelector(".search-hits");
  const after = page.querySelector("[data-more]");
  if (!list && (found.length || !after)) { // the first ones, or none at all
    document.querySelector(".search-found").replaceWith(page.querySelector(".search-found"));
    document.querySelector(".search-panes").append(page.querySelector("[data-around-pane]") ?? "");
    show(hits().find((hit) => hit.dataset.around));
    return true;
  }
  const focused = before.contains(document.activeElement);
  list?.append(...found);
  if (after) before.replaceWith(after);
  else before.remove();
  if (focused) found[0]?.querySelector("a").focus();
  return true;
}

/** Go on while a search was stopped by the time, and until the result somebody comes back from is there. */
async function finish() {
  for (let round = 0; round < MOST_ROUNDS && more(); round += 1) {
    if ((!back() || came()) && !("stopped" in more().dataset)) break;
    if (!await goOn()) break;
  }
  came()?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-more] a");
  if (!link || !document.querySelector(".search-hits") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  goOn().then(finish);
});

came()?.focus();
show(came() ?? hits().find((hit) => hit.dataset.around));
finish();

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (document.activeElement === field && field.value) {
      field.blur();
      return;
    }
    location.assign(form.dataset.inboxAddress);
    return;
  }
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "ArrowDown" && event.target === field) {
      event.preventDefault();
      move(1);
    }
    return;
  }
  if (event.key === "j" || event.key === "ArrowDown") move(1);
  else if (event.key === "k" || event.key === "ArrowUp") move(-1);
  else if (event.key === "/") field.select();
  else return;
  event.preventDefault();
});
