// Results while one types: what the field says is searched for after a short pause, the last word as the beginning of
// one. The address says what is shown, with a star behind that word, so that it can be loaded again and sent on; what
// was typed is kept with it. Enter searches for exactly that, as it does without this.

const PAUSE = 150; // milliseconds without a key until it is searched
const QUIET = 900; // and until a screen reader hears the number of results, and the first one is opened
const TOUCH = matchMedia("(pointer: coarse)"); // there a keyboard composes each word, of any script

/** Search while somebody types into *form*. *settled* is called when they have stopped and see the results. */
export function live(form, settled) {
  const field = form.querySelector(".search-words");
  const list = form.querySelector("[data-tokens]");
  const save = form.querySelector("[data-save]");
  const unfinished = new RegExp(`(^|\\s)-?(${form.dataset.known.split(" ").join("|")}):("[^"]*|[^\\s"]\\S*)?$`);
  let shown = new URL(location).searchParams.get("q") ?? "";
  let request = null;
  let pause = 0;
  let quiet = 0;

  /** Return what to search for: without a filter that is still typed, and with the last word as a beginning. */
  function sought() {
    let words = field.value.replace(unfinished, "$1");
    const last = /(?:^|\s)([^\s-]\S*)$/.exec(words)?.[1] ?? "";
    const quotes = words.split('"').length - 1;
    if (words === field.value && quotes % 2 === 0 && /[\p{L}\p{N}\p{M}]$/u.test(last)) words += "*";
    return [...[...list.querySelectorAll("input")].map((one) => one.value), words].join(" ").trim().replace(/\s+/g, " ");
  }

  function addressOf(text) {
    const url = new URL(form.action);
    if (text) url.searchParams.set("q", text);
    return url;
  }

  async function search() {
    const text = sought();
    request?.abort();
    request = null;
    if (text === shown || text.length > field.maxLength) return;
    const mine = new AbortController();
    request = mine;
    const typed = field.value;
    const url = addressOf(text);
    url.searchParams.set("part", "1");
    const response = await fetch(url, { credentials: "same-origin", signal: mine.signal }).catch(() => null);
    const page = response?.ok && !response.redirected ? await response.text().catch(() => null) : null;
    if (request !== mine) return; // something newer is asked for
    request = null;
    const next = page && new DOMParser().parseFromString(page, "text/html").querySelector("[data-panes]");
    if (!next) return; // the next key asks again, and Enter says what is wrong
    shown = text;
    history.replaceState({ ...history.state, typed }, "", addressOf(text));
    if (save) {
      save.hidden = !text;
      const there = new URL(save.href);
      there.searchParams.set("q", text);
      save.href = there;
    }
    put(next);
    quiet = setTimeout(() => {
      form.querySelector("[data-said]").textContent = next.dataset.number;
      settled();
    }, QUIET);
  }

  /** Show *next* in place of the results. The focus stays where it is, in the field or at the first of them. */
  function put(next) {
    const panes = document.querySelector("[data-panes]");
    const within = panes.contains(document.activeElement);
    next.querySelector("[data-filters]").open = panes.querySelector("[data-filters]").open;
    panes.replaceWith(next);
    if (within) (next.querySelector("[data-hit]") ?? field).focus();
  }

  function soon() {
    clearTimeout(pause);
    clearTimeout(quiet);
    pause = setTimeout(search, PAUSE);
  }

  function stop() {
    clearTimeout(pause);
    clearTimeout(quiet);
    request?.abort();
    request = null;
  }

  if (typeof history.state?.typed === "string") field.value = history.state.typed;
  field.addEventListener("input", (event) => { if (!event.isComposing || TOUCH.matches) soon(); });
  field.addEventListener("compositionstart", () => { if (!TOUCH.matches) stop(); });
  field.addEventListener("compositionend", soon);
  new MutationObserver(soon).observe(list, { childList: true });
  form.addEventListener("submit", stop);
}
