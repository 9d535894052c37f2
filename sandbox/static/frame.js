// What both phones have around them: the switches of faults, the clock, and the colours.

import { ask, byId, el, keyed } from "./dom.js";

let clock = null;
let ahead = 0;

/** Show the switches of a view; `whose` names the customer that some of them are for. */
export function switches(view, whose) {
  keyed(byId("switches"), view.switches, (item) => item.name, (item) => {
    const box = el("input", { type: "checkbox", role: "switch", id: `switch-${item.name}` });
    box.checked = item.on;
    box.addEventListener("change", () => {
      const only = item.choice ? whose() : {};
      return ask("POST", `/control/switches/${item.name}`, { on: box.checked, ...only });
    });
    return el("label", { class: "switch", for: `switch-${item.name}` }, [box, el("span", {}, item.label)]);
  });
  const count = byId("faults-count");
  count.textContent = view.faults ? `${view.faults} on` : "None on";
  count.className = view.faults ? "chip chip-warn push" : "chip push";
  byId("faults-off").disabled = !view.faults;
}

/** Show the sandbox's time; without `told` the time goes on by itself. */
export function tick(told = null) {
  if (told) {
    clock = told;
    ahead = told.now_ms - Date.now();
  }
  if (!clock) return;
  const now = new Date(Date.now() + ahead);
  byId("clock").textContent = now.toLocaleString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  byId("clock").dateTime = now.toISOString();
  const hours = Math.round(clock.offset / 3600);
  byId("clock-moved").hidden = clock.offset === 0;
  byId("clock-moved").textContent = Math.abs(hours) >= 48 ? `${Math.round(hours / 24)} days ahead` : `${hours} h ahead`;
  byId("clock-back").disabled = clock.offset === 0;
}

for (const button of document.querySelectorAll("[data-advance]")) {
  button.addEventListener("click", () => ask("POST", "/control/clock", { advance: Number(button.dataset.advance) }));
}
byId("clock-back").addEventListener("click", () => ask("POST", "/control/clock", { reset: true }));
byId("faults-off").addEventListener("click", () => ask("DELETE", "/control/faults"));
setInterval(tick, 1000, null);

const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
function themeButton() {
  byId("theme").setAttribute("aria-pressed", String(isDark()));
  byId("theme-icon").setAttribute("href", isDark() ? "#i-sun" : "#i-moon");
}
byId("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("sandbox-theme", root.dataset.theme);
  } catch {
    // Storage may be forbidden; the choice then lasts until the page is left.
  }
  themeButton();
});
systemDark.addEventListener("change", themeButton);
themeButton();
