// Editing a reply while it waits: one sheet for whichever message's button was pressed.

/** Let the sheet work. *post(url, body)* asks the desk, *changed(message)* shows what became of the message. */
export function editing(post, changed) {
  const sheet = document.querySelector("[data-edit-sheet]");
  if (!sheet) return;
  const form = sheet.querySelector("form");
  const { text } = form.elements;
  const error = sheet.querySelector("[data-edit-error]");
  let message = null;

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-edit]");
    if (!button) return;
    message = Number(button.closest("[data-message]").dataset.message);
    form.action = button.dataset.edit;
    text.value = button.dataset.words;
    error.textContent = "";
    sheet.showModal();
    text.focus();
  });
  sheet.querySelector("[data-edit-close]").addEventListener("click", () => sheet.close());
  sheet.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.stopPropagation(); // the sheet's own; not the page's
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    try {
      const response = await post(form.action, new URLSearchParams({ text: text.value }));
      const answer = await response.json().catch(() => ({}));
      error.textContent = response.ok ? "" : (answer.error?.message ?? sheet.dataset.textUnsaved);
      if (response.ok) sheet.close();
    } catch {
      error.textContent = sheet.dataset.textUnsaved;
    }
    changed(message);
  });
}
