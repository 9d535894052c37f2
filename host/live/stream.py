"""The frames that wait for one browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from host.core import clock
from host.live.events import LATE, Told

BUFFER_BYTES = 64 * 1024
"""How far a browser may fall behind before it is cut off; it comes back and gets what it missed."""
WOKEN_AT_ONCE = 50
"""Streams that write in one turn of the event loop: webhooks are answered between the turns."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames that were handed out together to everybody who watches a workspace.

    :param whole: all of them, made once however many browsers get them.
    """

    ids: Sequence[int]
    frames: Sequence[bytes]
    whole: bytes


class Stream:
    """Frames in order for one browser. Threads put them in; the task that sends them takes them out.

    :param session_id: the signed-in browser it belongs to; it ends when that is signed out.
    """

    def __init__(self, workspace_id: int, user_id: int, session_id: int) -> None:
        self.workspace_id = workspace_id
        self.user_id = user_id
        self.session_id = session_id
        self._opened_at = clock.monotonic()
        self._batches: list[Batch] = []
        self._size = 0
        self._lock = threading.Lock()
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Event | None = None

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

    def end(self) -> None:
        """End the stream after what is queued."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        wake([self])

    # In the task that sends

    def attend(self) -> None:
        """Have the running task woken from now on."""
        with self._lock:
            self._loop, self._ready = asyncio.get_running_loop(), asyncio.Event()
            if self._batches or self._ended:
                self._ready.set()

    async def wait(self, seconds: float) -> bool:
        """Return whether there is something to take within *seconds*."""
        assert self._ready is not None
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            return False
        return True

    def take(self, told: Told) -> tuple[bytes, bool]:
        """Return what is queued and not *told* yet, and whether more may come."""
        with self._lock:
            batches, self._batches = self._batches, []
            self._size = 0
            goes_on = not self._ended
            if self._ready is not None and goes_on:
                self._ready.clear()
        if clock.monotonic() - self._opened_at > LATE.total_seconds():
            return b"".join([batch.whole for batch in batches]), goes_on
        frames = [
            frame
            for batch in batches
            for id_, frame in zip(batch.ids, batch.frames, strict=True)
            if id_ not in told
        ]
        return b"".join(frames), goes_on

    def wake_now(self) -> None:
        """Wake the task; on its event loop only."""
        if self._ready is not None:
            self._ready.set()


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
