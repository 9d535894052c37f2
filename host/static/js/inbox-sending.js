// What is on its way, at the end of the thread, until the desk has answered: without it a slow desk would show nothing.

import { slowOnes, watchFlights } from "./composer-draft.js";

/** Show what is on its way in the conversation *here()*; *onNew(text)* hears what it says once more is shown. Return what draws it. */
export function showSending(here, onNew) {
  const shown = new WeakMap();
  const template = document.querySelector("template[data-sending]");

  function item(sent) {
    const made = template.content.querySelector(sent.mode === "note" ? ".note" : ".msg").cloneNode(true);
    const files = (sent.parts?.files ?? []).map(({ name }) => name).filter(Boolean);
    made.querySelector("[data-sending-text]").textContent = sent.text.trim() || files.join(", ") || "…";
    shown.set(sent, made);
    return made;
  }

  function draw() {
    const box = document.querySelector('[data-part="sending"]');
    if (!box) return;
    const some = slowOnes(here()), isNew = some.some((sent) => !shown.get(sent)?.isConnected);
    box.replaceChildren(...some.map((sent) => shown.get(sent) ?? item(sent)));
    box.hidden = !some.length;
    if (isNew) onNew(template.dataset.sending);
  }

  watchFlights(draw);
  return draw;
}
