"""Operations on addons started on a page: they go on if they take longer than the page waits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for

from flask import current_app
from flask_babel import force_locale, get_locale

from host.addons.lifecycle import AddonError, Outcome
from host.core.call_budget.threads import start_apart

log = logging.getLogger(__name__)

ANSWER_SECONDS = 20.0
"""How long a page waits for an operation."""


def run(operate: Callable[[], Outcome]) -> Outcome | None:
    """Return the outcome of *operate*; None if it goes on in the background.

    :raises AddonError: that of *operate*.
    """
    app, language = current_app._get_current_object(), str(get_locale() or "en")  # type: ignore[attr-defined]

    def work() -> Outcome:
        with app.app_context(), force_locale(language):
            return operate()

    found = start_apart(work, "addon-operation")
    wait_for([found], ANSWER_SECONDS)
    if found.done():
        return found.result()
    found.add_done_callback(_tell)
    return None


def _tell(found: Future[Outcome]) -> None:
    """Log how an operation ended that nobody waits for any more; its addon's page shows the steps."""
    error = found.exception()
    if isinstance(error, AddonError):
        log.error("an operation on an addon failed: %s", error.sentence)
    elif error is not None:
        log.error("an operation on an addon failed", exc_info=error)
