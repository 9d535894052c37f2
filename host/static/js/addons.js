// The addon pages: uploading a zip, and following what happens to addons, whoever started it.

import { relativeTimes } from "./base.js";
import { follow } from "./live-page.js";
import { entitle } from "./notices.js";

/** Let a zip be dropped on *form*, and say how far its way here is. Without this it is sent as any form is. */
function prepare(form) {
  const input = form.querySelector('input[type="file"]');
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    form.classList.add("over");
  };
  form.addEventListener("dragenter", over);
  form.addEventListener("dragover", over);
  form.addEventListener("dragleave", (event) => {
    if (!form.contains(event.relatedTarget)) form.classList.remove("over");
  });
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    input.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, input.files[0]);
  });
}

function send(form, file) {
  const state = form.querySelector("[data-state]");
  const bar = state.querySelector("progress");
  const button = form.querySelector('button[type="submit"]');
  const say = (words, going) => {
    state.hidden = false;
    state.querySelector("p").textContent = words.replace("{name}", file.name);
    bar.hidden = !going;
    button.disabled = going;
  };
  if (file.size > Number(form.dataset.max)) {
    say(form.dataset.large, false);
    return;
  }
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = event.loaded / event.total;
  });
  request.upload.addEventListener("load", () => {
    bar.removeAttribute("value"); // how long the check takes, nobody knows
    say(form.dataset.busy, true);
  });
  request.addEventListener("load", () => show(request));
  request.addEventListener("error", () => say(form.dataset.broken, false));
  request.open("POST", form.action);
  const body = new FormData(form); // before anything in the form is disabled
  bar.value = 0;
  say(form.dataset.uploading, true);
  request.send(body);
}

/** Show the page that answered: the report, or this page with what is wrong. */
function show(request) {
  const answer = new DOMParser().parseFromString(request.responseText, "text/html");
  const main = answer.getElementById("main");
  if (!main || !new URL(request.responseURL).pathname.startsWith("/admin/")) {
    window.location.reload(); // signed out meanwhile, or nothing of ours: the desk says what to do
    return;
  }
  // Not loaded once more: what the desk says once ("Choose a zip first") would have been said to nobody.
  entitle(answer.title.replace(/^\(\d+\) /, "")); // a title set otherwise goes when the number in it is drawn anew
  document.getElementById("main").replaceWith(main);
  history.pushState(null, "", request.responseURL);
  ready(main);
  relativeTimes(main);
  const first = main.querySelector('[role="alert"]') ?? main.querySelector("h1");
  first.tabIndex = -1;
  first.focus();
}

function ready(scope) {
  for (const form of scope.querySelectorAll("form[data-drop]")) prepare(form);
  for (const button of scope.querySelectorAll("[data-dismiss]")) button.hidden = false;
}

ready(document);
follow("[data-addons]", (topic) => topic === "addons");
window.addEventListener("popstate", () => window.location.reload());

// Coming back with the Back button shows the page as it was left: with working buttons.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
