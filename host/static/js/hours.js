// Settings -> Hours: the bar of a day follows what is typed, and a day is copied to others. The server reads it anew when
// it is saved.

const SPAN = /^(\d{1,2})(?:[:.](\d{2}))?\s*[-‐-―−]\s*(\d{1,2})(?:[:.](\d{2}))?$/;
const SVG = "http://www.w3.org/2000/svg";

/** Return the hours a text says in minutes after midnight; null where it says none. */
function spansIn(text) {
  const found = [];
  for (const part of text.split(/[,;]/).map((one) => one.trim()).filter(Boolean)) {
    const match = SPAN.exec(part);
    if (!match) return null;
    const [hour, minute, lastHour, lastMinute] = match.slice(1).map((one) => Number(one ?? 0));
    const [starts, ends] = [hour * 60 + minute, lastHour * 60 + lastMinute || 1440];
    if (Math.max(minute, lastMinute) > 59 || ends > 1440 || ends <= starts) return null;
    found.push([starts, ends]);
  }
  return found;
}

function draw(bar, spans) {
  const from = Number(bar.dataset.starts);
  const to = from + bar.viewBox.baseVal.width;
  for (const old of bar.querySelectorAll(".wk-on")) old.remove();
  for (const [starts, ends] of spans) {
    const left = Math.max(starts, from);
    const width = Math.min(ends, to) - left;
    if (width <= 0) continue;
    const rect = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ class: "wk-on", x: left - from, y: 4, width, height: 16, rx: 5, ry: 4 })) {
      rect.setAttribute(name, value);
    }
    bar.insertBefore(rect, bar.querySelector(".wk-now"));
  }
}

for (const bar of document.querySelectorAll("[data-bar]")) {
  const field = document.getElementById(bar.dataset.bar);
  field?.addEventListener("input", () => {
    const spans = spansIn(field.value);
    if (spans) draw(bar, spans);
    bar.parentElement.classList.toggle("is-closed", !field.value.trim());
  });
  field?.form.addEventListener("reset", () => setTimeout(() => field.dispatchEvent(new Event("input"))));
}

const days = [...document.querySelectorAll(".week .hour")];

for (const menu of document.querySelectorAll("[data-copy-day]")) {
  menu.hidden = false;
  menu.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-copy-to]");
    if (!entry) return;
    const from = document.getElementById(menu.dataset.copyDay);
    for (const day of days.slice(0, Number(entry.dataset.copyTo))) {
      day.value = from.value;
      day.dispatchEvent(new Event("input", { bubbles: true }));
    }
    menu.open = false;
    from.focus();
  });
}
