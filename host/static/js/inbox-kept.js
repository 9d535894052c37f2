// What is to be seen of the drafts in the conversation that is open: other versions of one's own, and colleagues who have one.

import { tell } from "./notice.js";

/** Draw what *kept* says of the conversation in *place*. */
export function showKept(kept, place) {
  colleagues(kept, place.querySelector("[data-part=drafts]"));
  together(place.querySelector("[data-part=beside]"));
  const root = place.querySelector("[data-part=composer]");
  const problem = root?.querySelector("[data-kept-problem]");
  if (!problem) return; // who reads only has none
  const { refused } = kept;
  problem.dataset.of = refused?.again ? "away" : "";
  const { textAway, textRefused } = problem.dataset;
  if (!refused || refused.again) tell(problem, refused ? textAway : "");
  else tell(problem, refused.sentence || textRefused, refused.next);
  versions(kept, root);
  locked(kept, root.querySelector("[data-kept-locked]"));
}

/** Show what was begun in a field that is locked by now: to be copied, or sent another way. */
function locked(kept, box) {
  const mode = kept.locked(), text = box.querySelector("[data-locked-text]");
  box.hidden = !mode;
  text.value = mode ? kept.texts[mode] : "";
  for (const button of box.querySelectorAll("[data-locked-to]")) {
    button.onclick = () => kept.move(kept.locked(), button.dataset.lockedTo);
  }
}

/** Say something once: what is written anew is read aloud anew. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function versions(kept, root) {
  const list = root.querySelector("[data-kept-versions]"), template = root.querySelector("template[data-kept-version]");
  const mode = root.querySelector("[data-composer]").dataset.mode;
  const found = Object.entries(kept.others).flatMap(([of, some]) => (some ?? []).map((one) => [of, one]));
  found.sort(([one], [two]) => (two === mode) - (one === mode));
  const key = JSON.stringify(found);
  if (list.dataset.shown === key) return; // nothing under somebody's hands is drawn anew
  list.dataset.shown = key;
  list.hidden = !found.length;
  list.replaceChildren(...found.map(([of, other]) => {
    const item = template.content.cloneNode(true).firstElementChild;
    item.querySelector("[data-version-text]").textContent = other.text;
    for (const button of item.querySelectorAll("[data-choose]")) {
      button.addEventListener("click", () => {
        kept.composer?.show(of);
        kept.choose(of, other, button.dataset.choose);
      });
    }
    return item;
  }));
}

function colleagues({ colleagues: some }, box) {
  const key = JSON.stringify(some);
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  box.hidden = !some.length;
  const wasOpen = new Set([...box.querySelectorAll("details[open]")].map((one) => one.dataset.user));
  box.replaceChildren(...some.map(({ id, name, text }) => {
    const words = box.dataset.textDraft.replace("{name}", name);
    if (!text) {
      const line = document.createElement("p");
      Object.assign(line.dataset, { user: id, words });
      line.textContent = words;
      return line;
    }
    const details = document.createElement("details");
    Object.assign(details.dataset, { user: id, words });
    details.open = wasOpen.has(String(id));
    const summary = document.createElement("summary"), body = document.createElement("p");
    summary.textContent = words;
    Object.assign(body, { className: "draft-version-text", textContent: text, dir: "auto", tabIndex: 0, translate: false });
    details.append(summary, body);
    return details;
  }));
}

/**
 * Say of each colleague one thing, in the one line *box*: that they write, or that they have a draft. A draft that can be read
 * stays there to be opened.
 */
export function together(box) {
  const typing = new Map(Array.from(box.querySelectorAll("[data-part=typing] > [data-user]"), (one) => [one.dataset.user, one]));
  for (const draft of box.querySelectorAll("[data-part=drafts] > [data-user]")) {
    const who = typing.get(draft.dataset.user), summary = draft.querySelector("summary");
    draft.hidden = Boolean(who) && !summary;
    if (!summary) continue;
    say(summary, who?.textContent ?? draft.dataset.words);
    if (who) who.hidden = true;
  }
  box.classList.toggle("is-typing-here", typing.size > 0);
}
