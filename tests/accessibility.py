"""What axe finds wrong with a page in Chromium."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

_AXE = Axe().axe_script


def violations(page: Any, **options: Any) -> list[dict[str, Any]]:
    """Return the rules *page* breaks as it is now, each with its ``id``, ``impact`` and ``nodes``.

    What was in order stays in Chromium, and the script is read once for each document: that is half of it.

    :param options: axe's: ``runOnly`` says which rules.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
    found: list[dict[str, Any]] = page.evaluate(
        "options => axe.run(options).then(results => results.violations)",
        {"resultTypes": ["violations"], **options},
    )
    return found
