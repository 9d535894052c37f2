// A long select becomes a field in which you type: `select[data-combobox]` in a form with `data-combobox-words`, which has
// further words to find its options by, by value or by the part before the colon. The select stays in the form, hidden,
// and keeps the choice. Long groups (`data-picker-options`) have a part of their options; the desk is asked for the rest.

const GAP = 4;
const EDGE = 8;
const WAIT = 200; // milliseconds after a key
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
const trimmed = (option) => option.textContent.trim().replace(/\s+/g, " ");

for (const form of document.querySelectorAll("form[data-combobox-words]")) setUp(form);

function setUp(form) {
  const texts = form.dataset;
  const words = JSON.parse(texts.comboboxWords);
  const panel = made("div", { className: "combo", popover: "manual" });
  const list = made("div", { id: "combo-list", role: "listbox" });
  const none = made("p", { className: "combo-none", textContent: texts.comboboxNone, hidden: true });
  const said = made("p", { className: "visually-hidden", role: "status" });
  panel.append(list, none);
  form.append(panel, said);
  // The fields look for themselves.
  const finder = form.querySelector("[data-account-picker]");
  const url = finder?.dataset.accountPicker;
  finder?.parentElement.remove();

  let open = null; // the pair of field and select whose list is shown
  let active = null; // the entry that Enter takes

  function activate(entry) {
    if (active) active.ariaSelected = "false";
    active = entry ?? null;
    open.field.setAttribute("aria-activedescendant", active?.id ?? "");
    if (!active) return;
    active.ariaSelected = "true";
    active.scrollIntoView({ block: "nearest" });
  }

  function place() {
    if (!open) return;
    const from = open.field.getBoundingClientRect();
    const seen = window.visualViewport; // without the keyboard of a phone
    const below = seen.offsetTop + seen.height - from.bottom - GAP - EDGE;
    const above = from.top - seen.offsetTop - GAP - EDGE;
    const under = below >= Math.min(list.scrollHeight, 240) || below >= above;
    panel.style.maxHeight = `${Math.min(380, under ? below : above)}px`;
    panel.style.width = `${Math.min(Math.max(from.width, 300), window.innerWidth - 2 * EDGE)}px`;
    const { width, height } = panel.getBoundingClientRect();
    const side = getComputedStyle(panel).direction === "rtl" ? from.right - width : from.left;
    panel.style.left = `${Math.max(EDGE, Math.min(side, window.innerWidth - width - EDGE))}px`;
    panel.style.top = `${under ? from.bottom + GAP : from.top - GAP - height}px`;
  }

  /** Show the options of the open select that have all *wanted* words, and those with the values *also*. */
  function show(wanted, also = new Set()) {
    const parts = folded(wanted).split(/\s+/).filter(Boolean);
    const has = (text) => parts.every((part) => text.includes(part));
    list.replaceChildren();
    let number = 0;
    for (const group of open.select.querySelectorAll("optgroup")) {
      const entries = [];
      for (const option of group.querySelectorAll("option")) {
        const others = `${words[option.value.split(":")[0]] ?? ""} ${words[option.value] ?? ""}`;
        if (!also.has(option.value) && !has(folded(`${option.textContent} ${group.label} ${others}`))) continue;
        const entry = made("div", { id: `combo-${number}`, role: "option", textContent: trimmed(option) });
        entry.dataset.value = option.value;
        entry.ariaSelected = "false";
        entry.classList.toggle("is-chosen", option.selected);
        entries.push(entry);
        number += 1;
      }
      if (!entries.length) continue;
      const head = made("div", { id: `combo-head-${list.children.length}`, className: "combo-head", textContent: group.label });
      const box = made("div", { role: "group" });
      box.setAttribute("aria-labelledby", head.id);
      head.setAttribute("role", "presentation");
      box.append(head, ...entries);
      list.append(box);
    }
    none.hidden = number > 0;
    said.textContent = !parts.length ? "" : number ? texts.comboboxFound.replace("{number}", number) : texts.comboboxNone;
    activate(parts.length ? list.querySelector("[role=option]") : list.querySelector(".is-chosen"));
    place();
  }

  function close() {
    if (!open) return;
    const { field } = open;
    open.sync();
    open = active = null;
    panel.hidePopover();
    field.ariaExpanded = "false";
    field.removeAttribute("aria-activedescendant");
    said.textContent = "";
  }

  function choose(entry) {
    const { select, field } = open;
    select.value = entry.dataset.value;
    // As a browser does for a select; the bar of unsaved changes listens to the first.
    for (const kind of ["input", "change"]) select.dispatchEvent(new Event(kind, { bubbles: true }));
    close();
    field.select();
  }

  for (const select of form.querySelectorAll("select[data-combobox]")) {
    const field = made("input", { type: "text", className: select.className, role: "combobox", autocomplete: "off", spellcheck: false });
    for (const name of ["id", "aria-label", "aria-invalid", "aria-describedby"]) {
      if (select.hasAttribute(name)) field.setAttribute(name, select.getAttribute(name));
    }
    select.removeAttribute("id");
    field.dir = "auto";
    field.placeholder = trimmed(select.querySelector('option[value=""]'));
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    field.ariaExpanded = "false";
    const pair = { field, select, sync: () => { field.value = select.value ? trimmed(select.selectedOptions[0]) : ""; } };
    pair.sync();
    let timer = 0;
    let asked = 0;

    const start = () => {
      if (open?.field === field) return;
      close();
      open = pair;
      list.setAttribute("aria-label", field.getAttribute("aria-label"));
      field.ariaExpanded = "true";
      field.scrollIntoView({ block: "nearest" });
      panel.showPopover();
      show("");
    };
    const look = async () => {
      asked += 1;
      const mine = asked;
      const at = new URL(url, location.href);
      at.searchParams.set("q", field.value.trim());
      const answer = await fetch(at, { headers: { Accept: "application/json" }, credentials: "same-origin" }).catch(() => null);
      const found = answer?.ok ? (await answer.json()).options : {};
      if (mine !== asked || open !== pair) return;
      show(field.value, added(select, found));
    };

    field.addEventListener("click", start);
    field.addEventListener("focus", () => field.select());
    field.addEventListener("blur", close);
    field.addEventListener("input", () => {
      start();
      show(field.value);
      clearTimeout(timer);
      if (url && field.value.trim() && select.querySelector("[data-picker-options]")) timer = setTimeout(look, WAIT);
    });
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey) return;
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in steps) {
        event.preventDefault();
        if (open !== pair) return start();
        const entries = [...list.querySelectorAll("[role=option]")];
        const from = active ? entries.indexOf(active) : steps[event.key] > 0 ? -1 : 0;
        activate(entries[(from + steps[event.key] + entries.length) % entries.length]);
      } else if (event.key === "Enter") {
        event.preventDefault(); // it would save the form
        if (open !== pair) start();
        else if (active) choose(active);
      } else if (event.key === "Escape" && open === pair) {
        event.preventDefault();
        event.stopPropagation();
        close();
      }
    });
    select.addEventListener("change", pair.sync);
    form.addEventListener("reset", () => setTimeout(pair.sync));
    select.before(field);
    select.hidden = true;
    if (select.autofocus) field.focus();
  }

  panel.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const entry = event.target.closest("[role=option]");
    if (entry) choose(entry);
  });
  window.visualViewport.addEventListener("resize", place);
  document.addEventListener("scroll", (event) => { if (event.target !== list) place(); }, { capture: true, passive: true });
}

function made(tag, { role, ...properties }) {
  const element = Object.assign(document.createElement(tag), properties);
  if (role) element.setAttribute("role", role);
  return element;
}

/** Add to the long groups of *select* what was found for them, and return the values of all of that. */
function added(select, found) {
  const values = new Set();
  for (const group of select.querySelectorAll("[data-picker-options]")) {
    for (const [value, label, text] of found[group.dataset.pickerOptions] ?? []) {
      // Found or not, a choice such as "nobody" comes along: what is typed tells those apart.
      if (/\d/.test(value)) values.add(value);
      if ([...group.querySelectorAll("option")].some((option) => option.value === value)) continue;
      const option = new Option(label, value);
      if (text) option.dataset.text = text;
      group.append(option);
    }
  }
  return values;
}
