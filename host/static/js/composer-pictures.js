// Pictures in a text: `![mug.png]` is the place of the file with that name. Each picture has a name of its own.

import { write } from "./composer-canned.js";

const ENDINGS = { "image/gif": "gif", "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };
const SHOWN = /\.(?:gif|jpe?g|png|webp)$/i; // host/sdk/formatting.py has the same
const LONGEST = 190;

const markOf = (file) => `![${file.name}]`;

/** The places of pictures in *text*, a text area; the pictures are files of *draft*. */
export class Pictures {
  constructor(text, draft) {
    Object.assign(this, { text, draft });
    // A button of each picture says whether it is in the text.
    text.addEventListener("input", () => { for (const file of draft.files) file.show?.(); });
  }

  /** Return a name under which *file* can have a place; undefined where it is no picture. */
  nameFor(file) {
    const ending = ENDINGS[file.type];
    if (!ending) return undefined;
    const bare = (file.name || "picture").replaceAll("[", "(").replaceAll("]", ")").replace(/\s+/g, " ").trim();
    const at = SHOWN.test(bare) ? bare.lastIndexOf(".") : bare.length;
    const stem = bare.slice(0, Math.min(at, LONGEST)) || "picture";
    const rest = at < bare.length ? bare.slice(at) : `.${ending}`;
    const taken = new Set(this.draft.files.map((one) => one.name));
    let name = `${stem}${rest}`;
    for (let number = 2; taken.has(name); number += 1) name = `${stem}-${number}${rest}`;
    return name;
  }

  /** Whether *file* is a picture that has no place yet. */
  canPlace(file) {
    return file.kind === "image" && SHOWN.test(file.name) && !/[[\]]/.test(file.name) && !this.text.value.includes(markOf(file));
  }

  /** Put *file* where the caret is. */
  place(file) {
    if (!this.canPlace(file)) return;
    const { value, selectionEnd } = this.text;
    this.text.setSelectionRange(selectionEnd, selectionEnd); // what is chosen stays
    const space = /\S$/.test(value.slice(0, selectionEnd)) ? " " : "";
    write(this.text, `${space}${markOf(file)}`);
  }

  /** Take the place of a removed *file* out of the text. */
  takeOut(file) {
    const { value } = this.text;
    const at = value.indexOf(markOf(file));
    if (at < 0 || this.draft.files.some((one) => one.name === file.name)) return;
    this.text.setSelectionRange(value[at - 1] === " " ? at - 1 : at, at + markOf(file).length);
    this.text.focus();
    if (!document.execCommand("delete")) this.text.setRangeText("");
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** The desk calls *file* otherwise. */
  rename(file, name) {
    if (name === file.name) return;
    const before = markOf(file);
    file.name = name;
    if (!this.text.value.includes(before)) return;
    this.text.value = this.text.value.replaceAll(before, markOf(file));
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
