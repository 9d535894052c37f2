"""The frames for one browser, while a thread of the server still sends them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from host.core import clock

BUFFER_BYTES = 64 * 1024
"""How far a browser may fall behind before it is cut off; it comes back and gets what it missed."""


class Stream:
    """Frames in order, None for the end. Once it :meth:`left <leave>`, the gateway sends them.

    :param session_id: the signed-in browser it belongs to; it ends when that is signed out.
    """

    def __init__(self, workspace_id: int, user_id: int, session_id: int) -> None:
        self.workspace_id = workspace_id
        self.user_id = user_id
        self.session_id = session_id
        self.opened_at = clock.monotonic()
        self._frames: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._size = 0
        self._lock = threading.Lock()
        self._ended = False
        self._on_end: Callable[[Stream], None] | None = None

    def put(self, id_: int, frame: bytes) -> None:
        """Queue a frame. A browser too slow to follow is cut off; it comes back and gets what it missed."""
        with self._lock:
            if self._ended:
                return
            self._size += len(frame)
            if self._size <= BUFFER_BYTES:
                self._frames.put((id_, frame))
                return
        self.end()

    def end(self) -> None:
        """End the stream after what is queued."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            on_end = self._on_end
        if on_end is None:
            self._frames.put(None)
        else:
            on_end(self)

    def get(self, timeout: float) -> tuple[int, bytes] | None:
        """Return the next id and frame, or None at the end.

        :raises TimeoutError: if nothing came within *timeout* seconds.
        """
        try:
            item = self._frames.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        if item is not None:
            with self._lock:
                self._size -= len(item[1])
        return item

    def take(self, timeout: float) -> tuple[list[tuple[int, bytes]], bool]:
        """Return all there is, waiting up to *timeout* seconds for some, and whether more may come."""
        try:
            item = self._frames.get(timeout=timeout)
        except queue.Empty:
            return [], True
        items = []
        while item is not None:
            items.append(item)
            if self._frames.empty():
                break
            item = self._frames.get_nowait()
        with self._lock:
            self._size -= sum(len(frame) for _, frame in items)
        return items, item is not None

    def leave(self, on_end: Callable[[Stream], None]) -> tuple[list[tuple[int, bytes]], bool]:
        """Return what is queued and whether the stream has ended; from now on its end is told to *on_end*."""
        waiting = []
        with self._lock:
            self._on_end = on_end
            while not self._frames.empty():
                item = self._frames.get_nowait()
                if item is not None:
                    waiting.append(item)
            return waiting, self._ended
