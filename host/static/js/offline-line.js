// One line at the top that says that the desk is away: since when, and what waits or can be read all the same. On a phone it
// stands for what the composer says of it otherwise, and unfolds.

import { dayTime } from "./inbox-time.js";

const root = document.documentElement;

export class OfflineLine {
  /** *words* are the page's texts, *waiting()* the replies on this device, *open(id)* shows a conversation. */
  constructor(words, { waiting, open }) {
    Object.assign(this, { words, waiting, open, since: 0, copy: null });
  }

  /** The desk answers, or not; *copy* is what can be read without it, if anything. */
  draw(connected, copy = this.copy) {
    this.copy = connected ? null : copy;
    if (connected) {
      this.since = 0;
      this.element?.remove();
      this.element = null;
    } else {
      // A page that came from a copy was never connected: what it shows is of then.
      this.since ||= "copied" in root.dataset && copy ? copy.at : Date.now();
      this.element ??= this.make();
      this.fill();
    }
    root.classList.toggle("is-offline", !connected);
  }

  get isShown() {
    return Boolean(this.element);
  }

  /** Another number of replies waits. */
  waits() {
    if (this.element) this.fill();
  }

  make() {
    const element = document.querySelector("template[data-offline-line]").content.firstElementChild.cloneNode(true);
    const button = element.querySelector("button");
    button.addEventListener("click", () => {
      const isOpen = element.classList.toggle("is-open");
      button.setAttribute("aria-expanded", String(isOpen));
    });
    element.querySelector("ul").addEventListener("click", (event) => {
      const id = Number(event.target.closest("button")?.dataset.id);
      if (!id) return;
      button.click();
      this.open(id);
    });
    document.querySelector(".topbar").before(element);
    return element;
  }

  fill() {
    const { element, copy, words } = this, all = this.waiting();
    const whole = this.sentence(all.length);
    say(element.querySelector("[data-line-short]"), this.short(all.length));
    say(element.querySelector("[data-line-whole]"), whole);
    element.querySelector("button").hidden = !copy && !all.length;
    const template = document.createElement("li");
    template.innerHTML = '<button class="link-btn" type="button"><bdi translate="no"></bdi></button>';
    element.querySelector("ul").replaceChildren(...all.map((one) => {
      const item = template.cloneNode(true), button = item.firstElementChild;
      button.dataset.id = one.id;
      button.firstElementChild.textContent = words.textWaitsFor.replace("{name}", one.name);
      return item;
    }));
  }

  /** What a wide page says. */
  sentence(count) {
    const { copy, words } = this;
    let told = navigator.onLine ? words.textOffline : words.textNoLine;
    if (copy) told = words.textCopies.replace("{n}", copy.count).replace("{time}", dayTime(copy.at));
    return count ? `${told} ${this.told(count)}` : told;
  }

  /** How many replies wait. */
  told(count) {
    return count === 1 ? this.words.textWaitsOne : this.words.textWaitsMany.replace("{n}", count);
  }

  /** What fits one line of a phone. */
  short(count) {
    const { copy, words } = this;
    if (navigator.onLine && !copy && !count) return words.textOffline;
    let also = words.textKept;
    if (count) also = this.told(count);
    else if (copy) also = words.textReadable.replace("{n}", copy.count);
    return `${words.textSince.replace("{time}", dayTime(this.since))} ${also}`;
  }
}

/** Say something once: what is written anew is read aloud anew. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
