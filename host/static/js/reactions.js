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

  document.addEventListener("keydown", (event) => {
    const from = event.target.closest?.("[data-reactions] button");
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!from || !step) return;
    event.preventDefault();
    const all = [...panel().querySelectorAll("button[name=emoji]")];
    all[(all.indexOf(from) + step + all.length) % all.length].focus();
  });
}

const panel = () => document.querySelector("[data-reactions]");
