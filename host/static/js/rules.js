// Settings -> Rules: J and K move in the list, Enter opens, Alt with an arrow moves a rule.

const STEPS = { j: 1, k: -1 };
const MOVES = { ArrowUp: "up", ArrowDown: "down" };
const lines = [...document.querySelectorAll(".rule-line[id]")];
const linkOf = (line) => line.querySelector(".rule-top a");
const single = !document.cookie.split("; ").includes("lobby-single-keys=off");

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select, dialog, details.menu[open]")) return;
  const at = lines.findIndex((line) => line.contains(event.target));
  if (event.altKey) {
    const button = MOVES[event.key] && lines[at]?.querySelector(`button[value="${MOVES[event.key]}"]`);
    if (!button) return;
    event.preventDefault();
    if (!button.disabled) button.form.requestSubmit(button);
    return;
  }
  const step = single && STEPS[event.key];
  if (!step || !lines.length) return;
  event.preventDefault();
  const here = at < 0 ? lines.findIndex((line) => line.ariaCurrent) : at;
  const next = here < 0 ? 0 : Math.min(Math.max(here + step, 0), lines.length - 1);
  linkOf(lines[next]).focus();
});

// Who moved a rule goes on from it: once the browser went to it, which takes the focus away.
const moved = lines.find((line) => `#${line.id}` === location.hash);
if (moved) window.addEventListener("load", () => requestAnimationFrame(() => linkOf(moved).focus()));
