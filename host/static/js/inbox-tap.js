// What can be done about a message comes on a tap where nothing can point at it. With a mouse, by key and for screen readers
// it is there without this, see composer.css.

const TOUCH = matchMedia("(hover: none)");
const ACTS = "a, button, input, textarea, select, label, summary, video, audio, dialog, [popover], [role=slider], [contenteditable]";

/** Let messages in *root* be tapped. */
export function tapping(root) {
  const tapped = () => root.querySelector("[data-message].is-tapped");

  root.addEventListener("click", (event) => {
    if (!TOUCH.matches) return;
    const { target } = event, before = tapped();
    if (target.closest(ACTS)) {
      // What was chosen is done. The panel of emoji stays beside its button.
      if (target.closest(".msg-actions :not([data-react])") && !target.closest("[data-react]")) before?.classList.remove("is-tapped");
      return;
    }
    const message = target.closest("[data-message]");
    if (!getSelection().isCollapsed) return; // words are being chosen, to be copied
    before?.classList.remove("is-tapped");
    if (!message || message === before || !message.querySelector(".msg-actions")) return;
    message.classList.add("is-tapped");
    message.querySelector(".msg-actions").scrollIntoView({ block: "nearest" });
  });

  root.addEventListener("keydown", (event) => {
    const found = event.key === "Escape" && !event.isComposing && tapped();
    if (!found || event.target.closest("textarea, input, dialog")) return;
    found.classList.remove("is-tapped");
    event.stopPropagation();
  });
}
