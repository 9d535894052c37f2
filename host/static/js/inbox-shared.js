// What another app of the device shared with Lobby. sw.js keeps it until somebody adds it to a reply, or discards it.

import { write as insert } from "./composer-canned.js";

const SHARE = "lobby-1-share", SHARED = "/share/what"; // as in sw.js
const KEPT_MS = 3600000;

/** Return what is kept of what was shared, and where; null for nothing. It belongs to the first person, *user*, who sees it. */
async function kept(user) {
  const cache = await caches.open(SHARE);
  const what = await (await cache.match(SHARED))?.json();
  if (!what) return null;
  if ((what.user ?? user) === user && Math.abs(Date.now() - what.at) <= KEPT_MS) return { cache, what: { ...what, user } };
  await caches.delete(SHARE);
  return null;
}

/** Show what was shared, and return it; null for nothing. */
export async function findShared(user, composer) {
  const found = await kept(user);
  if (!found) return null;
  const shared = new Shared(composer);
  await shared.show(found);
  return shared;
}

class Shared {
  /** *composer()* returns the one of the open conversation, or null. */
  constructor(composer) {
    this.composer = composer;
    this.box = document.querySelector("[data-shared]");
    this.button("add").addEventListener("click", () => this.add());
    this.button("discard").addEventListener("click", () => this.discard());
  }

  async show(found) {
    Object.assign(this, found);
    await this.store({});
    this.draw();
    this.box.hidden = false;
  }

  /** Return whether the device still keeps what is shown. What was shared since is shown instead. */
  async isCurrent() {
    const now = await kept(this.what.user);
    if (now?.what.at === this.what.at) return true;
    if (now) await this.show(now);
    else this.box.hidden = true; // added or discarded in another tab
    return false;
  }

  button(name) {
    return this.box.querySelector(`[data-shared-${name}]`);
  }

  store(change) {
    Object.assign(this.what, change);
    return this.cache.put(SHARED, Response.json(this.what));
  }

  /** Say what it is, and what can be done with it here. */
  draw() {
    const { text, files, leftOut } = this.what, { dataset } = this.box, composer = this.composer();
    const names = files.length > 1 ? dataset.textFiles.replace("{n}", files.length) : files[0]?.name;
    const isEmpty = !text && !files.length; // what was shared was too much
    const mayAdd = !isEmpty && composer && (!files.length || composer.tools?.files);
    const hint = mayAdd || isEmpty ? "" : composer ? dataset.textNoFiles : dataset.textOpen;
    const left = leftOut ? dataset.textLeftOut.replace("{n}", leftOut) : "";
    this.box.querySelector("[data-shared-what]").textContent = [names, text].filter(Boolean).join(" · ");
    this.box.querySelector("[data-shared-hint]").textContent = [hint, left].filter(Boolean).join(" ");
    this.button("add").hidden = !mayAdd;
  }

  /** Add it to the open reply. It stays on the device until its files have arrived at the desk. */
  async add() {
    const composer = this.composer();
    if (!(await this.isCurrent()) || !composer) return;
    const { text } = this.what;
    const files = await Promise.all(this.what.files.map(async ({ name, type }, at) => {
      const response = await this.cache.match(`/share/${at}`);
      return new File([await response.blob()], name, { type });
    }));
    this.box.hidden = true;
    if (files.length) composer.show(composer.tools.form.dataset.form);
    const field = composer.text();
    if (text) {
      field.setSelectionRange(field.value.length, field.value.length);
      insert(field, field.value.trim() ? `\n\n${text}` : text);
    }
    if (files.length) {
      const { draft, files: taking } = composer.tools;
      await this.store({ text: "" });
      taking.take(files);
      await taking.settled();
      if (draft.files.some((one) => files.includes(one.file) && one.again)) return;
    }
    await this.discard();
  }

  async discard() {
    if (!(await this.isCurrent())) return;
    this.box.hidden = true;
    await caches.delete(SHARE);
  }
}
