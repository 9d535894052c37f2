// Notification settings: whether this device keeps conversations for reading offline.

import { canKeep, isKept, keep } from "./offline-copy.js";

const section = document.querySelector("[data-offline-device]");
const user = Number(section.dataset.user);
const on = section.querySelector("[data-offline-on]"), off = section.querySelector("[data-offline-off]");
const line = section.querySelector("[data-offline-result]");

function draw() {
  const kept = canKeep() && isKept(user);
  on.hidden = !canKeep() || kept;
  off.hidden = !kept;
  const { textOn, textOff, textUnable } = section.dataset;
  if (canKeep()) line.textContent = kept ? textOn : textOff;
  else line.textContent = textUnable;
}

async function choose(isWanted) {
  try {
    await keep(user, isWanted);
    draw();
    (isWanted ? off : on).focus();
  } catch {
    line.textContent = section.dataset.textUnable;
  }
}

on.addEventListener("click", () => choose(true));
off.addEventListener("click", () => choose(false));
draw();
