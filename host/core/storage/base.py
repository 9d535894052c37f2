"""The interface of file stores, and a protocol for removing files without losing any.

Several rows may name one key, so a file is removed only when no row names it. Storing and removing are safe
in any order, on any number of machines, without a lock between them. A writer makes the bytes durable before
the row (:meth:`Store.stage`), and checks after the row that they are still there (:meth:`Staged.keep`). A
remover looks for rows, sets the file aside, and looks again: for a row from before the second look, the file
is put back; for a row from after it, its writer stores the bytes again. Files set aside by a process that
died are put back by their first reader.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Protocol

from flask_babel import lazy_gettext as _l

from host.core.errors import UnavailableError

KEY = re.compile(r"[0-9a-f]{64}\Z")
CHUNK = 256 * 1024
SHARDS = tuple(f"{number:02x}" for number in range(256))
"""The parts in which a store can be walked: the first two digits of the keys in each."""
ASIDE = ".gone"
"""Folder of files that are set aside."""
MARKER = "lobby.desk"
"""Name of the file that identifies the desk a store belongs to."""
LONGEST_MARKER = 1024


class NotStoredError(Exception):
    """There is no content under that key."""


class TooLargeError(Exception):
    """The content is larger than allowed. *most* is in bytes."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} bytes")
        self.most = most


class StoreAwayError(UnavailableError):
    """The store does not answer, or fails.

    :param words: the reason, for the log and for admins; never with a credential.
    :param passing: whether it may be temporary; False: a setting or a permission must be changed.
    """

    title = _l("Files are unavailable")
    default_sentence = _l("The file storage does not respond. No files have been lost.")

    def __init__(self, words: str, *, passing: bool = True) -> None:
        super().__init__()
        self.args = (words,)
        self.words = words
        self.passing = passing

    def __str__(self) -> str:
        return self.words


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = ..., /) -> bytes: ...


class Staged(Protocol):
    """Bytes that are durable but not yet named by a row; use it in a ``with`` block.

    Bytes that are not kept are dropped: immediately, or by the walk that removes unreferenced files.

    :ivar key: their key.
    :ivar size: their number.
    """

    key: str
    size: int

    def open(self) -> BinaryIO:
        """Open them for reading."""

    def keep(self) -> None:
        """Make sure that they remain. Call it after the row that names the key was committed.

        :raises StoreAwayError: if that is not possible now.
        """

    def __enter__(self) -> Staged: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """A place for content-addressed bytes. Every method may raise :class:`StoreAwayError`.

    :ivar place: its location, for people, without credentials.
    """

    place: str

    def stage(self, stream: Readable, *, most: int) -> Staged:
        """Stage all of *stream*, a piece at a time.

        :param most: maximum number of bytes.
        :raises TooLargeError: if there is more; nothing remains.
        """

    def open_stored(self, key: str) -> BinaryIO:
        """Open the content stored under *key*; it is seekable.

        :raises NotStoredError: if there is none.
        """

    def size(self, key: str) -> int | None:
        """Return the size in bytes of the content under *key*; None if there is none."""

    def remove(self, key: str, *, in_use: Callable[[], bool]) -> bool:
        """Delete the content of *key* unless *in_use*, which looks for rows, returns True.

        :return: whether nothing is stored under the key now.
        """

    def keys(self, shard: str, *, older_than: float | None) -> list[str]:
        """Return the keys in one of :data:`SHARDS` that are older than *older_than* (seconds since 1970).

        Unfinished writes of that age are deleted, and files set aside that long ago are put back. None:
        return all keys, without cleaning up.
        """

    def marker(self) -> str | None:
        """Return the text that identifies the desk the store belongs to; None if it is new."""

    def mark(self, text: str) -> None:
        """Set the marker to *text*; at most :data:`LONGEST_MARKER` bytes."""


class Shelf(Protocol):
    """The store operations that :func:`remove` needs. A *name* refers to one content that was set aside."""

    def names_aside(self, key: str) -> list[str]:
        """Return the names under which *key* is set aside now."""

    def set_aside(self, key: str) -> str | None:
        """Set *key* aside; return its name, which is unique, or None if it does not exist."""

    def put_back(self, name: str, key: str) -> None: ...

    def drop(self, name: str) -> None: ...


def remove(shelf: Shelf, key: str, in_use: Callable[[], bool]) -> bool:
    """Remove *key* as described in the module; see :meth:`Store.remove`."""
    if not KEY.match(key):
        return False
    # List before looking for rows: files set aside later belong to a process that may still need them.
    left = shelf.names_aside(key)
    if in_use():
        return False
    mine = shelf.set_aside(key)
    if mine is not None:
        try:
            needed = in_use()
        except BaseException:
            shelf.put_back(mine, key)
            raise
        if needed:
            shelf.put_back(mine, key)
            return False
        left.append(mine)
    for name in left:
        shelf.drop(name)
    return True


def key_of(content: bytes) -> str:
    """Return the key of *content*."""
    return hashlib.sha256(content).hexdigest()
