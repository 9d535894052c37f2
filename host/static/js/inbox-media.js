// Pictures and films that cannot be had: a placeholder of the same size, and a word about it.

const GONE = "gone";
const ENDED = 410;
const ELSEWHERE = 404;
const FRAMES = ".picture, .gallery-picture, .story-thumb, .product-picture, .slide-picture, .video, .player";

/** Let the media below *root* that fail say so in the words of *words* (a dataset). */
export function watchMedia(root, words) {
  const failed = async (element) => {
    // An error tells nothing of its reason, so it is asked for: what is only out of reach can still be opened later.
    const { status } = await fetch(element.currentSrc || element.src, { method: "HEAD" }).catch(() => ({ status: 0 }));
    const frame = element.closest(FRAMES);
    if (!frame || frame.classList.contains(GONE)) return;
    frame.classList.add(GONE);
    frame.removeAttribute("data-picture");
    if (status === ENDED || status === ELSEWHERE) frame.removeAttribute("href"); // there is nothing to open
    frame.prepend(icon());
    const hint = frame.closest(".story")?.querySelector("[data-hint]");
    const ended = hint ? hint.dataset.hint : words.textGone;
    const why = status === ENDED ? ended : status === ELSEWHERE ? words.textElsewhere : words.textAway;
    if (hint) hint.textContent = why;
    else if (!frame.matches(".product-picture, .slide-picture")) frame.append(says(why));
  };
  root.addEventListener("error", (event) => {
    if (event.target.matches?.("img, video, audio")) failed(event.target);
  }, true);
  for (const image of root.querySelectorAll("img")) {
    if (image.complete && image.currentSrc && !image.naturalWidth) failed(image); // it failed before we looked
  }
}

function icon() {
  const template = document.createElement("template");
  template.innerHTML = '<svg class="ic ic-lg" aria-hidden="true"><use href="#i-image"/></svg>';
  return template.content.firstChild;
}

function says(text) {
  const span = document.createElement("span");
  span.className = "micro muted";
  span.textContent = text;
  return span;
}
