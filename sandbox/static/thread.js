import { el, keyed } from "./dom.js";

const clock = (ms) => new Date(ms).toLocaleString(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const GAP = 30 * 60 * 1000;
const WORDS = {
  like_heart: "❤️", ephemeral: "View-once media", unsupported: "A message the API does not show", fallback: "A shared link",
  sticker: "Sticker", share: "Shared post", ig_post: "Shared post", ig_reel: "reel", reel: "reel", ig_story: "Shared story", story: "Shared story", file: "PDF",
};
const PICTURED = new Set(["image", "sticker", "share", "ig_post", "ig_story", "story"]);

export function messages(list, view, { tap, act }) {
  const items = [];
  let last = 0;
  for (const message of view.messages) {
    if (message.at_ms - last > GAP) items.push({ key: `at-${message.mid}`, note: clock(message.at_ms) });
    last = message.at_ms;
    items.push({ key: message.mid, message });
  }
  if (!items.length) items.push({ key: "empty", note: "Nobody has written anything yet" });
  if (view.seen) items.push({ key: "seen", note: "Seen", end: true });
  keyed(list, items, (item) => item.key, (item) => (item.message ? one(item.message, tap, act) : note(item)));
}

const note = (item) => el("li", { class: item.end ? "phone-note end" : "phone-note" }, item.note);

function one(message, tap, act) {
  const row = el("li", { class: message.me ? "me" : "them" });
  row.append(el("span", { class: "hidden" }, message.me ? "You:" : "They:"));
  if (message.deleted) {
    row.append(el("span", { class: "bubble gone" }, "You took this message back"));
    return row;
  }
  if (message.comment) row.append(commented(message.comment));
  if (message.quote) row.append(el("span", { class: "quote truncate" }, message.quote));
  if (message.product) row.append(el("span", { class: "card" }, `About product ${message.product}`));
  if (message.story) row.append(story(message));
  const pictures = message.attachments.filter((part) => part.type === "image");
  if (pictures.length > 1) row.append(el("div", { class: "pictures", role: "group", "aria-label": `${pictures.length} pictures` }, pictures.map(attachment)));
  for (const part of message.attachments) {
    if (part.type !== "story_mention" && !(part.type === "image" && pictures.length > 1)) row.append(attachment(part));
  }
  if (message.kind in WORDS && !message.attachments.length) row.append(el("span", { class: "card" }, WORDS[message.kind]));
  if (message.text) row.append(el("span", { class: "bubble" }, message.text));
  if (message.template) row.append(template(message.template, message.pictures, row, act));
  if (message.quick_replies.length) row.append(offered(message.quick_replies, tap));
  if (message.reactions.length) row.append(el("span", { class: "reactions", "aria-label": "Reactions" }, message.reactions.join(" ")));
  if (message.edited) row.append(el("span", { class: "micro muted" }, "Edited"));
  if (message.via === "app") row.append(el("span", { class: "micro muted" }, "From the shop’s own phone"));
  return row;
}

function commented(comment) {
  const words = comment.text ? `About your comment: ${comment.text}` : "About a comment that is gone";
  return el("span", { class: "quote" }, comment.url ? [words, " ", el("a", { href: comment.url, rel: "noreferrer", target: "_blank" }, "View post")] : words);
}

function story(message) {
  const words = message.kind === "story_mention" ? "You mentioned them in your story" : "You replied to their story";
  const picture = el("img", { src: message.story, alt: "", width: 40, height: 64 });
  const hint = el("span", {}, "Lasts a day");
  picture.addEventListener("error", () => {
    picture.removeAttribute("src");
    hint.textContent = "The story is gone";
  });
  return el("div", { class: "story" }, [picture, el("span", {}, [el("b", {}, words), hint])]);
}

function attachment(part) {
  const local = part.url && new URL(part.url, location.href).origin === location.origin;
  if (part.type === "like_heart") return el("span", { class: "bubble large", role: "img", "aria-label": "Heart" }, "❤️");
  if (part.type === "audio" && local) return el("audio", { src: part.url, controls: "", preload: "metadata", "aria-label": "Voice message" });
  if (part.type === "video" && local) return el("video", { class: "film", src: part.url, controls: "", preload: "metadata", playsinline: "", "aria-label": "Video" });
  if (local && PICTURED.has(part.type)) {
    return el("img", { class: part.type === "sticker" ? "picture sticker" : "picture", src: part.url, alt: WORDS[part.type] ?? "Picture", loading: "lazy" });
  }
  const words = WORDS[part.type] ?? part.type.replaceAll("_", " ");
  return el("span", { class: "card" }, part.url ? el("a", { href: part.url, rel: "noreferrer", target: "_blank" }, `Open ${words}`) : words);
}

function offered(replies, tap) {
  return el("div", { class: "offered", role: "group", "aria-label": "Quick replies" }, replies.map((reply) => {
    const button = el("button", { type: "button" }, reply.title);
    button.addEventListener("click", () => tap(reply));
    return button;
  }));
}

function template(payload, pictures, row, act) {
  row.classList.add("wide");
  if (payload.template_type === "button") return slide({ title: payload.text, buttons: payload.buttons }, act);
  const slides = (payload.elements ?? []).map((element) => slide({ title: element.title ?? `Product ${element.id}`, ...element }, act, pictures));
  return el("div", { class: "carousel", tabindex: 0, role: "group", "aria-label": `Carousel of ${slides.length}` }, slides);
}

function slide(element, act, pictures = {}) {
  const buttons = (element.buttons ?? []).map((button) => {
    if (button.type === "web_url") return el("a", { href: button.url, rel: "noreferrer", target: "_blank" }, button.title);
    const tapped = el("button", { type: "button" }, button.title);
    tapped.addEventListener("click", () => act("postback", { title: button.title, payload: button.payload }));
    return tapped;
  });
  const local = pictures[element.image_url];
  const picture = local ? el("img", { src: local, alt: "", loading: "lazy" }) : null;
  return el("div", { class: "slide" }, [picture, el("div", { class: "slide-text" }, [el("b", {}, element.title), element.subtitle ?? ""]), ...buttons]);
}
