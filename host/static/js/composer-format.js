// Light Markdown in a text field: buttons and keys put marks around what is chosen, or before its lines. What they
// write can be undone like typing.

import { write } from "./composer-canned.js";

const AROUND = { bold: "**", italic: "*" };
const BEFORE = { list: () => "- ", numbers: (at) => `${at + 1}. `, quote: () => "> " };
const MARKED = /^(?:[-*] |\d+[.)] |> )/;
const KEYS = { b: "bold", i: "italic", k: "link" };

/** Make the buttons of *bar* and the keys work in *text*. The first button is reached by Tab, the others by arrows. */
export function marks(bar, text) {
  const buttons = [...bar.querySelectorAll("[data-mark]")];
  let written = null; // the mark that was put before the last line, and where
  buttons[0].tabIndex = 0;
  bar.addEventListener("mousedown", (event) => event.preventDefault()); // what is chosen in the text stays chosen
  bar.addEventListener("click", (event) => {
    const name = event.target.closest("[data-mark]")?.dataset.mark;
    if (name) mark(text, name, bar.dataset.linkWords);
  });
  bar.addEventListener("keydown", (event) => {
    const rtl = getComputedStyle(bar).direction === "rtl";
    const step = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    buttons[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  text.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.shiftKey) return;
    const name = event.ctrlKey || event.metaKey ? KEYS[event.key.toLowerCase()] : undefined;
    if (name) {
      event.preventDefault();
      event.stopPropagation(); // elsewhere on the page the same key opens the palette
      mark(text, name, bar.dataset.linkWords);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.defaultPrevented) {
      written = goOn(text, event);
    }
  });
  text.addEventListener("input", (event) => {
    if (written && !event.isComposing) written = yieldTo(text, written);
  });
}

/** Mark what is chosen in *text*, or take the mark away where it is there already. */
export function mark(text, name, words) {
  if (name in AROUND) around(text, AROUND[name]);
  else if (name === "link") link(text, words);
  else lines(text, BEFORE[name]);
}

function around(text, sign) {
  const { value, selectionStart: start, selectionEnd: end } = text;
  // Blanks at the edges stay outside: a mark beside one is none.
  const chosen = value.slice(start, end);
  const head = chosen.length - chosen.trimStart().length;
  const inner = chosen.trim();
  const from = start + (inner ? head : 0);
  const to = from + inner.length;
  const size = sign.length;
  const before = value.slice(Math.max(0, from - 2), from);
  const after = value.slice(to, to + 2);
  const stars = Math.min(/\**$/.exec(before)[0].length, /^\**/.exec(after)[0].length);
  const marked = size === 2 ? stars === 2 : stars === 1;
  if (marked) replace(text, from - size, to + size, inner, from - size, from - size + inner.length);
  else replace(text, from, to, `${sign}${inner}${sign}`, from + size, from + size + inner.length);
}

function link(text, words) {
  const { value, selectionStart: start, selectionEnd: end } = text;
  const chosen = value.slice(start, end).trim();
  const isAddress = /^https?:\/\/\S+$/i.test(chosen);
  const label = isAddress || !chosen ? words : chosen;
  const address = isAddress ? chosen : "https://";
  const written = `[${label}](${address})`;
  // What is still to be written is chosen: the words, or the address.
  const from = start + (isAddress || !chosen ? 1 : label.length + 3);
  replace(text, start, end, written, from, from + (isAddress || !chosen ? label.length : address.length));
}

function lines(text, sign) {
  const { value, selectionStart, selectionEnd } = text;
  const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const next = value.indexOf("\n", Math.max(selectionStart, selectionEnd - 1));
  const end = next < 0 ? value.length : next;
  const rows = value.slice(start, end).split("\n");
  const bare = rows.map((row) => row.replace(MARKED, ""));
  const marked = rows.every((row, at) => !row.trim() || row === `${sign(at)}${bare[at]}`) && rows.some((row) => row.trim());
  const written = bare.map((row, at) => (marked ? row : `${sign(at)}${row}`)).join("\n");
  // A list needs an empty line only after a quote or another list; none is put in.
  replace(text, start, end, written, start + (selectionStart === selectionEnd ? written.length : 0), start + written.length);
}

/** Go on with the list or the quote the caret stands in; an empty line of it ends it. Return the mark written. */
function goOn(text, event) {
  const { value, selectionStart: at } = text;
  if (at !== text.selectionEnd) return null;
  const start = value.lastIndexOf("\n", at - 1) + 1;
  const row = value.slice(start, at);
  const sign = MARKED.exec(row)?.[0];
  if (!sign) return null;
  event.preventDefault();
  if (row === sign) {
    replace(text, start, at, "\n", start + 1, start + 1); // what follows at once would still belong to it
    return null;
  }
  const number = /^\d+/.exec(sign);
  const next = number ? sign.replace(number[0], String(Number(number[0]) + 1)) : sign;
  replace(text, at, at, `\n${next}`, at + 1 + next.length, at + 1 + next.length);
  return { start: at + 1, sign: next };
}

/** Take the mark that was *written* away again once the same kind of mark is typed after it: the typed one stays. */
function yieldTo(text, written) {
  const { value, selectionStart: at } = text;
  const { start, sign } = written;
  if (at < start + sign.length || !value.startsWith(sign, start)) return null;
  const typed = value.slice(start + sign.length, at);
  const own = MARKED.exec(typed)?.[0];
  if (!own || (own === "> ") !== (sign === "> ")) return typed.includes("\n") ? null : written;
  replace(text, start, at, typed, start + typed.length, start + typed.length);
  return null;
}

function replace(text, start, end, words, from, to) {
  text.setSelectionRange(start, end);
  if (words || start !== end) write(text, words);
  text.setSelectionRange(from, to);
}
