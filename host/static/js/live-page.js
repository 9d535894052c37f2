// A part of a page that is drawn anew when something changes, whoever changed it.

import { relativeTimes } from "./base.js";
import { Live } from "./live.js";

const SETTLE_MS = 400;

/** Tell whether somebody is using what would be replaced: a form being filled in, a question being answered, a value being copied. */
function inUse(element) {
  if (document.querySelector("dialog[data-ask]") || element.querySelector("[data-open][href]")) return true;
  const active = document.activeElement;
  if (active && element.contains(active) && active.matches("input, select, textarea")) return true;
  if ([...element.querySelectorAll('input[type="password"]')].some((input) => input.value)) return true;
  return [...element.querySelectorAll("details[open] input:not([type=hidden])")].some((input) => input.value);
}

/** Return a selector of an element that has the focus, for this page and the next. */
function nameOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const form = element.closest("form");
  if (form) return `form[action="${CSS.escape(form.getAttribute("action"))}"] button`;
  return element.matches("a[href]") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
}

/**
 * Keep `[selector]` as the desk has it. Its `data-live`, `data-poll` and `data-after` say where changes are told; *wants(topic)*
 * is whether one concerns it. Returns nothing; without such an element nothing is followed.
 */
export function follow(selector, wants) {
  // Another answer of the desk may take the page's place: it is looked for each time.
  const now = () => document.querySelector(selector);
  if (!now()) return;
  let timer = null;

  /** Fetch this page again and put the new content in the place of the old one. */
  async function refresh() {
    if (!now()) return;
    if (inUse(now())) {
      later();
      return;
    }
    const asked = location.pathname + location.search;
    const response = await fetch(asked, { credentials: "same-origin" });
    if (!response.ok || response.redirected) return;
    const next = new DOMParser().parseFromString(await response.text(), "text/html").querySelector(selector);
    const page = now();
    if (!next || !page) return;
    // Another page was put in meanwhile: this answer is about the one before it.
    if (inUse(page) || asked !== location.pathname + location.search) {
      later();
      return;
    }
    const before = states(page);
    const open = new Map([...page.querySelectorAll("details[data-keep]")].map((one) => [one.dataset.keep, one.open]));
    const focused = page.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    page.replaceChildren(...next.childNodes);
    for (const details of page.querySelectorAll("details[data-keep]")) {
      details.open = open.get(details.dataset.keep) ?? details.open;
    }
    if (focused) page.querySelector(focused)?.focus();
    relativeTimes(page);
    announce(page, before);
  }

  const states = (page) => new Map([...page.querySelectorAll("[data-said]")].map((one) => [one.id, one.dataset.said]));

  /** Say what has another state than before, to those who don't see it. */
  function announce(page, before) {
    const place = document.querySelector("[data-announce]");
    const news = [...states(page)].filter(([id, said]) => before.get(id) !== said).map(([_id, said]) => said);
    if (place && news.length) place.textContent = news.join(". ");
  }

  function later(delay = SETTLE_MS) {
    clearTimeout(timer);
    timer = setTimeout(refresh, delay);
  }

  const { live, poll, after } = now().dataset;
  new Live({
    stream: live,
    poll,
    after: Number(after),
    onResync: () => later(),
    onConnection() {},
    onEvent: (topic) => { if (now() && wants(topic, now())) later(); },
  });
}
