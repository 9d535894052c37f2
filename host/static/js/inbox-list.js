// The list of conversations: rows in their order, more of them on demand, moving by keyboard.

import { elements } from "./inbox-thread.js";

const PAGE = 50;

const part = (name) => document.querySelector(`[data-part="${name}"]`);

/** Put rows where they belong; null takes one out. *opened* is the conversation somebody reads. */
export function showRows(rows, opened) {
  const list = part("list");
  for (const [id, html] of Object.entries(rows)) {
    const there = list.querySelector(`[data-row="${id}"]`);
    const focused = there?.contains(document.activeElement);
    if (html === null) {
      // The conversation somebody reads stays where it is until they leave it.
      if (Number(id) !== opened) there?.remove();
      continue;
    }
    const [row] = elements(html);
    there?.remove();
    const all = [...list.children];
    const next = all.find((other) => other.dataset.order < row.dataset.order);
    if (next) next.before(row);
    else if (!document.querySelector("[data-more]") || all.length < PAGE) list.append(row);
    if (focused) row.querySelector("a").focus();
  }
  list.hidden = list.children.length === 0;
  part("empty").hidden = !list.hidden;
}

/** Fetch the next page and put it below. */
export async function moreRows(link, address) {
  const url = new URL(address, location.href);
  url.searchParams.set("before", link.dataset.more);
  const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!response.ok) return;
  const answer = await response.json();
  const list = part("list");
  for (const row of elements(answer.rows)) {
    if (!list.querySelector(`[data-row="${row.dataset.row}"]`)) list.append(row);
  }
  if (answer.more) link.dataset.more = answer.more;
  else link.remove();
}

/** Move the focus by *step* rows. */
export function move(step) {
  const links = [...part("list").querySelectorAll(".conv")];
  if (!links.length) return;
  const from = links.indexOf(document.activeElement);
  const current = from >= 0 ? from : links.findIndex((link) => link.hasAttribute("aria-current"));
  const next = links[Math.min(links.length - 1, Math.max(0, current + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
