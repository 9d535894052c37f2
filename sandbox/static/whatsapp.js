import { ask, byId, el, keyed, noticed } from "./dom.js";
import { events } from "./events.js";
import { kinds } from "./kinds.js";
import { switches, tick } from "./frame.js";

const say = byId("say");
const who = byId("who");
let view = null;
let shown;
/** What is typed before the page knows whose phone it is waits for that. */
const ready = new Promise((resolve) => { shown = resolve; });
let quoted = null;
let refreshing = false;
let again = false;

const load = (customer) => ask("GET", `/whatsapp/view?customer=${encodeURIComponent(customer)}`);

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    const fresh = await load(location.hash.slice(1));
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
  keyed(byId("log"), rows(), (item) => item.mid, bubble);
  habits();
  events(view.events);
  switches(view, () => ({}));
  tick(view.clock);
  shown();
}

function people() {
  const shape = JSON.stringify(view.people);
  if (who.dataset.shape !== shape) {
    who.dataset.shape = shape;
    who.replaceChildren(...view.people.map((person) => el("option", { value: person.wa_id }, `${person.name} (+${person.wa_id})`)));
  }
  who.value = view.customer.wa_id;
}

const WINDOWS = { open: ["chip-good", "Desk may answer"], closed: ["", "Templates only"], never: ["", "No message yet"] };

function head() {
  const { account, customer } = view;
  byId("phone-title").textContent = account.name;
  byId("account-mark").textContent = account.name.split(" ").map((word) => word[0]).join("").slice(0, 2);
  byId("account-line").textContent = `${account.number}${customer.typing ? " · typing…" : ""}`;
  const [tone, words] = WINDOWS[customer.window];
  byId("window").className = `chip push ${tone}`;
  byId("window").textContent = words;
  noticed(view.notice);
  const has = { mine: view.messages.some((m) => m.me && !m.deleted), theirs: view.messages.some((m) => !m.me) };
  for (const button of document.querySelectorAll("[data-needs]")) button.disabled = !has[button.dataset.needs];
  byId("typing").hidden = !customer.typing;
}

const rows = () => (view.messages.length ? view.messages : [{ mid: "empty", note: "Nobody has written anything yet" }]);

const TICKS = { accepted: "Accepted", sent: "✓ Sent", delivered: "✓✓ Delivered", read: "✓✓ Read", played: "✓✓ Played" };
const WORDS = { system: "New number", unsupported: "A message the API does not show", order: "Order", contacts: "Contact", location: "Location", edit: "Corrected a message", revoke: "Deleted a message" };

function bubble(message) {
  if (message.note) return el("li", { class: "phone-note" }, message.note);
  const row = el("li", { class: message.me ? "me" : "them" });
  row.append(el("span", { class: "hidden" }, message.me ? "You:" : "They:"));
  if (message.deleted) {
    row.append(el("span", { class: "bubble gone" }, "You deleted this message"));
    return row;
  }
  if (message.forwarded) row.append(el("span", { class: "micro muted" }, "Forwarded"));
  if (message.quote) row.append(el("span", { class: "quote truncate" }, message.quote));
  if (message.file) row.append(file(message));
  if (message.kind in WORDS) row.append(el("span", { class: "card" }, WORDS[message.kind]));
  if (message.text) row.append(el("span", { class: "bubble" }, message.text));
  if (message.buttons.length) row.append(offered(message));
  if (message.reactions.length) row.append(el("span", { class: "reactions", role: "img", "aria-label": `Reactions: ${message.reactions.join(" ")}` }, message.reactions.join(" ")));
  if (!message.me) row.append(el("span", { class: "micro muted" }, message.status === "failed" ? `Failed: ${message.error}` : TICKS[message.status]));
  else if (message.status === "read") row.append(el("span", { class: "micro muted" }, "Seen by the desk"));
  return row;
}

function file({ file: { type, url, name }, kind }) {
  if (type === "image") return el("img", { class: kind === "sticker" ? "picture sticker" : "picture", src: url, alt: kind === "sticker" ? "Sticker" : "Picture", loading: "lazy" });
  if (type === "audio") return el("audio", { src: url, controls: "", preload: "metadata", "aria-label": "Voice message" });
  if (type === "video") return el("video", { class: "film", src: url, controls: "", preload: "metadata", playsinline: "", "aria-label": "Video" });
  return el("span", { class: "card" }, el("a", { href: url, rel: "noreferrer", target: "_blank" }, name ?? "Document"));
}

function offered(message) {
  return el("div", { class: "offered", role: "group", "aria-label": "Buttons" }, message.buttons.map((offer) => {
    if (offer.kind === "link") return el("a", { href: offer.id, rel: "noreferrer", target: "_blank" }, offer.title);
    const button = el("button", { type: "button" }, offer.title);
    button.addEventListener("click", () => act(offer.kind, offer.kind === "location" ? {} : { id: offer.id, mid: message.mid }));
    return button;
  }));
}

const HABITS = { online: "Phone is on", receipts: "Sends read receipts", hides_number: "Hides the number", blocked: "Has blocked the business" };

function habits() {
  const items = Object.entries(HABITS).map(([name, label]) => ({ name, label, on: view.customer[name] }));
  items.push({ name: "deliver", label: "Statuses come by themselves", on: view.deliver });
  keyed(byId("habits"), items, (item) => item.name, (item) => {
    const box = el("input", { type: "checkbox", role: "switch", id: `habit-${item.name}` });
    box.checked = item.on;
    box.addEventListener("change", () => {
      const path = item.name === "deliver" ? "settings" : `customers/${view.customer.wa_id}`;
      return ask("PATCH", `/control/whatsapp/${path}`, { [item.name]: box.checked });
    });
    return el("label", { class: "switch", for: box.id }, [box, el("span", {}, item.label)]);
  });
}

const refused = byId("refused");
const why = (words) => { refused.textContent = words; };

/** Do one thing as the customer. Return whether the sandbox took it; why not stands below the phone. */
async function act(kind, extra = {}, chosen = null) {
  await ready;
  const customer = chosen ?? view.customer.wa_id;
  const answer = await ask("POST", "/control/whatsapp/message", { customer, kind, ...extra }, why);
  refused.hidden = Boolean(answer);
  // A new number is a new address of this phone.
  if (answer && answer.customer !== customer) location.hash = answer.customer;
  return Boolean(answer);
}

async function newest(side, customer) {
  const fresh = await load(customer);
  return fresh?.messages.findLast((message) => !message.deleted && message.me === (side === "mine"))?.mid;
}

async function status(word) {
  const mid = await newest("theirs", view.customer.wa_id);
  const copies = byId("double").checked ? 2 : 1;
  refused.hidden = Boolean(mid && await ask("POST", "/control/whatsapp/status", { mid, status: word, copies }, why));
}

function quote(message) {
  quoted = message?.mid ?? null;
  byId("mode").hidden = !quoted;
  byId("mode-text").textContent = message ? `Replying to: ${message.text || message.kind}` : "";
  if (quoted) say.focus();
}

byId("send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = say.value.trim();
  if (text && await (quoted ? act("reply", { text, mid: quoted }) : act("text", { text }))) {
    say.value = "";
    quote(null);
  }
  say.focus();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.kind) act(button.dataset.kind);
  else if (button.dataset.status) status(button.dataset.status);
  else if (button.dataset.mode) quote(view.messages.findLast((message) => !message.me));
});
byId("mode-off").addEventListener("click", () => {
  quote(null);
  say.focus();
});
who.addEventListener("change", () => {
  quote(null);
  location.hash = who.value;
});
addEventListener("hashchange", refresh);

kinds({ act, newest, customer: () => view.customer.wa_id, why: () => refused.textContent, from: "/whatsapp/kinds" }).then(refresh);
new EventSource("/phone/stream").addEventListener("message", refresh);
