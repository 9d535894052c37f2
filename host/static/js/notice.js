// The box that says what is wrong: a fact, its cause or what to do, and one button. The macro `notice` makes it, and so does this.

/** Say *fact* in *box*, which the page has for that, and *next* after it; without a fact nothing is wrong, and the box is hidden. */
export function tell(box, fact, next = "") {
  box.hidden = !fact;
  for (const [name, text] of [["b", fact], ["b + span", next]]) {
    const part = box.querySelector(name);
    if (part.textContent !== (text ?? "")) part.textContent = text ?? ""; // what is written anew is read aloud anew
  }
}

/** Return such a box for a place without one. */
export function notice(fact, next = "", { tone = "bad", role = "alert" } = {}) {
  const box = document.createElement("div");
  box.className = `notice notice-${tone}`;
  box.setAttribute("role", role);
  box.innerHTML = '<svg class="ic" aria-hidden="true"><use href="#i-alert"/></svg><div><b></b> <span></span></div>';
  tell(box, fact, next);
  return box;
}
