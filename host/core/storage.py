"""Store the bytes of attachments, apart from the database.

Content is stored under its own SHA-256, so equal content is stored once and a key can be checked. The
attachment's row decides who may see it; knowing the key is not enough.

Several rows may name one key, so a file is removed only when no row names it. Storing and removing are safe
in any order: storing writes the row first and the bytes after (:meth:`Staged.keep`), and removing looks for
rows and unlinks while it holds the store's lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

_KEY = re.compile(r"[0-9a-f]{64}\Z")
_CHUNK = 256 * 1024
_NEW = ".new-"
_LOCK = ".lock"


class NotStoredError(Exception):
    """There is nothing under that key."""


class TooLargeError(Exception):
    """The content is larger than may be stored. *most* is in bytes."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} bytes")
        self.most = most


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = ..., /) -> bytes: ...


class Staged(Protocol):
    """Bytes that are on the disk but have no name yet; leaving the ``with`` block drops them unless kept.

    :ivar key: the key they will have.
    :ivar size: how many bytes.
    """

    key: str
    size: int

    def open(self) -> BinaryIO:
        """Open them for reading."""

    def keep(self) -> None:
        """Give them their name, durably. Call it after the row that names the key was committed."""

    def __enter__(self) -> Staged: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """A place for content-addressed bytes."""

    def stage(self, stream: Readable, *, most: int) -> Staged:
        """Write all of *stream* to the disk, without a name yet.

        :param most: bytes.
        :raises TooLargeError: if there is more; nothing is left behind.
        """

    def store(self, content: bytes) -> str:
        """Keep *content* durably and return its key; the same content always has the same key."""

    def open_stored(self, key: str) -> BinaryIO:
        """Open the content stored under *key*.

        :raises NotStoredError: if there is none.
        """

    def remove(self, key: str, *, in_use: Callable[[], bool]) -> bool:
        """Delete the content of *key* unless *in_use* returns True; it is called while nothing can be stored.

        :return: whether it was deleted.
        """

    def shards(self) -> list[str]:
        """Return the names of the parts the store can be walked in."""

    def keys(self, shard: str, *, older_than: float) -> list[str]:
        """Return the keys in one part that are older than *older_than* (seconds since 1970).

        Unfinished writes that old are deleted.
        """


class _StagedFile:
    def __init__(self, store: FolderStore, path: Path, key: str, size: int) -> None:
        self._store = store
        self._path = path
        self.key = key
        self.size = size

    def open(self) -> BinaryIO:
        return self._path.open("rb")

    def keep(self) -> None:
        self._store._adopt(self._path, self.key)

    def __enter__(self) -> _StagedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)


class FolderStore:
    """Keeps each content in a file ``<first two digits>/<key>`` below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def stage(self, stream: Readable, *, most: int) -> Staged:
        self._root.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._root, prefix=_NEW)
        digest, size = hashlib.sha256(), 0
        try:
            with os.fdopen(descriptor, "wb") as file:
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    if size > most:
                        raise TooLargeError(most)
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return _StagedFile(self, Path(temporary), digest.hexdigest(), size)

    def store(self, content: bytes) -> str:
        """Write *content* if it is not there yet; a crash at any point leaves a whole file or none."""
        key = hashlib.sha256(content).hexdigest()
        if self._path(key).exists():
            return key
        with self.stage(io.BytesIO(content), most=len(content)) as staged:
            staged.keep()
        return key

    def open_stored(self, key: str) -> BinaryIO:
        if not _KEY.match(key):
            raise NotStoredError("that is not a key")
        try:
            return self._path(key).open("rb")
        except FileNotFoundError:
            raise NotStoredError("nothing is stored under that key") from None

    def remove(self, key: str, *, in_use: Callable[[], bool]) -> bool:
        if not _KEY.match(key):
            return False
        path = self._path(key)
        with self._locked():
            if in_use():
                return False
            path.unlink(missing_ok=True)
        if path.parent.exists():
            _sync_folder(path.parent)
        return True

    def shards(self) -> list[str]:
        return [f"{number:02x}" for number in range(256)]

    def keys(self, shard: str, *, older_than: float) -> list[str]:
        # Unfinished writes are in the root folder; every walk of a part also cleans them up.
        _remove_remains(self._root, older_than)
        return [
            entry.name for entry in _old_entries(self._root / shard, older_than) if _KEY.match(entry.name)
        ]

    def _adopt(self, staged: Path, key: str) -> None:
        path = self._path(key)
        with self._locked():
            if path.exists():
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, path)
        _sync_folder(path.parent)
        _sync_folder(self._root)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock between storing and removing, for all processes that share the folder."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / _LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / key


def _old_entries(folder: Path, older_than: float) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.is_file() and entry.stat().st_mtime < older_than]
    except FileNotFoundError:
        return []


def _remove_remains(root: Path, older_than: float) -> None:
    for entry in _old_entries(root, older_than):
        if entry.name.startswith(_NEW):
            Path(entry.path).unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_store: Store | None = None


def use(store: Store) -> None:
    """Make *store* the one of this process."""
    global _store  # noqa: PLW0603 - one store per process
    _store = store


def current() -> Store:
    """Return the store of this process.

    :raises RuntimeError: before :func:`use`.
    """
    if _store is None:
        raise RuntimeError("no store: host.core.storage.use() was not called")
    return _store


def store(content: bytes) -> str:
    """Keep *content* durably and return its key. Not to be called inside a transaction."""
    return current().store(content)


def open_stored(key: str) -> BinaryIO:
    """Open what is kept under *key*.

    :raises NotStoredError: if there is nothing.
    """
    return current().open_stored(key)
