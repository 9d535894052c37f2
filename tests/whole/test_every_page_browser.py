"""Every page of the table of ``test_isolation``, in a browser: both languages, both themes, both widths.

WCAG holds, nothing scrolls sideways on a phone, no word is cut off there, and no page is endless.
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
    page.set_viewport_size(PHONE)
    width, height = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    if width > PHONE["width"]:
        found.append(f"scrolls sideways on a phone: {width} px")
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
