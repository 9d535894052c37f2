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

class Draft extends EventTarget {
  constructor(key) {
    super();
    this.key = key;
    Object.assign(this, EMPTY(), stored(key));
  }

  /** Keep what changed and tell those who show it. */
  changed() {
    write(this.key, this.noted());
    this.dispatchEvent(new Event("change"));
  }

  /** Return what is to be sent as text; empty where it is nothing. */
  noted() {
    // A file that is not uploaded yet is gone with the page; everything else is kept.
    const files = this.files.filter((file) => file.id).map(({ id, kind, name, size, url }) => ({ id, kind, name, size, url }));
    return this.isEmpty() ? "" : JSON.stringify({ ...this.parts(), files });
  }

  /** Put back what was sent and came back; what somebody added meanwhile stays. */
  restore(noted) {
    const kept = parsed(noted);
    this.files = [...(kept.files ?? []), ...this.files];
    for (const name of PARTS) if (name !== "files" && kept[name] && !isSome(this[name])) this[name] = kept[name];
    this.changed();
  }

  isEmpty() {
    return !PARTS.some((name) => isSome(this[name]));
  }

  parts() {
    return Object.fromEntries(PARTS.map((name) => [name, this[name]]));
  }

  /** Put what is to be sent into a form's *body*, in the words the desk knows. */
  fill(body) {
    for (const file of this.files) body.append("upload", file.id);
    for (const { title, payload, ask } of this.quickReplies) {
      if (ask) body.append("quick_reply_ask", ask);
      else body.append("quick_reply", `${title}|${payload || title}`);
    }
    for (const { title, url } of this.buttons) body.append("button", JSON.stringify(url ? { title, url } : { title }));
    if (this.cards.length) body.append("template", JSON.stringify({ elements: this.cards.map(asElement) }));
    for (const id of this.products) body.append("product", id);
    if (this.post) body.append("own_post", this.post);
    if (this.location) body.append("location", JSON.stringify(this.location));
    for (const one of this.contacts) body.append("contact", JSON.stringify(one));
    if (this.quote) body.append("reply_to", this.quote.id);
    for (const id of this.canned) body.append("canned", id);
  }

  /** Return what is to be sent now, to be taken out again once it was. */
  snapshot() {
    return { ...this.parts(), files: [...this.files] };
  }

  /** Take out what was sent; what somebody added meanwhile stays. */
  sent(before) {
    this.files = this.files.filter((file) => !before.files.includes(file));
    for (const name of PARTS) if (name !== "files" && this[name] === before[name]) this[name] = EMPTY()[name];
    this.changed();
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
