// What every page can do: theme, menus, Copy buttons, questions before something irreversible, relative times.

import "./page-user.js";
import "./device-texts.js";
import "./menus.js";
import "./notices.js";

const root = document.documentElement;
const THEMES = ["auto", "light", "dark"];

// No command runs by key while another page is on its way: the key was meant for that one. What the browser itself does with a
// key goes on, so what is typed into a field stays there. The page may stay after all, for the answer was a file or somebody
// stopped it; browsers do not always tell, so a click and Escape say so too.
let leaving = false;
const stay = () => { leaving = false; };
window.addEventListener("beforeunload", () => { leaving = true; });
window.addEventListener("pageshow", stay);
window.addEventListener("pointerdown", stay, true);
window.addEventListener("keydown", (event) => {
  if (!leaving) return;
  event.stopImmediatePropagation();
  window.lobbyTypesOn(event);
  if (event.key === "Escape") stay();
}, true);

/** Return the token every write has to carry. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

/** Send a form to the desk and return the response; the caller reads `ok` and `json()`. */
export function post(url, fields = {}) {
  const body = fields instanceof FormData ? fields : new URLSearchParams(fields);
  const headers = { "X-CSRFToken": csrfToken(), Accept: "application/json" };
  return fetch(url, { method: "POST", body, headers, credentials: "same-origin" });
}

function toggleTheme(button) {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  root.dataset.theme = next;
  window.lobbyRemember("lobby-theme", next);
  button.setAttribute("aria-label", button.dataset[next]);
  if (button.dataset.url) post(button.dataset.url, { theme: next });
}

async function copy(button) {
  const input = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span");
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(input.value);
  } catch {
    // Plain http has no clipboard API: select the text, the person presses the keys.
    input.focus();
    input.select();
    if (!document.execCommand("copy")) return;
  }
  label.textContent = button.dataset.copied;
  button.setAttribute("aria-live", "polite");
  setTimeout(() => { label.textContent = before; }, 2000);
}

// What is one line on a phone shows the one that is chosen.
for (const tabs of document.querySelectorAll(":is(.tabs, .seg, .asst-parts):has([aria-current])")) {
  const { left, width } = tabs.querySelector("[aria-current]").getBoundingClientRect(), { left: start, width: room } = tabs.getBoundingClientRect();
  tabs.scrollLeft = left - start - (room - width) / 2;
}

// Beside the page the navigation of settings is open, in browsers too that leave a closed one's content out.
const sideNav = document.querySelector("[data-side-nav]");
if (sideNav) {
  const beside = window.matchMedia("(min-width: 860px)");
  const follow = () => { sideNav.open = beside.matches; };
  beside.addEventListener("change", follow);
  follow();
  sideNav.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || beside.matches || !sideNav.open) return;
    sideNav.open = false;
    sideNav.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (!beside.matches && sideNav.open && !sideNav.contains(event.target)) sideNav.open = false;
  });
}

// The button that chooses files names what was chosen.
document.addEventListener("change", ({ target }) => {
  const said = target.closest(".file-input")?.querySelector("[data-file-said]");
  if (!said) return;
  said.dataset.before ??= said.textContent;
  const { length } = target.files;
  said.textContent = length > 1 ? said.dataset.textMany.replace("{number}", length) : target.files[0]?.name ?? said.dataset.before;
});
document.addEventListener("reset", ({ target }) => {
  for (const said of target.querySelectorAll("[data-file-said][data-before]")) said.textContent = said.dataset.before;
});

document.addEventListener("click", (event) => {
  const target = event.target;
  if (!(target instanceof Element)) return;
  const theme = target.closest("[data-theme-toggle]");
  if (theme) toggleTheme(theme);
  const copyButton = target.closest("[data-copy]");
  if (copyButton) copy(copyButton);
  const dismiss = target.closest("[data-dismiss]");
  if (dismiss) dismiss.closest(".flash").remove();
});

/** Ask *question* in a dialog and return whether the person agreed. *button* is what they pressed: the dialog repeats its verb.
 * *more*: a template with what is said below the question. */
export function agreed(question, button, more = null) {
  const dialog = document.querySelector("[data-ask-sheet]").content.firstElementChild.cloneNode(true);
  const yes = dialog.querySelector("[data-ask-yes]");
  const words = button?.cloneNode(true);
  for (const hidden of words?.querySelectorAll(".visually-hidden") ?? []) hidden.remove();
  yes.textContent = words?.textContent.trim().replace(/…$/, "") || button?.title || button?.ariaLabel || yes.textContent;
  if (button?.matches(".btn-risk, .menu-risk, [data-risk]")) yes.className = "btn btn-risk";
  dialog.querySelector("[data-ask-words]").textContent = question.trim();
  if (more) {
    dialog.querySelector("[data-ask-words]").after(more.content.cloneNode(true));
    dialog.setAttribute("aria-describedby", "ask-more");
  }
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    // The second click of a double click on *button* may land here: it is no answer.
    yes.addEventListener("click", (event) => event.detail < 2 && dialog.close("yes"));
    dialog.querySelector("[data-ask-no]").addEventListener("click", (event) => event.detail < 2 && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      event.stopPropagation(); // Escape closes this alone, and no command of the page runs
      if (event.repeat && event.key === "Enter") event.preventDefault(); // still held since *button*
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (document.activeElement === document.body) {
        (button?.checkVisibility() ? button : button?.closest("details")?.querySelector("summary"))?.focus();
      }
      resolve(dialog.returnValue === "yes");
    });
  });
}

let confirmed = null; // the form that is being sent because somebody agreed

// Before anything else hears of it: forms that a script sends are asked about too, and "no" leaves no trace.
window.addEventListener("submit", (event) => {
  const { submitter, target } = event;
  const question = submitter?.dataset.confirm || target.dataset.confirm;
  if (!question || target === confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  agreed(question, submitter, target.querySelector("template[data-ask-more]")).then((yes) => {
    if (!yes) return;
    if (!target.isConnected) { // what it stood in was drawn again meanwhile, and only a form of the page can be sent
      target.hidden = true;
      document.body.append(target);
    }
    confirmed = target;
    target.requestSubmit(submitter);
    confirmed = null;
  });
}, true);

// A second click sends nothing twice, and a step that takes a while says that it goes on: `data-busy` of the button or its form has
// the words. After the event, so that the button's own value still goes along.
const AGAIN_MS = 8000;
const BUSY_AGAIN_MS = 120000; // nothing that was started this long ago is still awaited
const busy = new Map(); // buttons at work, with what they said before

/** Let a button be pressed again. */
function restore(button) {
  button.disabled = false;
  if (!busy.has(button)) return;
  button.removeAttribute("aria-busy");
  button.replaceChildren(...busy.get(button));
  busy.delete(button);
}

document.addEventListener("submit", (event) => {
  const { submitter: button, target: form } = event;
  if (form.method !== "post" || event.defaultPrevented || !button) return;
  const words = button.dataset.busy ?? form.dataset.busy;
  setTimeout(() => {
    button.disabled = true;
    if (!words || event.defaultPrevented) return;
    busy.set(button, [...button.childNodes]);
    button.textContent = words;
    button.setAttribute("aria-busy", "true");
  });
  setTimeout(() => restore(button), words ? BUSY_AGAIN_MS : AGAIN_MS);
});

// Coming back with the Back button shows the page as it was left: with working buttons.
window.addEventListener("pageshow", (event) => { if (event.persisted) for (const button of [...busy.keys()]) restore(button); });

const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];

/** Show each `<time data-relative>` below *scope* as "2 minutes ago" while it is less than a week old. */
export function relativeTimes(scope = document) {
  const format = new Intl.RelativeTimeFormat(root.lang, { numeric: "auto" });
  for (const time of scope.querySelectorAll("time[data-relative]")) {
    time.title ||= time.textContent;
    let value = (Date.parse(time.dateTime) - Date.now()) / 1000;
    for (const [unit, size] of STEPS) {
      if (Math.abs(value) < size) {
        time.textContent = format.format(Math.round(value), unit);
        break;
      }
      value /= size;
    }
  }
}

for (const button of document.querySelectorAll("[data-dismiss]")) button.hidden = false;
relativeTimes();
setInterval(relativeTimes, 30000);
