// What is typed for a conversation that is still on its way. One machine, which knows nothing of the page:
//
//   rest       nothing is on its way
//   coming     a conversation is; nothing was typed for it
//   typing     what is typed waits for its field
//   composing  the conversation is there, but a character is being put together: the field waits for that
//   kept       the wait is over, what was typed is a draft; its conversation may still come
//
// Keys that are not for the field do nothing meanwhile. Those about the list go on: they choose another conversation.

export const WAIT_MS = 10000;
export const PAUSE_MS = 1000; // between the keys of one burst

const GOES_ON = new Set(["reply", "note", "private", "next", "previous", "open", "leave", "search", "keys", "palette"]);
const LEADS_TO_FIELD = new Set(["assign", "labels", "macros", "snooze", "sort"]);

/** Return *typed* below what was *begun*. */
export const below = (begun, typed) => (begun.trim() && typed && !/\s$/.test(begun) ? `${begun}\n\n${typed}` : begun + typed);

const openings = new Set();

/** Let no key run a command until *dialog*, a promise, is there: what is typed is meant for it. Return the promise. */
export function opening(dialog) {
  openings.add(dialog);
  const done = () => openings.delete(dialog);
  dialog.then(done, done);
  return dialog;
}

export class TypedAhead {
  /**
   * *page* has what it does there: `begun(id, mode)` returns the draft there is, `show(writing, why)` and `hide()` are about
   * the box that is typed into, `isFocused()` says whether it has the focus, `keep(writing)` notes the draft on this device,
   * `save(writing)` tells the desk, and `place(writing, focus)` puts it into the field, which was drawn with what was typed until then (`drawn`), and
   * returns whether there is one. *later(run, ms)* runs something later and returns
   * how to stop that; *now()* is the time in milliseconds. *early*: keys were pressed for this page before it was there.
   */
  constructor(page, { later = wait, now = () => performance.now(), early = false } = {}) {
    Object.assign(this, { page, later, now });
    this.quiet = early ? now() + PAUSE_MS : -Infinity;
    this.state = { name: "rest", coming: undefined, writing: null };
    this.stop = () => {};
  }

  /** Whether commands are for what is on the page. */
  get isFree() {
    return this.state.coming === undefined;
  }

  /** The conversation *id* was asked for; null: none. */
  expect(id) {
    const { writing } = this.state;
    if (writing && writing.id === id) {
      this.state.coming = id;
      return;
    }
    this.close();
    this.state = { name: "coming", coming: id, writing: null };
  }

  /** Somebody wants to write as *mode* in what is on its way. Return whether there is such. */
  write(mode) {
    const { name, coming, writing } = this.state;
    if (coming === undefined) return false;
    if (coming === null || name === "typing") return true;
    const again = writing?.mode === mode;
    this.state = { name: "typing", coming, writing: again ? writing : { id: coming, mode, text: "", begun: this.page.begun(coming, mode), isComposing: false } };
    this.page.show(this.state.writing, "coming");
    this.stop();
    this.stop = this.later(() => this.over(), WAIT_MS);
    return true;
  }

  /** *text* is what stands in the box now. */
  typed(text) {
    const { writing } = this.state;
    if (!writing) return;
    writing.text = text;
    this.page.keep(writing);
  }

  /** A character is being put together in the box, or is done. */
  composes(isComposing) {
    const { name, writing } = this.state;
    if (!writing) return;
    writing.isComposing = isComposing;
    if (name === "composing" && !isComposing) this.put();
  }

  /** It took too long. Whoever still types goes on in the box, and the draft follows. */
  over(why = "kept") {
    if (this.state.name !== "typing") return;
    this.stop();
    if (!this.state.writing.text) {
      this.close();
      return;
    }
    this.state.name = "kept";
    this.page.save(this.state.writing);
    this.page.show(this.state.writing, why);
  }

  /** Escape: the wait ends, and once more it closes the box. Return whether the box is still there. */
  leave() {
    const { name, writing } = this.state;
    if (name === "typing" && writing.text) {
      this.over();
      return true;
    }
    this.close();
    return false;
  }

  /** The conversation *id* is painted. */
  arrived(id) {
    const { coming, writing } = this.state;
    if (coming !== id) return;
    this.state.coming = undefined;
    if (writing) writing.drawn = writing.text;
    if (!writing) this.state.name = "rest";
    else if (writing.isComposing) this.state.name = "composing";
    else this.put();
  }

  /** The conversation *id* did not come. What is typed for it still is for no other one. */
  failed(id) {
    if (this.state.coming !== id) return;
    this.state.coming = undefined;
    this.quiet = this.now() + PAUSE_MS;
    if (this.state.name === "coming") this.state.name = "rest";
    else if (this.state.name === "typing") this.over("failed");
    else this.page.show(this.state.writing, "failed");
  }

  /** Put what was typed into its field. */
  put() {
    const { writing } = this.state;
    this.stop();
    if (this.page.place(writing, this.page.isFocused())) {
      this.state = { name: "rest", coming: undefined, writing: null };
      this.page.hide();
    } else if (writing.text) {
      this.state.name = "kept";
      this.page.save(writing);
      this.page.show(writing, "nowhere");
    } else this.close();
  }

  /** Take the box away; what was typed is a draft. */
  close() {
    const { coming, writing } = this.state;
    this.stop();
    this.state = { name: coming === undefined ? "rest" : "coming", coming, writing: null };
    if (!writing) return;
    if (writing.text) this.page.save(writing);
    this.page.hide();
  }

  /** Whether *key*, which runs *command* ("": none), must not reach anything now. */
  stops(key, command) {
    const now = this.now(), types = key.length === 1 || key === "Enter";
    if (types && now < this.quiet) {
      this.quiet = now + PAUSE_MS; // the burst goes on
      return true;
    }
    if (openings.size && types && command) return true;
    if (this.isFree || !command || GOES_ON.has(command) || key.length > 1) return false;
    // Words that follow it were meant for its field, also once the conversation is there.
    if (LEADS_TO_FIELD.has(command)) this.quiet = now + PAUSE_MS;
    return true;
  }
}

function wait(run, ms) {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
