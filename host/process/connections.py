"""Connections of the server: how long the head of a request may take, how large it and how many may be.

Uvicorn waits for a head as long as it takes and keeps as much of it as comes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from host.process.incoming import ABORT, WRITE

HEAD_SECONDS = 10.0
"""How long the head of a request and the first of its body may take to arrive."""
HEAD_BYTES = 64 * 1024


class Connections:
    """Counts the connections of a process, and by address those whose next request is not there yet.

    :param most: connections there may be.
    :param per_address: of one address, those without a request; None: any number, as behind a proxy all
        have one.
    """

    def __init__(self, *, most: int, per_address: int | None) -> None:
        self._most = most
        self._per_address = per_address
        self.count = 0
        """Connections there are."""
        self._unasked: Counter[str] = Counter()

    def open(self) -> bool:
        """Count one more connection; return whether it may stay."""
        self.count += 1
        return self.count <= self._most

    def closed(self) -> None:
        """Count a connection out."""
        self.count -= 1

    def begin(self, address: str) -> bool:
        """Count one of *address* that a request is waited for; return whether it may stay."""
        if self._per_address is None:
            return True
        self._unasked[address] += 1
        return self._unasked[address] <= self._per_address

    def done(self, address: str) -> None:
        """Count it out: the request is there, or the connection gone."""
        if self._per_address is not None:
            self._unasked[address] -= 1
            if not self._unasked[address]:
                del self._unasked[address]


def connection_type(connections: Connections) -> type[HttpToolsProtocol]:
    """Return the class of connections that count themselves in *connections*."""

    class Connection(HttpToolsProtocol):
        """Uvicorn's, with a limit for the head of each request, and a deadline until its body begins."""

        _deadline: asyncio.TimerHandle | None = None
        _head = 0
        _in_head = False
        _address = ""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._address = self.client[0] if self.client else ""
            if not connections.open():
                transport.abort()
                return
            self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_expecting()
            connections.closed()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._deadline is not None:
                self._head += len(data)
            super().data_received(data)
            if self._deadline is not None and self._head > HEAD_BYTES:
                self.transport.abort()
            elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
                self._expect()  # something came, and it was not a whole head

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_head = True
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]
            scope[ABORT] = self.transport.abort
            scope[WRITE] = self.write_chunk

        def write_chunk(self, chunk: bytes) -> bool:
            """Write a *chunk*, framed as HTTP has it; return False if the caller is behind."""
            if self.flow.write_paused or self.transport.is_closing():
                return False
            self.transport.write(chunk)
            return True

        def on_headers_complete(self) -> None:
            self._in_head = False
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._in_head and self._deadline is None:
                self._expect()  # it began while the one before was answered

        def on_body(self, body: bytes) -> None:
            self._stop_expecting()
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._stop_expecting()
            super().on_message_complete()

        def _expect(self) -> None:
            """Begin to wait for the head of a request."""
            if self.transport.is_closing():
                return
            self._head = 0
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
            if not connections.begin(self._address):
                self.transport.abort()

        def _stop_expecting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
                connections.done(self._address)

    return Connection
