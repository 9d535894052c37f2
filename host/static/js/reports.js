// What is picked with a pointer applies at once; with keys, which pass others on the way, Show does.

for (const form of document.querySelectorAll("[data-chooser]")) {
  let byKeys = false;
  form.addEventListener("keydown", () => { byKeys = true; });
  form.addEventListener("pointerdown", () => { byKeys = false; });
  form.addEventListener("change", (event) => {
    if (event.target.matches("select") && !byKeys) form.requestSubmit();
  });
}
