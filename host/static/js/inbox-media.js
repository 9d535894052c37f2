// Pictures and films that cannot be had: a placeholder of the same size, and a word about it.

const GONE = "gone";

/** Let the media below *root* that fail say so in the words of *words* (a dataset). */
export function watchMedia(root, words) {
  const gone = (element) => {
    const frame = element.closest(".picture, .gallery-picture, .story-thumb, .product-picture, .slide-picture, .video, .player");
    if (!frame || frame.classList.contains(GONE)) return;
    frame.classList.add(GONE);
    frame.removeAttribute("href"); // there is nothing to open
    frame.removeAttribute("data-picture");
    frame.prepend(icon());
    const hint = frame.closest(".story")?.querySelector("[data-hint]");
    if (hint) hint.textContent = words.textStoryGone;
    else if (!frame.matches(".product-picture, .slide-picture")) frame.append(says(words.textGone));
  };
  root.addEventListener("error", (event) => {
    if (event.target.matches?.("img, video, audio")) gone(event.target);
  }, true);
  for (const image of root.querySelectorAll("img")) {
    if (image.complete && image.currentSrc && !image.naturalWidth) gone(image); // it failed before we looked
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
