"""The question that a page asks before something is done that can't be undone."""

from __future__ import annotations

import html
import re
from typing import Any

_OPEN = "dialog[data-ask][open]"


def answer(page: Any, *, yes: bool = True) -> str:
    """Answer the question that *page* asks now, and return it."""
    dialog = page.locator(_OPEN)
    question = str(dialog.locator("[data-ask-words]").text_content())
    dialog.locator("[data-ask-yes]" if yes else "[data-ask-no]").click()
    dialog.wait_for(state="detached")
    return question


def agree_always(page: Any) -> None:
    """Agree to every question of *page*, as soon as it is asked."""
    page.add_init_script(
        """document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
          document.querySelector("dialog[data-ask][open] [data-ask-yes]")?.click();
        }).observe(document.body, { childList: true, subtree: true, attributes: true }));"""
    )


def name_to_type(page: str) -> str:
    """Return the name that the text of a page wants typed before it erases or deletes something."""
    found = re.search(r"permanently, enter ([^<]+)<", page)
    assert found is not None, page
    return html.unescape(found[1])
