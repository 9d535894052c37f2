// What a change of the open conversation could send to the customer, said before anybody makes it: in the buttons that make it,
// and in the menus.

const PLACES = ["head", "composer"].map((part) => `[data-part="${part}"] [data-foreseen]`).join(", ");
const CALM_MS = 300; // who steps through the list asks nothing
const FRESH_MS = 60000; // how long a workspace in which nothing sends is not asked again

export class Foreseen {
  url = null;
  changes = {}; // by change: { names, sentence }
  quietUntil = 0;
  timer = 0;

  /** The conversation of *place* was opened. */
  enter(place) {
    this.url = place.dataset.foreseenAt;
    this.changes = {};
    this.changed();
  }

  /** Its head was drawn anew: say what is known there, and ask again. */
  changed() {
    this.draw();
    clearTimeout(this.timer);
    if (this.url && Date.now() >= this.quietUntil) this.timer = setTimeout(() => this.ask(this.url), CALM_MS);
  }

  async ask(url) {
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!response.ok) return;
      const { possible, changes } = await response.json();
      if (!possible) this.quietUntil = Date.now() + FRESH_MS;
      if (url !== this.url) return;
      this.changes = changes;
      this.draw();
    } catch {
      // Offline, nothing can be changed either.
    }
  }

  draw() {
    for (const place of document.querySelectorAll(PLACES)) {
      const found = place.dataset.foreseen.split(" ").map((one) => this.changes[one]).filter(Boolean);
      const sentences = [...new Set(found.map((one) => one.sentence))];
      for (const old of place.querySelectorAll(":scope > .foreseen-line")) old.remove();
      const mark = place.querySelector("[data-foreseen-mark]");
      if (mark) this.beside(place, mark, found[0]);
      else if (place.matches(".menu-list")) place.prepend(...sentences.map((one) => line(place.matches("ul") ? "li" : "p", one)));
      else place.append(...sentences.map((one) => line("p", one)));
    }
  }

  /** Show the number of messages in a button, and the sentence with it. */
  beside(place, mark, found) {
    const button = place.querySelector("button") ?? place;
    button.dataset.title ??= button.title;
    button.title = [button.dataset.title, found?.sentence].filter(Boolean).join(". ");
    mark.hidden = !found;
    mark.querySelector(".nums").textContent = found?.names.length ?? "";
    const chip = place.matches("[data-act=close], [data-act=reopen]") && document.querySelector("[data-foreseen-chip]");
    if (!chip) return;
    chip.hidden = !found;
    chip.querySelector("bdi").textContent = found?.sentence ?? "";
  }
}

function line(tag, sentence) {
  const element = document.createElement(tag);
  element.className = "menu-hint foreseen-line";
  element.dir = "auto";
  element.textContent = sentence;
  return element;
}
