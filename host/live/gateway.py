"""Hold the open streams of a process in one thread.

A stream is a socket and, while its browser is slow, what waits for it. The thread waits for all of them at
once and never for a single one: nothing here blocks, reads the database or takes a lock another thread holds
for long. What other threads want done (a new stream, something to send, an end) they leave in a queue, in the
order in which it is to happen.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from host.core import clock
from host.live.events import LATE, Told
from host.live.publish import EVERYBODY
from host.live.socket_send import send
from host.live.stream import BUFFER_BYTES, Stream

log = logging.getLogger("lobby.live")

HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": still here\n\n"
SLOTS = 15
"""Heartbeats go out in so many turns, so that they never concern all streams at once."""
IGNORED_BYTES = 16 * 1024
"""What a browser may send after its request, which is nothing it should; none of it is looked at."""
SEND_BUFFER = 64 * 1024
UNANSWERED_MS = 30_000
"""How long the system keeps trying to bring something to a peer that says nothing any more."""

Batch = Sequence[tuple[int, int, bytes]]
"""Workspace, id and frame of each event, in order."""


class _Connection:
    """One browser."""

    __slots__ = ("buffer", "ignored", "limit", "since", "slot", "socket", "stalled", "stream", "told")

    def __init__(self, stream: Stream, connection: socket.socket, told: Told, slot: int) -> None:
        self.stream = stream
        self.socket = connection
        self.told: Told | None = told
        """What it has and may be about to be given again."""
        self.buffer = bytearray()
        self.limit = BUFFER_BYTES
        self.since = clock.monotonic()
        self.slot = slot
        self.stalled = False
        self.ignored = 0


class Gateway:
    """Sends to every open stream of this process from one thread.

    :param on_end: called with each stream that ended, in that thread.
    """

    def __init__(self, on_end: Callable[[Stream], None]) -> None:
        self._on_end = on_end
        self._work: deque[Callable[[], None]] = deque()
        self._rung = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._connections: dict[Stream, _Connection] = {}
        self._groups: dict[int, dict[_Connection, None]] = {}
        self._slots: list[dict[_Connection, None]] = [{} for _ in range(SLOTS)]
        self._taken = self._turn = 0

    @property
    def is_running(self) -> bool:
        """Whether streams can be given to it."""
        return self._thread is not None and not self._stopping

    def start(self) -> None:
        """Start the thread. To be called after any fork."""
        self._stopping = False
        self._work.clear()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ, None)
        self._rung = False
        self._thread = threading.Thread(target=self._run, name="live-gateway", daemon=True)
        self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """End every stream and the thread, within *seconds*."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping = True
        self._ring()
        thread.join(seconds)

    # What other threads ask for

    def adopt(
        self, stream: Stream, connection: socket.socket, first: bytes, told: Told, *, ended: bool = False
    ) -> None:
        """Take *connection* over, send *first*, then whatever is delivered to the stream's workspace.

        :param told: what the browser has with *first*, some of which may be delivered once more.
        :param ended: the stream is to end after *first*.
        """
        self._ask(lambda: self._adopt(stream, connection, first, told, ended))

    def deliver(self, batch: Batch) -> None:
        """Send each event to the streams of its workspace."""
        self._ask(lambda: self._deliver(batch))

    def end(self, stream: Stream) -> None:
        """End *stream* after what waits for it, as far as that can be sent at once."""
        self._ask(lambda: self._end(stream))

    def _ask(self, work: Callable[[], None]) -> None:
        self._work.append(work)
        self._ring()

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            with suppress(OSError):
                self._bell.send(b"\0")

    # The thread

    def _run(self) -> None:
        beat_at = clock.monotonic()
        while not self._stopping:
            timeout = max(0.0, beat_at - clock.monotonic()) if self._connections else None
            for key, mask in self._selector.select(timeout):
                if key.data is None:
                    self._hear()
                else:
                    self._guard(key.data, mask)
            while self._work:
                work = self._work.popleft()
                try:
                    work()
                except Exception:
                    log.exception("something could not be done for the open streams")
            if clock.monotonic() >= beat_at:
                self._turn = (self._turn + 1) % SLOTS
                self._beat(self._turn)
                beat_at = clock.monotonic() + HEARTBEAT_SECONDS / SLOTS
        self._finish_all()

    def _hear(self) -> None:
        with suppress(OSError):
            self._ear.recv(4096)
        self._rung = False  # before the work is done: a thread that brings more from here on rings again

    def _guard(self, connection: _Connection, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ:
                self._listen(connection)
            if mask & selectors.EVENT_WRITE and connection.stream in self._connections:
                self._flush(connection)
        except Exception:
            log.exception("a stream broke")
            self._drop(connection)

    def _adopt(self, stream: Stream, own: socket.socket, first: bytes, told: Told, ended: bool) -> None:
        self._taken += 1
        # Its turn has just been, or soon after: those who come together do not all beat together.
        connection = _Connection(stream, own, told, (self._turn - self._taken % 4) % SLOTS)
        own.setblocking(False)
        _tune(own)
        self._connections[stream] = connection
        self._groups.setdefault(stream.workspace_id, {})[connection] = None
        self._slots[connection.slot][connection] = None
        self._selector.register(own, selectors.EVENT_READ, connection)
        connection.limit = BUFFER_BYTES + len(first)
        self._send(connection, first)
        if ended:
            self._end(stream)

    def _deliver(self, batch: Batch) -> None:
        groups: dict[int, list[tuple[int, bytes]]] = {}
        for workspace_id, id_, frame in batch:
            concerned: Iterable[int] = self._groups if workspace_id == EVERYBODY else (workspace_id,)
            for group in concerned:
                if group in self._groups:
                    groups.setdefault(group, []).append((id_, frame))
        for group, items in groups.items():
            whole = b"".join([frame for _, frame in items])
            for connection in list(self._groups[group]):
                if connection.told is None:
                    self._send(connection, whole)
                    continue
                told = connection.told
                self._send(connection, b"".join([frame for id_, frame in items if id_ not in told]))

    def _send(self, connection: _Connection, data: bytes) -> None:
        if not data:
            return
        if connection.buffer:
            connection.buffer += data
        else:
            try:
                sent = send(connection.socket, data)
            except OSError:
                self._drop(connection)
                return
            if sent == len(data):
                return
            connection.buffer += memoryview(data)[sent:]
            self._selector.modify(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        if len(connection.buffer) > connection.limit:
            self._drop(connection)

    def _flush(self, connection: _Connection) -> None:
        try:
            sent = connection.socket.send(connection.buffer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        connection.stalled = False
        del connection.buffer[:sent]
        if not connection.buffer:
            connection.buffer = bytearray()  # what it grew to is not kept
            connection.limit = BUFFER_BYTES
            self._selector.modify(connection.socket, selectors.EVENT_READ, connection)

    def _listen(self, connection: _Connection) -> None:
        """Notice that the browser is gone; it has nothing else to say."""
        try:
            data = connection.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.ignored += len(data)
        if not data or connection.ignored > IGNORED_BYTES:
            self._drop(connection)

    def _beat(self, slot: int) -> None:
        now = clock.monotonic()
        for connection in list(self._slots[slot]):
            if connection.told is not None and now - connection.since > LATE.total_seconds():
                connection.told = None
            if not connection.buffer:
                self._send(connection, HEARTBEAT)
            elif connection.stalled:
                self._drop(connection)  # it has taken nothing since the last time
            else:
                connection.stalled = True

    def _end(self, stream: Stream) -> None:
        connection = self._connections.get(stream)
        if connection is None:
            return
        with suppress(OSError):
            if connection.buffer:
                connection.socket.send(connection.buffer)
            connection.socket.shutdown(socket.SHUT_WR)
        self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        stream = connection.stream
        if self._connections.pop(stream, None) is None:
            return
        with suppress(KeyError, ValueError, OSError):
            self._selector.unregister(connection.socket)
        with suppress(OSError):
            connection.socket.close()
        del self._slots[connection.slot][connection]
        group = self._groups[stream.workspace_id]
        del group[connection]
        if not group:
            del self._groups[stream.workspace_id]
        self._on_end(stream)

    def _finish_all(self) -> None:
        while self._work:  # a connection given away just now is closed as well
            self._work.popleft()()
        for stream in list(self._connections):
            self._end(stream)
        self._selector.close()
        self._bell.close()
        self._ear.close()


def _tune(connection: socket.socket) -> None:
    """Have frames leave at once, little kept in the system, and a peer noticed that is no longer there."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
