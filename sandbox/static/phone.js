import { messages } from "./thread.js";
import { events } from "./events.js";
import { kinds } from "./kinds.js";
import { below } from "./below.js";
import { ask, byId, el, keyed } from "./dom.js";

const say = byId("say");
const who = byId("who");
let view = null;
let shown;
/** What is typed before the page knows whose phone it is waits for that. */
const ready = new Promise((resolve) => { shown = resolve; });
let mode = null;
let clockAhead = 0;
let refreshing = false;
let again = false;

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    const wanted = location.hash.slice(1);
    const fresh = await ask("GET", `/phone/view?customer=${encodeURIComponent(wanted)}`);
    if (fresh) show(fresh);
  } finally {
    refreshing = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

function show(fresh) {
  view = fresh;
  clockAhead = view.clock.now_ms - Date.now();
  people();
  head();
  messages(byId("log"), view, { tap, act });
  posts();
  events(view.events);
  switches();
  tick();
  shown();
}

function people() {
  const groups = new Map();
  for (const person of view.people) {
    if (!groups.has(person.account)) groups.set(person.account, []);
    groups.get(person.account).push(person);
  }
  const shape = JSON.stringify(view.people);
  if (who.dataset.shape !== shape) {
    who.dataset.shape = shape;
    who.replaceChildren(...[...groups].map(([account, list]) => el("optgroup", { label: `Writing to @${list[0].account_name}` }, [
      ...list.map((person) => el("option", { value: person.igsid }, `${person.name} (@${person.username})`)),
      el("option", { value: `new:${account}` }, "New customer"),
    ])));
  }
  who.value = view.customer.igsid;
}

const WINDOWS = {
  open: ["chip-good", "Desk may answer"],
  people: ["chip-warn", "People only"],
  closed: ["", "Window closed"],
  never: ["", "No message yet"],
};

function head() {
  const { account, customer } = view;
  byId("phone-title").textContent = account.name;
  byId("account-mark").textContent = account.name.split(" ").map((word) => word[0]).join("").slice(0, 2);
  byId("account-line").textContent = `@${account.username}${customer.typing ? " · typing…" : ""}`;
  const [tone, words] = WINDOWS[customer.window];
  byId("window").className = `chip push ${tone}`;
  byId("window").textContent = words;
  byId("requested").hidden = !view.requested;
  byId("notice").hidden = !view.notice;
  byId("notice").textContent = view.notice ?? "";
  const live = view.messages.filter((message) => !message.deleted);
  const has = { mine: live.some((m) => m.me), theirs: live.some((m) => !m.me) };
  for (const button of document.querySelectorAll("[data-needs]")) button.disabled = !has[button.dataset.needs];
  byId("typing").hidden = !customer.typing;
}

function switches() {
  keyed(byId("switches"), view.switches, (item) => item.name, (item) => {
    const box = el("input", { type: "checkbox", role: "switch", id: `switch-${item.name}` });
    box.checked = item.on;
    box.addEventListener("change", () => {
      const whose = item.choice ? { customer: view.customer.igsid } : {};
      return ask("POST", `/control/switches/${item.name}`, { on: box.checked, ...whose });
    });
    return el("label", { class: "switch", for: `switch-${item.name}` }, [box, el("span", {}, item.label)]);
  });
  const count = byId("faults-count");
  count.textContent = view.faults ? `${view.faults} on` : "None on";
  count.className = view.faults ? "chip chip-warn push" : "chip push";
  byId("faults-off").disabled = !view.faults;
}

function tick() {
  if (!view) return;
  const now = new Date(Date.now() + clockAhead);
  byId("clock").textContent = now.toLocaleString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  byId("clock").dateTime = now.toISOString();
  const hours = Math.round(view.clock.offset / 3600);
  byId("clock-moved").hidden = view.clock.offset === 0;
  byId("clock-moved").textContent = Math.abs(hours) >= 48 ? `${Math.round(hours / 24)} days ahead` : `${hours} h ahead`;
  byId("clock-back").disabled = view.clock.offset === 0;
}

/** Do one thing as the customer. Return whether the sandbox took it; why not stands below the phone. */
async function act(kind, extra = {}, chosen = null) {
  await ready;
  const customer = chosen ?? view.customer.igsid;
  const refused = byId("refused");
  const answer = await ask("POST", "/control/dm", { customer, kind, ...extra }, (words) => {
    refused.textContent = words;
  });
  refused.hidden = Boolean(answer);
  return Boolean(answer);
}

/** Return the id of the newest message of a side of a customer's thread, asked anew. */
async function newest(side, customer) {
  const fresh = await ask("GET", `/phone/view?customer=${encodeURIComponent(customer)}`);
  return fresh?.messages.findLast((message) => !message.deleted && message.me === (side === "mine"))?.mid;
}

const posts = below({ act, view: () => view });

function tap(reply) {
  return act("quick_reply", { text: reply.title, payload: reply.payload });
}

function enter(next) {
  mode = next;
  byId("mode").hidden = !mode;
  if (!mode) return;
  const mine = mode === "edit";
  const target = view.messages.findLast((message) => message.me === mine && !message.deleted && (message.text || !mine));
  if (!target) {
    mode = null;
    byId("mode").hidden = true;
    return;
  }
  byId("mode-text").textContent = `${mine ? "Editing" : "Replying to"}: ${target.text ?? target.kind}`;
  byId("mode").dataset.mid = target.mid;
  if (mine) say.value = target.text ?? "";
  say.focus();
}

byId("send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = say.value.trim();
  if (!text) {
    say.focus();
    return;
  }
  const sent = await (mode ? act(mode, { text, mid: byId("mode").dataset.mid }) : act("text", { text }));
  if (sent) {
    say.value = "";
    enter(null);
  }
  say.focus();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.kind) act(button.dataset.kind);
  else if (button.dataset.mode) enter(button.dataset.mode);
  else if (button.dataset.advance) ask("POST", "/control/clock", { advance: Number(button.dataset.advance) });
});
byId("mode-off").addEventListener("click", () => {
  if (mode === "edit") say.value = "";
  enter(null);
  say.focus();
});
byId("clock-back").addEventListener("click", () => ask("POST", "/control/clock", { reset: true }));
byId("faults-off").addEventListener("click", () => ask("DELETE", "/control/faults"));
who.addEventListener("change", async () => {
  let chosen = who.value;
  if (chosen.startsWith("new:")) {
    const made = await ask("POST", "/control/customers", { account: chosen.slice(4), name: null });
    if (!made) return;
    chosen = made.igsid;
  }
  enter(null);
  location.hash = chosen;
});
addEventListener("hashchange", refresh);

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

kinds({ act, newest, customer: () => view.customer.igsid, why: () => byId("refused").textContent }).then(refresh);
new EventSource("/phone/stream").addEventListener("message", refresh);
setInterval(tick, 1000);
