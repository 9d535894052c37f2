// Editing a reply while it waits, and one's own notes: one sheet of each kind, for whichever message's button was pressed.

/** Let the sheets work. *post(url, body)* asks the desk, *changed(message)* shows what became of the message. */
export function editing(post, changed) {
  for (const sheet of document.querySelectorAll("[data-edit-sheet]")) opens(sheet, post, changed);
}

function opens(sheet, post, changed) {
  const form = sheet.querySelector("form");
  const { text } = form.elements;
  const error = sheet.querySelector("[data-edit-error]");
  const other = sheet.querySelector("[data-edit-other]");
  const isNote = sheet.querySelector("[data-mention-menu]") !== null;
  let mentions = null;
  const mentioning = async (before) => {
    const found = await import("./composer-mention.js").catch(() => null);
    if (!found) return; // offline
    mentions ??= new found.Mentions(form, (words) => { sheet.querySelector("[data-edit-say]").textContent = words; });
    mentions.begin(document.querySelector("form[data-people-url]")?.dataset.peopleUrl);
    if (text.value !== before) mentions.look(); // somebody typed meanwhile
  };
  let message = null;
  let version = null;
  let saving = false;

  /** Show why it was not saved, and the text that somebody else saved, if that is why. */
  const refuse = (words, found) => {
    error.textContent = words;
    if (!other) return;
    other.hidden = found === undefined;
    other.querySelector("p").textContent = found ?? "";
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-edit]");
    if (!button || (button.dataset.editAs ?? "reply") !== sheet.dataset.editSheet) return;
    message = Number(button.closest("[data-message]").dataset.message);
    version = button.dataset.version ?? null;
    form.action = button.dataset.edit;
    text.value = button.dataset.words;
    refuse("");
    if (isNote) mentioning(text.value);
    sheet.showModal();
    text.focus();
  });
  // Its message may be gone, or the customer.
  document.addEventListener("lobby-gone", ({ detail }) => {
    if (sheet.open && (detail.message === message || (detail.contact && form.action.includes(`/inbox/${detail.conversation}/`)))) sheet.close();
  });
  sheet.querySelector("[data-edit-close]").addEventListener("click", () => sheet.close());
  sheet.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.stopPropagation(); // the sheet's own; not the page's
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (saving) return;
    saving = true;
    const body = new URLSearchParams(new FormData(form));
    if (version !== null) body.set("version", version);
    try {
      const response = await post(form.action, body);
      const answer = await response.json().catch(() => ({}));
      if (response.ok) {
        sheet.close();
      } else {
        const { message: words = sheet.dataset.textUnsaved, next = "", text: found, version: newer } = answer.error ?? {};
        version = newer === undefined ? version : String(newer); // saved again, it replaces the other text
        refuse(isNote ? `${words} ${next ?? ""}`.trim() : words, found);
      }
    } catch {
      refuse(sheet.dataset.textUnsaved);
    } finally {
      saving = false;
    }
    changed(message);
  });
}
