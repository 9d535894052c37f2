// Choosing among many accounts, labels or people: the desk looks for what is typed. Ticks that are set stay where they
// are seen; the options of selects are exchanged, but for the one that is chosen. Without this script the form is sent
// to look.

const WAIT = 200; // milliseconds after a key

for (const box of document.querySelectorAll("[data-account-picker]")) setUp(box);

function setUp(box) {
  const field = box.querySelector("[data-picker-field]");
  const said = box.querySelector("[data-picker-said]");
  const show = box.querySelector("[data-picker-found]") ? ticks(box) : options(field.form);
  let timer = 0;
  let asked = 0;

  field.removeAttribute("name"); // it is not sent
  for (const one of box.querySelectorAll("[data-picker-plain]")) one.remove();

  async function look() {
    clearTimeout(timer);
    asked += 1;
    const mine = asked;
    const url = new URL(box.dataset.accountPicker, location.href);
    const wanted = field.value.trim();
    url.searchParams.set("q", wanted);
    const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" }).catch(() => null);
    const answer = response?.ok ? await response.json() : null;
    if (mine !== asked) return; // something else was typed meanwhile
    if (!answer) {
      said.textContent = said.dataset.failed;
      return;
    }
    show(answer, wanted !== "");
    const { found, shown } = answer;
    const words = !found ? said.dataset.none : found > shown ? said.dataset.some : said.dataset.all;
    said.textContent = !wanted && answer.options ? "" : words.replace("{number}", found).replace("{shown}", shown);
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, WAIT);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault(); // it would send the form
    look();
  });
}

/** Return what shows the accounts that were found as ticks; those that are chosen stand above them. */
function ticks(box) {
  const chosen = box.querySelector("[data-picker-chosen]");
  const found = box.querySelector("[data-picker-found]");
  const count = box.querySelector("[data-picker-count]");
  const rest = box.querySelector("[data-picker-rest]");
  const row = box.querySelector("template").content.firstElementChild;
  const hidden = new Set(rest.value.split(",").filter(Boolean));

  function made(account) {
    const line = row.cloneNode(true);
    for (const input of line.querySelectorAll("input")) input.value = account.id;
    for (const name of line.querySelectorAll("[data-picker-name]")) name.textContent = account.name;
    line.querySelector("[data-picker-more]").textContent = account.channel;
    const tick = line.querySelector("[data-picker-tick]");
    // One that was chosen without a row has one now.
    if (hidden.delete(tick.value)) tick.checked = tick.defaultChecked = true;
    rest.value = [...hidden].join(",");
    return line;
  }

  box.addEventListener("change", ({ target }) => {
    // Who leads a team is in it.
    if (target.name === "lead" && target.checked) target.closest("li").querySelector("[data-picker-tick]").checked = true;
  });
  const tell = () => { count.textContent = hidden.size + box.querySelectorAll("[data-picker-tick]:checked").length; };
  box.addEventListener("change", tell);
  box.closest("form").addEventListener("reset", () => setTimeout(tell));

  return ({ choices }, narrowed) => {
    const kept = new Map();
    for (const line of box.querySelectorAll("li")) {
      const inputs = [...line.querySelectorAll("input")];
      // What was saved has to be seen for as long as it can be put back.
      if (inputs.some((one) => one.checked || one.defaultChecked)) kept.set(inputs[0].value, line);
      else line.remove();
    }
    chosen.append(...kept.values());
    for (const account of choices) {
      const known = kept.get(String(account.id));
      if (known && narrowed) found.append(known);
      else if (!known) found.append(made(account));
    }
    chosen.hidden = !chosen.children.length;
  };
}

/** Return what shows what was found as options of the selects of *form*. */
function options(form) {
  return (answer) => {
    for (const list of document.querySelectorAll("[data-picker-options]")) {
      if (list.closest("select").form !== form) continue;
      const kept = new Set();
      for (const option of [...list.querySelectorAll("option")]) {
        if (option.selected || option.value === "") kept.add(option.value);
        else option.remove();
      }
      for (const [value, words, text] of found(list, answer)) {
        if (kept.has(String(value))) continue;
        const option = new Option(words, value);
        if (text) option.dataset.text = text;
        list.append(option);
      }
    }
  };
}

/** Return the options of *list* in an answer: of accounts, or by the name of the list. */
function found(list, { choices, options }) {
  if (options) return options[list.dataset.pickerOptions] ?? [];
  return choices.map(({ id, name, channel }) => [id, `${name} · ${channel}`]);
}
