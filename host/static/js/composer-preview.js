// A look at a mail before it goes: the desk lays it out, and a frame in which nothing runs shows it.

import { clone } from "./composer-parts.js";

const SENT = ["csrf_token", "text", "signature", "place"];

/** Let *button* show what *form* would send; *uploads()* resolves to the ids of its files. */
export function preview(button, form, uploads) {
  button.addEventListener("click", async () => {
    const ids = await uploads();
    // A frame of its own each time: one that is used again would fill the browser's history.
    const sheet = clone(form, "preview");
    document.body.append(sheet);
    sheet.addEventListener("close", () => {
      sheet.remove();
      button.focus();
    });
    sheet.querySelector("[data-preview-close]").addEventListener("click", () => sheet.close());
    const asked = document.createElement("form");
    Object.assign(asked, { method: "post", action: form.dataset.previewUrl, target: sheet.querySelector("iframe").name, hidden: true });
    const given = new FormData(form);
    const add = (name, value) => asked.append(Object.assign(document.createElement("textarea"), { name, value }));
    for (const name of SENT) if (given.has(name)) add(name, given.get(name));
    for (const id of ids) add("upload", id);
    document.body.append(asked);
    asked.submit();
    asked.remove();
    sheet.showModal();
  });
}
