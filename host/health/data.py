"""Retention of counts."""

from __future__ import annotations

from host import recording
from host.core import db
from host.features.hookspecs import hookimpl


@hookimpl
def clean_up() -> None:
    """Remove expired counts."""
    while db.write(recording.prune):
        pass
