"""Marks of the addon code running in each thread, which the next process reads if this one dies of it.

The marks of a process are one file in the data folder, mapped into memory: entering costs less than a
microsecond, does not wait for the disk, and survives any end of the process. The file is locked as long as
its process lives, and removed at a normal end. An unlocked file therefore belongs to a process that died, and
names the code it died in.

Many threads may be in addons when a process is killed or crashes, so which of them is to blame is only known
after several deaths. Code that ends the process itself, with :func:`os._exit`, :func:`os.abort` or a signal
to itself, is noted as it does, and known after the first.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import mmap
import os
import signal
import struct
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

import msgspec

from host.core import call_budget

FOLDER = "marks"
DEATHS = 3
WITHIN_SECONDS = 24 * 3600.0
THREADS = 512
"""Maximum number of threads of a process with a mark; further threads have none."""

_SLOT = struct.Struct("<d120s")
_SIZE = (THREADS + 1) * _SLOT.size
"""Size of a file: the slot of each thread, then that of the code that ended the process itself."""
_OUTSIDE = b""


_ENDS = frozenset({signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL})
"""Signals after which a process ends without marking its end."""


def label(slug: str, what: str) -> bytes:
    """Return the mark of *what* of the addon *slug*."""
    return f"{slug}\0{what}".encode()[:120]


class _Place:
    """The slot of one thread, and its mark."""

    __slots__ = ("__weakref__", "holds", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.holds = _OUTSIDE


class _Marks:
    """The file of this process."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.path = path
        self._file = file
        self._pid = os.getpid()
        self._map = mmap.mmap(file.fileno(), _SIZE)
        self._free = list(range((THREADS - 1) * _SLOT.size, -1, -_SLOT.size))
        self._thread = threading.local()

    def put(self, what: bytes) -> bytes:
        """Mark this thread with *what*; return its previous mark."""
        place: _Place | None
        try:
            place = self._thread.place
        except AttributeError:
            place = self._thread.place = self._new()
        if place is None:
            return _OUTSIDE
        before = place.holds
        place.holds = what
        _SLOT.pack_into(self._map, place.offset, time.monotonic() if what else 0.0, what)
        return before

    def blame(self) -> None:
        """Note that the code with which this thread is marked ends the process."""
        place: _Place | None = getattr(self._thread, "place", None)
        if place is not None and place.holds:
            _SLOT.pack_into(self._map, THREADS * _SLOT.size, time.monotonic(), place.holds)

    def _new(self) -> _Place | None:
        try:
            place = _Place(self._free.pop())
        except IndexError:
            return None
        weakref.finalize(place, self._free.append, place.offset).atexit = False
        return place

    def remove(self) -> None:
        if os.getpid() == self._pid:
            self.path.unlink(missing_ok=True)
        self._file.close()


_current: _Marks | None = None


def enter(what: bytes) -> bytes:
    """Mark this thread with *what*; return a value for :func:`leave`."""
    return _OUTSIDE if _current is None else _current.put(what)


def leave(before: bytes) -> None:
    """Restore the mark of this thread from before :func:`enter`."""
    if _current is not None:
        _current.put(before)


@contextmanager
def marked(what: bytes) -> Iterator[None]:
    """Mark this thread with *what* while the block runs."""
    before = enter(what)
    try:
        yield
    finally:
        leave(before)


@contextmanager
def waiting() -> Iterator[None]:
    """Remove the mark while the block waits for other work, so that a death meanwhile is not attributed to
    the addon.

    The time is not attributed to it either.
    """
    before = enter(_OUTSIDE)
    try:
        with call_budget.paused():
            yield
    finally:
        leave(before)


def _blame() -> None:
    if _current is not None:
        _current.blame()


def _watch_ends() -> None:
    """Note which code ends this process, from now on."""
    exit_at_once, abort, kill = os._exit, os.abort, os.kill
    if hasattr(exit_at_once, "lobby_notes"):
        return

    def exit_and_note(status: int) -> NoReturn:
        _blame()
        exit_at_once(status)

    def abort_and_note() -> NoReturn:
        _blame()
        abort()

    def kill_and_note(pid: int, number: int, /) -> None:
        if pid == os.getpid() and number in _ENDS:
            _blame()
        kill(pid, number)

    exit_and_note.lobby_notes = True  # type: ignore[attr-defined]
    os._exit, os.abort, os.kill = exit_and_note, abort_and_note, kill_and_note


def _forget_in_child() -> None:
    global _current  # noqa: PLW0603 - the parent's file is not a forked child's
    _current = None


os.register_at_fork(after_in_child=_forget_in_child)


# Start of a process


class Guilty(msgspec.Struct, frozen=True):
    """An addon in which processes died, *deaths* times in a row, the last time in *what*."""

    slug: str
    what: str
    deaths: int


def begin(data: Path) -> Guilty | None:
    """Start marking in this process; return the addon that killed earlier processes, if any.

    That is an addon that ended the last of them itself, or in which :data:`DEATHS` of them died within a day,
    without a death outside addons in between. Among several, it is the one in most deaths, then the one most
    often entered last. Each is returned only once.
    """
    global _current  # noqa: PLW0603 - a process has one file
    folder = data / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        deaths = _deaths(folder)
        guilty = _guilty(deaths)
        _write(folder / "deaths.json", [] if guilty else deaths)
        path = folder / f"{os.getpid()}-{time.monotonic_ns()}.marks"
        file = path.open("wb+")
        os.truncate(path, _SIZE)
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if _current is not None:
            _current.remove()
        _current = _Marks(file, path)
    _watch_ends()
    return guilty


def end() -> None:
    """Stop marking: this process ends normally."""
    global _current
    current, _current = _current, None
    if current is not None:
        current.remove()


atexit.register(end)


def _deaths(folder: Path) -> list[dict[str, Any]]:
    """Return the deaths that count, oldest first: both known and newly found ones."""
    now = time.time()
    known: list[dict[str, Any]] = []
    with suppress(OSError, ValueError):
        known = json.loads((folder / "deaths.json").read_text())
    for path in sorted(folder.glob("*.marks"), key=lambda one: one.stat().st_mtime):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            content = file.read()
            path.unlink()
        found, ender = _read(content[: THREADS * _SLOT.size]), _read(content[THREADS * _SLOT.size :])
        # A death outside of every addon shows that deaths need not be an addon's fault.
        known = [*known, {"at": now, "in": found, "by": ender}] if found else []
    return [one for one in known if now - one["at"] < WITHIN_SECONDS]


def _read(content: bytes) -> dict[str, str]:
    """Return the running code of each addon when the process died, the last entered at the end."""
    slots = sorted(_SLOT.iter_unpack(content[: len(content) // _SLOT.size * _SLOT.size]))
    found: dict[str, str] = {}
    for at, mark in slots:
        slug, _, what = mark.rstrip(b"\0").decode("utf-8", "replace").partition("\0")
        if at and slug:
            found.pop(slug, None)
            found[slug] = what
    return found


def _guilty(deaths: list[Mapping[str, Any]] | list[dict[str, Any]]) -> Guilty | None:
    for death in reversed(deaths):
        for slug, what in death.get("by", {}).items():
            return Guilty(slug, what, 1)
    counts: dict[str, list[int]] = {}
    for death in deaths:
        for slug in death["in"]:
            count = counts.setdefault(slug, [0, 0])
            count[0] += 1
            count[1] += slug == list(death["in"])[-1]
    most = max(counts, key=lambda slug: counts[slug], default="")
    if not most or counts[most][0] < DEATHS:
        return None
    what = next(death["in"][most] for death in reversed(deaths) if most in death["in"])
    return Guilty(most, what, counts[most][0])


def _write(path: Path, deaths: list[dict[str, Any]]) -> None:
    draft = path.with_suffix(".part")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(deaths))
    draft.replace(path)
