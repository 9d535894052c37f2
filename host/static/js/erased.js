// Something was erased, deleted or taken away: open pages, and what this browser keeps of it, follow and say what happened.

import { loseDraft, loseQuote } from "./composer-kept.js";
import { Live } from "./live.js";
import { closeAbout, entitle } from "./notices.js";
import { forgetConversation } from "./offline-copy.js";

const LOADED = "lobby-loaded-again";
const REPEATED_MS = 15000; // what is told after a reconnect reaches back a little
const ANSWERED_MS = 10000; // what a form that is being sent leads to says itself what was erased

const places = [...document.querySelectorAll("template[data-erased-words]")];
const [place] = places, words = place?.dataset;
// Tabs that nobody looks at ask the desk seldom: the one that is told tells them.
const tabs = words && "BroadcastChannel" in window ? new BroadcastChannel(`lobby-erased-${words.user}`) : null;

/** Conversations whose text the page lost before the live event about it came, which may be behind after a time offline. */
const lost = new Set();

let sentAt = 0;
addEventListener("submit", (event) => {
  if (!event.defaultPrevented && event.target.method !== "dialog") sentAt = Date.now();
});
addEventListener("pageshow", () => (sentAt = 0));

/** Whether a live event says that something is to be seen no more. */
export const takesAway = (topic, told) => topic === "erased" || topic === "gone" || Boolean(told.emptied);

/** Say *sentence* above everything, until somebody closes it. */
export function tell(sentence) {
  const notice = place.content.querySelector("[data-erased-notice]").cloneNode(true);
  notice.querySelector("[data-erased-sentence]").textContent = sentence;
  for (const before of document.querySelectorAll("[data-erased-notice]")) before.remove();
  document.getElementById("main").prepend(notice);
}

/**
 * Remove from this browser what it keeps of what *told* names: copies, notifications, and what was begun to a customer who was
 * erased. *isOpen*: whether somebody has its conversation open. Tell the other tabs, too.
 */
export function forgetHere(topic, told, isOpen) {
  forget(topic, told, isOpen);
  tabs?.postMessage([topic, told]);
}

function forget(topic, told, isOpen = false) {
  const { conversation, message, contact } = told;
  document.querySelector("[data-announce]")?.replaceChildren();
  document.dispatchEvent(new CustomEvent("lobby-gone", { detail: told }));
  if (!conversation) return;
  if (topic !== "gone") closeAbout(conversation); // what is gone without a trace is mostly a colleague's reply
  forgetConversation(conversation).catch(() => {}); // a device without copies
  if (contact && (loseDraft(conversation) || lost.has(conversation))) tell(isOpen ? words.textErasedDraft : words.textOtherDraft);
  else if (contact && isOpen) tell(words.textErased);
  else if (message && loseQuote(conversation, message)) tell(words.textQuote);
}

tabs?.addEventListener("message", ({ data }) => forget(...data));

// The desk says that a customer was erased since something was begun.
document.addEventListener("lobby-draft-lost", ({ detail }) => {
  lost.add(detail);
  tell(words.textErasedDraft);
});

/** The person may not see the conversation any more that they had open. */
export const conversationLost = () => tell(words.textUnseen);

/** Cover the page: the person is no member of its workspace any more. */
export function cover() {
  if (document.querySelector("dialog[data-left]")) return;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  const dialog = place.content.querySelector("[data-left]").cloneNode(true);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // no command of the page runs
  const hadDraft = loseDraft(null, `/w/${Number(words.workspace)}/`);
  dialog.querySelector("[data-left-draft]").hidden = !hadDraft;
  document.getElementById("main").hidden = true;
  for (const notice of document.querySelectorAll("body > .notice")) notice.remove();
  entitle(dialog.querySelector("h1").textContent);
  document.body.append(dialog);
  dialog.showModal();
  forgetConversation(null, Number(words.workspace)).catch(() => {});
  closeAbout(null, Number(words.workspace));
}

/** What the person may see changed. Return whether they are a member still; else the page is covered. */
export async function isMember() {
  try {
    const response = await fetch(words.poll, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (response.status !== 404) return true;
    cover();
    return false;
  } catch {
    return true; // not known: the desk is away
  }
}

// Other pages than the inbox: where they show something of it, they are loaded again

const names = (kind, id) => new RegExp(`/w/\\d+/${kind}/${Number(id)}(?!\\d)`);

const LEADING = ["a[href]", "form[action]", "[data-around]", "[data-about]"].map((one) => `#main ${one}`).join();

/** Return how to know an address of what *told* names. */
function about({ conversation, contact }) {
  const sought = [conversation && names("inbox", conversation), contact && names("contacts", contact)].filter(Boolean);
  return (address) => Boolean(address) && sought.some((one) => one.test(address));
}

/** Return what on this page leads to what *told* names, or says that it shows something of it. */
function leading(told) {
  const isAbout = about(told);
  return [...document.querySelectorAll(LEADING)].filter((one) =>
    [one.getAttribute("href"), one.getAttribute("action"), one.dataset.around, one.dataset.about].some(isAbout));
}

/** Whether this page is about what *told* names, shows something of it, or may quote anybody. */
const shows = (told) => about(told)(location.pathname) || leading(told).length > 0 || Boolean(document.querySelector("#main [data-about-all]"));

/** Have what this page shows of *told* go. A form with more than texts is not loaded again: what was chosen in it would be lost. */
function leave(topic, told) {
  if (!document.querySelector("#main form[data-unsaved]") || leading(told).length === 0) {
    loadAgain(topic, told);
    return;
  }
  for (const one of leading(told)) (one.closest("li, tr") ?? one).remove();
  tell(told.contact ? words.textRowErased : words.textRow);
}

/** Return what somebody typed on this page and did not send. */
function typed() {
  return [...document.querySelectorAll("#main textarea, #main input")].flatMap((field) => {
    const isText = field.matches("textarea, [type=text], [type=search], [type=email], [type=url], [type=tel], :not([type])");
    return isText && field.name && field.form && field.value !== field.defaultValue
      ? [{ form: field.form.getAttribute("action"), name: field.name, value: field.value, at: document.activeElement === field }] : [];
  });
}

/** Load the page again and say why. What was typed is put back, unless it was about a customer who was erased. */
function loadAgain(topic, told) {
  const left = sentAt + ANSWERED_MS - Date.now();
  if (left > 0) {
    setTimeout(() => loadAgain(topic, told), left); // loading it now would cancel what is being sent
    return;
  }
  const key = [topic, told.conversation, told.contact, told.message, told.workspace].join();
  const before = stored();
  if (before?.key === key && Date.now() - before.at < REPEATED_MS) return; // this page was loaded after that
  const fields = typed(), there = again();
  const lost = fields.length && told.contact && names("contacts", told.contact).test(location.pathname);
  const sentence = lost ? words.textErasedTyped : told.contact ? words.textPageErased : words.textPage;
  try {
    sessionStorage.setItem(LOADED, JSON.stringify({ key, at: Date.now(), path: there.pathname, sentence, fields: lost ? [] : fields }));
  } catch {
    // Storage is full or forbidden: it is loaded again all the same.
  }
  if (words.instead === undefined) location.reload();
  else location.replace(there);
}

/** The address to load again: the page itself, or that of its form, if it is the answer to one. */
function again() {
  const there = new URL(words.instead || location.href, location.href);
  return there.origin === location.origin ? there : new URL("/", location.href);
}

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(LOADED) ?? "null");
  } catch {
    return null;
  }
}

/** After the page was loaded again: say why, and put back what was typed. */
function comeBack() {
  const before = stored();
  if (!before?.sentence || before.path !== location.pathname) return;
  const { sentence, fields, ...rest } = before;
  sessionStorage.setItem(LOADED, JSON.stringify(rest)); // said once
  tell(sentence);
  for (const { form, name, value, at } of fields) {
    const field = [...document.querySelectorAll(`#main [name="${CSS.escape(name)}"]`)].find((one) => one.form?.getAttribute("action") === form);
    if (!field) continue;
    field.closest("details")?.setAttribute("open", "");
    field.value = value;
    if (at) field.focus();
  }
}

/** Follow the workspace that *one* names. The page is about it, or only says something of it. */
function follow({ dataset: one }) {
  const isOfAll = "ofAll" in one;
  new Live({
    stream: one.live,
    poll: one.poll,
    after: Number(one.after),
    onResync: () => location.reload(),
    onConnection() {},
    onGone: () => (isOfAll ? loadAgain("access", { workspace: one.workspace }) : cover()),
    async onEvent(topic, told) {
      if (topic === "access" && told.users.includes(Number(one.user)) && (isOfAll || (await isMember()))) loadAgain(topic, told);
      if (!takesAway(topic, told)) return;
      forgetHere(topic, told);
      if (shows(told)) leave(topic, told);
    },
  });
}

const followed = places.filter((one) => one.dataset.live);
if (followed.length) comeBack();
for (const one of followed) follow(one);
