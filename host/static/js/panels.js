// Panels of addons: each is loaded when it comes into view, and its buttons are pressed here.
// host/inbox/panels/views.py is the other half.

import { post } from "./base.js";
import { write } from "./composer-canned.js";

const FRESH_MS = 60000;
const MOST = 60;

const known = new Map(); // what was loaded, by address: a pane that is drawn anew shows it at once
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    load(target);
  }
});

document.addEventListener("lobby-gone", () => known.clear());

function fill(panel, html) {
  panel.querySelector("[data-panel-body]").innerHTML = html;
  panel.setAttribute("aria-busy", "false");
}

async function load(panel) {
  const url = panel.dataset.addonPanel;
  panel.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    const { html, failed, error } = await answer.json();
    if (!answer.ok) {
      say(panel, [error?.message, error?.next].filter(Boolean).join(" "));
      panel.querySelector("[data-panel-body]").replaceChildren();
      panel.setAttribute("aria-busy", "false");
      return;
    }
    if (failed) known.delete(url);
    else keep(url, html);
    // The pane may have been drawn anew meanwhile.
    for (const one of panelsOf(document)) if (one.dataset.addonPanel === url) fill(one, html);
  } catch {
    panel.querySelector("[data-panel-body]").replaceChildren(panel.querySelector("[data-panel-again]").content.cloneNode(true));
    panel.setAttribute("aria-busy", "false");
  }
}

/** Keep what was loaded; of many, those loaded last. */
function keep(url, html) {
  known.delete(url);
  known.set(url, { html, at: Date.now() });
  if (known.size > MOST) known.delete(known.keys().next().value);
}

function say(panel, text) {
  const line = panel.querySelector("[data-panel-say]");
  line.textContent = text;
  line.hidden = !text;
}

const panelsOf = (scope) => scope.querySelectorAll?.("[data-addon-panel]") ?? [];

function begin(scope) {
  for (const panel of [...(scope.matches?.("[data-addon-panel]") ? [scope] : []), ...panelsOf(scope)]) {
    const before = known.get(panel.dataset.addonPanel);
    if (before) fill(panel, before.html);
    if (!before || Date.now() - before.at > FRESH_MS) seen.observe(panel);
  }
}

/** Insert *text* into the reply of the open conversation; return whether there is one. */
export function insert(text) {
  const field = document.querySelector("form[data-form=reply] textarea[name=text]");
  if (!field) return false;
  document.querySelector("[data-part=composer] [data-tab=reply]:not([aria-current])")?.click();
  // On a phone the pane covers the reply.
  if (field.offsetParent === null) document.querySelector("[data-part=contact] a.only-narrow")?.click();
  write(field, text);
  return true;
}

document.addEventListener("click", async (event) => {
  const panel = event.target.closest("[data-addon-panel]");
  if (!panel) return;
  if (event.target.closest("[data-panel-reload]")) {
    say(panel, "");
    load(panel);
    return;
  }
  const button = event.target.closest("[data-panel-press]");
  if (!button || button.disabled) return;
  button.disabled = true;
  say(panel, "");
  try {
    const response = await post(button.dataset.panelPress, { name: button.dataset.name, value: button.dataset.value });
    const answer = await response.json();
    if (answer.insert !== undefined && !insert(answer.insert)) await copied(panel, answer.insert);
    say(panel, answer.notice ?? [answer.error?.message, answer.error?.next].filter(Boolean).join(" "));
    if (answer.reload) load(panel);
  } catch {
    say(panel, panel.querySelector("[data-panel-say]").dataset.textLost);
  } finally {
    button.disabled = false;
  }
});

/** Without a reply to insert it into, such as on a contact's page, *text* is shown to be copied. */
async function copied(panel, text) {
  say(panel, text);
  await navigator.clipboard?.writeText(text).catch(() => {});
}

begin(document);
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) begin(node);
}).observe(document.body, { childList: true, subtree: true });
