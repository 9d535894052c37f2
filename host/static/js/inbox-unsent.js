// Replies and notes that somebody sent while the desk could not be reached. They wait on this device, in all tabs, with what was
// to be sent and under which key. The one of the open conversation is offered there, all of them on the panel "Back online".

import { write } from "./composer-draft.js";
import { changeWaits, tab, waits, watchWaits } from "./device-texts.js";

const LOST_MS = 60000; // nobody waits so long for an answer: that tab is gone

const part = (name) => document.querySelector(`[data-part="${name}"]`);

export class Unsent {
  /** *inbox* is the path of this workspace's inbox; *onChange(ids)* hears what waits otherwise: in which conversations, null: any. */
  constructor(inbox, onChange) {
    Object.assign(this, { inbox, onChange, composer: null, opened: null, connected: true });
    this.bound = new Map(); // by mode: the key of the one that stands in the field of the open conversation
    watchWaits(() => {
      this.draw();
      this.onChange(null);
    });
  }

  /** Return those of this workspace, oldest first; not what is on its way. */
  get all() {
    return waits().filter((one) => one.inbox === this.inbox && !one.sending);
  }

  /** Return what was on its way when its page ended. */
  get lost() {
    return waits().filter((one) => one.inbox === this.inbox && one.sending && (one.sending === tab || !this.isFresh(one)));
  }

  find(key) {
    return this.all.find((one) => one.key === key);
  }

  /**
   * What was written as *mode* in the conversation *id*, with *name*, did not reach the desk; *how*: the button, *body*: what was
   * sent to *action*, *seen*: the newest message there. *sending*: it is on its way, from this tab.
   */
  add(id, name, { mode, how, body, action, first }, seen, sending = "") {
    const key = body.get("reply_key"), { inbox } = this;
    const fields = [...body].filter(([field, value]) => field !== "csrf_token" && typeof value === "string");
    // On the panel only words can be seen whole. The rest is sent from its composer.
    const later = how?.name === "later", more = ["draft", "reply_to", "upload", "quick_reply"].some((field) => body.get(field));
    const record = {
      id, name, mode, key, inbox, seen, action: new URL(action, location.href).pathname, text: body.get("text") ?? "", at: Date.now(),
      body: fields, closes: how?.name === "then", later, more: more || later, sending, first,
    };
    changeWaits((all) => [...all.filter((one) => one.key !== key), record]);
    if (sending) return;
    if (id === this.opened) this.bound.set(mode, key);
    this.written();
    this.onChange([id]);
  }

  /** The desk has what was written as *mode* in the conversation *id* and sent with *key* as *text*, or does not want it. */
  answered(id, { mode, key, text }) {
    this.remove((one) => one.id === id && one.mode === mode && (one.key === key || one.text === text));
  }

  /** Return the text that was sent with *key* first, where it was changed since. */
  first(key) {
    return waits().find((one) => one.key === key)?.first;
  }

  /** Whether *record* was pressed so lately that it may be sent without asking. */
  isFresh({ at }) {
    return Date.now() - at <= LOST_MS;
  }

  /** Nobody knows whether *record* arrived. */
  away({ key }) {
    changeWaits((all) => all.map((one) => (one.key === key ? { ...one, sending: "" } : one)));
    for (const form of this.composer?.root.querySelectorAll("[data-form]") ?? []) this.bind(form);
    this.written();
    this.onChange(null);
  }

  /** Take out those that *isGone* names. */
  remove(isGone) {
    const gone = waits().filter(isGone);
    if (!gone.length) return;
    changeWaits((all) => all.filter((one) => !isGone(one)));
    this.onChange(gone.map(({ id }) => id));
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
    this.bound.clear();
    for (const form of composer?.root.querySelectorAll("[data-form]") ?? []) {
      const mode = form.dataset.form, record = this.all.find((one) => one.id === id && one.mode === mode);
      if (record && !form.querySelector("textarea").value.trim()) this.fill(form, record);
      this.bind(form);
      // It may have arrived all the same: once more with its key is not twice.
      const key = this.bound.get(mode);
      if (key) form.elements.reply_key.value = key;
    }
    composer?.root.querySelector("[data-unsent-send]")?.addEventListener("click", (event) => {
      const { mode, closes } = this.here();
      const form = this.form(mode);
      event.target.closest("[data-unsent]").hidden = true;
      composer.show(mode);
      form.requestSubmit(closes ? form.querySelector("[name=then][value=close]") : null);
    });
    this.draw();
  }

  form(mode) {
    return this.composer?.root.querySelector(`[data-form="${CSS.escape(mode)}"]`);
  }

  fill(form, { id, mode, text }) {
    const field = form.querySelector("textarea"), begun = field.value;
    field.value = begun.trim() ? `${text}\n\n${begun}` : text;
    write(`lobby-draft-${mode}-${id}`, field.value);
    this.composer.count(form);
  }

  /** What stands in the field of *form* is the reply that waits: what somebody changes there is changed in it. */
  bind(form) {
    const mode = form.dataset.form, { value } = form.querySelector("textarea");
    const record = this.all.find((one) => one.id === this.opened && one.mode === mode && one.text === value);
    if (record) this.bound.set(mode, record.key);
  }

  /** Put *record* into its field, to be changed there. Return whether there is such a field. */
  edit(record) {
    const form = record.id === this.opened && this.form(record.mode);
    if (!form) return false;
    if (!form.querySelector("textarea").value.includes(record.text)) this.fill(form, record);
    this.composer.show(record.mode);
    this.bound.set(record.mode, record.key);
    form.elements.reply_key.value = record.key;
    this.composer.onDraft();
    this.composer.text()?.focus();
    return true;
  }

  /** Return the reply that waits in the open conversation and stands in its field. */
  here() {
    return this.all.find((one) => one.id === this.opened && this.form(one.mode) && this.bound.get(one.mode) === one.key);
  }

  /** Something in the fields of the open conversation changed. */
  written() {
    for (const [mode, key] of [...this.bound]) {
      const record = this.find(key), text = this.form(mode)?.querySelector("textarea").value;
      if (!record || text === undefined || text === record.text) continue;
      this.change(key, text);
    }
    for (const form of this.composer?.root.querySelectorAll("[data-form]") ?? []) this.bind(form);
    this.draw();
  }

  /** The text of the one with *key* is another now; whoever empties it does not mean to send it any more. */
  change(key, text) {
    const changed = (one) => ({ ...one, text, first: one.first ?? one.text, body: one.body.map(([field, value]) => [field, field === "text" ? text : value]) });
    const { id } = this.find(key);
    changeWaits((all) => all.flatMap((one) => (one.key !== key ? [one] : text.trim() ? [changed(one)] : [])));
    this.onChange([id]);
  }

  draw() {
    const here = this.connected && this.here();
    const box = part("composer")?.querySelector("[data-unsent]");
    if (box) {
      box.hidden = !here;
      box.querySelector("[data-unsent-send]").hidden = !here || here.later;
    }
    this.onChange([]);
  }
}
