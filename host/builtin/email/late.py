"""Load the packages for SMTP and IMAP with the first use: 9 MB and 80 ms that desks without e-mail save."""

from __future__ import annotations

from typing import Any


def machinery() -> Any:
    """Return :mod:`.machinery`, which names what there is."""
    from . import machinery as loaded

    return loaded
