// Keys, the sheet that shows them, and the command palette. Their table comes with the page: host/inbox/pages/keys.py.

import { isCovered } from "./menus.js";

const SINGLE = "lobby-single-keys";
const PAUSE_MS = 300; // in typing, before customers are looked for
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/**
 * Let *commands*, functions by name, be called by key and by the palette. *words* are the page's texts; *more(again)* returns
 * further lines of the palette, and calls *again* when there are others. *stops(key, command)* says whether a key is for nothing
 * on the page now.
 */
export function keys(commands, words, more = () => [], stops = () => false) {
  const sheet = document.querySelector("[data-keys]");
  const palette = document.querySelector("[data-palette]");
  const input = palette.querySelector("input");
  const list = palette.querySelector("[role=listbox]");
  const single = sheet.querySelector("[data-single]");
  const all = {
    ...commands,
    keys: () => sheet.showModal(),
    palette: () => openPalette(),
    search: () => (words.search ? commands.search() : openPalette()),
  };
  const known = [...sheet.querySelectorAll("[data-command]")].map((line) => {
    const { command, key, icon } = line.dataset;
    if (!all[command]) throw new Error(`no command ${command}`);
    const caps = [...line.querySelectorAll("kbd")].map((cap) => cap.textContent);
    return { text: line.querySelector("dt").textContent, group: line.closest("section").querySelector("h3").textContent, run: all[command], command, key, icon, caps };
  });
  const byKey = new Map(known.filter((one) => one.key).map((one) => [one.key, one]));
  single.checked = !document.cookie.split("; ").includes(`${SINGLE}=off`);
  single.addEventListener("change", () => window.lobbyRemember(SINGLE, single.checked ? "on" : "off"));
  sheet.querySelector("[data-close]").addEventListener("click", () => sheet.close());

  const isOff = (key) => key.length === 1 && !single.checked && key !== "?";
  // A dialog that was just closed keeps the focus until the next frame.
  const targetOf = (event) => (event.target.closest("dialog:not([open])") ? document.body : event.target);
  const takesKeys = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog, :popover-open, details.menu[open]");

  // Before anything else hears of it: not all keys are in the table.
  window.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || isOff(event.key) || takesKeys(targetOf(event))) return;
    if (!stops(event.key, byKey.get(event.key)?.command ?? "")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (palette.open) palette.close();
      else if (!document.querySelector("dialog[open]")) openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = targetOf(event);
    if (target.closest("input, textarea, select, [contenteditable]") && !target.closest(".choose")) {
      if (event.key === "Escape" && !event.defaultPrevented && !target.closest("dialog") && !isCovered()) target.blur();
      return;
    }
    if (event.defaultPrevented || target.closest("dialog, :popover-open, details.menu[open]")) return;
    if (event.key === "Escape" && isCovered()) return; // it closes that alone
    const found = byKey.get(event.key);
    if (!found || isOff(event.key)) return;
    event.preventDefault();
    found.run();
  });

  let shown = [];
  let chosen = 0;
  let people = [];
  let behind = ""; // why there may be more of them than are found
  let pause = 0;

  function openPalette() {
    input.value = "";
    palette.showModal();
    typed();
  }

  /** Return everything the palette can do for *text*. */
  function found(text) {
    const links = [...document.querySelectorAll(".mainnav > li:not(.nav-phone) > a, [data-part=filters] .filter")].map((link) => ({
      text: [...link.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE || !node.matches?.(".count, svg")).map((node) => node.textContent).join(" ").trim(),
      group: words.textGo,
      icon: "right",
      caps: [],
      run: () => link.click(),
    }));
    const own = [...known.filter((one) => one.run !== all.palette), ...more(() => { if (palette.open) fill(); })];
    const fitting = [...own, ...links].filter((one) => folded(one.text).includes(folded(text)));
    if (!text || !words.search) return fitting;
    const search = { text: words.textSearch.replace("{words}", text), group: "", icon: "search", caps: [], run: () => location.assign(`${words.search}?q=${encodeURIComponent(text)}`) };
    return [...fitting, ...people, search];
  }

  /** Look for customers whose names or handles begin with *text*, as the search page does. */
  async function look(text) {
    const response = await fetch(`${words.search}?q=${encodeURIComponent(text)}`, { credentials: "same-origin" }).catch(() => null);
    const html = response?.ok ? await response.text() : "";
    if (!html || !palette.open || input.value.trim() !== text) return;
    const page = new DOMParser().parseFromString(html, "text/html");
    people = [...page.querySelectorAll(".search-person")].map((link) => {
      const url = new URL(link.getAttribute("href"), location.href);
      url.search = ""; // nobody comes from a search
      const text = [...link.lastElementChild.children].map((one) => one.textContent.trim()).join(" · ");
      return { text, group: words.textContacts, icon: "user", caps: [], run: () => location.assign(url) };
    });
    behind = page.querySelector("[data-behind]")?.dataset.behind ?? "";
    const here = shown[chosen]?.text;
    fill();
    choose(Math.max(0, shown.findIndex((one) => one.text === here)));
  }

  function typed() {
    const text = input.value.trim();
    clearTimeout(pause);
    people = [];
    behind = "";
    if (text.length > 1 && words.search) pause = setTimeout(look, PAUSE_MS, text);
    fill();
  }

  function fill() {
    shown = found(input.value.trim());
    chosen = 0;
    list.replaceChildren();
    let group = null;
    shown.forEach((one, index) => {
      if (one.group && one.group !== group) {
        const head = document.createElement("p");
        head.className = "cmd-head";
        head.setAttribute("role", "presentation");
        head.textContent = group = one.group;
        list.append(head);
      }
      const line = document.createElement("div");
      line.className = "cmd";
      line.id = `command-${index}`;
      line.setAttribute("role", "option");
      line.innerHTML = '<svg class="ic" aria-hidden="true"><use/></svg><span></span><span class="cmd-keys"></span>';
      line.querySelector("use").setAttribute("href", `#i-${one.icon}`);
      line.children[1].textContent = one.text;
      for (const cap of one.caps) {
        const key = document.createElement("kbd");
        key.textContent = cap;
        line.lastElementChild.append(key);
      }
      line.addEventListener("click", () => run(index));
      list.append(line);
    });
    if (behind) {
      const note = document.createElement("p");
      note.className = "cmd-head";
      note.setAttribute("role", "presentation");
      note.textContent = behind;
      list.append(note);
    }
    choose(0);
  }

  function choose(index) {
    chosen = (index + shown.length) % shown.length || 0;
    for (const line of list.querySelectorAll("[role=option]")) {
      const on = line.id === `command-${chosen}`;
      line.setAttribute("aria-selected", String(on));
      if (on) line.scrollIntoView({ block: "nearest" });
    }
    input.setAttribute("aria-activedescendant", shown.length ? `command-${chosen}` : "");
  }

  function run(index) {
    const one = shown[index];
    palette.close();
    one?.run();
  }

  input.addEventListener("input", typed);
  palette.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) choose(chosen + step);
    else if (event.key === "Enter") run(chosen);
    else return;
    event.preventDefault();
  });
  for (const dialog of [sheet, palette]) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
}
