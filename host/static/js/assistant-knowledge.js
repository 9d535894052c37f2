// The setup of an assistant: files are read as soon as they are dropped or chosen, one after the other, while one goes on.
// The list follows what is still being read.

import "./base.js";

const AGAIN_MS = 2000;
const MOST_LOOKS = 60; // two minutes

const section = document.querySelector("[data-knowledge]");
let looks = 0;

/** Put in the list as the server has it now, without touching the form somebody may be filling in. */
function put(page) {
  const fresh = page.querySelector("[data-knowledge]");
  if (!fresh) return;
  section.querySelector(".asst-part-head").replaceWith(fresh.querySelector(".asst-part-head"));
  const [old, now] = [section, fresh].map((one) => one.querySelector(".asst-list"));
  if (old && now) old.replaceWith(now);
  else if (now) section.querySelector(".sheet").prepend(now);
  section.toggleAttribute("data-reading", fresh.hasAttribute("data-reading"));
  const [bar, next] = [document, page].map((one) => one.querySelector(".asst-bar"));
  if (bar && next) bar.replaceWith(next);
}

async function look() {
  if (!section.hasAttribute("data-reading") || ++looks > MOST_LOOKS) return;
  const answer = await fetch(location.pathname + location.search, { credentials: "same-origin" }).catch(() => null);
  if (answer?.ok && !answer.redirected) put(parsed(await answer.text()));
  setTimeout(look, AGAIN_MS);
}

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

if (section) {
  const form = section.querySelector("[data-give]");
  const field = form.querySelector("input[type=file]");
  const status = form.querySelector("[data-give-status]");
  const named = (words, file) => words.replace("{name}", file.name);

  /** Upload a file and return why it was not read; empty if it was. */
  async function read(file) {
    if (file.size > Number(status.dataset.most)) return named(status.dataset.large, file);
    const body = new FormData(form);
    body.delete("url");
    body.set("file", file);
    try {
      const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
      const page = parsed(await answer.text());
      if (answer.ok) put(page);
      const why = answer.ok ? "" : page.querySelector("[data-give] [role=alert]")?.innerText.trim() || status.dataset.failed;
      return why && `${file.name}: ${why}`;
    } catch {
      return `${file.name}: ${status.dataset.failed}`;
    }
  }

  async function give(files) {
    const wrong = [];
    form.setAttribute("aria-busy", "true");
    for (const file of files) {
      status.textContent = named(status.dataset.text, file);
      const why = await read(file);
      if (why) wrong.push(why);
    }
    form.removeAttribute("aria-busy");
    field.value = "";
    field.dispatchEvent(new Event("change", { bubbles: true }));
    status.textContent = wrong.join(" ");
    status.classList.toggle("is-wrong", wrong.length > 0);
    looks = 0;
    look();
  }

  field.addEventListener("change", () => { if (field.files.length) give([...field.files]); });
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (event.dataTransfer.files.length) give([...event.dataTransfer.files]);
  });
  look();
}
