"""Remove the expired data of each feature."""

from __future__ import annotations

from host.features import registry

MOST = 500
"""Maximum number of rows removed in one write, so that other writes don't wait long."""


class Housekeeping:
    """Cleans up in rounds; only the first round searches all rows."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def clean_up(self) -> None:
        """Let each feature delete its expired data."""
        registry.hooks().clean_up(places=self._places, most=MOST)


_keeper = Housekeeping()


def clean_up() -> None:
    """Remove data that is only kept for a limited time."""
    _keeper.clean_up()
