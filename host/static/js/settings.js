// Pages of settings: a bar that names what is not saved, and ticks for many rows at once.

import "./settings-find.js";

const bar = document.querySelector("[data-savebar]");
const forms = [...document.querySelectorAll("form[data-unsaved]")];
const saved = new Map(); // of each field that was on the page when it came, or when its form was saved
for (const form of forms) remember(form);
let leaving = false;

function stateOf(field) {
  return field.type === "checkbox" || field.type === "radio" ? field.checked : field.value;
}

function remember(form) {
  for (const field of form.elements) saved.set(field, stateOf(field));
}

/** Return what was saved in a field; of one that came later, such as an account that was looked for, what it came with. */
function savedIn(field) {
  const tick = field.type === "checkbox" || field.type === "radio";
  return saved.get(field) ?? (tick ? field.defaultChecked : field.defaultValue);
}

/** Return the fields of a form that are not what was saved; of radio buttons the one that is chosen now, and none that only asks. */
function changesOf(form) {
  const changed = [...form.elements].filter((field) => field.name && field.dataset.asks === undefined && stateOf(field) !== savedIn(field));
  return changed.filter((field) => field.type !== "radio" || field.checked);
}

/** Return by what name the page calls a field. */
function nameOf(field) {
  const own = field.type === "radio" ? null : field.labels?.[0]?.textContent || field.getAttribute("aria-label");
  const group = field.closest("[role=radiogroup], [role=group], fieldset, section");
  return (own || (group && headingOf(group)) || field.labels?.[0]?.textContent || "").trim().replace(/\s+/g, " ");
}

/** Return what a group of fields is called. */
function headingOf(group) {
  const by = document.getElementById(group.getAttribute("aria-labelledby"));
  return by?.textContent ?? group.getAttribute("aria-label") ?? group.querySelector("legend")?.textContent;
}

function show() {
  const names = forms.flatMap(changesOf).map(nameOf);
  bar.hidden = names.length === 0;
  const text = names.length === 1 ? bar.dataset.textOne : bar.dataset.textMany.replace("{number}", names.length);
  bar.querySelector("[data-savebar-number]").textContent = bar.hidden ? "" : text;
  bar.querySelector("[data-savebar-names]").textContent = [...new Set(names)].join(", ");
}

/** Save every changed form: all but the last in the background, so that its page says what became of them. */
async function save() {
  const changed = forms.filter((form) => changesOf(form).length);
  for (const form of changed.slice(0, -1)) {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
    if (!answer.redirected) return send(form); // its page has something to ask, or says what is wrong
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const field of document.querySelectorAll('input[name="version"]')) {
      field.value = page.querySelector('input[name="version"]')?.value ?? field.value;
    }
    remember(form);
  }
  if (changed.length) send(changed.at(-1));
}

function send(form) {
  leaving = true;
  form.requestSubmit();
}

if (bar && forms.length) {
  for (const form of forms) {
    form.addEventListener("input", show);
    form.addEventListener("submit", () => { leaving = true; });
    form.addEventListener("reset", () => setTimeout(show));
  }
  bar.querySelector("[data-savebar-back]").addEventListener("click", () => {
    for (const form of forms) form.reset();
  });
  bar.querySelector("[data-savebar-save]").addEventListener("click", save);
  document.addEventListener("keydown", (event) => {
    if (bar.hidden || event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    save();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && !bar.hidden) event.preventDefault();
  });
  window.addEventListener("pageshow", () => { leaving = false; show(); });
}

// One tick for all rows, and a count of those that are ticked.
for (const all of document.querySelectorAll("[data-tick-all]")) {
  const ticks = () => [...document.querySelectorAll(`input[name="${all.dataset.tickAll}"]`)];
  const count = document.querySelector("[data-tick-count]");
  const follow = () => {
    const number = ticks().filter((one) => one.checked).length;
    all.checked = number > 0 && number === ticks().length;
    all.indeterminate = number > 0 && !all.checked;
    if (count) count.textContent = number;
  };
  all.closest("label, th")?.removeAttribute("hidden");
  all.addEventListener("change", () => {
    for (const one of ticks()) one.checked = all.checked;
    follow();
  });
  document.addEventListener("change", follow);
  follow();
}
