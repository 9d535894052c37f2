// The search page by keyboard: J and K through what was found, / into the field, Esc to the inbox. Where there is
// room, a message that was found is shown beside it, where it stands.

const form = document.querySelector(".search-bar");
const field = form.querySelector("input");
const hits = [...document.querySelectorAll("[data-hit]")];
const filters = document.querySelector("[data-filters]");

// On a phone the filters are folded; without this script they are open.
if (matchMedia("(max-width: 859.98px)").matches) filters.open = false;

function move(step) {
  if (!hits.length) return;
  const from = hits.indexOf(document.activeElement);
  const next = hits[Math.min(hits.length - 1, Math.max(0, from < 0 ? 0 : from + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

const pane = document.querySelector("[data-around-pane]");
const hasRoom = () => pane && pane.offsetParent !== null;
let shown = null;

/** Show *hit* beside the results. */
async function show(hit) {
  if (!hit?.dataset.around || hit === shown || !hasRoom()) return;
  shown?.removeAttribute("aria-current");
  shown = hit;
  hit.setAttribute("aria-current", "true");
  const response = await fetch(hit.dataset.around, { headers: { Accept: "application/json" }, credentials: "same-origin" }).catch(() => null);
  const answer = response?.ok ? await response.json() : null;
  if (!answer || hit !== shown) return; // its link still leads there
  pane.innerHTML = answer.head;
  pane.querySelector(".log").innerHTML = answer.messages;
  pane.querySelector("[data-open-here]").href = hit.href;
  const message = pane.querySelector(`li[data-message="${Number(hit.dataset.message)}"]`);
  message?.classList.add("found");
  if (message && hit.dataset.here) {
    const line = document.createElement("p");
    line.className = "micro muted around-here";
    line.textContent = hit.dataset.here;
    message.append(line);
  }
  message?.scrollIntoView({ block: "center" });
}

for (const hit of hits) {
  hit.addEventListener("focus", () => show(hit));
  hit.addEventListener("click", (event) => {
    // The first click shows it; Enter, and a second click, go there.
    const plain = event.detail === 1 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!plain || !hit.dataset.around || !hasRoom()) return;
    event.preventDefault();
    show(hit);
  });
  hit.addEventListener("dblclick", () => location.assign(hit.href));
}
show(hits.find((hit) => hit.dataset.around));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    if (document.activeElement === field && field.value) {
      field.blur();
      return;
    }
    location.assign(form.dataset.inboxAddress);
    return;
  }
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "ArrowDown" && event.target === field) {
      event.preventDefault();
      move(1);
    }
    return;
  }
  if (event.key === "j" || event.key === "ArrowDown") move(1);
  else if (event.key === "k" || event.key === "ArrowUp") move(-1);
  else if (event.key === "/") field.select();
  else return;
  event.preventDefault();
});
