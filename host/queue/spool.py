"""Keep requests as files while the database is unavailable, each durable before its provider is answered."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec

from host.sdk.webhooks import Envelope


class Delivery(msgspec.Struct, frozen=True):
    """One request as the journal stores it; the content of a spool file."""

    id: int
    source: str
    channel: str
    remote: str
    received_at: datetime
    raw: bytes
    envelopes: tuple[Envelope, ...]


BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
_LOW_BITS = 23


def request_id(at: datetime, low: int = 0) -> int:
    """Return an id that sorts by time, so that an index of ids is also an index of times.

    :param low: distinguishes requests of the same millisecond; its lowest 23 bits are used.
    """
    milliseconds = max(int((at - BEGINNING).total_seconds() * 1000), 0)
    return milliseconds << _LOW_BITS | low & (1 << _LOW_BITS) - 1


def requested_at(id_: int) -> datetime:
    """Return the time in an id made by :func:`request_id`, to the millisecond."""
    return BEGINNING + timedelta(milliseconds=id_ >> _LOW_BITS)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Delivery)


_WAITS, _PARTIAL, _UNDECIDED = ".request", ".partial", ".undecided"
_REFUSED, _UNREADABLE = ".refused", ".unreadable"
_ASIDE = frozenset({_REFUSED, _UNREADABLE})

_PARTIAL_KEPT = 3600.0
"""Seconds after which an unfinished file is removed; its request was never acknowledged."""

_opened: weakref.WeakSet[Spool] = weakref.WeakSet()


def opened() -> list[Spool]:
    """Return the spools of this process."""
    return list(_opened)


def _blocks(size: int) -> int:
    """Return how many bytes of the disk a file of *size* bytes occupies."""
    return -(-size // _BLOCK) * _BLOCK


def _taken(path: Path) -> int:
    with suppress(FileNotFoundError):
        return _blocks(path.stat().st_size)
    return 0


def _remove_remains(path: Path) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_mtime < time.time() - _PARTIAL_KEPT:
            path.unlink()


MOST_BYTES = 1024**3
_BLOCK = 4096


class SpoolFullError(OSError):
    """The spool is full."""


class Holding(msgspec.Struct, frozen=True):
    """The size of a spool's contents.

    :param requests: number of those waiting to be written to the journal.
    :param since: when the oldest of them was received.
    :param aside: number of those set aside: refused by the database, or unreadable.
    :param bytes: bytes on disk of all files, counted as for the spool's limit.
    """

    requests: int = 0
    since: datetime | None = None
    aside: int = 0
    bytes: int = 0


def folder_of(data: Path) -> Path:
    """Return the folder of the spool among the desk's *data*; the processes of a machine share it."""
    return data / "spool"


def measure(folder: Path) -> Holding:
    """Return the size of the spool in *folder*, including files of other processes."""
    requests = aside = size = 0
    oldest: float | None = None
    for path in folder.glob("*.*"):
        with suppress(FileNotFoundError):
            found = path.stat()
            size += _blocks(found.st_size)
            if path.suffix in {_WAITS, _UNDECIDED}:
                requests += 1
                oldest = found.st_mtime if oldest is None else min(oldest, found.st_mtime)
            elif path.suffix in _ASIDE:
                aside += 1
    return Holding(requests, None if oldest is None else datetime.fromtimestamp(oldest, UTC), aside, size)


def undecided(folder: Path) -> list[Path]:
    """Return the undecided requests in *folder*, oldest first."""
    return sorted(folder.glob(f"*{_UNDECIDED}"))


class Spool:
    """A folder with one file per request, named so that the oldest comes first.

    :param most: bytes it may occupy on disk, including files set aside.
    """

    def __init__(self, folder: Path, most: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._listed: deque[Path] = deque()
        _opened.add(self)
        if folder.is_dir():
            for path in folder.glob(f"*{_PARTIAL}"):
                _remove_remains(path)
            # Retry refused files: the database may accept them now.
            for path in folder.glob(f"*{_REFUSED}"):
                path.rename(path.with_suffix(_WAITS))
        holding = measure(folder)
        self._filled = any(folder.glob(f"*{_WAITS}"))
        self._bytes = holding.bytes

    def __bool__(self) -> bool:
        """Return whether requests may be waiting."""
        return self._filled

    def keep(self, delivery: Delivery) -> None:
        """Write *delivery* to disk and return when it is durable. If that fails, no part of it is kept.

        :raises SpoolFullError: if there is no more room for it.
        :raises OSError: if it could not be written.
        """
        self._keep(f"{delivery.id:019}{_WAITS}", _encoder.encode(delivery))
        with self._lock:
            self._filled = True

    def keep_undecided(self, id_: int, content: bytes) -> None:
        """Keep a request whose addon cannot decide yet; :func:`undecided` finds it again.

        :raises SpoolFullError: if there is no more room for it.
        :raises OSError: if it could not be written.
        """
        self._keep(f"{id_:019}{_UNDECIDED}", content)

    def _keep(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        takes = _blocks(len(content))
        with self._lock:
            if self._bytes + takes > self._most:
                raise SpoolFullError(f"the spool holds {self._bytes} bytes and may hold {self._most}")
            self._bytes += takes
        try:
            self._write(self._folder / name, content)
        except OSError:
            self._give_back(takes)
            raise

    def _give_back(self, takes: int) -> None:
        with self._lock:
            self._bytes = max(0, self._bytes - takes)

    def _write(self, final: Path, content: bytes) -> None:
        partial = final.with_suffix(_PARTIAL)
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(final)
            self._sync_folder()
        except OSError:
            for path in (partial, final):
                path.unlink(missing_ok=True)
            raise

    def waiting(self, most: int) -> Iterator[tuple[Path, Delivery | None]]:
        """Yield up to *most* kept requests, oldest first; None for a file that cannot be read."""
        with self._lock:
            if not self._listed:
                # Requests kept from now on are younger than all of these, so they come after them.
                self._listed.extend(self.files())
            self._filled = bool(self._listed)
            paths = list(islice(self._listed, most))
        for path in paths:
            yield path, self.read(path)

    def files(self) -> list[Path]:
        """Return the files of waiting requests, oldest first."""
        return sorted(self._folder.glob(f"*{_WAITS}"))

    def read(self, path: Path) -> Delivery | None:
        """Return the request in a file; None: it cannot be read."""
        try:
            return _decoder.decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None

    def remove(self, path: Path) -> None:
        """Remove a request that is now in the database. A file left behind would only be reread."""
        takes = _taken(path)
        path.unlink(missing_ok=True)
        self._give_back(takes)
        self._unlist(path)

    def remove_undecided(self, path: Path, *, readable: bool) -> None:
        """Remove a request that is now decided elsewhere; an unreadable one waits for a person."""
        if readable:
            self.remove(path)
        else:
            self.put_aside(path, readable=False)

    def _unlist(self, path: Path) -> None:
        with self._lock, suppress(ValueError):
            self._listed.remove(path)

    def put_aside(self, path: Path, *, readable: bool) -> None:
        """Rename a file so that it doesn't block the others.

        A file the database refuses (*readable*) is retried at the next start; an unreadable one waits for a
        person.
        """
        with suppress(FileNotFoundError):
            path.rename(path.with_suffix(_REFUSED if readable else _UNREADABLE))
        self._unlist(path)

    def forget_messages(self, keys: Collection[tuple[str, int, str]], messages: Collection[str]) -> None:
        """Remove requests set aside that contain unsent messages.

        Waiting requests are kept: when they are applied, they find that their message was unsent.

        :param keys: channel, account id and dedupe key of events that contain the messages' content.
        :param messages: the provider's ids of the messages.
        """
        names = [message.encode("utf-8", "replace") for message in messages]
        for path in [path for suffix in sorted(_ASIDE) for path in self._folder.glob(f"*{suffix}")]:
            with suppress(FileNotFoundError):
                self._forget_in(path, path.read_bytes(), keys, names)

    def _forget_in(
        self, path: Path, body: bytes, keys: Collection[tuple[str, int, str]], names: Collection[bytes]
    ) -> None:
        try:
            delivery = _decoder.decode(body)
        except msgspec.MsgspecError:
            if any(name in body for name in names):
                path.unlink()
            return
        rest = tuple(
            envelope
            for envelope in delivery.envelopes
            if (delivery.channel, envelope.account_id, envelope.dedupe_key) not in keys
            and not any(name in envelope.body for name in names)
        )
        if not rest:
            path.unlink()
        elif len(rest) < len(delivery.envelopes):
            self._write(path, _encoder.encode(msgspec.structs.replace(delivery, envelopes=rest, raw=b"")))

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
