"""What every store of files promises, and how files are removed so that none is lost.

Several rows may name one key, so a file is removed only when no row names it. Storing and removing are safe
in any order, on any number of machines, without a lock between them. Who stores has the bytes durable
before the row (:meth:`Store.stage`), and after the row sees that they are still there
(:meth:`Staged.keep`). Who removes looks for rows, sets the file aside, and looks again: a row from before
the second look has its file put back, and one from after it has its bytes stored again by who wrote it.
What a process that died had set aside goes back to the first who reads it.
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
"""The parts a store can be walked in: the first two digits of the keys in each."""
ASIDE = ".gone"
"""Folder of what is set aside."""
MARKER = "lobby.desk"
"""Name of the file that says whose store it is."""
LONGEST_MARKER = 1024


class NotStoredError(Exception):
    """There is nothing under that key."""


class TooLargeError(Exception):
    """The content is larger than may be stored. *most* is in bytes."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} bytes")
        self.most = most


class StoreAwayError(UnavailableError):
    """The store does not answer, or does not do what is asked.

    :param words: why, for the log and for admins; never with a credential.
    :param passing: whether it may be better in a moment; False: somebody has to change a setting or a right.
    """

    title = _l("Files cannot be reached right now")
    default_sentence = _l(
        "The place where this desk keeps files does not answer at the moment. No file is lost."
    )

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
    """Bytes that are durable and that no row names yet; to be used in a ``with`` block.

    What is not kept is dropped: at once, or by the walk that removes what no row names.

    :ivar key: the key they have.
    :ivar size: how many bytes.
    """

    key: str
    size: int

    def open(self) -> BinaryIO:
        """Open them for reading."""

    def keep(self) -> None:
        """See that they are there to stay. Call it after the row that names the key was committed.

        :raises StoreAwayError: if that cannot be seen to now.
        """

    def __enter__(self) -> Staged: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """A place for content-addressed bytes. Every method may raise :class:`StoreAwayError`.

    :ivar place: where it is, for people; no credential is in it.
    """

    place: str

    def stage(self, stream: Readable, *, most: int) -> Staged:
        """Take all of *stream* in, a piece at a time.

        :param most: bytes.
        :raises TooLargeError: if there is more; nothing is left behind.
        """

    def open_stored(self, key: str) -> BinaryIO:
        """Open the content stored under *key*; it can be read from any place.

        :raises NotStoredError: if there is none.
        """

    def size(self, key: str) -> int | None:
        """Return how many bytes are stored under *key*; None: nothing is."""

    def remove(self, key: str, *, in_use: Callable[[], bool]) -> bool:
        """Delete the content of *key* unless *in_use*, which looks for rows, returns True.

        :return: whether nothing is stored under it now.
        """

    def keys(self, shard: str, *, older_than: float | None) -> list[str]:
        """Return the keys in one of :data:`SHARDS` that are older than *older_than* (seconds since 1970).

        Unfinished writes that old are deleted, and what was set aside as long ago is put back. None: all
        keys, and nothing is tidied.
        """

    def marker(self) -> str | None:
        """Return the text that says whose store it is; None: nobody's yet."""

    def mark(self, text: str) -> None:
        """Make *text* the marker; at most :data:`LONGEST_MARKER` bytes."""


class Shelf(Protocol):
    """What :func:`remove` needs of a store. A *name* is one content that was set aside."""

    def names_aside(self, key: str) -> list[str]:
        """Return what of *key* is set aside now."""

    def set_aside(self, key: str) -> str | None:
        """Take *key* out of sight; return its name now, which is no other's. None: it is not there."""

    def put_back(self, name: str, key: str) -> None: ...

    def drop(self, name: str) -> None: ...


def remove(shelf: Shelf, key: str, in_use: Callable[[], bool]) -> bool:
    """Remove *key* as the module says; see :meth:`Store.remove`."""
    if not KEY.match(key):
        return False
    # Listed before rows are looked for: what is set aside later belongs to somebody who may still need it.
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
