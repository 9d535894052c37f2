// Emoji by name, those used last first. They come from the desk once, when the picker is opened.

const RECENT = "lobby-emoji";
const MOST_RECENT = 24;
const MOST_FOUND = 200;
const USUAL = ["❤️", "👍", "🙏", "😊", "😂", "🎉", "🔥", "👏", "😍", "😢"]; // of those that fit a word, these come first
let known = null; // of the page: every conversation has a composer of its own

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** Make *panel* offer emoji; *insert* gets the one that is chosen. */
export function emoji(panel, insert) {
  const input = panel.querySelector("input");
  const box = panel.querySelector("[data-emoji-list]");
  const named = panel.querySelector("[data-emoji-name]");
  const names = Object.fromEntries(JSON.parse(panel.dataset.groups));

  const opened = async () => {
    if (!panel.matches(":popover-open")) return;
    input.value = "";
    draw();
    try {
      known ??= await (await fetch(panel.dataset.url, { credentials: "same-origin" })).json();
      if (!input.value) draw();
      else search();
    } catch {
      named.textContent = panel.dataset.textAway;
    }
  };
  panel.addEventListener("toggle", opened);
  opened();
  input.addEventListener("input", search);
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  });
  for (const kind of ["mouseover", "focusin"]) {
    box.addEventListener(kind, (event) => {
      const button = event.target.closest("button");
      if (button) named.textContent = button.getAttribute("aria-label");
    });
  }
  panel.addEventListener("keydown", (event) => {
    if (event.isComposing || event.key === "Escape" || event.key === "Tab") return;
    event.stopPropagation(); // menus move by lines of one
    const here = event.target.closest("[data-emoji-list] button");
    const buttons = [...box.querySelectorAll("button")];
    if (!here) {
      if (event.key === "ArrowDown" && buttons.length) go(event, buttons[0]);
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (buttons.length) choose(buttons[0]);
      return;
    }
    const at = buttons.indexOf(here);
    const rtl = getComputedStyle(box).direction === "rtl" ? -1 : 1;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      go(event, buttons[at + (event.key === "ArrowRight" ? rtl : -rtl)]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      go(event, beside(buttons, here, event.key === "ArrowDown" ? 1 : -1) ?? (event.key === "ArrowUp" ? input : null));
    } else if (event.key === "Home" || event.key === "End") {
      go(event, event.key === "Home" ? buttons[0] : buttons.at(-1));
    } else if (event.key.length === 1 && event.key.trim() && !event.ctrlKey && !event.metaKey) {
      input.focus(); // the letter goes there
    }
  });

  function go(event, element) {
    event.preventDefault();
    element?.focus();
  }

  function choose(button) {
    const char = button.textContent;
    const recent = [char, ...read().filter((one) => one !== char)].slice(0, MOST_RECENT);
    try {
      localStorage.setItem(RECENT, JSON.stringify(recent));
    } catch {
      // Storage is full or forbidden: none are remembered.
    }
    panel.hidePopover();
    insert(char);
  }

  function draw() {
    const all = Object.values(known ?? {}).flat();
    const byChar = new Map(all.map((one) => [one[0], one]));
    const recent = read().map((char) => byChar.get(char) ?? [char, char, ""]);
    const groups = Object.entries(known ?? {}).map(([key, some]) => group(names[key], some));
    fill(...(recent.length ? [group(names.recent, recent)] : []), ...groups);
    box.scrollTop = 0;
    named.textContent = "";
  }

  /** Show *sections*; Tab stops at the first emoji, arrows go on. */
  function fill(...sections) {
    box.replaceChildren(...sections);
    const first = box.querySelector("button");
    if (first) first.tabIndex = 0;
  }

  function search() {
    const words = folded(input.value).split(/\s+/u).filter(Boolean);
    if (!words.length) return draw();
    const all = Object.values(known ?? {}).flat();
    const fits = ([, , found]) => words.every((word) => ` ${folded(found)}`.includes(` ${word}`));
    const said = ([, , found]) => words.every((word) => ` ${folded(found)} `.includes(` ${word} `));
    const place = (one) => {
      const usual = said(one) ? USUAL.indexOf(one[0]) : -1;
      if (usual >= 0) return usual - USUAL.length;
      return folded(one[1]).startsWith(words.join(" ")) ? 0 : 1;
    };
    const some = all.filter(fits).sort((a, b) => place(a) - place(b)).slice(0, MOST_FOUND);
    fill(...(some.length ? [group("", some)] : []));
    named.textContent = some.length ? some[0][1] : panel.dataset.textNone;
    return null;
  }
}

function group(name, some) {
  const section = document.createElement("section");
  if (name) {
    const head = document.createElement("h3");
    head.textContent = name;
    section.append(head);
  }
  const grid = document.createElement("div");
  grid.className = "emojis";
  for (const [char, words] of some) {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1;
    button.textContent = char;
    button.title = words;
    button.setAttribute("aria-label", words);
    grid.append(button);
  }
  section.append(grid);
  return section;
}

/** Return the button in the line above or below *here* that stands nearest to it. */
function beside(buttons, here, step) {
  const from = here.getBoundingClientRect();
  const others = buttons.map((button) => [button, button.getBoundingClientRect()])
    .filter(([, place]) => (step > 0 ? place.top > from.top + 4 : place.top < from.top - 4));
  const line = step > 0 ? Math.min(...others.map(([, place]) => place.top)) : Math.max(...others.map(([, place]) => place.top));
  const there = others.filter(([, place]) => Math.abs(place.top - line) < 4);
  there.sort(([, a], [, b]) => Math.abs(a.left - from.left) - Math.abs(b.left - from.left));
  return there[0]?.[0];
}

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(0, MOST_RECENT) : [];
  } catch {
    return [];
  }
}
