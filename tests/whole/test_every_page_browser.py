"""Every page of the table of ``test_isolation``, in a browser: both languages, both themes, both widths.

WCAG holds, nothing scrolls sideways, no word is cut off or broken, no page is endless, one button at most is
the primary one, and a page is called what leads to it.
``SCREENSHOTS`` names a folder for a picture of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.accessibility import violations
from tests.web.test_browser import CUT
from tests.whole.shops import ADMIN, POTTERY_OWNER
from tests.whole.test_isolation import PLACE, TABLE, Scene, staged

pytestmark = [pytest.mark.slow, pytest.mark.browser]

WCAG: dict[str, Any] = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS: dict[str, Any] = {"runOnly": ["color-contrast", "link-in-text-block"]}
THEMES = (("light", WCAG), ("dark", COLOURS))
"""A theme changes colours and nothing else, so the second is held to the rules for colours."""
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 780}
LONGEST = 6_000
"""How many pixels of a phone a page may go down."""
KEYS = ["auth_time", "key_expired", "message.received", "message_edit", "realm_access"]
"""Names of others that sentences for admins and programmers have to say."""
SHAPE = r"""([width, known]) => {
  const found = [], main = document.querySelector("main") ?? document.body;
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const place = (e) => e.getBoundingClientRect();
  const text = (e) => (e?.textContent ?? "").trim().replace(/\s+/g, " ");
  const foreign = "[translate=no], code, pre, kbd, svg, script, style, template, select, textarea, " +
    ".visually-hidden";
  const accent = document.createElement("i");
  accent.style.color = "var(--accent)";
  document.body.append(accent);
  const filled = getComputedStyle(accent).color;
  accent.remove();
  const primary = [...document.querySelectorAll(".btn-primary:not(.send-more)")].filter((e) => seen(e) &&
    place(e).bottom > 0 && place(e).top < innerHeight && getComputedStyle(e).backgroundColor === filled);
  if (primary.length > 1) found.push(`${primary.length} primary buttons: ${primary.map(text).join(" | ")}`);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const of = node.parentElement;
    if (!node.data.trim() || of.closest(foreign) || !seen(of)) continue;
    const key = node.data.match(
      /\b[a-z]+_[a-z_]+\b|\b(?:account|contact|conversation|member|message|rule)\.[a-z_]+\b/);
    if (key && !known.includes(key[0])) found.push(`a key: ${key[0]} in ${text(of).slice(0, 80)}`);
    if (getComputedStyle(of).hyphens === "auto") continue;
    for (const word of node.data.matchAll(/[\p{L}]{2,24}/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const shown = [...range.getClientRects()].filter((one) => one.width > 0);
      const lines = new Set(shown.map((one) => Math.round(one.top)));
      if (lines.size > 1) found.push(`a broken word: ${word[0]} in ${text(of).slice(0, 60)}`);
    }
  }
  for (const name of document.querySelectorAll("[translate=no]")) {
    let cut = name;
    while (cut && getComputedStyle(cut).textOverflow !== "ellipsis") cut = cut.parentElement;
    if (!cut || !seen(name) || cut.scrollWidth <= cut.clientWidth + 1 || text(cut).length <= 8) continue;
    const shown = text(cut).length * cut.clientWidth / cut.scrollWidth;
    if (shown < 8) found.push(`a name cut to ${Math.floor(shown)} letters: ${text(cut).slice(0, 60)}`);
  }
  const title = main.querySelector("h1");
  const tabs = [...main.querySelectorAll("nav.tabs")].find(seen);
  const below = (one, other) => one.compareDocumentPosition(other) === Node.DOCUMENT_POSITION_PRECEDING;
  if (tabs && !(title && below(tabs, title) && place(title).top < place(tabs).top)) {
    found.push("tabs before the title");
  }
  const entries = document.querySelectorAll(":is([data-side-nav], .section-tabs) a[aria-current]");
  const here = [...entries].filter((e) => e.pathname === location.pathname);
  const alone = (e) => {
    const copy = e.cloneNode(true);
    for (const beside of copy.querySelectorAll(".count, .visually-hidden")) beside.remove();
    return text(copy);
  };
  if (title && here.length && !here.some((e) => alone(e) === text(title))) {
    found.push(`called ${text(title)}, but ${here.map(alone).join(" | ")} leads to it`);
  }
  if (document.documentElement.scrollWidth > width) found.push("scrolls sideways");
  for (const box of main.querySelectorAll(".table-wrap")) {
    if (width > 1400 && box.scrollWidth > box.clientWidth + 1) found.push(`wide table: ${box.ariaLabel}`);
  }
  return [...new Set(found)];
}"""
"""What the house rules of pages find wrong with the one that is open, in a window *width* pixels wide."""
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Waits until the page is drawn in the window as it is now, with the rules of that width."""
OPEN = "anonymous"
WHO = {OPEN: "", "owner": POTTERY_OWNER, "admin": ADMIN}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Scene]:
    yield from staged(tmp_path_factory.mktemp("pages"), addon_zip)


def pages(scene: Scene) -> list[tuple[str, str]]:
    """Return who opens a page, and its address: each page of the table once."""
    found = []
    for route, line in TABLE.items():
        column = next((one for one in WHO if line[one] == 200), None)
        if not route.startswith("GET ") or column is None:
            continue
        answer = scene.call(WHO[column], route, scene.pottery)
        # A stream is read by nobody here; a part of a page is no page.
        if answer.headers.get("Content-Type", "").startswith("text/html") and "<html" in answer.text:
            address = route.removeprefix("GET ")
            found.append((WHO[column], PLACE.sub(lambda place: str(scene.pottery[place.group(1)]), address)))
    return found


def problems(page: Any, path: str, language: str) -> list[str]:
    """Return what is wrong with the page that is open."""
    found = []
    if page.evaluate("document.documentElement.lang") != language:
        found.append(f"is not in {language}")
    for theme, rules in THEMES:
        page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
        found += [
            f"{theme}: {one['id']} {node['html'][:160]}"
            for one in violations(page, **rules)
            for node in one["nodes"]
        ]
        keep(page, f"{path}-1440-{theme}-{language}")
    page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'light')")
    found += [f"at 1440: {one}" for one in page.evaluate(SHAPE, [WIDE["width"], KEYS])]
    page.set_viewport_size(PHONE)
    page.evaluate(DRAWN)
    found += [f"at 360: {one}" for one in page.evaluate(SHAPE, [PHONE["width"], KEYS])]
    page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'dark')")
    height = page.evaluate("document.documentElement.scrollHeight")
    if height > LONGEST:
        found.append(f"is {height} px long on a phone")
    found += [f"cut off: {one}" for one in page.evaluate(CUT)]
    keep(page, f"{path}-360-dark-{language}")
    page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'light')")
    keep(page, f"{path}-360-light-{language}")
    return found


def keep(page: Any, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name.strip('/').replace('/', '.')}.png", full_page=True)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_holds_wcag_in_each_language_and_theme(chromium: Any, scene: Scene, language: str) -> None:
    opened = pages(scene)
    assert len(opened) > 60, opened
    found = []
    for email in sorted({who for who, _path in opened}):
        context = chromium.new_context(
            base_url=scene.rig.url,
            viewport=WIDE,
            reduced_motion="reduce",  # colours in the middle of a transition are nobody's
            extra_http_headers={"Accept-Language": language},
        )
        context.add_cookies(
            [
                {"name": one.name, "value": one.value, "url": scene.rig.url}
                for one in scene.people[email].cookies
            ]
        )
        page = context.new_page()
        page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))  # noqa: B023 - read at once
        for who, path in opened:
            if who != email:
                continue
            page.set_viewport_size(WIDE)
            page.goto(path)
            found += [f"{path}: {one}" for one in problems(page, path, language)]
        context.close()
    assert not found, "\n".join(found)
