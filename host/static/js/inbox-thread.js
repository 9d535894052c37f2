// The messages of a conversation: put where they belong, grouped by who wrote them, and days between them.

const TOGETHER_MS = 5 * 60 * 1000;

/** What inbox-conversation.js brings. */
export const conversation = { Composer: null };

/** Return the elements of an HTML text. */
export function elements(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
}

const FOUND_MS = 2500;

export class Log {
  constructor(scroller) {
    this.scroller = scroller;
    this.list = scroller.querySelector("[data-part=log]");
    this.days = new Map(); // what each day is called; the first message of a day says so
    this.gone = new Map(); // by message: when it was told that it is gone
    this.learn();
    this.remember();
    scroller.addEventListener("click", (event) => this.follow(event));
  }

  /** Remember what the desk sent for each part of each message, before scripts and people change it. */
  remember() {
    this.sent = new WeakMap();
    for (const item of this.list.querySelectorAll(".msg")) this.note(item);
  }

  /** Learn what days are called, before a message that says so is taken away. */
  learn() {
    for (const { dataset } of this.list.querySelectorAll("[data-day-label]")) this.days.set(dataset.day, dataset.dayLabel);
  }

  note(item) {
    for (const child of item.querySelector(".msg-body")?.children ?? []) this.sent.set(child, child.outerHTML);
  }

  /** A quote leads to the message it quotes: here if that is on the page, else by its address. */
  follow(event) {
    const quote = event.target.closest("[data-goes-to]");
    const there = quote && this.find(quote.dataset.goesTo);
    if (!there || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    there.scrollIntoView({ block: "center", behavior: "smooth" });
    there.tabIndex = -1;
    there.focus({ preventScroll: true });
    there.classList.add("found");
    setTimeout(() => there.classList.remove("found"), FOUND_MS);
  }

  /** Whether the newest message is in view. */
  atEnd() {
    return this.scroller.scrollTop > -80; // a column turned upside down counts from its end
  }

  toEnd() {
    this.scroller.scrollTop = 0;
  }

  /**
   * Put messages in, each in its place; one that is there already is replaced. Return the new ones.
   *
   * They were *asked* for at that time: what is gone since may still be among them.
   */
  put(html, asked = performance.now()) {
    const added = [];
    for (const item of elements(html)) {
      if (!item.dataset.message || this.gone.get(item.dataset.message) >= asked) continue;
      const there = this.find(item.dataset.message);
      this.note(item);
      if (there) {
        keepOpen(there, item);
        const again = sameControl(there, item), focused = there.contains(document.activeElement);
        const { order } = there.dataset;
        this.renew(there, item);
        const now = this.find(item.dataset.message);
        if (now.dataset.order !== order) {
          now.remove(); // it left at another time than it was to
          this.place(now);
        }
        if (again) again.focus();
        else if (focused && !now.contains(document.activeElement)) this.land(now);
      } else {
        added.push(item);
        this.place(item);
      }
    }
    this.group();
    return added;
  }

  /** Let *there* become *item*, and leave alone what did not change: a film goes on, a picture stays. */
  renew(there, item) {
    const [old, fresh] = [there.querySelector(".msg-body"), item.querySelector(".msg-body")];
    if (!old || !fresh) {
      there.replaceWith(item);
      return;
    }
    let rest = [...old.children];
    for (const child of [...fresh.children]) {
      const same = rest.findIndex((one) => this.sent.get(one) === this.sent.get(child));
      if (same < 0) {
        old.insertBefore(child, rest[0] ?? null);
        continue;
      }
      for (const gone of rest.slice(0, same)) gone.remove();
      rest = rest.slice(same + 1);
    }
    for (const gone of rest) gone.remove();
    for (const name of item.getAttributeNames()) there.setAttribute(name, item.getAttribute(name));
    for (const name of there.getAttributeNames()) if (!item.hasAttribute(name)) there.removeAttribute(name);
  }

  find(id) {
    return this.list.querySelector(`[data-message="${Number(id)}"]`);
  }

  remove(id) {
    const there = this.find(id), beside = there?.contains(document.activeElement) && this.beside(id);
    this.gone.set(String(id), performance.now());
    there?.remove();
    this.group();
    if (beside) this.land(beside);
  }

  /** The message after *id*, else the one before it. */
  beside(id) {
    const all = [...this.list.querySelectorAll("[data-message]")], at = all.indexOf(this.find(id));
    return at < 0 ? null : (all[at + 1] ?? all[at - 1]);
  }

  /** Take the focus to *item*, whose control it was on is gone. */
  land(item) {
    const there = item?.isConnected ? item.querySelector("[data-hide]") ?? item : this.scroller;
    if (there.tabIndex < 0) there.tabIndex = -1;
    there.focus({ preventScroll: true });
  }

  /** Hold what is in *there*, the same messages *asked* for at that time, and no others. */
  fill(there, asked) {
    this.list.innerHTML = there.innerHTML;
    for (const [id, when] of this.gone) if (when >= asked) this.find(id)?.remove();
    this.remember();
    this.group();
  }

  place(item) {
    const all = [...this.list.querySelectorAll("[data-message]")];
    const after = all.reverse().find((other) => other.dataset.order < item.dataset.order);
    if (after) after.after(item);
    else this.list.prepend(item);
  }

  /** Draw the lines between days, and let only the first of several messages carry its avatar. */
  group() {
    for (const line of this.list.querySelectorAll(".day")) line.remove();
    this.learn();
    let before = null;
    for (const item of this.list.querySelectorAll("[data-message]")) {
      const newDay = !before || before.dataset.day !== item.dataset.day;
      if (newDay) {
        const line = document.createElement("li");
        line.className = "day";
        line.textContent = this.days.get(item.dataset.day);
        item.before(line);
      }
      const continues = !newDay && item.dataset.who && before.dataset.who === item.dataset.who
        && sentAt(item) - sentAt(before) < TOGETHER_MS;
      if (item.classList.contains("msg")) item.classList.toggle("cont", Boolean(continues));
      before = item;
    }
  }

  /** The newest message of this conversation; what others said below the same post is none. */
  lastId() {
    return Math.max(0, ...[...this.list.querySelectorAll("[data-message]:not(.cm-other)")].map((m) => Number(m.dataset.message)));
  }
}

/** Return when a message was sent: the time below it. */
const sentAt = (item) => Date.parse([...item.querySelectorAll("time[datetime]")].at(-1)?.dateTime);

/** Let details that were open stay open, and a message that was tapped what it shows. */
function keepOpen(before, after) {
  after.classList.toggle("is-tapped", before.classList.contains("is-tapped"));
  if (before.querySelector("details[open]")) after.querySelector("details")?.setAttribute("open", "");
}

/** Return what in *after* does what has the focus in *before*. */
function sameControl(before, after) {
  const focused = before.contains(document.activeElement) ? document.activeElement : null;
  const name = focused && ["data-react", "data-quote", "data-edit", "data-hide"].find((one) => focused.hasAttribute(one));
  return name ? after.querySelector(`[${name}]`) : null;
}
