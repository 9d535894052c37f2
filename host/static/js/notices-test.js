// The page of what one is told: tries each way, and says what became of it.

import { post } from "./base.js";
import { ask, notify, sound } from "./notices.js";

const words = document.querySelector("[data-told-words]").dataset;
const resultOf = (way) => document.querySelector(`[data-way="${way}"] [data-result]`);

/** Say in the row of *way* what became of its test; `worked` undefined: nothing was tried. */
function say(way, sentence, worked) {
  const line = resultOf(way);
  line.textContent = sentence;
  line.classList.toggle("t-good", worked === true);
  line.classList.toggle("t-bad", worked === false);
}

const canShow = () => "Notification" in window && window.isSecureContext;

async function tryBrowser() {
  if (!canShow()) return [false, words.textNoBrowser];
  const answer = Notification.permission === "default" ? await Notification.requestPermission() : Notification.permission;
  if (answer === "denied") return [false, words.textDenied];
  if (answer !== "granted") return [false, words.textUnanswered];
  const shown = await notify(words.textTitle, words.textBody, "lobby-test", "");
  return [shown, shown ? words.textShown : words.textFailed];
}

async function trySound() {
  const sounded = await sound(true);
  return [sounded, sounded ? words.textSounded : words.textSilent];
}

async function tryByDesk(form) {
  const response = await post(form.action, new FormData(form));
  const answer = await response.json();
  ask();
  if (!response.ok) return [false, answer.error?.message ?? words.textAway];
  return [answer.worked, answer.sentence];
}

const TRIES = { browser: tryBrowser, sound: trySound };

for (const form of document.querySelectorAll("form[data-test]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const way = form.dataset.test;
    const button = form.querySelector("button");
    button.setAttribute("aria-disabled", "true");
    try {
      const [worked, sentence] = await (TRIES[way] ?? tryByDesk)(form);
      say(way, sentence, worked);
    } catch {
      say(way, words.textAway, false);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
}

if (!canShow()) say("browser", words.textNoBrowser);
else if (Notification.permission === "granted") say("browser", words.textAllowed);
else if (Notification.permission === "denied") say("browser", words.textBlocked);
else say("browser", words.textNotAsked);
