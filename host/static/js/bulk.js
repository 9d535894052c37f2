// Many conversations at once: choosing rows, the panel of actions, and how far the last one is. Works on the inbox and on
// the pages of bulk actions; where there is no script those pages do the same.

import { csrfToken } from "./base.js";
import { isCovered } from "./menus.js";
import { notice } from "./notice.js";
import { opening } from "./typed-ahead.js";

const LOOK_MS = 700;
const SHOWN_MS = 20000;
const FIRST = "form :is(select, input:not([type=hidden]), button)"; // of an action
const AT_ONCE = 20; // conversations a key changes without asking
const ON_ONE = new Set(["automation", "macros", "unread"]); // commands that are for one conversation only

const find = (selector, from = document) => from.querySelector(selector);
const bar = find("[data-bulk-bar]");
const dialog = find("[data-bulk-dialog]");
const toast = find("[data-bulk-toast]");
const list = find('[data-part="list"]');
const chosen = new Set();
let everything = 0; // how many match, while all of them are chosen
let choosing = false;
let last = null; // the row a range begins with
let watched = null;
let working = false; // a key changes what is chosen
let toldAt = 0;
let acted = []; // ids of what the last action is about, as far as it is shown: these rows need not wait for their place
const marks = new Map(); // by id: how each chosen conversation was last shown

/** Ask the desk for JSON, or send it a form; throws what it says where it refuses. */
export async function send(url, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  const options = body === undefined ? { headers } : { method: "POST", body, headers };
  const response = await fetch(url, { ...options, credentials: "same-origin" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(answer.error?.message ?? String(response.status)), { refused: answer.error?.message });
  return answer;
}

// Choosing rows

function box(row) {
  if (marks.has(row.dataset.row)) marks.set(row.dataset.row, row.dataset.shown);
  if (find(".choose", row)) return;
  const label = document.createElement("label");
  label.className = "choose";
  const input = document.createElement("input");
  input.type = "checkbox";
  input.className = "form-check-input";
  input.checked = everything > 0 || chosen.has(row.dataset.row);
  input.setAttribute("aria-label", bar.dataset.textChoose.replace("{name}", row.dataset.name));
  label.append(input);
  row.prepend(label);
}

function boxes() {
  for (const row of list.querySelectorAll("[data-row]")) {
    if (choosing) box(row);
    else find(".choose", row)?.remove();
  }
}

function show() {
  bar.hidden = !choosing;
  const number = everything || chosen.size;
  find("[data-bulk-number]", bar).textContent = number.toLocaleString(document.documentElement.lang);
  find("[data-bulk-go]", bar).disabled = number === 0;
}

function begin() {
  choosing = true;
  boxes();
  show();
}

function end() {
  const focused = document.activeElement?.closest(".choose")?.closest("[data-row]");
  choosing = false;
  chosen.clear();
  marks.clear();
  everything = 0;
  last = null;
  boxes();
  show();
  if (focused) find("a", focused).focus({ preventScroll: true });
}

function choose(row, on) {
  const { row: id, shown } = row.dataset;
  if (on) chosen.add(id);
  else chosen.delete(id);
  if (on) marks.set(id, shown);
  else marks.delete(id);
  const input = find(".choose input", row);
  if (input) input.checked = on;
}

/** Choose *row*, or with *range* all between it and the one chosen before. */
function chooseRow(row, on, range) {
  const rows = [...list.querySelectorAll("[data-row]")];
  if (everything) { // all but this one: of those that are shown
    everything = 0;
    for (const one of rows) choose(one, true);
  }
  const [from, to] = [rows.indexOf(last), rows.indexOf(row)].sort((one, other) => one - other);
  if (range && from >= 0) for (const between of rows.slice(from, to + 1)) choose(between, on);
  else choose(row, on);
  last = row;
  show();
}

// The panel

/** Show what can be done with *ids*, or with all that match; *action* is unfolded. */
async function panel(ids, action) {
  const url = new URL(bar.dataset.panel, location.href);
  url.searchParams.set("fragment", "1");
  if (ids) url.searchParams.set("ids", [...ids].slice(0, 200).join(","));
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) return;
  find("[data-bulk-place]", dialog).innerHTML = await response.text();
  if (!ids) {
    everything = Number(find("[data-bulk-panel]", dialog).dataset.number);
    for (const input of list.querySelectorAll(".choose input")) input.checked = everything > 0;
    show();
  }
  if (!dialog.open) dialog.showModal();
  const wanted = action && find(`input[name=action][value=${action}]`, dialog)?.closest("details");
  if (wanted) wanted.open = true;
  (wanted ? find(FIRST, wanted) : find("summary", dialog))?.focus();
}

/** Note in *body* how the chosen conversations were shown: who loses a race is told. */
function note(body) {
  if (!everything) for (const [id, shown] of marks) body.append("shown", `${id}:${shown}`);
  return body;
}

// Keys

/** Return the action of *command* for what is chosen, and whether it asks for more first. */
function actionOf(command) {
  const puts = new Set([...chosen].map((id) => find(`[data-row="${id}"]`, list)?.dataset.put ?? "open"));
  const all = (put) => !everything && puts.size === 1 && puts.has(put);
  if (command === "snooze") return all("snoozed") ? ["wake", false] : ["snooze", true];
  return {
    close: [all("closed") ? "open" : "close", false],
    spam: [all("spam") ? "unspam" : "spam", false],
    mine: ["assign", false],
    assign: ["assign", true],
    labels: ["label", true],
  }[command];
}

/** Note what is chosen as that which is acted on now. */
function act() {
  acted = [...list.querySelectorAll("[data-row]")].map((row) => row.dataset.row).filter((id) => everything || chosen.has(id));
}

/** Do *action* to what is chosen. */
async function change(action) {
  const body = note(new FormData()), url = new URL(bar.dataset.panelStart, location.href);
  url.searchParams.set("ids", [...chosen].join(","));
  body.set("action", action);
  if (action === "assign") body.set("assignee", bar.dataset.user);
  working = true;
  act();
  try {
    tell(await send(url, body));
    end();
  } catch (error) {
    tell({ sentence: error.refused ?? toast.dataset.unsaved, undoable: false, runs: false });
  } finally {
    working = false;
  }
}

/** Let *command* be about the chosen rows. Return whether there are any: it is about nothing else then. */
export function commanded(command) {
  const number = everything || chosen.size;
  if (!choosing || !number) return false;
  if (ON_ONE.has(command)) {
    tell({ sentence: bar.dataset.textOne, undoable: false, runs: false });
    return true;
  }
  const [action, asks] = actionOf(command === "close-next" ? "close" : command) ?? [];
  if (!action) return false;
  if (working) return true;
  if (asks || everything || number > AT_ONCE) opening(panel(everything ? null : chosen, action));
  else change(action);
  return true;
}

/** What keys and the palette do with the selection; *current()* is the link the keys act on. */
export const selecting = {
  tick(current) {
    const row = current()?.closest("[data-row]");
    if (!row) return;
    if (!choosing) begin();
    chooseRow(row, !(everything || chosen.has(row.dataset.row)), false);
  },
  range(current) {
    const row = current()?.closest("[data-row]");
    if (!row) return;
    if (!choosing) begin();
    chooseRow(row, true, true);
  },
  all() {
    if (!choosing) begin();
    opening(panel(null));
  },
  actions() {
    if (choosing && (everything || chosen.size)) opening(panel(everything ? null : chosen));
  },
  none: () => choosing && end(),
};

/** Undo what was done last, if it is told still and nothing else was done after it, at *since*. Return whether it was. */
export function undoLast(since) {
  const button = toast && !toast.hidden && find("[data-bulk-undo]:not([hidden])", toast);
  if (!button || since > toldAt) return false;
  button.click();
  return true;
}

// How far an action is

/** Say how far an action is, for *shown* milliseconds after its end. */
export function tell(answer, shown = SHOWN_MS) {
  if (answer.at && answer.at !== watched?.at) toldAt = Date.now();
  watched = answer;
  if (answer.at && acted.length) document.dispatchEvent(new CustomEvent("lobby-acted", { detail: acted.map(Number) }));
  if (!toast) return;
  toast.hidden = false;
  find("[data-said]", toast).textContent = answer.sentence;
  find("[data-bulk-undo]", toast).hidden = !answer.undoable;
  find("[data-bulk-stop]", toast).hidden = !answer.runs;
  clearTimeout(tell.timer);
  tell.timer = answer.runs ? setTimeout(look, LOOK_MS) : setTimeout(() => { toast.hidden = true; }, shown);
}

async function look() {
  try {
    tell(await send(watched.at));
  } catch {
    tell.timer = setTimeout(look, LOOK_MS * 4);
  }
}

function complain(error) {
  const place = find("[data-bulk-panel]");
  if (!place && toast) {
    tell({ ...watched, sentence: error.refused ?? toast.dataset.unsaved, runs: false });
    return;
  }
  for (const old of place?.querySelectorAll(":scope > .notice") ?? []) old.remove();
  place?.prepend(notice(error.message));
}

/** Keep a bulk action on a page of its own current. */
async function follow(one) {
  const answer = await send(one.dataset.bulkOne).catch(() => null);
  if (!answer) return setTimeout(follow, LOOK_MS * 4, one);
  find("[data-said]", one).textContent = answer.sentence;
  const progress = find("[data-bar]", one);
  if (progress) progress.value = answer.done;
  if (answer.runs) return setTimeout(follow, LOOK_MS, one);
  progress?.remove();
  find("[data-stop]", one)?.remove();
  find("[data-undo]", one).hidden = !answer.undoable;
  return null;
}

for (const one of document.querySelectorAll("[data-runs]")) follow(one);

if (bar && list) {
  new MutationObserver(() => choosing && boxes()).observe(list, { childList: true });

  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.closest("[data-select]") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (choosing) end();
      else begin();
    } else if (target.closest("[data-bulk-end]")) end();
    else if (target.closest("[data-bulk-all]")) opening(panel(null));
    else if (target.closest("[data-bulk-go]")) opening(panel(everything ? null : chosen));
    else if (target.closest("[data-bulk-shut]")) dialog.close();
    else if (target.closest("[data-bulk-hide]")) toast.hidden = true;
    else if (target.closest("[data-bulk-undo]")) send(`${watched.at}/undo`, new FormData()).then(tell, complain);
    else if (target.closest("[data-bulk-stop]")) send(`${watched.at}/stop`, new FormData()).then(tell, complain);
    const input = target.closest(".choose input");
    if (input) chooseRow(input.closest("[data-row]"), input.checked, event.shiftKey);
  });

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.isComposing || isCovered()) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")) return;
    const row = document.activeElement?.closest("[data-row]");
    if (event.key.toLowerCase() === "x" && row && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (!choosing) begin();
      chooseRow(row, event.shiftKey || !(everything || chosen.has(row.dataset.row)), event.shiftKey);
    } else if (event.key === "Escape" && choosing) {
      event.preventDefault();
      end();
    }
    else if (event.key === "a" && (event.ctrlKey || event.metaKey) && choosing) {
      event.preventDefault();
      opening(panel(null));
    }
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!("bulk" in form.dataset || "undo" in form.dataset || "stop" in form.dataset)) return;
    event.preventDefault();
    try {
      // A field of the form is called action, which hides the property.
      const body = new FormData(form);
      if (list && "bulk" in form.dataset) act();
      tell(await send(form.getAttribute("action"), "bulk" in form.dataset ? note(body) : body));
      dialog.close();
      end();
    } catch (error) {
      complain(error);
    }
  });
}

// The button says how many it will be.
document.addEventListener("change", (event) => {
  const { without } = event.target.dataset;
  if (without === undefined) return;
  const number = find("[data-count]", event.target.form);
  number.textContent = Number(number.dataset.count) - (event.target.checked ? Number(without) : 0);
});

document.addEventListener("input", (event) => {
  if (!("ownTime" in event.target.dataset)) return;
  const own = find('input[value="own"]', event.target.closest("fieldset"));
  own.checked = true;
});
