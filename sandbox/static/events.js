import { ask, byId, el, icon, keyed } from "./dom.js";

const time = (ms) => {
  const at = new Date(ms);
  const two = (value) => String(value).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${Math.floor(at.getMilliseconds() / 100)}`;
};
let chosen = null;

export function events(rows) {
  byId("events-empty").hidden = rows.length > 0;
  keyed(byId("events"), rows, (row) => row.id, build);
}

function build(row) {
  const at = time(row.at_ms);
  const opener = row.has_body ? el("button", { type: "button", class: "open", id: `event-${row.id}`, "aria-label": `Show the body, ${at}` }, at) : at;
  if (row.has_body) opener.addEventListener("click", () => open(row, at));
  const marks = row.marks.flatMap((mark) => [" ", el("span", { class: "chip chip-warn" }, mark)]);
  const line = el("tr", {}, [
    el("th", { scope: "row", class: "nums" }, opener),
    el("td", { "data-label": "Call", class: row.inward ? "event-in nums" : "event-out nums" }, [icon(row.inward ? "arrow-in" : "arrow-out"), ` ${row.call}`]),
    el("td", { "data-label": "What", class: "what" }, [row.what, ...marks]),
    el("td", { "data-label": "Answer" }, answer(row)),
    el("td", { "data-label": "Took", class: "nums" }, row.ms === null ? "" : `${row.ms < 10 ? row.ms : Math.round(row.ms)} ms`),
  ]);
  line.classList.toggle("chosen", row.id === chosen);
  return line;
}

function answer(row) {
  if (row.answer) return el("span", { class: "chip chip-warn" }, row.answer);
  if (row.status === null) return el("span", { class: "chip chip-bad" }, "no answer");
  const code = row.code === null ? "" : `, code ${row.code}`;
  return el("span", { class: row.status === 200 ? "chip chip-good" : "chip chip-bad" }, `${row.status}${code}`);
}

async function open(row, at) {
  const entry = await ask("GET", `/control/ledger/${row.id}`);
  if (!entry) return;
  chosen = row.id;
  for (const line of byId("events").children) line.classList.toggle("chosen", line.dataset.key === String(chosen));
  byId("body-box").hidden = false;
  byId("body-title").textContent = `${row.inward ? "Body" : "Request and answer"} of ${at}`;
  byId("body").textContent = pretty(entry.body ?? "The body is no longer kept.");
  byId("body-box").scrollIntoView({ block: "nearest" });
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
