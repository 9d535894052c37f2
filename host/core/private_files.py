"""Keep Lobby's files private from other users of the machine.

Processes start with a umask that gives others no access. Access to files and folders that an earlier version
left open, including their content, is removed at the start.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import make_url

from host.core.config import CannotGoOnError, Config, Exit

log = logging.getLogger("lobby.security")

UMASK = 0o077
_OTHERS = 0o077

FILES = ("secret.keys", "session.key", "lobby.lock", "webhooks.json", "marks/deaths.json")
FOLDERS = ("addons", "attachments", "backups", "marks", "rehearsal", "spool")
"""Everything that Lobby creates in its data folder besides the database; other files there are not Lobby's.
"""
_OF_SQLITE = ("", "-wal", "-shm", "-journal")


WHY = {
    errno.EACCES: "this user may not do that",
    errno.EPERM: "this user may not do that",
    errno.ENOENT: "it is not there, and cannot be made",
    errno.EISDIR: "it is a folder",
    errno.EROFS: "it is on a disk that can only be read",
    errno.ENOSPC: "there is no room on its disk",
    errno.EDQUOT: "there is no room left for this user on its disk",
    errno.EFBIG: "this user may not write that much",
    errno.ENOTDIR: "something above it is a file, not a folder",
    errno.EEXIST: "it is a file, not a folder",
    errno.EIO: "its disk reports an error",
    errno.ENAMETOOLONG: "its name is too long",
}
"""Reasons why a file or folder cannot be used, by errno."""


def why(error: OSError) -> str:
    """Return the reason in words why a file could not be used."""
    return WHY.get(error.errno or 0, error.strerror or str(error))


def keep_private(config: Config) -> None:
    """Remove access of others to everything this process writes, and to existing files."""
    os.umask(UMASK)
    closed = [path.name for path in readable_by_others(config) if _close(path)]
    if closed:
        log.warning(
            "other users of this machine could read %s in %s; from now on only Lobby's own can",
            ", ".join(closed),
            config.data,
        )


def check_folder(config: Config) -> None:
    """Create the data folder if needed, and check that it is writable.

    :raises CannotGoOnError: if it is not writable.
    """
    try:
        config.data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=config.data, buffering=0) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise CannotGoOnError(
            f"LOBBY_DATA={config.data} cannot be used: {why(error)}.", Exit.FOLDER
        ) from error


def readable_by_others(config: Config) -> Sequence[Path]:
    """Return the files and folders of Lobby that others may read or enter."""
    return [path for path in _of_lobby(config) if _open(path)]


def _of_lobby(config: Config) -> Iterator[Path]:
    for name in (*FILES, *FOLDERS):
        yield config.data / name
    url = make_url(config.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        for ending in _OF_SQLITE:
            yield Path(url.database + ending)


def _open(path: Path) -> bool:
    try:
        mode = path.stat(follow_symlinks=False).st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & _OTHERS)


def _close(path: Path) -> bool:
    try:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_OTHERS)
    except OSError as error:
        log.warning("other users of this machine can read %s, and it cannot be changed: %s", path, error)
        return False
    return not _open(path)
