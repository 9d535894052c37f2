// Mentioning somebody in a note: `@` and the beginning of a name opens a list of those who see the conversation, and of teams.

const MOST = 8;
const BEGUN = /(^|[\s([{"'“„«])@([\p{L}\p{M}\p{N}.'’-]*(?: [\p{L}\p{M}\p{N}.'’-]*)?)$/u;

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** The list below a note's text: opened by `@`, moved in by arrow keys, chosen from by Enter, Tab or a click. */
export class Mentions {
  constructor(form, say, signal) {
    Object.assign(this, { form, say });
    this.text = form.querySelector("textarea");
    this.menu = form.querySelector("[data-mention-menu]");
    this.at = 0;
    this.found = [];
    for (const [name, value] of [["aria-autocomplete", "list"], ["aria-controls", this.menu.id], ["aria-haspopup", "listbox"]]) {
      this.text.setAttribute(name, value);
    }
    this.text.addEventListener("input", () => this.look(), { signal });
    this.text.addEventListener("blur", () => this.close(), { signal });
    this.text.addEventListener("keydown", (event) => this.press(event), { signal });
    this.menu.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the text keeps the focus
      const entry = event.target.closest("[role=option]");
      if (entry && entry.getAttribute("aria-disabled") !== "true") this.choose(this.found[Number(entry.dataset.at)]);
    }, { signal });
    // What was taken out of the text again mentions nobody; the composer reads the form after this.
    form.addEventListener("submit", () => this.prune(), { signal, capture: true });
  }

  /** Start anew with the text of another conversation, whose people are at *url*. */
  begin(url) {
    this.form.dataset.peopleUrl = url ?? "";
    this.people = null;
    this.close();
    for (const input of this.form.querySelectorAll("input[name=mention], input[name=mention_team]")) input.remove();
  }

  /** Show whom the beginning of a name before the cursor may mean. */
  async look() {
    const before = this.text.value.slice(0, this.text.selectionStart);
    const begun = BEGUN.exec(before);
    if (!begun) {
      this.close();
      return;
    }
    this.people ??= this.load();
    const people = await this.people.catch(() => { this.people = null; return []; });
    if (this.text.value.slice(0, this.text.selectionStart) !== before) return;
    this.from = before.length - begun[2].length - 1;
    const wanted = folded(begun[2]);
    const fits = people.filter(({ name }) => folded(name).startsWith(wanted) || folded(name).split(/\s+/).some((part) => part.startsWith(wanted)));
    this.found = [...fits.filter((one) => one.reached), ...fits.filter((one) => !one.reached)].slice(0, MOST);
    this.draw(0);
  }

  async load() {
    const response = await fetch(this.form.dataset.peopleUrl, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!response.ok) throw new Error(String(response.status));
    const { people, teams } = await response.json();
    return [...people, ...teams.map((one) => ({ ...one, team: true }))];
  }

  draw(at) {
    const words = this.form.dataset;
    this.at = this.found[at]?.reached ? at : -1;
    this.menu.replaceChildren(...this.found.map((one, number) => {
      const entry = document.createElement("div");
      entry.className = "menu-item mention-one";
      entry.id = `${this.menu.id}-${number}`;
      entry.dataset.at = number;
      entry.setAttribute("role", "option");
      entry.setAttribute("aria-selected", String(number === this.at));
      if (!one.reached) entry.setAttribute("aria-disabled", "true");
      const [face, name, note] = ["span", "span", "small"].map((tag) => document.createElement(tag));
      face.className = one.team ? "avatar avatar-sm avatar-none" : `avatar avatar-sm tone-${one.tone}`;
      face.setAttribute("aria-hidden", "true");
      if (one.team) face.innerHTML = '<svg class="ic ic-sm"><use href="#i-users"/></svg>';
      else face.textContent = one.initials;
      name.className = "truncate";
      name.textContent = one.name;
      face.translate = name.translate = false;
      const reached = one.team ? words.textTeam : one.here ? words.textHere : "";
      note.textContent = one.reached ? reached : one.team ? words.textNoOne : words.textUnreached;
      entry.append(face, name, note);
      return entry;
    }));
    const opens = this.menu.hidden && this.found.length;
    this.menu.hidden = !this.found.length;
    if (this.at >= 0) this.text.setAttribute("aria-activedescendant", `${this.menu.id}-${this.at}`);
    else this.text.removeAttribute("aria-activedescendant");
    if (opens) this.say(words.textFound.replace("{n}", this.found.filter((one) => one.reached).length));
  }

  press(event) {
    if (this.menu.hidden || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.found.filter((one) => one.reached).length;
    if (event.key === "Escape") {
      this.close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && last) {
      this.draw((this.at + (event.key === "ArrowDown" ? 1 : last - 1)) % last);
    } else if ((event.key === "Enter" || event.key === "Tab") && this.at >= 0) {
      this.choose(this.found[this.at]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  choose(one) {
    const { value, selectionStart } = this.text;
    const after = value.slice(selectionStart);
    this.text.setRangeText(`@${one.name}${after.startsWith(" ") ? "" : " "}`, this.from, selectionStart, "end");
    if (after.startsWith(" ")) this.text.selectionStart = this.text.selectionEnd += 1;
    const field = one.team ? "mention_team" : "mention";
    if (![...this.form.querySelectorAll(`input[name=${field}]`)].some((input) => Number(input.value) === one.id)) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name: field, value: one.id });
      input.dataset.name = one.name;
      this.form.append(input);
    }
    this.close();
    this.text.dispatchEvent(new Event("input", { bubbles: true })); // the draft is kept
  }

  close() {
    if (this.menu.hidden) return;
    this.menu.hidden = true;
    this.found = [];
    this.text.removeAttribute("aria-activedescendant");
  }

  prune() {
    const text = this.text.value.toLocaleLowerCase();
    for (const input of this.form.querySelectorAll("input[name=mention], input[name=mention_team]")) {
      if (!text.includes(`@${input.dataset.name.toLocaleLowerCase()}`)) input.remove();
    }
  }
}
