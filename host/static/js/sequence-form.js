// The form of a step: how long each of its texts is while it is typed.

import { textLength } from "./bytes.js";

const number = new Intl.NumberFormat(document.documentElement.lang);

function count(counter) {
  const used = textLength(document.getElementById(counter.dataset.bytesOf).value, counter.dataset.unit);
  counter.textContent = counter.dataset.text
    .replace("{used}", number.format(used)).replace("{limit}", number.format(counter.dataset.limit));
  counter.classList.toggle("over", used > counter.dataset.limit);
}

for (const counter of document.querySelectorAll("[data-bytes-of]")) {
  document.getElementById(counter.dataset.bytesOf).addEventListener("input", () => count(counter));
  count(counter);
}
