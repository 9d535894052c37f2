// Contacts: a filter that is chosen is used at once, pictures open large, and only one detail is open at a time.

import "./gallery.js";
import "./menus.js";
import "./panels.js";

const form = document.querySelector("form[data-narrow]");

form?.addEventListener("change", (event) => event.target.matches("select") && form.requestSubmit());
for (const button of form?.querySelectorAll("[data-go]") ?? []) button.hidden = true;
// What is empty stays out of the address.
form?.addEventListener("submit", () => {
  for (const field of form.elements) field.disabled = field.name !== "" && field.value === "";
});
addEventListener("pageshow", () => {
  for (const field of form?.elements ?? []) field.disabled = false;
});

const unopened = document.querySelector("[data-unopened]");
for (const opener of document.querySelectorAll("[data-templates-open]")) opener.addEventListener("click", async () => {
  unopened.hidden = true;
  const problem = () => { unopened.hidden = false; };
  const found = await import("./composer-templates.js").catch(() => null); // few contacts have a number
  if (found) found.pick(opener, { problem });
  else problem(); // offline
});

document.addEventListener("toggle", (event) => {
  const edit = event.target;
  if (!edit.matches?.("details.edit[open]")) return;
  for (const other of document.querySelectorAll("details.edit[open]")) if (other !== edit) other.open = false;
  edit.querySelector("input:not([type=hidden]), select, textarea")?.focus();
}, true);

document.addEventListener("keydown", (event) => {
  const edit = event.key === "Escape" && event.target.closest?.("details.edit[open]");
  if (!edit) return;
  edit.open = false;
  edit.querySelector("summary").focus();
});
