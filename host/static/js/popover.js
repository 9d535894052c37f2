// Small panels in the top layer, beside the button that opened them. The browser opens and closes them
// (`popover`, `popovertarget`): by click, Escape, or a click elsewhere, and gives the focus back.

const GAP = 6;
const EDGE = 8;
const anchors = new WeakMap();

/** Put an open *panel* above *anchor*, or below where there is no room. */
function place(panel, anchor) {
  const from = anchor.getBoundingClientRect();
  panel.style.left = panel.style.top = "0px"; // as wide as it likes, wherever it was before
  const { width, height } = panel.getBoundingClientRect();
  const left = Math.min(from.left, window.innerWidth - width - EDGE);
  const above = from.top - height - GAP;
  const below = Math.min(from.bottom + GAP, window.innerHeight - height - EDGE);
  panel.style.left = `${Math.max(EDGE, left)}px`;
  panel.style.top = `${Math.max(EDGE, above >= EDGE ? above : below)}px`;
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("button[popovertarget]");
  if (!anchor) return;
  const panel = document.getElementById(anchor.getAttribute("popovertarget"));
  // The browser opens it after this; it is in its place before it is painted.
  requestAnimationFrame(() => {
    anchor.setAttribute("aria-expanded", String(panel.matches(":popover-open")));
    if (!panel.matches(":popover-open")) return;
    place(panel, anchor);
    anchors.set(panel, anchor);
    (panel.querySelector("[data-first]") ?? panel.querySelector("button:not([hidden])"))?.focus();
  });
});

/** The page moved below them: they stay beside their buttons, or go where those have gone. */
function follow() {
  for (const panel of document.querySelectorAll(":popover-open")) {
    const anchor = anchors.get(panel);
    if (anchor?.isConnected) place(panel, anchor);
    else panel.hidePopover();
  }
}

window.addEventListener("resize", follow);
document.addEventListener("scroll", follow, { capture: true, passive: true });

document.addEventListener("toggle", (event) => {
  const panel = event.target;
  if (event.newState !== "closed" || !panel.id) return;
  for (const anchor of document.querySelectorAll(`[popovertarget="${panel.id}"][aria-expanded]`)) {
    anchor.setAttribute("aria-expanded", "false");
  }
}, true);
