// What stands below the posts: commenting, answering, correcting, taking away; a broadcast starts and ends.

import { ask, byId, el, keyed } from "./dom.js";

const NAMES = { FEED: "Post", REELS: "Reel", AD: "Ad", LIVE: "Broadcast" };

/** Wire the panel up and return what draws it. `act` does one thing as the customer. */
export function below({ act, view, ready }) {
  const select = byId("post");
  const say = byId("comment");
  let mode = null;

  const post = () => view().posts.find((one) => one.id === select.value) ?? view().posts[0];
  const broadcast = () => view().posts.find((one) => one.running);

  function draw() {
    const options = view().posts.map((one) => [one.id, title(one)]);
    const shape = JSON.stringify(options);
    if (select.dataset.shape !== shape) {
      const before = select.value;
      select.dataset.shape = shape;
      select.replaceChildren(...options.map(([id, words]) => el("option", { value: id }, words)));
      if (options.some(([id]) => id === before)) select.value = before;
    }
    const shown = post();
    keyed(byId("comments"), shown.comments, (one) => one.id, line);
    byId("comments-empty").hidden = shown.comments.length > 0;
    byId("comment-send").disabled = shown.ended || !shown.own;
    byId("broadcast").textContent = broadcast() ? "End the broadcast" : "Start a broadcast";
  }

  function title(one) {
    const kind = one.boosted ? "Boosted post" : NAMES[one.kind];
    const state = one.running ? ", live" : one.ended ? ", over" : "";
    return `${kind}${state}: ${one.caption || "without words"}${one.own ? "" : ` (@${one.owner})`}`;
  }

  function line(one) {
    const marks = [one.hidden && "hidden", one.private && "answered in private"].filter(Boolean);
    const button = (label, press) => {
      const made = el("button", { type: "button", class: "btn btn-small btn-ghost", "aria-label": `${label}: ${one.text || one.who}` }, label);
      made.addEventListener("click", press);
      return made;
    };
    const acts = [button("Answer", () => enter({ kind: "comment", mid: one.id, words: `Answering @${one.who}` }))];
    if (one.me) acts.push(button("Correct", () => enter({ kind: "comment_edit", mid: one.id, words: "Correcting", text: one.text })));
    if (one.me) acts.push(button("Take away", () => act("comment_delete", { mid: one.id })));
    return el("li", { class: one.answer ? "comment answer" : "comment" }, [
      el("b", {}, `@${one.who}`), " ", el("span", { class: "comment-text" }, one.text),
      ...marks.flatMap((mark) => [" ", el("span", { class: "chip chip-warn" }, mark)]),
      el("span", { class: "row-flex tight" }, acts),
    ]);
  }

  function enter(next) {
    mode = next;
    byId("comment-mode").hidden = !mode;
    byId("comment-mode-text").textContent = mode?.words ?? "";
    say.value = mode?.text ?? "";
    say.focus();
  }

  byId("comment-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = say.value.trim();
    if (!text) return;
    await ready; // somebody may write before it is known what there is
    const sent = await (mode ? act(mode.kind, { text, mid: mode.mid }) : act("comment", { text, post: post().id }));
    if (sent) enter(null);
  });
  byId("comment-mode-off").addEventListener("click", () => enter(null));
  byId("mention").addEventListener("click", () => act("mention"));
  byId("broadcast").addEventListener("click", async () => {
    const live = broadcast();
    if (live) await ask("DELETE", `/control/posts/${live.id}`);
    else await ask("POST", "/control/posts", { account: view().account.igid, kind: "LIVE", caption: "Throwing pots, live" });
  });
  select.addEventListener("change", draw);
  return draw;
}
