import { messages } from "./thread.js";
import { events } from "./events.js";
import { kinds } from "./kinds.js";
import { below } from "./below.js";
import { ask, byId, el, noticed } from "./dom.js";
import { switches, tick } from "./frame.js";

const say = byId("say");
const who = byId("who");
let view = null;
let shown;
/** What is typed before the page knows whose phone it is waits for that. */
const ready = new Promise((resolve) => { shown = resolve; });
let mode = null;
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
  people();
  head();
  messages(byId("log"), view, { tap, act });
  posts();
  events(view.events);
  switches(view, () => ({ customer: view.customer.igsid }));
  tick(view.clock);
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
  noticed(view.notice);
  const live = view.messages.filter((message) => !message.deleted);
  const has = { mine: live.some((m) => m.me), theirs: live.some((m) => !m.me) };
  for (const button of document.querySelectorAll("[data-needs]")) button.disabled = !has[button.dataset.needs];
  byId("typing").hidden = !customer.typing;
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

const posts = below({ act, view: () => view, ready });

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
});
byId("mode-off").addEventListener("click", () => {
  if (mode === "edit") say.value = "";
  enter(null);
  say.focus();
});
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

kinds({ act, newest, customer: () => view.customer.igsid, why: () => byId("refused").textContent }).then(refresh);
new EventSource("/phone/stream").addEventListener("message", refresh);
