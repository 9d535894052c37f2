// The form of a canned reply: variables are put where the caret is, and the preview follows what is typed.

const AFTER_MS = 400;
const form = document.querySelector("[data-canned-form]");
const previews = document.querySelectorAll("[data-canned-preview]");
let text = form?.querySelector("textarea");
let timer = null;
let asked = 0;

async function show() {
  const number = ++asked;
  const body = new FormData(form);
  body.delete("file");
  body.set("preview", "1");
  try {
    const response = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelectorAll("[data-canned-preview]");
    if (fresh.length === previews.length && number === asked) {
      for (const [at, preview] of previews.entries()) preview.innerHTML = fresh[at].innerHTML;
    }
  } catch {
    // The button stays, and Save says what is wrong.
  }
}

if (form) {
  form.addEventListener("focusin", (event) => {
    if (event.target.matches("textarea")) text = event.target;
  });
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, AFTER_MS);
  });
  for (const button of form.querySelectorAll("[data-insert]")) {
    button.addEventListener("click", () => {
      text.focus();
      if (!document.execCommand("insertText", false, button.dataset.insert)) {
        text.setRangeText(button.dataset.insert, text.selectionStart, text.selectionEnd, "end");
        text.dispatchEvent(new Event("input", { bubbles: true }));
      }
    });
  }
}
