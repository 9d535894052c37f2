"""Connections of the server, with limits on their number and on the time and size of request heads.

Uvicorn waits for a head without a timeout and buffers it without a limit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from host.process.incoming import ABORT, WRITE

HEAD_SECONDS = 10.0
"""Timeout for the head of a request and the beginning of its body, in seconds."""
HEAD_BYTES = 64 * 1024
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 39\r\n\r\n"
    b"The head of the request exceeds 64 KiB."
)


class Connections:
    """A counter of a process's connections, and of those per address that are waiting for a request.

    :param most: maximum number of connections.
    :param per_address: maximum per address without a request; None: unlimited, as behind a proxy all share an
        address.
    """

    def __init__(self, *, most: int, per_address: int | None) -> None:
        self._most = most
        self._per_address = per_address
        self.count = 0
        """Number of open connections."""
        self._unasked: Counter[str] = Counter()

    def open(self) -> bool:
        """Count a new connection; return whether it may stay open."""
        self.count += 1
        return self.count <= self._most

    def closed(self) -> None:
        """Count a closed connection."""
        self.count -= 1

    def begin(self, address: str) -> bool:
        """Count a connection of *address* that waits for a request; return whether it may stay open."""
        if self._per_address is None:
            return True
        self._unasked[address] += 1
        return self._unasked[address] <= self._per_address

    def done(self, address: str) -> None:
        """Stop counting it: the request arrived, or the connection closed."""
        if self._per_address is not None:
            self._unasked[address] -= 1
            if not self._unasked[address]:
                del self._unasked[address]


def connection_type(connections: Connections) -> type[HttpToolsProtocol]:
    """Return a connection class that counts its instances in *connections*."""

    class Connection(HttpToolsProtocol):
        """Uvicorn's connection, with a limit for each request head, and a deadline until its body begins.

        One pipelined request may wait for the previous answer. When a third arrives, the connection is closed
        after the first two are answered, and a pipelining client resends the rest. Otherwise, a client that
        sends thousands without reading would get them all answered while others wait.
        """

        _deadline: asyncio.TimerHandle | None = None
        _received = 0
        _head = 0
        _ended = False
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
                self._received += len(data)
            super().data_received(data)
            if self._deadline is not None and self._received > HEAD_BYTES:
                self._refuse_head()
            elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
                self._expect()  # it received part of a head

        def on_message_begin(self) -> None:
            if self.pipeline:
                self._end_after_answers()
            if self._ended:
                return
            super().on_message_begin()
            self._in_head = True
            self._head = 0
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]
            scope[ABORT] = self.transport.abort
            scope[WRITE] = self.write_chunk

        def write_chunk(self, chunk: bytes) -> bool:
            """Write a *chunk* with HTTP framing; return False if the client is behind."""
            if self.flow.write_paused or self.transport.is_closing():
                return False
            self.transport.write(chunk)
            return True

        def on_url(self, url: bytes) -> None:
            self._head += len(url)
            if not self._ended:
                super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            self._head += len(name) + len(value) + 4  # ": " and the end of the line
            if not self._ended:
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._in_head = False
            if self._head > HEAD_BYTES:
                self._refuse_head()
            if not self._ended:
                super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._in_head and self._deadline is None:
                self._expect()  # it began while the previous one was being answered

        def on_body(self, body: bytes) -> None:
            self._stop_expecting()
            if not self._ended:
                super().on_body(body)

        def on_message_complete(self) -> None:
            self._stop_expecting()
            if not self._ended:
                super().on_message_complete()

        def _refuse_head(self) -> None:
            """Answer 431 and close. Pending responses are sent first, and no others follow."""
            if self._ended or self.transport.is_closing():
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self._end_after_answers()
                return
            self._ended = True
            self.transport.write(TOO_LARGE)
            self.transport.close()

        def _end_after_answers(self) -> None:
            """Stop reading requests, and close after the responses to those already read."""
            self._ended = True
            self.cycle.keep_alive = False  # the last request that was read

        def _expect(self) -> None:
            """Start waiting for the head of a request."""
            if self.transport.is_closing():
                return
            self._received = 0
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
            if not connections.begin(self._address):
                self.transport.abort()

        def _stop_expecting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
                connections.done(self._address)

    return Connection
