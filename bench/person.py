"""A person at a page of Chromium whose every click, choice, key, file and filled field is an action."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import Locator, Page

Role = Literal["button", "checkbox", "link", "radio", "switch", "tab"]
Within = Literal["form", "group", "main", "navigation", "region"]

PATIENCE_SECONDS = 60.0
"""How long something may take to appear on a page."""


class Person:
    """Works on one page and counts the actions.

    The page is private: a journey can only act through these methods, so it can't act without being counted.
    Reading, scrolling and waiting cost nothing.

    :ivar actions: the number of actions so far.
    :ivar done: what each action was, in order.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._began: float | None = None
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        self.done: list[str] = []

    @property
    def actions(self) -> int:
        return len(self.done)

    @property
    def seconds(self) -> float:
        """Seconds since the first page was requested."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def arrive(self, address: str) -> None:
        """Open the first page, which is no action.

        :raises RuntimeError: the second time: from there on, a person follows links.
        """
        if self._began is not None:
            raise RuntimeError(f"a person follows links and can't open {address} themselves")
        self._began = time.monotonic()
        self._page.goto(address)

    # ---- actions ---------------------------------------------------------------------------------------

    def click(self, role: Role, name: str, *, within: tuple[Within, str] | None = None) -> None:
        """Click what has that role and exactly that name, which includes words for screen readers.

        :param within: role and name of the part of the page that has it.
        """
        self._count(f"click {role} {name!r}")
        place = self._page.get_by_role(within[0], name=_exactly(within[1])) if within else self._page
        found = place.get_by_role(role, name=_exactly(name))
        # A radio button is drawn by its label.
        (self._page.locator("label").filter(has=found) if role == "radio" else found).first.click()

    def unfold(self, words: str) -> None:
        """Click the heading that unfolds a part of the page."""
        self._count(f"unfold {words!r}")
        self._page.locator("summary:visible", has_text=words).first.click()

    def follow(self, words: str) -> None:
        """Click a link or button that contains *words*, such as a row with the name of a customer."""
        self._count(f"follow {words!r}")
        self._page.locator("a:visible, button:visible", has_text=words).first.click()

    def fill(self, label: str, text: str) -> None:
        """Type *text* into the field with that label or placeholder, in place of what it had."""
        self._count(f"fill {label!r}")
        self._field(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        """Choose an option of a select."""
        self._count(f"choose {option!r} of {label!r}")
        self._field(label).select_option(label=option)

    def attach(self, label: str, path: Path) -> None:
        """Choose a file."""
        self._count(f"attach {path.name!r} to {label!r}")
        self._field(label).set_input_files(path)

    def press(self, key: str) -> None:
        """Press a key or a combination of keys, such as ``Control+Enter``."""
        self._count(f"press {key}")
        self._page.keyboard.press(key)

    # ---- no actions ------------------------------------------------------------------------------------

    def sees(self, words: str) -> None:
        """Wait until *words* are on the page.

        :raises playwright.sync_api.TimeoutError: if they aren't within :data:`PATIENCE_SECONDS`.
        """
        self._page.get_by_text(words).locator("visible=true").first.wait_for()

    def waits(self, seconds: float) -> None:
        """Let the page go on for so long."""
        self._page.wait_for_timeout(seconds * 1000)

    def _field(self, label: str) -> Locator:
        fields = self._page.locator("input:visible, select:visible, textarea:visible")
        named = self._page.get_by_label(label, exact=True).or_(
            self._page.get_by_placeholder(label, exact=True)
        )
        return named.and_(fields).first

    def _count(self, action: str) -> None:
        if self._began is None:
            raise RuntimeError("a person arrives before they act")
        self.done.append(action)


def _exactly(name: str) -> re.Pattern[str]:
    """Return the pattern of an accessible name: a browser may put a space before words that aren't shown."""
    return re.compile("^" + re.escape(name).replace(":", r"\s?:") + "$")
