// Replies and notes that were sent while the desk could not be reached. Their texts are drafts; here stands which of them
// somebody meant to send. They are offered once the desk answers again, in this tab also after a reload.

const KEY = "lobby-unsent";
const MOST = 50;

const part = (name) => document.querySelector(`[data-part="${name}"]`);

export class Unsent {
  /** *begun(id, mode)* tells whether there is still a text to send. */
  constructor(begun) {
    this.begun = begun;
    this.all = stored();
    this.keys = new Map(); // of what is on its way
    this.connected = true;
    this.composer = null;
    this.opened = null;
    this.note = document.querySelector("[data-unsent-elsewhere]");
    this.note.querySelector("button").addEventListener("click", () => { this.note.hidden = true; });
  }

  /** What was written as *mode* in the conversation *id*, with *name*, did not reach the desk; *how*: the button. */
  add(id, name, mode, how) {
    this.all = this.all.filter((one) => one.id !== id || one.mode !== mode);
    const key = this.keys.get(`${mode}-${id}`);
    this.sending(id, mode, null);
    this.all.push({ id, name, mode, key, closes: how?.name === "then", later: how?.name === "later" });
    this.keep();
  }

  /** Something is sent with *key*, or was answered: null. */
  sending(id, mode, key) {
    if (key) this.keys.set(`${mode}-${id}`, key);
    else this.keys.delete(`${mode}-${id}`);
  }

  taken(id, mode) {
    this.all = this.all.filter((one) => one.id !== id || one.mode !== mode);
    this.keep();
    this.draw();
  }

  /** The desk was reached, or not. */
  line(connected) {
    this.connected = connected;
    this.draw();
  }

  /** The conversation *id* is open, with *composer* or none. */
  enter(id, composer) {
    this.opened = id;
    this.composer = composer;
    // It may have arrived all the same: once more with its key is not twice.
    for (const form of composer?.root.querySelectorAll("[data-form]") ?? []) {
      const mode = form.dataset.form;
      const key = this.keys.get(`${mode}-${id}`) ?? this.all.find((one) => one.id === id && one.mode === mode)?.key;
      if (key) form.elements.reply_key.value = key;
    }
    composer?.root.querySelector("[data-unsent-send]")?.addEventListener("click", (event) => {
      const { mode, closes } = this.here();
      const form = composer.root.querySelector(`[data-form="${mode}"]`);
      event.target.closest("[data-unsent]").hidden = true;
      composer.show(mode);
      form.requestSubmit(closes ? form.querySelector("[name=then][value=close]") : null);
    });
    this.draw();
  }

  here() {
    return this.all.find((one) => one.id === this.opened && this.composer?.root.querySelector(`[data-form="${one.mode}"]`));
  }

  draw() {
    const before = this.all.length;
    this.all = this.all.filter((one) => this.begun(one.id, one.mode)); // it was discarded, or reached the desk after all
    if (this.all.length !== before) this.keep();
    const here = this.connected && this.here();
    const box = part("composer")?.querySelector("[data-unsent]");
    if (box) {
      box.hidden = !here;
      box.querySelector("[data-unsent-send]").hidden = !here || here.later;
    }
    const other = this.connected && this.all.findLast((one) => one.id !== this.opened);
    this.note.hidden = !other;
    if (!other) return;
    const text = this.note.querySelector("[data-unsent-text]"), link = this.note.querySelector("a");
    text.textContent = text.dataset.text.replace("{name}", () => other.name);
    const url = new URL(link.dataset.inboxLink, location.href);
    url.pathname += `/${other.id}`;
    link.href = url;
  }

  keep() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.all.slice(-MOST)));
    } catch {
      // Storage is full or forbidden: it is known until the page is left, and the text is a draft anyway.
    }
  }
}

function stored() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => Number.isSafeInteger(one?.id) && typeof one.mode === "string" && typeof one.name === "string") : [];
  } catch {
    return [];
  }
}
