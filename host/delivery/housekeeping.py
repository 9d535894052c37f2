"""Remove data that was kept long enough: each feature its own."""

from __future__ import annotations

from host.features import registry

MOST = 500
"""How many rows a write removes: no other write is to wait long."""


class Housekeeping:
    """Cleans up round by round; only the first round looks at all rows."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def clean_up(self) -> None:
        """Let each feature delete its expired data."""
        registry.hooks().clean_up(places=self._places, most=MOST)


_keeper = Housekeeping()


def clean_up() -> None:
    """Remove data that is kept for a limited time only."""
    _keeper.clean_up()
