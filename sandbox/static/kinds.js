// Every kind of message: a button for each, and one that plays them all in order.

import { ask, byId, el } from "./dom.js";

const PAUSE_MS = 350;

const pause = () => new Promise((done) => { setTimeout(done, PAUSE_MS); });

/** Fill the panel. `act` does one thing, `newest` finds the message it is about, `why` tells a refusal. */
export async function kinds({ act, newest, customer, why, from = "/phone/kinds" }) {
  const items = (await ask("GET", from)) ?? [];
  const groups = new Map();
  for (const item of items) groups.set(item.group, [...(groups.get(item.group) ?? []), item]);
  byId("kinds").replaceChildren(...[...groups].map(([name, list], index) => el("div", { class: "kind-group", role: "group", "aria-labelledby": `kinds-${index}` }, [
    el("h3", { class: "micro muted", id: `kinds-${index}` }, name),
    el("div", { class: "row-flex tight" }, list.map((item) => one(item, (who) => perform(item, who)))),
  ])));

  function one(item, press) {
    const button = el("button", { type: "button", class: "btn btn-small", "data-needs": item.about || null }, item.name);
    button.addEventListener("click", () => press(customer()));
    return button;
  }

  async function perform(item, who) {
    const mid = item.about ? await newest(item.about, who) : undefined;
    return act(item.kind, mid ? { ...item.args, mid } : item.args, who);
  }

  const button = byId("play");
  button.addEventListener("click", async () => {
    const who = customer();
    button.disabled = true;
    byId("played").replaceChildren();
    byId("played-foot").hidden = byId("playing").hidden = false;
    for (const [index, item] of items.entries()) {
      byId("playing").textContent = `${index + 1} of ${items.length}`;
      if (item.before && await act("text", { text: item.before }, who)) await pause();
      const done = await perform(item, who);
      byId("played").append(el("li", done ? {} : { class: "not-played" }, done ? item.name : `${item.name}: ${why()}`));
      byId("played").scrollTop = byId("played").scrollHeight;
      await pause();
    }
    byId("playing").textContent = `All ${items.length} played`;
    button.disabled = false;
  });
}
