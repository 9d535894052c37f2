"""The queue of frames for one browser."""

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
"""Bytes a browser may fall behind before it is cut off. It reconnects and gets the missed events."""
WOKEN_AT_ONCE = 50
"""Streams that write in one turn of the event loop, so that webhooks are answered between turns."""


class Batch(msgspec.Struct, frozen=True):
    """Frames delivered together to the streams of a workspace.

    :param whole: all frames, joined once for all browsers.
    :param chunk: the same as an HTTP chunk.
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
        """Return the frames of events that are not in *told*."""
        if not any(id_ in told for id_ in self.ids):
            return self.whole
        pairs = zip(self.ids, self.frames, strict=True)
        return b"".join([frame for id_, frame in pairs if id_ not in told])


class Stream:
    """A queue of frames for one browser, filled by threads and emptied by the sending task.

    :param session_id: its login session; it ends at sign-out.
    :param accounts: the accounts its reader sees; None for all.
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
        """Whether it was cut off because its browser stopped reading."""

    def put(self, batch: Batch) -> bool:
        """Queue *batch*; return whether the task must be woken for it.

        A browser that is too slow is cut off. It reconnects and gets the missed events.
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
        """Queue a heartbeat if nothing else is queued; return whether the task must be woken for it."""
        with self._lock:
            self._beats += 1
            stuck = self._beats > 2 and self._task is not None
            self.is_cut = self.is_cut or stuck
        if stuck:
            self._cut()
            return False
        return not self._batches and self.put(frame)

    def _cut(self) -> None:
        """Cancel the task, which waits for a browser that has stopped reading."""
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._task.cancel)

    def end(self) -> None:
        """End the stream after the queued frames."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        wake([self])

    # In the sending task

    def attend(self, told: SentEvents | None = None, write: Callable[[bytes], bool] | None = None) -> None:
        """Register the running task as the one to wake.

        :param told: events the browser has already received.
        :param write: writes a chunk instead of the task, or returns False while the browser is behind.
        """
        with self._lock:
            self._told, self._write = told, write
            self._loop, self._ready = asyncio.get_running_loop(), asyncio.Event()
            self._task = asyncio.current_task()
            if self._batches or self._ended:
                self._ready.set()

    async def wait(self) -> None:
        """Wait until frames are queued or the stream has ended."""
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
        """Wake the task, or write without it. Call it only on its event loop."""
        if self._ready is not None and not self._written():
            self._ready.set()

    def _written(self) -> bool:
        """Write the queue without the task if it is one batch of new events and the browser keeps up."""
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
            self._told = None  # no event is that late
        return batch.whole if self._told is None else batch.without(self._told)


def wake(streams: Iterable[Stream]) -> None:
    """Wake the tasks of *streams* from any thread, with one call per event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Stream]] = {}
    for stream in streams:
        if stream._loop is not None:
            by_loop.setdefault(stream._loop, []).append(stream)
    for loop, own in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake_some, loop, own, 0)
        except RuntimeError:
            continue  # the loop has ended, and its connections with it


def _wake_some(loop: asyncio.AbstractEventLoop, streams: Sequence[Stream], start: int) -> None:
    following = start + WOKEN_AT_ONCE
    for stream in streams[start:following]:
        stream.wake_now()
    if following < len(streams):
        loop.call_soon(_wake_some, loop, streams, following)
