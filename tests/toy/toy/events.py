"""What happened to this release: kept in the memory of its process, and logged."""

from __future__ import annotations

import logging
from collections.abc import Callable

from host.sdk.webhooks import Ingest

log = logging.getLogger(__name__)

happened: list[str] = []


def note(what: str) -> None:
    """Remember *what*."""
    happened.append(what)
    log.info("it was told: %s", what)


def sweep() -> None:
    """Be the toy's periodic work."""
    note("swept")


def listen(_ingest: Ingest) -> Callable[[], None]:
    """Be a receiver that hears nothing."""
    note("listening")
    return lambda: note("silent")
