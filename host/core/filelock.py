"""File locks, which are released when the process that holds them dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host.core import forks
from host.core.config import Config

SERVING = "lobby.lock"


@contextmanager
def file_lock(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock on *path* while the block runs; yield whether it was free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file, forks.not_inherited(file.fileno()):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def serving_lock(config: Config) -> Iterator[bool]:
    """Hold the lock of the only process on the SQLite file of *config*; yield whether it was free.

    On other databases several processes may serve, and it is always free.
    """
    if not config.database_url.startswith("sqlite"):
        yield True
        return
    with file_lock(config.data / SERVING) as free:
        yield free


def is_served(config: Config) -> bool:
    """Return whether a process currently serves the SQLite file of *config*; False on other databases."""
    with serving_lock(config) as free:
        return not free
