// Files of a reply: by picker, paste and drop; checked against what the channel takes; sent to the desk one by one.

import { csrfToken, post } from "./base.js";
import { clone } from "./composer-parts.js";
import { Pictures } from "./composer-pictures.js";
import { signed } from "./page-user.js";

const AT_ONCE = 3;
const MEGABYTE = 1024 * 1024;
const PASSING = new Set([401, 403, 408, 429]);
const THUMB = 96;

/** Takes files for *draft* and shows them in *form*. */
export class Files {
  constructor(form, draft, { signal, say }) {
    Object.assign(this, { form, draft, say });
    this.rules = JSON.parse(form.dataset.files);
    this.tray = form.querySelector("[data-tray]");
    this.input = form.querySelector("[data-file-input]");
    if (form.querySelector("[data-marks]")) this.pictures = new Pictures(form.querySelector("textarea"), draft);
    form.querySelector("[data-tool=file]").addEventListener("click", () => this.input.click());
    form.querySelector("[data-tool=camera]")?.addEventListener("click", () => this.photograph());
    this.input.addEventListener("change", () => {
      this.take([...this.input.files]);
      this.input.value = "";
    });
    form.querySelector("textarea").addEventListener("paste", (event) => {
      const { files, types } = event.clipboardData;
      // Text copied from a table or a document comes with a picture of itself: the text is meant.
      if (!files.length || types.includes("text/plain")) return;
      event.preventDefault();
      this.takeInto([...files]);
    });
    this.receiveDrops(form.closest(".pane-thread") ?? form, signal);
    window.addEventListener("beforeunload", (event) => {
      if (this.pending()) event.preventDefault(); // what is on its way would be lost
    }, { signal });
    draft.addEventListener("change", () => this.draw(), { signal });
    this.draw();
    this.next();
  }

  /** Take a photo with the camera of a phone. */
  photograph() {
    const camera = document.createElement("input");
    Object.assign(camera, { type: "file", accept: "image/*" });
    camera.setAttribute("capture", "environment");
    camera.addEventListener("change", () => this.take([...camera.files]));
    this.camera = camera; // else it may be collected before somebody has taken one
    camera.click();
  }

  receiveDrops(area, signal) {
    const zone = this.form.querySelector("[data-drop-zone]");
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const usable = () => !this.form.hidden;
    let depth = 0;
    const end = () => {
      depth = 0;
      zone.hidden = true;
    };
    // A file dropped beside the thread must not make the browser leave the page.
    window.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); }, { signal });
    window.addEventListener("drop", (event) => { if (hasFiles(event)) event.preventDefault(); end(); }, { signal });
    area.addEventListener("dragenter", (event) => {
      if (!hasFiles(event) || !usable()) return;
      depth += 1;
      zone.hidden = false;
    }, { signal });
    area.addEventListener("dragleave", (event) => {
      if (!hasFiles(event) || zone.hidden) return;
      depth -= 1;
      if (depth <= 0) end();
    }, { signal });
    area.addEventListener("drop", (event) => {
      if (!hasFiles(event) || !usable()) return;
      event.preventDefault();
      const files = [...event.dataTransfer.files];
      if (event.target.closest("form") === this.form) this.takeInto(files);
      else this.take(files);
    }, { signal });
  }

  /** Add *files*, and where the text can show pictures, put those among them into it. */
  takeInto(files) {
    const before = this.draft.files.length;
    this.take(files);
    for (const file of this.draft.files.slice(before)) if (file.state !== "failed") this.pictures?.place(file);
  }

  /** Add *files* (File objects) to the draft; *extra* goes along with each. */
  take(files, extra = {}) {
    if (!files.length) return;
    for (const file of files) {
      const error = this.refusal(file);
      const name = this.pictures?.nameFor(file) ?? (file.name || this.form.dataset.textUnnamed);
      this.draft.files.push({
        file, name, size: file.size, kind: this.kindOf(file)?.kind ?? "file",
        state: error ? "failed" : "waiting", error, ...extra,
      });
    }
    this.draft.changed();
    this.next();
    const refused = this.draft.files.filter((one) => files.includes(one.file) && one.error);
    this.say(refused.length ? refused.map((one) => one.error).join(" ") : this.form.dataset.textTaken.replace("{n}", files.length));
  }

  kindOf(file) {
    const type = file.type.split(";")[0].toLowerCase();
    const extension = /\.([a-z0-9]+)$/i.exec(file.name)?.[1].toLowerCase() ?? "";
    const open = this.rules.filter((rule) => !rule.types.length); // these take any type
    return this.rules.find((rule) => rule.types.includes(type))
      ?? this.rules.find((rule) => rule.extensions.includes(extension))
      ?? open.find((rule) => type.startsWith(`${rule.family}/`))
      ?? open.find((rule) => rule.kind === "file");
  }

  /** Return why *file* cannot be sent, in words; empty if nothing speaks against it. The desk checks again. */
  refusal(file) {
    const data = this.form.dataset;
    const rule = this.kindOf(file);
    if (!rule) {
      const near = this.rules.find((one) => file.type.startsWith(`${one.family}/`));
      return `${file.name}: ${near ? near.wrong_type : data.textWrongFile}`;
    }
    if (!file.size) return `${file.name}: ${data.textEmptyFile}`;
    return file.size > rule.most ? `${file.name}: ${rule.too_large.replace("{size}", readable(file.size, data, Math.ceil))}` : "";
  }

  next() {
    const all = this.draft.everyFile();
    const under = all.filter((file) => file.state === "uploading").length;
    for (const file of all.filter((one) => one.state === "waiting").slice(0, AT_ONCE - under)) this.upload(file);
  }

  upload(file) {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("account", this.form.dataset.account);
    body.append("file", file.file, file.name);
    Object.assign(file, { state: "uploading", progress: 0, request });
    request.upload.addEventListener("progress", (event) => {
      file.progress = event.lengthComputable ? event.loaded / event.total : 0;
      file.show?.();
    });
    request.addEventListener("loadend", () => {
      delete file.request;
      if (!this.draft.everyFile().includes(file)) return; // taken away meanwhile
      const answer = json(request.responseText);
      if (request.status === 201 || request.status === 200) {
        if (answer.name) this.pictures?.rename(file, answer.name);
        Object.assign(file, { state: "ready", id: answer.id, kind: answer.kind, size: answer.size, url: answer.url, error: "" });
      } else {
        const why = request.status < 500 ? because(answer) : ""; // a fault of the desk's: once more may do
        const error = `${file.name}: ${why || this.form.dataset.textNotUploaded}`;
        Object.assign(file, { state: "failed", error, again: !why || PASSING.has(request.status) });
        this.say(file.error);
      }
      this.draft.changed();
      this.next();
    });
    request.open("POST", this.form.dataset.uploadUrl);
    request.setRequestHeader("X-CSRFToken", csrfToken());
    signed(request);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
    file.show?.();
  }

  /** Send one file to the desk and return its answer, with `error` in words if it was not taken. */
  async send(file) {
    const refused = this.refusal(file);
    if (refused) return { error: refused };
    const body = new FormData();
    body.append("account", this.form.dataset.account);
    body.append("file", file, file.name);
    try {
      const response = await post(this.form.dataset.uploadUrl, body);
      const answer = await response.json();
      return response.ok ? answer : { error: because(answer) || this.form.dataset.textNotUploaded };
    } catch {
      return { error: this.form.dataset.textNotUploaded };
    }
  }

  remove(file) {
    const index = this.draft.files.indexOf(file);
    this.draft.files.splice(index, 1);
    this.pictures?.takeOut(file);
    file.request?.abort();
    this.draft.changed();
    this.next();
    const buttons = this.tray.querySelectorAll("[data-remove]");
    (buttons[Math.min(index, buttons.length - 1)] ?? this.form.querySelector("textarea")).focus();
  }

  /** Whether one of *files* is on its way to the desk. */
  pending(files = this.draft.everyFile()) {
    return files.some((file) => file.state === "uploading" || file.state === "waiting");
  }

  /** Resolve when none of *files* is on its way any more. */
  settled(files) {
    return new Promise((resolve) => {
      const look = () => {
        if (this.pending(files)) return;
        this.draft.removeEventListener("change", look);
        resolve();
      };
      this.draft.addEventListener("change", look);
      look();
    });
  }

  draw() {
    this.tray.hidden = !this.draft.files.length;
    const there = new Map([...this.tray.children].map((item) => [item.shownFile, item]));
    const items = this.draft.files.map((file) => there.get(file) ?? this.item(file));
    for (const item of this.tray.children) if (!items.includes(item)) item.remove();
    items.forEach((item, index) => {
      if (this.tray.children[index] !== item) this.tray.insertBefore(item, this.tray.children[index] ?? null);
    });
    for (const file of this.draft.files) file.show();
  }

  item(file) {
    const item = clone(this.form, "file");
    const part = (name) => item.querySelector(`[data-file-${name}]`);
    item.shownFile = file;
    part("name").textContent = file.name;
    for (const label of item.querySelectorAll("[data-file-label]")) {
      label.textContent = file.name;
    }
    item.querySelector("[data-remove]").addEventListener("click", () => this.remove(file));
    item.querySelector("[data-again]").addEventListener("click", () => {
      Object.assign(file, { state: "waiting", error: "" });
      this.draft.changed();
      this.next();
    });
    const into = item.querySelector("[data-into]");
    into?.addEventListener("click", () => this.pictures.place(file));
    picture(file, part("thumb"));
    file.player?.(item);
    file.show = () => {
      item.dataset.state = file.state;
      for (const icon of item.querySelectorAll("[data-kind]")) icon.toggleAttribute("hidden", icon.dataset.kind !== file.kind);
      part("size").textContent = readable(file.size, this.form.dataset);
      const bar = part("progress");
      bar.hidden = file.state !== "uploading" && file.state !== "waiting";
      bar.value = file.progress ?? 0;
      part("error").textContent = (file.error ?? "").replace(`${file.name}: `, "");
      if (into) into.hidden = file.state === "failed" || !this.pictures?.canPlace(file);
      item.querySelector("[data-again]").hidden = !file.again || file.state !== "failed";
    };
    return item;
  }
}

/** Draw a small copy of a picture. A canvas needs no address, so the page's policy stays strict. */
async function picture(file, box) {
  if (file.kind !== "image") return;
  if (!file.file) {
    if (!file.url) return;
    const image = document.createElement("img");
    image.alt = "";
    image.addEventListener("load", () => box.replaceChildren(image)); // else the icon stays
    image.src = file.url;
    return;
  }
  try {
    const bitmap = await createImageBitmap(file.file);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = THUMB;
    const side = Math.min(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(
      bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, THUMB, THUMB,
    );
    bitmap.close();
    box.replaceChildren(canvas);
  } catch {
    // Not a picture this browser can draw: the icon stays.
  }
}

/** Return a size in the unit people use; *round* decides about what is less than a tenth of a megabyte. */
export function readable(size, words, round = Math.round) {
  const number = (value) => new Intl.NumberFormat(document.documentElement.lang).format(value);
  if (size >= MEGABYTE) return words.textMegabytes.replace("{n}", number(round((size / MEGABYTE) * 10) / 10));
  return words.textKilobytes.replace("{n}", number(Math.ceil(size / 1024)));
}

/** Return why the desk did not take a file, in its words; empty if it did not say. */
function because({ error }) {
  return error ? [error.message, error.next].filter(Boolean).join(" ") : "";
}

function json(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
