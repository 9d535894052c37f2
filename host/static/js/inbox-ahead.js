// Conversations somebody may open next, loaded ahead: where the pointer rests, and where the keys go. Nothing is marked as
// read by it. They are kept for seconds, and forgotten as soon as anything happens in them; before one is shown, the desk
// is asked whether this person may still see it.

const REST_MS = 100;
const KEPT_MS = 6000;
const PRESS_MS = 1000; // from pressing a button to the click
const MOST = 3;

export class Ahead {
  /**
   * *fetches(id)* loads a conversation; *allows(id)* asks whether it may be seen now; *wanted(id)* says whether it could be
   * opened next, and whether its changes are heard of.
   */
  constructor({ fetches, allows, wanted }) {
    Object.assign(this, { fetches, allows, wanted });
    this.loaded = new Map(); // by id: the answer or its promise, and until when it may be shown
    this.timer = null;
    const rows = document.querySelector("[data-part=list]");
    const rowOf = (event) => Number(event.target.closest("[data-row]")?.dataset.row);
    rows.addEventListener("pointerover", (event) => {
      if (event.pointerType !== "touch") this.soon(rowOf(event));
    });
    rows.addEventListener("pointerleave", () => clearTimeout(this.timer));
    rows.addEventListener("pointerdown", (event) => {
      const one = event.button ? null : this.fresh(rowOf(event));
      if (one) one.asked = { at: performance.now(), allowed: this.allows(rowOf(event)) };
    });
  }

  /** Load these conversations, unless others are wanted before a moment has passed. */
  soon(...ids) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { for (const id of ids) this.load(id); }, REST_MS);
  }

  load(id) {
    if (!id || document.hidden || navigator.connection?.saveData || this.fresh(id) || !this.wanted(id)) return;
    const one = { until: performance.now() + KEPT_MS, asked: null };
    one.answer = this.fetches(id).catch(() => {
      if (this.loaded.get(id) === one) this.loaded.delete(id);
      return null;
    });
    this.loaded.delete(id);
    this.loaded.set(id, one);
    for (const key of [...this.loaded.keys()].slice(0, -MOST)) this.loaded.delete(key);
  }

  fresh(id) {
    const one = this.loaded.get(id);
    return one && performance.now() < one.until ? one : null;
  }

  /** Return what was loaded of *id*, once; null if nothing was, if something has happened since, or if it may not be seen. */
  async take(id) {
    const one = this.fresh(id);
    if (!one) return null;
    const pressed = one.asked && performance.now() - one.asked.at < PRESS_MS;
    const [answer, allowed] = await Promise.all([one.answer, pressed ? one.asked.allowed : this.allows(id)]);
    if (this.loaded.get(id) !== one) return null;
    this.loaded.delete(id);
    return allowed ? answer : null;
  }

  /** Forget the conversation *id*, or all of them. */
  forget(id) {
    if (id === undefined) this.loaded.clear();
    else this.loaded.delete(id);
  }
}
