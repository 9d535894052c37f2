// Macros: several actions at one press, in the head of the thread and in the palette.

import { asked } from "./sending.js";

const FRESH_MS = 60000;
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/**
 * Make the menu of macros work. *here()* is the conversation that is open, *newest()* its newest message, *shown()* how it is shown;
 * *done(answer)* shows what a macro did, *report(sentence, next)* why it did nothing.
 */
export function macros({ here, newest, shown, done, report }) {
  let known = null;
  const pressed = new Map(); // by address: the key of one whose answer is not known, which is sent once
  const running = new Set();
  const menu = () => document.querySelector("details[data-macros]");

  async function load() {
    const { url } = menu()?.dataset ?? {};
    if (!url) return null;
    if (known?.url !== url || Date.now() - known.at > FRESH_MS) {
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!response.ok) throw new Error(String(response.status));
      known = { url, at: Date.now(), ...await response.json() };
    }
    return known;
  }

  async function run(one) {
    if (menu()) menu().open = false;
    if (running.has(one.url)) return; // a second press
    const conversation = here();
    const key = pressed.get(one.url) ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    pressed.set(one.url, key);
    running.add(one.url);
    const { answer, isTaken, isAway } = await asked(one.url, new URLSearchParams({ key, seen: newest() || "", shown: shown() }));
    running.delete(one.url);
    if (!isAway) pressed.delete(one.url);
    if (conversation === here()) {
      if (isTaken) done(answer);
      else report(answer.error?.message ?? menu()?.dataset.textAway, answer.error?.next);
    }
    known = null; // how often each was used has changed
  }

  /** Fill the menu that was opened. */
  async function open(details) {
    const list = details.querySelector("[data-macros-list]");
    const input = details.querySelector("input");
    input.value = "";
    input.hidden = false;
    input.focus();
    try {
      await load();
    } catch {
      return; // the link to the page stays
    }
    const draw = () => {
      const words = folded(input.value);
      const some = known.macros.filter((one) => folded(one.name).includes(words));
      list.replaceChildren(...some.map((one) => line(details, one)));
      if (!some.length) {
        const none = document.createElement("li");
        none.className = "menu-hint";
        none.textContent = known.macros.length ? details.dataset.textNone : details.dataset.textEmpty;
        list.append(none);
      }
    };
    input.oninput = draw;
    input.onkeydown = (event) => {
      if (event.isComposing) return;
      const first = list.querySelector("button:not(:disabled)");
      if (event.key === "Enter") first?.click();
      else if (event.key === "ArrowDown") first?.focus();
      else return;
      event.preventDefault();
    };
    draw();
  }

  function line(details, one) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "menu-item macro-item";
    button.disabled = one.gone;
    const name = document.createElement("span");
    name.textContent = one.name;
    const steps = document.createElement("small");
    steps.textContent = one.gone ? details.dataset.textGone : one.steps.join(" · ");
    if (one.gone) steps.className = "t-warn";
    button.append(name, steps);
    if (one.after && !one.gone) {
      const after = document.createElement("small");
      after.className = "t-warn";
      after.dir = "auto";
      after.textContent = one.after;
      button.append(after);
    }
    button.addEventListener("click", () => run(one));
    item.append(button);
    return item;
  }

  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details[data-macros]") && event.target.open) open(event.target);
  }, true);

  return {
    show() {
      const details = menu();
      if (!details) return;
      details.open = true;
      details.querySelector("summary").focus(); // until its field is there: what is typed is meant for that
    },
    /** Return the macros as lines of the palette; *again* is called when they have come. */
    commands(again) {
      const details = menu();
      if (!details) return [];
      const fresh = known?.url === details.dataset.url;
      if (!fresh) load().then(again, () => {});
      return (fresh ? known.macros : []).filter((one) => !one.gone).map((one) => ({
        text: one.name, group: details.dataset.textMacros, icon: "macro", caps: [], run: () => run(one),
      }));
    },
  };
}
