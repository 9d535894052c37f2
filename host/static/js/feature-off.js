// The page is of a feature that an admin may turn off while it is open: it says so, and keeps what was typed to copy.

import { Live } from "./live.js";
import { tell } from "./notice.js";

const place = document.querySelector("template[data-feature-off]");
let said = null;

/** Ask for this page again: while its feature is off, the desk answers who turned it off instead. */
async function look() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).catch(() => null);
  if (!response) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const told = response.status === 404 && page.querySelector("[data-off-told]")?.textContent;
  said?.remove();
  said = null;
  if (!told) return;
  said = place.content.firstElementChild.cloneNode(true);
  tell(said, told, said.querySelector("b + span").textContent);
  said.querySelector("[data-feature-off-reload]").addEventListener("click", (event) => {
    event.preventDefault();
    location.reload();
  });
  document.getElementById("main").prepend(said);
}

async function follow({ live, poll }) {
  const response = await fetch(poll, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!response.ok) return;
  const { last } = await response.json();
  new Live({
    stream: live,
    poll,
    after: last,
    onResync: look,
    onConnection() {},
    onEvent: (topic) => { if (topic === "addons") look(); },
  });
}

if (place) follow(place.dataset).catch(() => {}); // the desk is away
