"""A desk, the sandbox and Chromium: everything a browser test of the whole needs."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image

from demo.outside import Outside
from demo.processes import CHECKOUT, Host, Sandbox, free_port, sandbox_settings
from tests.accessibility import violations

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 780}
EVERYTHING: dict[str, Any] = {}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
THEMES = (("light", EVERYTHING), ("dark", COLOURS))
"""A theme changes colours and nothing else, so the second is held to the rules for colours."""


@dataclass
class Desk:
    """One desk with the world around it."""

    host: Host
    sandbox: Sandbox
    outside: Outside
    smtp_port: int


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Desk]:
    """A desk nobody has set up yet, beside a sandbox and a mail server."""
    data = tmp_path_factory.mktemp("desk")
    sandbox = Sandbox.start()
    outside = Outside()
    outside.start()
    smtp_port = free_port()
    settings = sandbox_settings(sandbox)
    settings["LOBBY_ALLOW_HOSTS"] += f",{outside.addresses}"
    settings["LOBBY_LOOK_GRACE"] = "2"
    settings["LOBBY_PUBLIC_FILES"] = "1"  # the sandbox fetches from this machine
    settings["LOBBY_SMTP_LISTEN"] = f"127.0.0.1:{smtp_port}"
    host = Host.start(data / "data", port=free_port(), settings=settings)
    try:
        yield Desk(host, sandbox, outside, smtp_port)
    finally:
        host.program.stop()
        sandbox.program.stop()
        outside.stop()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="module")
def person(desk: Desk, chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a browser of one's own: ``person()`` gives a page; errors on it fail the test at the end."""
    contexts: list[Any] = []
    troubles: list[str] = []

    def arrive(**options: Any) -> Any:
        context = chromium.new_context(
            base_url=desk.host.url,
            **{"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", **options},
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                troubles.append(f"{page.url}: {message.text}") if "Content Security" in message.text else None
            ),
        )
        return page

    yield arrive
    for context in contexts:
        context.close()
    assert not troubles, "\n".join(troubles)


def screenshot(page: Any, name: str, **options: Any) -> None:
    """Take a picture of *page*, where ``SCREENSHOTS`` names a folder: each costs as much as a page."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", **options)


def look(page: Any, name: str, *, phone: bool = True, wide: bool = True) -> None:
    """Hold the page to WCAG and to a phone's width in both themes and widths; see :func:`screenshot`."""
    before = page.viewport_size
    # A colour on its way from one theme to the other is neither.
    page.emulate_media(reduced_motion="reduce")
    for size, label, wanted in ((WIDE, "1440", wide), (PHONE, "360", phone)):
        if not wanted:
            continue
        page.set_viewport_size(size)
        for theme, rules in THEMES:
            page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
            serious = [
                f"{found['id']}: {node['html'][:160]}"
                for found in violations(page, **rules)
                if found["impact"] in {"serious", "critical"}
                for node in found["nodes"]
            ]
            assert not serious, f"{name} at {label}, {theme}:\n" + "\n".join(serious)
            screenshot(page, f"{name}-{label}-{theme}", full_page=label == "360")
        if label == "360":
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], f"{name} scrolls sideways at 360 px: {width}"
    page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'light')")
    page.set_viewport_size(before)


def picture(page: Any, name: str, *, of: Any = None) -> None:
    """Take a picture for ``docs/pictures``, where ``REWRITE_PICTURES=1`` asks for it: small, in few colours.

    :param of: the part of the page to show; None: what a window of 1100 by 700 shows.
    """
    if os.environ.get("REWRITE_PICTURES") != "1":
        return
    before = page.viewport_size
    page.set_viewport_size({"width": 1100, "height": 700})
    taken = Image.open(io.BytesIO((of or page).screenshot()))
    page.set_viewport_size(before)
    taken.convert("RGB").quantize(64).save(CHECKOUT / "docs" / "pictures" / f"{name}.png", optimize=True)
