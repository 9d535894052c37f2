"""Store the bytes of attachments outside the database: in a folder, or in an S3-compatible store.

Content is stored under its own SHA-256, so equal content is stored once and a key can be checked. The
attachment's row decides who may see it; knowing the key is not enough. Stores never expose file URLs: Lobby
serves the files.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from host.core.storage.base import (
    MARKER,
    SHARDS,
    NotStoredError,
    Readable,
    Staged,
    Store,
    StoreAwayError,
    TooLargeError,
    key_of,
)
from host.core.storage.folder import FolderStore
from host.core.storage.opening import opened
from host.core.storage.watched import Away, WatchedStore

__all__ = [
    "MARKER",
    "SHARDS",
    "Away",
    "FolderStore",
    "NotStoredError",
    "Readable",
    "Staged",
    "Store",
    "StoreAwayError",
    "TooLargeError",
    "WatchedStore",
    "away",
    "bytes_staged",
    "current",
    "open_stored",
    "opened",
    "store",
    "use",
]

_store: Store | None = None


def use(store: Store) -> None:
    """Set the store of this process."""
    global _store  # noqa: PLW0603 - one store per process
    _store = store


def current() -> Store:
    """Return the store of this process.

    :raises RuntimeError: before :func:`use`.
    """
    if _store is None:
        raise RuntimeError("no store: host.core.storage.use() was not called")
    return _store


def away() -> Away | None:
    """Return why the store of this process is unavailable; None if it answers, as far as is known."""
    return _store.away if isinstance(_store, WatchedStore) else None


def store(content: bytes) -> str:
    """Store *content* durably and return its key. Do not call it inside a transaction.

    :raises StoreAwayError: if it cannot be stored now.
    """
    key = key_of(content)
    if current().size(key) is None:
        with bytes_staged(current(), content) as staged:
            staged.keep()
    return key


def bytes_staged(store: Store, content: bytes) -> Staged:
    """Return *content* staged in *store*."""
    return store.stage(io.BytesIO(content), most=len(content))


def open_stored(key: str) -> BinaryIO:
    """Open the content stored under *key*.

    :raises NotStoredError: if there is none.
    :raises StoreAwayError: if it cannot be read now.
    """
    return current().open_stored(key)
