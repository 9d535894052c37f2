"""Answer pages: the WSGI application of the running generation, in a pool of threads behind ASGI.

A thread is never held by a caller: what he sends is read before the thread begins, and what he takes slowly
is sent by the event loop. The exception is an upload larger than any form. The view decides who may send one
before anything of it is read, and few are read at a time.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from a2wsgi import WSGIMiddleware

from host import recording
from host.core import clock
from host.live.response import SLOT, StreamResponse, until_gone
from host.process import incoming
from host.process.incoming import ABORT, WRITE, BadBodyError, Receive
from host.web.headers import MAX_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Send = Callable[[dict[str, Any]], Awaitable[None]]

IDLE_SECONDS = 20.0
"""How long nothing of a body may arrive."""
GRACE_SECONDS = 30.0
SLOWEST = 8 * 1024
"""Bytes a second a body has to come at, on average, once :data:`GRACE_SECONDS` are over."""
IN_MEMORY = 64 * 1024
PIECE = 256 * 1024
"""Bytes a thread makes of a response at a time. A response up to this size is made at once."""


class Pages:
    """An ASGI application that answers with a WSGI one.

    :param threads: how many requests may be answered at a time.
    """

    def __init__(self, application: WSGIApplication, *, threads: int) -> None:
        self._application = application
        self._wsgi = WSGIMiddleware(cast(Any, self._answer), workers=threads)
        self._uploads = asyncio.Semaphore(max(2, threads // 4))

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = _Call(scope, receive, send)
        try:
            headers = incoming.headers_of(scope["headers"])
            length = incoming.content_length(headers)
            if length is not None and length > MAX_BODY:
                await self._upload(call)
                return
            if length or "transfer-encoding" in headers:
                await call.read_body(length)
            await self._respond(call)
        except BadBodyError as error:
            await call.refuse(error.status)
        finally:
            call.close()

    async def _upload(self, call: _Call) -> None:
        """Let the view read a body that is too large to be read for nothing."""
        if self._uploads.locked():
            await call.refuse(503)
        else:
            async with self._uploads:
                await self._respond(call)

    async def _respond(self, call: _Call) -> None:
        began = clock.monotonic()
        try:
            await self._wsgi(cast(Any, call.scope), call.receive, call.send)  # type: ignore[arg-type]
        finally:
            call.count(began)
        stream = call.opened()
        if stream is not None:
            try:
                await stream.send(call.receive_last, call.send_on, call.scope.get(WRITE))
            except TimeoutError:
                await call.cut_off()
        elif call.rest is not None:
            await self._send_rest(call, call.rest)

    async def _send_rest(self, call: _Call, rest: Iterable[bytes]) -> None:
        """Send what a thread makes, piece by piece; it is free while the caller takes one."""
        in_thread = asyncio.get_running_loop().run_in_executor
        gone = asyncio.create_task(until_gone(call.receive_last))
        pieces = iter(rest)
        try:
            while not gone.done() and (piece := await in_thread(self._wsgi.executor, _gather, pieces)):
                await call.send_on({"type": "http.response.body", "body": piece, "more_body": True})
            await call.send_on({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            close = getattr(rest, "close", None)
            if close is not None:
                await in_thread(self._wsgi.executor, close)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application in a thread; leave to the event loop what may take its time to send."""
        call: _Call = environ["asgi.scope"]["lobby.call"]
        if call.body is not None:
            environ["wsgi.input"] = call.body
        lengths: list[int] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
            lengths[:] = [int(value) for name, value in headers if name.lower() == "content-length"]
            return start_response(status, headers, exc_info)

        result = self._application(environ, start)
        if not lengths or lengths[0] > PIECE:
            if call.opened() is None:
                call.rest = result
            return ()
        try:
            return (b"".join(result),)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()


class _Call:
    """One request on its way through a thread, and what is left of its response after that.

    :ivar body: the whole body, where it was read before.
    :ivar rest: what is still to be sent.
    """

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        query = scope["query_string"]
        # What WSGI takes for another header or cannot decode never reaches it.
        headers = [pair for pair in scope["headers"] if b"_" not in pair[0]]
        self.scope = {
            **scope,
            "headers": headers,
            "query_string": query if query.isascii() else _quoted(query),
            "lobby.call": self,
            SLOT: None,
        }
        self.body: Any = None
        self.rest: Iterable[bytes] | None = None
        self._answered: tuple[int, float] | None = None
        self.receive_last = receive
        self.send_on = send
        self._started = clock.monotonic()
        self._received = 0

    def opened(self) -> StreamResponse | None:
        """Return the live stream the view opened, if it did."""
        return cast("StreamResponse | None", self.scope[SLOT])

    async def receive(self) -> Any:
        """Return the next part of the body; a caller who is too slow counts as gone."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await self.receive_last()
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._received += len(message.get("body", b""))
        took = clock.monotonic() - self._started
        if took > GRACE_SECONDS and self._received < took * SLOWEST and message.get("more_body"):
            return {"type": "http.disconnect"}
        return message

    async def read_body(self, length: int | None) -> None:
        """Read the whole body, of *length* bytes or of any up to the largest form.

        :raises BadBodyError: if it does not come whole, or not fast enough.
        """
        body = self.body = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with the call
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadBodyError(408)
            body.write(message.get("body", b""))
            if self._received > MAX_BODY:
                raise BadBodyError(413)
            more = message.get("more_body", False)
        if length is not None and self._received != length:
            raise BadBodyError(400)
        body.seek(0)
        if length is None:
            # What came in chunks has a length now.
            self.scope["headers"] = [
                *(pair for pair in self.scope["headers"] if pair[0] != b"transfer-encoding"),
                (b"content-length", str(self._received).encode()),
            ]

    async def send(self, message: dict[str, Any]) -> None:
        """Pass on what the thread sends, but for the end of a response that goes on after it."""
        if message["type"] == "http.response.start":
            self._answered = message["status"], clock.monotonic()
        if message["type"] == "http.response.body" and (self.opened() or self.rest) is not None:
            return
        await self.send_on(message)

    async def refuse(self, status: int) -> None:
        """Answer with *status* in place of a page, and have the connection closed: its body was not read."""
        kind = _kind(self.scope["path"])
        if kind is not None:
            recording.answered(kind, status, None)
        text = f"{status}".encode()
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"%d" % len(text)),
            (b"connection", b"close"),
        ]
        if status == 503:
            headers.append((b"retry-after", b"30"))
        with suppress(RuntimeError):
            await self.send_on({"type": "http.response.start", "status": status, "headers": headers})
            await self.send_on({"type": "http.response.body", "body": text})

    def count(self, began: float) -> None:
        """Count the answer, and how long it took until that began; live streams are none."""
        kind = _kind(self.scope["path"])
        if kind is not None and self.opened() is None:
            status, at = self._answered or (500, clock.monotonic())
            recording.answered(kind, status, at - began)

    async def cut_off(self) -> None:
        """Cut the connection of a caller who takes nothing any more."""
        abort = self.scope.get(ABORT)
        if abort is not None:
            abort()
            await asyncio.sleep(0)  # the server notices that it is gone

    def close(self) -> None:
        """Give back what the request took, whether or not it was answered."""
        if self.body is not None:
            self.body.close()
        stream = self.opened()
        if stream is not None:
            stream.drop()


def _kind(path: str) -> str | None:
    """Return what is asked for, as it is counted; None: it is not."""
    if path.startswith(("/static/", "/modules/")):
        return None
    return "api" if path.startswith("/api/") else "page"


def _quoted(query: bytes) -> bytes:
    return b"".join(bytes((byte,)) if byte < 128 else b"%%%02X" % byte for byte in query)


def _gather(pieces: Iterator[bytes]) -> bytes:
    """Return the next bytes of a response, about :data:`PIECE` of them; nothing at its end."""
    chunks: list[bytes] = []
    size = 0
    while size < PIECE:
        chunk = next(pieces, None)
        if chunk is None:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)
