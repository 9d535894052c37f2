// Filters as tokens in the field: one that is typed becomes a token with the space behind it, Backspace at the
// beginning takes the last one out. Each holds its text in a field of the form, so it is sent without this too.

/** Read the field of *form* as tokens, and send them as one text. */
export function tokens(form) {
  const field = form.querySelector(".search-words");
  const list = form.querySelector("[data-tokens]");
  const { known, remove, added, removed } = form.dataset;
  const typed = new RegExp(`(^|\\s)(${known.split(" ").join("|")}):(?:"([^"]*[^"\\s][^"]*)"|([^\\s"]\\S*))(?=\\s)`, "g");
  const say = (text) => { form.querySelector("[data-said]").textContent = text; };
  const all = () => [...list.querySelectorAll("input")].map((one) => one.value);

  function add(name, value) {
    const text = `${name}:${/\s/.test(value) ? `"${value}"` : value}`;
    if (all().includes(text)) return;
    const token = form.querySelector("[data-token]").content.firstElementChild.cloneNode(true);
    token.querySelector("input").value = text;
    token.querySelector("b").textContent = `${name}:`;
    token.querySelector("bdi").append(value);
    token.querySelector("button").setAttribute("aria-label", remove.replace("{}", text));
    list.append(token);
    list.hidden = false;
    say(added.replace("{}", text));
  }

  function take(token) {
    say(removed.replace("{}", token.querySelector("input").value));
    token.remove();
    list.hidden = !list.children.length;
    field.focus();
  }

  /** Make tokens of the filters before the caret that are finished. */
  function read() {
    const caret = field.selectionStart;
    const before = field.value.slice(0, caret);
    const rest = before.replace(typed, (_, edge, name, quoted, value) => {
      add(name, (quoted ?? value).trim());
      return edge;
    });
    if (rest === before) return;
    const kept = rest.replace(/\s+/g, " ").trimStart();
    field.value = kept + field.value.slice(caret).trimStart();
    field.setSelectionRange(kept.length, kept.length);
  }

  field.addEventListener("input", (event) => { if (!event.isComposing) read(); });
  field.addEventListener("compositionend", read);
  field.addEventListener("keydown", (event) => {
    // A key held down to empty the words stops at the tokens.
    if (event.key !== "Backspace" || event.repeat || event.isComposing || field.selectionEnd || !list.lastElementChild) return;
    event.preventDefault();
    take(list.lastElementChild);
  });
  list.addEventListener("click", (event) => {
    const cross = event.target.closest("a, button");
    if (!cross || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    take(cross.closest("li"));
    if (cross.matches("a")) form.requestSubmit(); // it was searched with
  });
  form.addEventListener("formdata", ({ formData }) => {
    formData.set("q", formData.getAll("q").map((one) => one.trim()).filter(Boolean).join(" "));
  });
}
