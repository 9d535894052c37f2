// The search of the settings: a list that is fetched once, in which every key looks. See host/web/navigation.py.

const form = document.querySelector("[data-find]");
const MOST = 12;

/** Return the letters to change, insert, omit or swap with the next, from *word* to a beginning of *known*. */
function typos(word, known) {
  let older = [];
  let before = [];
  let row = Array.from({ length: known.length + 1 }, (_none, place) => place);
  for (let at = 1; at <= word.length; at += 1) {
    [older, before, row] = [before, row, [at]];
    for (let place = 1; place <= known.length; place += 1) {
      const same = word[at - 1] === known[place - 1];
      let cost = Math.min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (same ? 0 : 1));
      const swapped = at > 1 && place > 1 && word[at - 1] === known[place - 2] && word[at - 2] === known[place - 1];
      if (swapped) cost = Math.min(cost, older[place - 2] + 1);
      row.push(cost);
    }
  }
  return Math.min(...row);
}

/** Return whether *text* has *word* or, with one typo in 4 letters or two in 8, a word that begins like it. */
function hasSimilar(text, word) {
  const most = word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0;
  return text.includes(word) || (most > 0 && (text.match(/[\p{L}\p{N}_]+/gu) ?? []).some((known) => typos(word, known) <= most));
}

/** Return the settings that have every word, or else similar words, those whose label begins with it first: as find_settings() of the desk does. */
function matching(list, query) {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return [];
  const rank = ({ label }) => {
    const name = label.toLowerCase();
    return name.startsWith(wanted[0]) ? 0 : wanted.every((word) => name.includes(word)) ? 1 : 2;
  };
  let found = list.filter(({ text }) => wanted.every((word) => text.includes(word)));
  if (!found.length) found = list.filter(({ text }) => wanted.every((word) => hasSimilar(text, word)));
  return found.map((one) => [rank(one), one]).sort(([a], [b]) => a - b).map(([, one]) => one);
}

function link(one) {
  const made = document.createElement("a");
  made.className = "found-link";
  made.href = one.url;
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "ic");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${one.icon}`);
  icon.append(use);
  const words = document.createElement("span");
  const label = document.createElement("b");
  const place = document.createElement("span");
  label.textContent = one.label;
  place.textContent = one.place;
  words.append(label, place);
  made.append(icon, words);
  const item = document.createElement("li");
  item.append(made);
  return item;
}

/** Put the caret into the field that the address names. */
function focusNamed() {
  const field = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (field?.matches("input, select, textarea")) field.focus({ preventScroll: true });
}

if (form) {
  const input = form.elements.q;
  const results = form.querySelector("[data-found]");
  const said = form.querySelector("[data-find-said]");
  let list = null;

  const load = () => {
    list ??= fetch(form.dataset.find, { credentials: "same-origin", headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
      .catch(() => { list = null; return null; }); // Enter still asks the desk
    return list;
  };
  const show = async () => {
    const known = await load();
    const query = input.value;
    const asks = known !== null && query.trim() !== "";
    const found = asks ? matching(known, query) : [];
    results.replaceChildren(...found.slice(0, MOST).map(link));
    results.hidden = !found.length;
    form.parentElement.classList.toggle("is-finding", asks);
    said.textContent = !asks ? "" : found.length ? form.dataset.textSome.replace("{number}", found.length) : form.dataset.textNone;
  };
  const empty = () => { input.value = ""; show(); };

  input.addEventListener("focus", load, { once: true });
  input.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    const first = results.querySelector("a");
    if (!first) return;
    event.preventDefault();
    first.click();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && input.value) {
      event.stopPropagation();
      event.preventDefault();
      empty();
      input.focus();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [input, ...results.querySelectorAll("a")];
    const next = stops[stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  results.addEventListener("click", (event) => {
    const chosen = event.target.closest("a");
    if (!chosen || new URL(chosen.href).pathname !== location.pathname) return;
    empty(); // the field is on this page
    const nav = form.closest("details");
    if (!window.matchMedia("(min-width: 860px)").matches) nav.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "," || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    form.closest("details").open = true;
    input.focus();
    input.select();
  });
  window.addEventListener("hashchange", focusNamed);
  focusNamed();
}
