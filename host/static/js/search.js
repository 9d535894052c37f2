// The search page by keyboard: J and K through what was found, / into the field, Esc to the inbox.

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
