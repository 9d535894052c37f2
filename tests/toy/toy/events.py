"""What happened to this release: kept in memory, for tests to look at."""

from __future__ import annotations

from collections.abc import Callable

from host.sdk.webhooks import Ingest

happened: list[str] = []


def note(what: str) -> None:
    """Remember *what*."""
    happened.append(what)


def sweep() -> None:
    """Be the toy's periodic work."""
    note("swept")


def listen(_ingest: Ingest) -> Callable[[], None]:
    """Be a receiver that hears nothing."""
    note("listening")
    return lambda: note("silent")
