"""What waits in the spool of this machine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spooled:
    """Requests kept as files because the database could not take them.

    :param requests: how many wait to be taken in.
    :param bytes: their size on the disk.
    :param since: when the oldest of them came.
    """

    requests: int = 0
    bytes: int = 0
    since: datetime | None = None


def state(folder: Path) -> Spooled:
    """Return what waits in *folder* now."""
    requests = size = 0
    oldest: float | None = None
    for path in folder.glob("*.request"):
        with suppress(FileNotFoundError):
            found = path.stat()
            requests, size = requests + 1, size + found.st_size
            oldest = found.st_mtime if oldest is None else min(oldest, found.st_mtime)
    return Spooled(requests, size, None if oldest is None else datetime.fromtimestamp(oldest, UTC))
