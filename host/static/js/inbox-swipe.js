// Rows of the list that are swiped on a touch screen: a short way shows Snooze and Close, a long one closes at once.
// Everything here can be done by key, by menu and by choosing rows, too.

import { send, tell } from "./bulk.js";

const DECIDES = 10; // pixels after which a touch is a swipe, or a scroll for good
const FAR = 0.6; // of the row's width: beyond, letting go closes
const FLICK = 0.5; // pixels a millisecond
const SHOWN_MS = 8000;
const STAYED_MS = 2500;
const CLICK_MS = 400;

/** Let rows be swiped. *touched(id)*: its row may move at once; *ask(id)*: look how it is now. */
export function swiping({ touched, ask }) {
  const sheet = document.querySelector("template[data-swipe]");
  const rows = document.querySelector('[data-part="list"]');
  if (!sheet || !rows) return;
  rows.classList.add("has-swipes");
  let touch = null; // what a finger does
  let shown = null; // the row whose buttons are shown, or that is being swiped
  let last = null; // what was changed last
  let ended = 0;

  const acts = (row) => row.querySelector(":scope > [data-swiped]");
  const conv = (row) => row.querySelector(":scope > .conv");

  /** Move *row* by *way* pixels towards its start; 0: put it back. */
  function move(row, way, moving = false) {
    const right = getComputedStyle(row).direction === "rtl";
    row.classList.toggle("is-moving", moving);
    row.classList.toggle("is-far", way >= row.offsetWidth * FAR);
    conv(row).style.transform = way ? `translateX(${right ? way : -way}px)` : "";
    row.dataset.way = way;
  }

  /** Put the buttons below *row*. */
  function unfold(row) {
    if (acts(row)) return;
    const put = row.dataset.put ?? "open", below = sheet.content.firstElementChild.cloneNode(true);
    const offered = { open: ["snooze", "close"], snoozed: ["wake", "close"], closed: ["open"] }[put];
    for (const button of below.querySelectorAll("[data-does]")) {
      if (!offered.includes(button.dataset.does)) button.remove();
      else button.setAttribute("aria-label", `${button.textContent.trim()}: ${row.dataset.name}`);
    }
    row.append(below);
    row.classList.add("is-swiped");
  }

  function fold(row = shown) {
    if (row === shown) shown = null;
    if (!row || !acts(row)) return;
    move(row, 0);
    const done = () => {
      if (row === shown || !acts(row)) return;
      if (acts(row).contains(document.activeElement)) conv(row).focus({ preventScroll: true });
      acts(row).remove();
      row.classList.remove("is-swiped");
    };
    if (getComputedStyle(conv(row)).transitionDuration === "0s") done();
    else setTimeout(done, 200);
  }

  function drop() {
    touch = null;
    fold();
  }

  /** Do *what* to the conversation of *row*. */
  async function act(row, what) {
    const id = Number(row.dataset.row), { name } = row.dataset, { dataset } = sheet;
    const words = (text, time = "") => text.replace("{name}", name).replace("{time}", time);
    shown = null;
    touch = null;
    move(row, row.offsetWidth);
    row.inert = true;
    touched(id);
    try {
      const url = new URL(dataset.url, location.href);
      url.searchParams.set("ids", id);
      const body = new FormData();
      body.set("action", what);
      body.set("when", "hour");
      body.set("shown", `${id}:${row.dataset.shown}`);
      const answer = await send(url, body);
      const done = answer.changed > 0;
      last = id;
      const said = answer.lost ? answer.sentence : words(dataset[`${done ? "done" : "same"}${what[0].toUpperCase()}${what.slice(1)}`], answer.until);
      tell({ ...answer, sentence: said }, SHOWN_MS);
      if (done) setTimeout(back, STAYED_MS); // it may belong here still
      else back();
    } catch (error) {
      tell({ sentence: error.refused ?? words(dataset.unsaved), undoable: false, runs: false }, SHOWN_MS);
      back();
    }
    ask(id);
    function back() {
      row.inert = false;
      if (row.isConnected) fold(row);
    }
  }

  rows.addEventListener("pointerdown", (event) => {
    const row = event.target.closest("[data-row]");
    if (touch || !event.isPrimary) { // a second finger
      drop();
      return;
    }
    if (event.pointerType !== "touch" || !row || row.dataset.put === "spam" || row.querySelector(".choose")) return;
    if (shown && shown !== row) fold();
    touch = { id: event.pointerId, x: event.clientX, y: event.clientY, at: event.timeStamp, from: Number(row.dataset.way ?? 0), row, swipes: false };
  });

  document.addEventListener("pointermove", (event) => {
    if (!touch || event.pointerId !== touch.id) return;
    const { row } = touch;
    const toStart = (touch.x - event.clientX) * (getComputedStyle(row).direction === "rtl" ? -1 : 1);
    if (!touch.swipes) {
      const down = Math.abs(event.clientY - touch.y);
      if (Math.max(Math.abs(toStart), down) < DECIDES) return;
      if (down >= Math.abs(toStart) || (toStart < 0 && !touch.from)) {
        touch = null;
        return;
      }
      touch.swipes = true;
      shown = row;
      unfold(row);
    }
    touch.quick = (toStart - (touch.to ?? 0)) / Math.max(1, event.timeStamp - touch.at);
    Object.assign(touch, { to: toStart, at: event.timeStamp });
    move(row, Math.max(0, touch.from + toStart), true);
  });

  document.addEventListener("pointerup", (event) => {
    if (!touch || event.pointerId !== touch.id) return;
    const { row, swipes, quick } = touch, way = Number(row.dataset.way ?? 0);
    touch = null;
    if (!swipes) return;
    ended = event.timeStamp;
    const wide = acts(row).offsetWidth;
    if (row.classList.contains("is-far")) act(row, row.dataset.put === "closed" ? "open" : "close");
    else if (quick < -FLICK || (way < wide / 2 && !(quick > FLICK))) fold(row);
    else move(row, wide);
  });

  document.addEventListener("pointercancel", (event) => {
    if (touch && event.pointerId === touch.id) drop();
  });

  // Whatever else is touched puts the row back, and a touch of the row itself opens nothing.
  document.addEventListener("click", (event) => {
    const does = event.target.closest("[data-swiped] [data-does]");
    if (does) {
      event.stopPropagation();
      act(does.closest("[data-row]"), does.dataset.does);
      return;
    }
    const row = event.target.closest("[data-row]");
    if (row && (row === shown || (row.dataset.way && event.timeStamp - ended < CLICK_MS))) {
      event.preventDefault();
      event.stopPropagation();
    }
    if (!touch) fold();
    if (last && event.target.closest("[data-bulk-undo]")) touched(last);
  }, true);
  rows.parentElement.addEventListener("scroll", () => shown && !touch && fold(), { passive: true });

  // A row that is drawn anew in the middle of it goes on where it was, unless it offers something else now.
  new MutationObserver(() => {
    if (!shown || shown.isConnected) return;
    const way = Number(shown.dataset.way), before = shown.dataset.put;
    const fresh = rows.querySelector(`[data-row="${Number(shown.dataset.row)}"]`);
    shown = null;
    if (!fresh || fresh.dataset.put !== before) {
      touch = null;
      return;
    }
    shown = fresh;
    if (touch) touch.row = fresh;
    unfold(fresh);
    move(fresh, way, Boolean(touch));
  }).observe(rows, { childList: true });
}
