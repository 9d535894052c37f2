// Settings, Channels: the cards follow what happens, and Save says that it is at work.

import { relativeTimes } from "./base.js";
import { Live } from "./live.js";

const page = document.querySelector("[data-channels]");
const SETTLE_MS = 400;
let timer = null;

/** Tell whether somebody is using what would be replaced: a form being filled in, a question being answered, a value being copied. */
function inUse(element) {
  if (document.querySelector("dialog[data-ask]")) return true;
  const active = document.activeElement;
  if (active && element.contains(active) && active.matches("input, select, textarea")) return true;
  return [...element.querySelectorAll("details[open] input:not([type=hidden])")].some((input) => input.value);
}

/** Fetch this page again and put the new sections in the places of the old ones. */
async function refresh() {
  const response = await fetch(location.pathname + location.search, { credentials: "same-origin" });
  if (!response.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = fresh.querySelector("[data-channels]");
  if (!next) return;
  if (inUse(page)) {
    later();
    return;
  }
  const open = new Map([...page.querySelectorAll("details[data-keep]")].map((one) => [one.dataset.keep, one.open]));
  page.replaceChildren(...next.childNodes);
  for (const details of page.querySelectorAll("details[data-keep]")) {
    details.open = open.get(details.dataset.keep) ?? details.open;
  }
  relativeTimes(page);
}

function later(delay = SETTLE_MS) {
  clearTimeout(timer);
  timer = setTimeout(refresh, delay);
}

if (page) {
  new Live({
    stream: page.dataset.live,
    poll: page.dataset.poll,
    after: Number(page.dataset.after),
    onResync: () => later(),
    onConnection() {},
    onEvent(topic) {
      if (topic === "account" || topic === "addons" || topic === "catch_up") later();
      // The first message turns a card from Connected to Receiving; later ones change nothing worth a look.
      else if (topic === "message" && page.querySelector("[data-waiting]")) later();
    },
  });
}

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy || event.defaultPrevented) return;
  button.textContent = button.dataset.busy;
  button.setAttribute("aria-busy", "true");
});
