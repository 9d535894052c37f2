// Menus: `details.menu`, and panels in the top layer (`.pop`). Arrow keys move, Home and End jump, a letter goes to the
// next entry that begins with it, Escape closes and gives the focus back. Tab goes on, and leaves nothing open behind.
// The question about an entry (base.js) leaves its menu open: who says no is back at the entry.
// A menu of many may begin with a field, `form[data-menu-find]`: it leaves what has the words, Enter takes the first.

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
const UP_DOWN = new Set(["ArrowDown", "ArrowUp"]);
const OPEN = "details.menu[open]";
const ASKED = "dialog[data-ask]";
const FIND = "form[data-menu-find]";
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** Whether something lies over the page that Escape closes before anything else. */
export const isCovered = () => document.querySelector(`${OPEN}, .pop:popover-open, dialog[open]`) !== null;

/** Return what can be chosen in *menu*, in order. */
function entriesOf(menu) {
  const found = menu.querySelectorAll(":is(a[href], button:not(:disabled, [aria-hidden=true]))");
  return [...found].filter((entry) => entry.closest("details.menu, .pop") === menu && entry.offsetParent !== null);
}

/** Return the entry of *entries* that *key* leads to from *here*, or nothing. */
function led(key, entries, here) {
  const at = entries.indexOf(here);
  if (key in STEPS) {
    const from = at < 0 && STEPS[key] < 0 ? 0 : at; // the opener stands before the first, and behind the last
    return entries[(from + STEPS[key] + entries.length) % entries.length];
  }
  if (key === "Home") return entries[0];
  if (key === "End") return entries.at(-1);
  if (key.length !== 1 || !key.trim()) return null;
  const letter = key.toLocaleLowerCase();
  const next = [...entries.slice(at + 1), ...entries.slice(0, at + 1)];
  return next.find((entry) => entry.textContent.trim().toLocaleLowerCase().startsWith(letter));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll(OPEN)) {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.preventDefault(); // it closes this alone, not what lies behind
    }
    return;
  }
  const menu = event.target.closest?.("details.menu, .pop:popover-open");
  if (!menu) return;
  const finding = event.target.closest("[data-menu-find] input");
  if (finding ? !UP_DOWN.has(event.key) : event.target.closest("input, textarea, select")) return;
  if (menu.matches("details:not([open])")) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    menu.open = true;
  }
  const entry = led(event.key, entriesOf(menu), event.target.closest("a, button"));
  if (!entry) return;
  event.preventDefault();
  entry.focus();
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.(ASKED)) return;
  for (const menu of document.querySelectorAll(OPEN)) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.(OPEN);
  const next = event.relatedTarget;
  if (menu && next && !menu.contains(next) && !next.closest(ASKED)) menu.open = false;
});

/** Leave in the menu of *form* what has the words of its field, and return what is left. */
function narrow(form) {
  const words = folded(form.querySelector("input[type=search]").value).split(/\s+/).filter(Boolean);
  const left = [];
  for (const line of form.querySelectorAll("li:not([data-none])")) {
    const entry = line.querySelector("button");
    line.hidden = words.length > 0 && !(entry && words.every((word) => folded(line.textContent).includes(word)));
    if (entry && !line.hidden) left.push(entry);
  }
  form.querySelector("[data-none]").hidden = left.length > 0;
  return left;
}

document.addEventListener("toggle", (event) => {
  const form = event.target.matches?.(OPEN) && event.target.querySelector(FIND);
  if (!form) return;
  const input = form.querySelector("input[type=search]");
  input.closest("label").hidden = false;
  input.value = "";
  narrow(form);
  input.focus();
}, true);

document.addEventListener("input", (event) => {
  const form = event.target.closest?.(FIND);
  if (form) narrow(form);
});

document.addEventListener("keydown", (event) => {
  const form = event.key === "Enter" && !event.isComposing && event.target.matches?.("input") && event.target.closest(FIND);
  if (!form) return;
  event.preventDefault();
  const [first] = narrow(form);
  if (first) form.requestSubmit(first);
});
