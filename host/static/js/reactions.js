// Reacting to a message: one panel of emoji, opened beside the message it is for.

/** Let the panel act on messages. *act(url, emoji, message)* tells the desk. */
export function reactions(act) {
  let message = null;

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-react]");
    if (!button) return;
    message = button.dataset.react;
    const mine = button.dataset.mine ?? "";
    for (const emoji of panel()?.querySelectorAll("button[name=emoji]") ?? []) {
      emoji.setAttribute("aria-pressed", String(emoji.value === mine));
    }
  }, true);

  document.addEventListener("submit", (event) => {
    if (event.target !== panel()) return;
    event.preventDefault();
    event.stopPropagation();
    const { submitter } = event;
    const again = submitter.getAttribute("aria-pressed") === "true"; // the same once more takes it away
    const url = event.target.dataset.action.replace("/messages/0/", `/messages/${Number(message)}/`);
    event.target.hidePopover();
    document.querySelector(`button[data-react="${Number(message)}"]`)?.focus();
    act(url, again ? "" : submitter.value, Number(message));
  }, true);
}

const panel = () => document.querySelector("[data-reactions]");
