// What somebody is about to send, beside the text: files, a quote, quick replies, buttons, cards. It outlives the
// drawing of the composer, and in the tab also the page.

const drafts = new Map();

/** Return the draft of a conversation: the same one as long as the page is open. */
export function draftOf(conversation) {
  if (!drafts.has(conversation)) drafts.set(conversation, new Draft(`lobby-reply-${conversation}`));
  return drafts.get(conversation);
}

/** Return the parts of a draft that holds nothing. */
export const EMPTY = () => ({ files: [], quickReplies: [], buttons: [], cards: [], products: [], post: "", location: null, contacts: [], quote: null, canned: [], along: null });

const PARTS = Object.keys(EMPTY());
const isSome = (part) => Boolean(Array.isArray(part) ? part.length : part);

const hasSome = (parts) => PARTS.some((name) => isSome(parts[name]));

/** Return *parts* as text; empty where they are nothing. */
export function noted(parts) {
  // A file that is not uploaded yet is gone with the page; everything else is kept.
  const files = parts.files.filter((file) => file.id).map(({ id, kind, name, size, url }) => ({ id, kind, name, size, url }));
  return hasSome(parts) ? JSON.stringify({ ...parts, files }) : "";
}

/** Return both: lists one after the other; of single things that which was added since. */
function joined(before, since) {
  return Object.fromEntries(PARTS.map((name) => {
    const [one, two] = [before[name], since[name]];
    return [name, Array.isArray(two) ? [...(one ?? []), ...two] : isSome(two) ? two : one ?? two];
  }));
}

/** Return *parts* without those of *gone*. */
export function without(parts, gone) {
  const same = (one, two) => (one?.id && two?.id ? one.id === two.id : JSON.stringify(one) === JSON.stringify(two));
  return Object.fromEntries(Object.entries(parts).map(([name, some]) => {
    if (Array.isArray(some)) return [name, some.filter((one) => !(gone[name] ?? []).some((other) => same(one, other)))];
    return [name, isSome(some) && same(some, gone[name]) ? EMPTY()[name] : some];
  }));
}

export class Draft extends EventTarget {
  constructor(key) {
    super();
    this.key = key;
    this.flying = []; // what was taken out to be sent
    Object.assign(this, EMPTY(), stored(key));
  }

  /** Keep what changed and tell those who show it. */
  changed() {
    write(this.key, this.noted());
    this.dispatchEvent(new Event("change"));
  }

  /** Return what is to be kept as text, with what is on its way; empty where it is nothing. */
  noted() {
    return noted(this.flying.reduceRight((all, one) => joined(one, all), this.parts()));
  }

  /** Put back what was sent and came back; what somebody added meanwhile stays. */
  restore(text) {
    this.put(joined(parsed(text), this.parts()));
  }

  /** Whether nothing was added, and nothing that was is on its way. */
  isEmpty() {
    return ![this, ...this.flying].some(hasSome);
  }

  /** Whether something was added that is not on its way. */
  isBegun() {
    return hasSome(this);
  }

  parts() {
    return Object.fromEntries(PARTS.map((name) => [name, this[name]]));
  }

  put(parts) {
    Object.assign(this, parts);
    this.changed();
  }

  /** Return every file: those that are on their way with a reply, too. */
  everyFile() {
    return [...this.flying, this].flatMap((one) => one.files);
  }

  /** Take out what is to be sent now. It is kept until it {@link landed}, or came {@link back}. */
  take() {
    const parts = this.parts();
    this.flying.push(parts);
    this.put(EMPTY());
    return parts;
  }

  /** What a page before had sent is on its way again. */
  takeAgain(text) {
    const parts = { ...EMPTY(), ...parsed(text) };
    this.flying.push(parts);
    this.put(without(this.parts(), parts));
    return parts;
  }

  /** The desk has what was taken out. */
  landed(parts) {
    this.flying = this.flying.filter((one) => one !== parts);
    this.changed();
  }

  /** The desk did not take it: it is here again, before what was added since. */
  back(parts) {
    this.flying = this.flying.filter((one) => one !== parts);
    this.put(joined(parts, this.parts()));
  }

  /** Put *parts* into a form's *body*, in the words the desk knows. */
  static fill(body, parts) {
    for (const file of parts.files) body.append("upload", file.id);
    for (const { title, payload, ask } of parts.quickReplies) {
      if (ask) body.append("quick_reply_ask", ask);
      else body.append("quick_reply", `${title}|${payload || title}`);
    }
    for (const { title, url } of parts.buttons) body.append("button", JSON.stringify(url ? { title, url } : { title }));
    if (parts.cards.length) body.append("template", JSON.stringify({ elements: parts.cards.map(asElement) }));
    for (const id of parts.products) body.append("product", id);
    if (parts.post) body.append("own_post", parts.post);
    if (parts.location) body.append("location", JSON.stringify(parts.location));
    for (const one of parts.contacts) body.append("contact", JSON.stringify(one));
    if (parts.quote) body.append("reply_to", parts.quote.id);
    for (const id of parts.canned) body.append("canned", id);
  }
}

/** Return a card as the desk takes it: what was left empty is left out. */
function asElement({ title, subtitle, image, upload, url, buttons }) {
  const element = { title, subtitle, image_url: upload ? "" : image, upload: upload?.id, url };
  for (const name of Object.keys(element)) if (!element[name]) delete element[name];
  if (buttons.length) {
    element.buttons = buttons.map((button) => (
      button.opens ? { title: button.title, url: button.value } : { title: button.title, payload: button.value || button.title }
    ));
  }
  return element;
}

// Texts that are on their way: they stand in their fields no more, and are kept until the desk has answered

const SLOW_MS = 250; // until then it is sent as if at once

let flights = [];
let hears = () => {};

const flying = (conversation, mode) => flights.filter((one) => one.conversation === String(conversation) && one.mode === mode);

/** Whether something of *conversation* is on its way. */
export const isFlying = (conversation) => flights.some((one) => one.conversation === String(conversation));

/** The text of *sent* leaves its field. */
export function departs(sent) {
  flights.push(sent);
  setTimeout(() => {
    sent.isSlow = true;
    hears();
  }, SLOW_MS);
}

function lands(...some) {
  flights = flights.filter((one) => !some.includes(one));
  hears();
}

/** Whether *sent* waits for its person to decide, or is on its way. */
export function holds(sent, isHeld) {
  sent.isHeld = isHeld;
  hears();
}

/** Let *hear* know when what is to be shown as on its way is another. */
export const watchFlights = (hear) => { hears = hear; };

/** Return what of *conversation* is on its way long enough to be shown. */
export const slowOnes = (conversation) => flights.filter((one) => one.conversation === String(conversation) && one.isSlow && !one.isHeld);

/** The desk has *sent*: it is kept no more. */
export function landed(sent) {
  const { conversation, mode, draft, parts } = sent, key = `lobby-draft-${mode}-${conversation}`;
  const left = rest(conversation, mode, read(key));
  lands(sent);
  write(key, whole(conversation, mode, left));
  draft?.landed(parts);
}

/** *sent* came back, and what waits behind it as well. Return those, and the text that stands in their field, where *here* stands now. */
export function cameBack(sent, here) {
  const { conversation, mode } = sent, all = flying(conversation, mode);
  all.splice(0, all.indexOf(sent));
  const text = whole(conversation, mode, here ?? rest(conversation, mode, read(`lobby-draft-${mode}-${conversation}`)));
  lands(...all);
  for (const one of all.toReversed()) {
    one.isBack = true;
    one.draft?.back(one.parts);
  }
  return { all, text };
}

/** Return what is kept where *text* stands in the field: what is on its way above it. */
export function whole(conversation, mode, text) {
  const above = flying(conversation, mode).map((one) => one.text).filter((one) => one.trim());
  return above.length ? [...above, text].filter((one) => one.trim()).join("\n\n") : text;
}

/** Return what stands in the field where *text* is kept. */
export function rest(conversation, mode, text) {
  return flying(conversation, mode).reduce((left, one) => after(one.text, left), text);
}

/** Return *text* without *sent*, where it begins with that. */
export function after(sent, text) {
  if (!sent.trim() || text === sent) return sent.trim() ? "" : text;
  return text.startsWith(`${sent}\n\n`) ? text.slice(sent.length + 2) : text;
}

/** Put a reply back that was undone: its text before what was begun since, and what went along with it. */
export function putBack(conversation, { text, composer, mode }) {
  const key = `lobby-draft-${mode ?? "reply"}-${conversation}`;
  const begun = read(key);
  write(key, text && begun.trim() ? `${text}\n\n${begun}` : text || begun);
  draftOf(String(conversation)).restore(composer);
}

function stored(key) {
  return parsed(read(key));
}

function parsed(text) {
  try {
    const found = JSON.parse(text || "{}");
    for (const file of found.files ?? []) file.state = "ready";
    return found;
  } catch {
    return {};
  }
}

export function read(key) {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

export function write(key, value) {
  try {
    if (value) sessionStorage.setItem(key, value);
    else sessionStorage.removeItem(key);
  } catch {
    // Storage is full or forbidden: it stays on the page.
  }
}
