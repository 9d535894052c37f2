// Everything a reply can have beside its text, put together for one form.

import { post } from "./base.js";
import { AlongFields, places } from "./composer-along.js";
import { Canned, write } from "./composer-canned.js";
import { Cards } from "./composer-cards.js";
import { draftOf } from "./composer-draft.js";
import { Files } from "./composer-files.js";
import { buttons, contacts, location, ownPost, products, quickReplies, Strip } from "./composer-offers.js";
import { marks } from "./composer-format.js";
import { preview } from "./composer-preview.js";
import { Quote } from "./composer-quote.js";
import { Typing } from "./composer-typing.js";
import { Unfilled } from "./composer-unfilled.js";
import { Voice } from "./composer-voice.js";
import "./popover.js";

// What a form shows on a phone only while somebody is in it comes and goes once a press is over: in between it would move what is
// pressed, and the press would do nothing.
let pressed = false;
const mark = () => setTimeout(() => {
  if (pressed) return;
  for (const form of document.querySelectorAll(".composer-form")) {
    form.toggleAttribute("data-used", form.contains(document.activeElement));
  }
});
document.addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { pressed = false; mark(); }, true);
for (const moved of ["focusin", "focusout"]) document.addEventListener(moved, mark);

/** Return what the draft of *form* is kept under: a first mail is not the reply of its conversation. */
function keyOf({ dataset }) {
  return dataset.form === "reply" ? dataset.conversation : `${dataset.form}-${dataset.conversation}`;
}

/** The tools of *form*; what they add is kept in the conversation's draft. */
export class Tools {
  constructor(form, composer, signal) {
    Object.assign(this, { form, composer, draft: draftOf(keyOf(form)), strips: [] });
    const say = (text) => { composer.section.querySelector("[data-say]").textContent = text; };
    const shared = { signal, say, problem: (...words) => composer.problem(...words) };
    const has = (selector) => form.querySelector(selector);
    this.say = say;
    this.forget();
    if (form.dataset.files) this.files = new Files(form, this.draft, shared);
    if (has("[data-tool=voice]") && this.files) this.voice = new Voice(form, this.files, shared);
    if (has("[data-quoted]")) new Quote(form, this.draft, shared);
    this.strip("quick", quickReplies, shared);
    this.strip("buttons", buttons, shared);
    this.strip("products", products, shared);
    this.strip("post", ownPost, shared);
    this.strip("location", location, shared);
    this.strip("contacts", contacts, shared);
    if (has("[data-tool=cards]")) this.cards = new Cards(form, this.draft, { ...shared, upload: (file) => this.files.send(file) });
    // What was said of a file, or of what lacked a text, goes with it.
    this.draft.addEventListener("change", () => this.mended(), { signal });
    form.querySelector("textarea[name=text]").addEventListener("input", () => this.mended(), { signal });
    this.unfilled = new Unfilled(form);
    if (has("[data-canned]")) this.canned = new Canned(form, this.draft, { ...shared, unfilled: this.unfilled });
    if (has("[data-along]")) new AlongFields(has("[data-along]"), this.draft, signal);
    if (has("[data-place]")) places(has("[data-place]"), form);
    if (has("[data-marks]")) marks(has("[data-marks]"), form.querySelector("textarea"));
    if (has("[data-preview]") && form.dataset.previewUrl) preview(has("[data-preview]"), form, () => this.uploads());
    for (const button of form.querySelectorAll("[data-addon-action]")) button.addEventListener("click", () => this.act(button, shared));
    if (form.dataset.typingUrl) this.typing = new Typing(form, shared);
    has("[data-tool=heart]")?.addEventListener("click", (event) => {
      event.preventDefault();
      composer.sendHeart(form);
    });
    form.querySelector("#composer-tools")?.addEventListener("click", (event) => {
      // A menu goes when something in it was chosen.
      const chosen = event.target.closest("[data-tool], [data-turns]"), menu = chosen?.closest(":popover-open");
      menu?.hidePopover();
      if (!menu || chosen.dataset.tool !== "emoji") return;
      event.preventDefault(); // what it opens would go with the menu
      document.getElementById("emoji-pop").showPopover();
    });
  }

  /** Return how long the text may be as the caption of a file of the draft; 0: it is sent as a message of its own. */
  captionLimit() {
    const { caption } = this.form.dataset, { files, quickReplies, buttons } = this.draft;
    if (!caption || quickReplies.length || buttons.length) return 0;
    const { most, kinds } = JSON.parse(caption);
    return files.some((file) => kinds.includes(file.kind)) ? most : 0;
  }

  /** Leave out of the draft what this channel has no tool for: nobody could see it, or take it away. */
  forget() {
    const { draft } = this, has = (selector) => this.form.querySelector(selector);
    if (!this.form.dataset.files) draft.files = [];
    if (!has("[data-quoted]")) draft.quote = null;
    if (!has("[data-strip=quick]")) draft.quickReplies = [];
    if (!has("[data-strip=buttons]")) draft.buttons = [];
    if (!has("[data-strip=products]")) draft.products = [];
    if (!has("[data-strip=post]")) draft.post = "";
    if (!has("[data-strip=location]")) draft.location = null;
    if (!has("[data-strip=contacts]")) draft.contacts = [];
    if (!has("[data-tool=cards]")) draft.cards = [];
    if (!has("[data-along]")) draft.along = null;
  }

  /** Run an addon's action: it inserts a text at the caret, or says why not. */
  async act(button, { problem }) {
    const { actionUrl, textUnsaved } = this.form.dataset;
    button.disabled = true;
    problem(null);
    try {
      const answer = await (await post(actionUrl.replace("NAME", encodeURIComponent(button.dataset.addonAction)))).json();
      if (answer.insert !== undefined) write(this.form.querySelector("textarea[name=text]"), answer.insert);
      else problem(answer.notice ?? answer.error?.message, answer.error?.next);
    } catch {
      problem(textUnsaved);
    } finally {
      button.disabled = false;
    }
  }

  /** Wait for files on their way; return the ids of all. */
  async uploads() {
    if (this.files?.pending(this.draft.files)) await this.files.settled(this.draft.files);
    return this.draft.files.filter((file) => file.id).map((file) => file.id);
  }

  /** The reply is put aside for a note: a recording does not go on unseen. */
  pause() {
    this.voice?.stop();
  }

  strip(name, access, shared) {
    const box = this.form.querySelector(`[data-strip="${name}"]`);
    if (!box) return;
    const { most, title, alone } = box.dataset, limits = { most: Number(most), title: Number(title), alone: alone !== undefined };
    this.strips.push(new Strip(this.form, this.draft, name, access(this.draft, limits, this.form.dataset), shared));
  }

  /** Take over what stands in open fields. Return what keeps the reply back; null: nothing. */
  held(text) {
    if (this.unfilled.first()) return [null]; // said above the text
    if (!this.strips.every((strip) => strip.add())) return [null]; // said beside the field
    return this.lacks(text);
  }

  /** Return what keeps the reply back with *text* as it stands, for the composer's `problem()`; null: nothing. */
  lacks(text) {
    const words = this.form.dataset, { buttons: some, quickReplies: quick, files } = this.draft;
    if (some.length && quick.length) return [words.textButtonsOrQuick, words.textButtonsOrQuickNext, "parts"];
    if (some.length && !text.trim()) return [words.textButtonsAlone, words.textButtonsAloneNext, "parts"];
    if (quick.length && !text.trim()) return [words.textQuickAlone, words.textQuickAloneNext, "parts"];
    return this.failed(files);
  }

  /** Say no more what kept the reply back, once it doesn't. */
  mended() {
    if (this.composer.problemOf !== "parts") return;
    this.composer.problem(...(this.lacks(this.form.querySelector("textarea[name=text]").value) ?? [null]));
  }

  failed(files) {
    const words = this.form.dataset;
    return files.some((file) => file.state === "failed") ? [words.textFailedFiles, words.textFailedFilesNext, "parts"] : null;
  }

  /** Take what is to be sent out of the draft. */
  take() {
    const parts = this.draft.take();
    for (const strip of this.strips) strip.sent();
    return parts;
  }

  /** Wait for *files* that are on their way to the desk. Return what keeps the reply back; null: nothing. */
  async arrived(files) {
    if (this.files?.pending(files)) {
      this.say(this.form.dataset.textWaiting);
      await this.files.settled(files);
    }
    return this.failed(files);
  }
}
