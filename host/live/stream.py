"""The frames that wait for one browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from host.core import clock
from host.live.events import LATE, SentEvents
from host.users.reach import Accounts

BUFFER_BYTES = 64 * 1024
"""How far a browser may fall behind before it is cut off; it comes back and gets what it missed."""
WOKEN_AT_ONCE = 50
"""Streams that write in one turn of the event loop: webhooks are answered between the turns."""


class Batch(msgspec.Struct, frozen=True):
    """Frames that were handed out together to everybody who watches a workspace.

    :param whole: all of them, made once however many browsers get them.
    :param chunk: the same as a chunk of HTTP.
    """

    ids: Sequence[int]
    frames: Sequence[bytes]
    whole: bytes
    chunk: bytes

    @classmethod
    def of(cls, ids: Sequence[int], frames: Sequence[bytes]) -> Batch:
        """Return *frames* as a batch."""
        whole = b"".join(frames)
        return cls(ids, frames, whole, b"%x\r\n%b\r\n" % (len(whole), whole))

    def without(self, told: SentEvents) -> bytes:
        """Return the frames of events that were not sent."""
        if not any(id_ in told for id_ in self.ids):
            return self.whole
        pairs = zip(self.ids, self.frames, strict=True)
        return b"".join([frame for id_, frame in pairs if id_ not in told])


class Stream:
    """Frames in order for one browser. Threads put them in; the task that sends them takes them out.

    :param session_id: the signed-in browser it belongs to; it ends when that is signed out.
    :param accounts: those its reader sees; None: all.
    """

    def __init__(self, workspace_id: int, user_id: int, session_id: int, accounts: Accounts = None) -> None:
        self.workspace_id = workspace_id
        self.user_id = user_id
        self.session_id = session_id
        self.accounts = accounts
        self._opened_at = clock.monotonic()
        self._batches: list[Batch] = []
        self._size = 0
        self._lock = threading.Lock()
        self._ended = False
        self._beats = 0
        """Heartbeats since the task last took something."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Event | None = None
        self._task: asyncio.Task[Any] | None = None
        self._told: SentEvents | None = None
        self._write: Callable[[bytes], bool] | None = None
        self.is_cut = False
        """Whether its browser took nothing any more."""

    def put(self, batch: Batch) -> bool:
        """Queue *batch*; return whether the task has to be woken for it.

        A browser too slow to follow is cut off; it comes back and gets what it missed.
        """
        with self._lock:
            if self._ended:
                return False
            self._size += len(batch.whole)
            if self._size > BUFFER_BYTES:
                self._ended = True
                return True
            self._batches.append(batch)
            return len(self._batches) == 1

    def beat(self, frame: Batch) -> bool:
        """Queue a heartbeat if nothing else waits; return whether the task has to be woken for it."""
        with self._lock:
            self._beats += 1
            stuck = self._beats > 2 and self._task is not None
            self.is_cut = self.is_cut or stuck
        if stuck:
            self._cut()
            return False
        return not self._batches and self.put(frame)

    def _cut(self) -> None:
        """Interrupt the task: it waits for a browser that takes nothing."""
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._task.cancel)

    def end(self) -> None:
        """End the stream after what is queued."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        wake([self])

    # In the task that sends

    def attend(self, told: SentEvents | None = None, write: Callable[[bytes], bool] | None = None) -> None:
        """Have the running task woken from now on.

        :param told: what the browser has already.
        :param write: writes a chunk in the task's place, or returns False while the browser is behind.
        """
        with self._lock:
            self._told, self._write = told, write
            self._loop, self._ready = asyncio.get_running_loop(), asyncio.Event()
            self._task = asyncio.current_task()
            if self._batches or self._ended:
                self._ready.set()

    async def wait(self) -> None:
        """Wait until there is something to take."""
        assert self._ready is not None
        await self._ready.wait()

    def take(self) -> tuple[bytes, bool]:
        """Return the queued frames, and whether more may come."""
        with self._lock:
            batches, self._batches = self._batches, []
            self._size = self._beats = 0
            goes_on = not self._ended
            if self._ready is not None and goes_on:
                self._ready.clear()
        return b"".join([self._new_of(batch) for batch in batches]), goes_on

    def wake_now(self) -> None:
        """Wake the task, or write in its place; on its event loop only."""
        if self._ready is not None and not self._written():
            self._ready.set()

    def _written(self) -> bool:
        """Write what is queued, if it is one batch nobody was told of and the browser keeps up."""
        with self._lock:
            if self._write is None or self._ended or len(self._batches) != 1:
                return False
            batch = self._batches[0]
            if self._new_of(batch) is not batch.whole or not self._write(batch.chunk):
                return False
            self._batches = []
            self._size = self._beats = 0
            return True

    def _new_of(self, batch: Batch) -> bytes:
        """Return the frames of *batch* that were not sent when the stream began."""
        if self._told is not None and clock.monotonic() - self._opened_at > LATE.total_seconds():
            self._told = None  # nothing comes as late as that
        return batch.whole if self._told is None else batch.without(self._told)


def wake(streams: Iterable[Stream]) -> None:
    """Wake the tasks of *streams* from any thread: each event loop is told once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Stream]] = {}
    for stream in streams:
        if stream._loop is not None:
            by_loop.setdefault(stream._loop, []).append(stream)
    for loop, own in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake_some, loop, own, 0)
        except RuntimeError:
            continue  # the loop has ended, and with it whoever watched


def _wake_some(loop: asyncio.AbstractEventLoop, streams: Sequence[Stream], start: int) -> None:
    following = start + WOKEN_AT_ONCE
    for stream in streams[start:following]:
        stream.wake_now()
    if following < len(streams):
        loop.call_soon(_wake_some, loop, streams, following)
