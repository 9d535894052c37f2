"""Store files in a folder, which processes on several machines may share over a network."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from host.core.private_files import why
from host.core.storage.base import (
    ASIDE,
    CHUNK,
    KEY,
    LONGEST_MARKER,
    MARKER,
    NotStoredError,
    Readable,
    StoreAwayError,
    TooLargeError,
    remove,
)

_NEW = ".new-"
_NO_FSYNC = {errno.EINVAL, errno.EBADF, errno.ENOTSUP}
"""Errors of file systems without fsync for folders, which are durable without it."""
_OPERATORS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}


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
        with suppress(OSError):  # a walk removes it later
            self._path.unlink(missing_ok=True)


class FolderStore:
    """A store that keeps each content in a file ``<first two digits>/<key>`` below one folder.

    It only relies on atomic renaming within the folder, which NFS has too; not on locks, and not on
    immediately seeing another machine's changes.

    :param shared: the operator creates the folder, and it is only written while its marker exists: the empty
        mount point of a missing disk or share is not written.
    """

    def __init__(self, root: Path, *, shared: bool = False) -> None:
        self._root = root
        self._shared = shared
        self.place = str(root)

    def stage(self, stream: Readable, *, most: int) -> _StagedFile:
        with self._answering():
            self._ready()
            descriptor, temporary = tempfile.mkstemp(dir=self._root, prefix=_NEW)
        digest, size = hashlib.sha256(), 0
        try:
            with os.fdopen(descriptor, "wb") as file:
                while chunk := stream.read(CHUNK):  # its errors are the sender's
                    size += len(chunk)
                    if size > most:
                        raise TooLargeError(most)
                    digest.update(chunk)
                    with self._answering():
                        file.write(chunk)
                with self._answering():
                    file.flush()
                    os.fsync(file.fileno())
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
            raise
        return _StagedFile(self, Path(temporary), digest.hexdigest(), size)

    def open_stored(self, key: str) -> BinaryIO:
        if not KEY.match(key):
            raise NotStoredError("that is not a key")
        with self._answering():
            file = self._opened(key) or (self._look_again(key) and self._opened(key))
        if not file:
            raise NotStoredError("nothing is stored under that key")
        return file

    def size(self, key: str) -> int | None:
        if not KEY.match(key):
            return None
        with self._answering():
            _refresh(self._path(key).parent)
            try:
                return self._path(key).stat().st_size
            except FileNotFoundError:
                return None

    def remove(self, key: str, *, in_use: Callable[[], bool]) -> bool:
        return remove(self, key, in_use)

    def keys(self, shard: str, *, older_than: float | None) -> list[str]:
        with self._answering():
            if older_than is not None:
                # Unfinished writes are in the root folder; every walk of a part also cleans them up.
                self.drop_remains(older_than)
                for entry in _old_entries(self._root / ASIDE, older_than):
                    key = entry.name.partition(".")[0]
                    if key.startswith(shard):
                        self.put_back(entry.name, key)
            found = _old_entries(self._root / shard, older_than)
            return [entry.name for entry in found if KEY.match(entry.name)]

    def marker(self) -> str | None:
        with self._answering():
            if self._shared:
                os.stat(self._root)
            _refresh(self._root)
            try:
                with (self._root / MARKER).open("rb") as file:
                    return file.read(LONGEST_MARKER).decode("utf-8", "replace")
            except FileNotFoundError:
                return None

    def mark(self, text: str) -> None:
        with self._answering():
            if not self._shared:
                self._root.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._root, prefix=_NEW)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._root / MARKER)
            _sync_folder(self._root)

    def drop_remains(self, older_than: float) -> None:
        """Delete unfinished writes older than *older_than*."""
        for entry in _old_entries(self._root, older_than):
            if entry.name.startswith(_NEW):
                Path(entry.path).unlink(missing_ok=True)

    # For removing

    def names_aside(self, key: str) -> list[str]:
        with self._answering():
            try:
                return [name for name in os.listdir(self._root / ASIDE) if name.startswith(f"{key}.")]
            except FileNotFoundError:
                return []

    def set_aside(self, key: str) -> str | None:
        name = f"{key}.{uuid.uuid4().hex}"
        with self._answering():
            (self._root / ASIDE).mkdir(parents=True, exist_ok=True)
            try:
                os.rename(self._path(key), self._root / ASIDE / name)
            except FileNotFoundError:
                return None
        return name

    def put_back(self, name: str, key: str) -> None:
        with self._answering():
            self._path(key).parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # already put back by another process
                os.replace(self._root / ASIDE / name, self._path(key))

    def drop(self, name: str) -> None:
        with self._answering():
            (self._root / ASIDE / name).unlink(missing_ok=True)
            _sync_folder(self._root / ASIDE)

    # Within

    def _ready(self) -> None:
        if not self._shared:
            self._root.mkdir(parents=True, exist_ok=True)
        elif not (self._root / MARKER).exists():
            raise StoreAwayError(f"{self._root} has no {MARKER} in it: is it mounted?", passing=False)

    def _adopt(self, staged: Path, key: str) -> None:
        path = self._path(key)
        with self._answering():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Rename even over an existing file: another machine may have set it aside a moment ago.
            os.replace(staged, path)
            _sync_folder(path.parent)
            _sync_folder(self._root)

    def _opened(self, key: str) -> BinaryIO | None:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError:
            return None

    def _look_again(self, key: str) -> bool:
        """Check again whether *key* exists; put it back if a process that died had set it aside."""
        for name in self.names_aside(key)[:1]:
            self.put_back(name, key)
        _refresh(self._path(key).parent)
        return True

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn errors of the file system into :class:`StoreAwayError`."""
        try:
            yield
        except OSError as error:
            passing = error.errno not in _OPERATORS
            raise StoreAwayError(f"{self._root} cannot be used: {why(error)}", passing=passing) from error

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / key


def _refresh(folder: Path) -> None:
    """Make an NFS client refresh the content of *folder*, which happens when the folder is opened."""
    with suppress(FileNotFoundError):
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))


def _old_entries(folder: Path, older_than: float | None) -> list[os.DirEntry[str]]:
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # removed meanwhile
                if entry.is_file() and (older_than is None or entry.stat().st_mtime < older_than):
                    found.append(entry)
    return found


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise
    finally:
        os.close(descriptor)
