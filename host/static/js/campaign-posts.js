// The fields of a campaign: the account's recent posts, loaded when they are asked for. Pressing one chooses it.

import "./base.js";

const picker = document.querySelector("[data-recent]");

if (picker) {
  const form = picker.closest("form");
  const list = picker.querySelector("[data-recent-list]");
  const status = picker.querySelector("[data-recent-status]");
  const account = picker.querySelector("select[name=account]");
  let asked = 0;

  const chosen = (pick) => form.querySelector(`input[name=post][data-pick="${CSS.escape(pick)}"]`);

  const saved = new Set([...form.querySelectorAll("input[name=post]:checked")].map((one) => one.dataset.pick));

  /** Put in the posts to choose from as the server sent them; a choice that isn't saved yet counts as a change. */
  function put(fresh) {
    for (const one of fresh.querySelectorAll("input[name=post]")) {
      const now = one.checked;
      one.defaultChecked = saved.has(one.dataset.pick);
      one.checked = now;
    }
    form.querySelector("[data-chosen-posts]").replaceWith(fresh);
  }

  /** Show on each picture whether its post is chosen. */
  const sync = () => {
    for (const tile of list.querySelectorAll("[name=pick]")) {
      tile.setAttribute("aria-pressed", String(chosen(tile.value)?.checked ?? false));
    }
  };

  const first = () => {
    const url = new URL(picker.dataset.recent, location.href);
    if (account) url.searchParams.set("account", account.value);
    return url;
  };

  const say = (text) => {
    const line = document.createElement("p");
    line.className = "micro muted m-0";
    line.textContent = text;
    list.replaceChildren(line);
    return line;
  };

  async function load(url, { older } = {}) {
    const number = ++asked;
    if (older) older.disabled = true;
    else say(list.dataset.loading);
    let text = "";
    try {
      const response = await fetch(url, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (!response.ok) throw new Error(String(response.status));
      text = await response.text();
    } catch {
      if (number !== asked) return;
      if (older) older.disabled = false;
      else say(list.dataset.failed).append(" ", again());
      return;
    }
    if (number !== asked) return;
    const held = document.createElement("template");
    held.innerHTML = text;
    const tiles = list.querySelector(".camp-recent");
    const fresh = held.content.querySelector(".camp-recent");
    if (older && fresh) {
      const next = fresh.querySelector("[name=pick]");
      tiles.append(...fresh.children);
      fresh.remove();
      older.replaceWith(held.content);
      next.focus();
    } else if (older) older.replaceWith(held.content);
    else list.replaceChildren(held.content);
    sync();
  }

  function again() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm btn-quiet";
    button.dataset.recentAgain = "";
    button.textContent = list.dataset.again;
    return button;
  }

  /** Add a post to those to choose from; saving waits until it is there. */
  function add(tile) {
    const mine = look(tile).finally(() => adding.delete(mine));
    adding.add(mine);
  }

  const adding = new Set();
  form.addEventListener("submit", (event) => {
    if (!adding.size) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    Promise.all(adding).then(() => form.requestSubmit(event.submitter));
  }, { capture: true });

  /** Have the server look a post up: it answers with the form. */
  async function look(tile) {
    const body = new FormData(form);
    body.set("pick", tile.value);
    body.delete("link");
    status.textContent = "";
    tile.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.querySelector("[data-chosen-posts]");
      if (!response.ok || !fresh) throw new Error(page.querySelector("#rule-why")?.innerText.trim() || list.dataset.failed);
      put(fresh);
      changed(true);
    } catch (error) {
      status.textContent = error instanceof TypeError ? list.dataset.failed : error.message;
    } finally {
      tile.removeAttribute("aria-busy");
    }
  }

  function changed(added) {
    sync();
    status.textContent = added ? status.dataset.added : status.dataset.removed;
    form.dispatchEvent(new Event("input", { bubbles: true })); // the preview and the bar of unsaved changes follow
  }

  picker.addEventListener("toggle", () => {
    if (picker.open && !list.childElementCount) load(first());
  });
  if (picker.open) load(first());
  account?.addEventListener("change", () => load(first()));
  form.addEventListener("change", sync);
  form.addEventListener("reset", () => setTimeout(sync));
  list.addEventListener("click", (event) => {
    const more = event.target.closest("[data-recent-more]");
    if (more) load(more.dataset.recentMore, { older: more });
    else if (event.target.closest("[data-recent-again]")) load(first());
    const tile = event.target.closest("[name=pick]");
    if (!tile) return;
    event.preventDefault();
    if (tile.hasAttribute("aria-busy")) return;
    const known = chosen(tile.value);
    if (!known) add(tile);
    else {
      known.checked = !known.checked;
      changed(known.checked);
    }
  });
}
