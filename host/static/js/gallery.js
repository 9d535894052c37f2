// The pictures of a message, large and one at a time. Without scripts each opens in a tab of its own.

const dialog = document.querySelector("[data-lightbox]");
const within = (name) => dialog.querySelector(`[data-${name}]`);

let pictures = [];
let at = 0;

function show(index) {
  at = (index + pictures.length) % pictures.length;
  const small = pictures[at].querySelector("img");
  const large = within("large");
  large.src = pictures[at].href;
  large.alt = small.alt || pictures[at].getAttribute("aria-label");
  within("download").href = pictures[at].dataset.picture;
  within("counter").textContent = dialog.dataset.textCounter.replace("{n}", at + 1).replace("{all}", pictures.length);
  for (const button of dialog.querySelectorAll("[data-step]")) button.hidden = pictures.length < 2;
}

document.addEventListener("click", (event) => {
  const picture = event.target.closest?.("[data-picture]");
  if (!picture || !dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  pictures = [...(picture.closest("[data-gallery]")?.querySelectorAll("[data-picture]") ?? [picture])];
  show(pictures.indexOf(picture));
  dialog.showModal();
});

dialog?.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  if (step) show(at + Number(step.dataset.step));
  else if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
});

dialog?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") show(at + 1);
  else if (event.key === "ArrowLeft") show(at - 1);
  else if (event.key === "Home") show(0);
  else if (event.key === "End") show(pictures.length - 1);
  else return;
  event.preventDefault();
});

// What it shows may be of what was erased.
document.addEventListener("lobby-gone", () => { if (dialog?.open) dialog.close(); });

// The message may have been drawn anew meanwhile: the focus goes back to the picture that was looked at last.
dialog?.addEventListener("close", () => {
  within("large").removeAttribute("src");
  const wanted = pictures[at];
  const there = wanted.isConnected ? wanted : document.querySelector(`[data-picture="${CSS.escape(wanted.dataset.picture)}"]`);
  (there?.classList.contains("gallery-hidden") ? there.parentElement.querySelector("[data-picture]") : there)?.focus();
});
