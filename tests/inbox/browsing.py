"""Pages of the inbox in Chromium, answered by an app in this process. Needs the fixture ``desk``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.live.served import until

Open = Callable[..., Any]


def wait(page: Any, expression: str) -> None:
    """Wait until a JavaScript expression holds. Playwright's own way needs an eval the page forbids."""
    until(lambda: page.evaluate(expression))
