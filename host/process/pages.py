"""Serve pages: the WSGI application of the running generation, in a pool of threads behind ASGI.

Clients never occupy a thread: a request is read before its thread starts, and a slow client's response is
sent by the event loop. The exception is an upload larger than any form: its view decides whether it is
allowed before it is read, and few are read at a time.

A client with many requests gets a few responses at a time, so that others don't wait for all of them.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote

from a2wsgi.wsgi import Body, build_environ
from werkzeug.http import parse_cookie
from werkzeug.wsgi import ClosingIterator

from host import recording
from host.core import clock
from host.core.call_budget import HungCallError
from host.core.call_budget.threads import ReplacingPool
from host.live.response import StreamResponse, until_gone
from host.process import incoming
from host.process.incoming import ABORT, WRITE, BadBodyError, Receive
from host.web import assets
from host.web.headers import MAX_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]

IDLE_SECONDS = 20.0
"""Maximum pause within a body, in seconds."""
GRACE_SECONDS = 30.0
SLOWEST = 8 * 1024
"""Minimum average speed of a body in bytes per second, after :data:`GRACE_SECONDS`."""
IN_MEMORY = 64 * 1024
PIECE = 256 * 1024
"""Number of bytes of a response that a thread produces at a time.

Shorter responses are produced in one step.
"""
_PAGES = (b"text/html", b"application/json")
"""Types of answers that a person or a program waits for; others are files."""
_ASCII = bytes(range(128))


class Pages:
    """An ASGI application that serves a WSGI one.

    :param threads: number of requests answered at a time; an eighth of it for one client.
    :param session_cookie: the cookie that identifies people.
    :param proxies: number of proxies trusted for addresses.
    """

    def __init__(
        self, application: WSGIApplication, *, threads: int, session_cookie: str = "lobby", proxies: int = 0
    ) -> None:
        self._application = application
        self._threads = ReplacingPool(threads, "page")
        self._uploads = asyncio.Semaphore(max(2, threads // 4))
        self._turns = _Turns(max(2, threads // 8))
        self._session_cookie = session_cookie
        self._proxies = proxies

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = _Body(receive)
        environ = _environ(scope)
        try:
            length = incoming.content_length(environ.get("CONTENT_LENGTH"))
            if length is not None and length > MAX_BODY:
                # The view decides whether such a large body is allowed, so that it isn't read in vain.
                if self._uploads.locked():
                    raise BadBodyError(503)
                async with self._uploads:
                    environ["wsgi.input"] = Body(asyncio.get_running_loop(), body.receive)
                    # They have a separate limit, and take as long as the sender does.
                    await self._respond(environ, receive, send, nullcontext(), is_upload=True)
                return
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                environ["wsgi.input"] = file
                if length or "HTTP_TRANSFER_ENCODING" in environ:
                    await body.copy_to(file, length)
                    # The length of a chunked body is known now.
                    environ.pop("HTTP_TRANSFER_ENCODING", None)
                    environ["CONTENT_LENGTH"] = str(body.received)
                await self._respond(environ, receive, send, self._turns.of(self._caller(scope)))
        except BadBodyError as error:
            await _refuse(scope["path"], send, error.status)
        except HungCallError:
            await _refuse(scope["path"], send, 503)

    def _caller(self, scope: dict[str, Any]) -> str:
        """Return an identifier of the client: a program's key, a browser's session, else the address.

        It is not verified. A request with an invented session is redirected to the sign-in page, which costs
        almost nothing.
        """
        request = incoming.of_scope(scope, self._proxies)
        cookies = parse_cookie(request.headers.get("cookie", ""))
        return request.headers.get("authorization") or cookies.get(self._session_cookie) or request.remote

    async def _respond(
        self,
        environ: dict[str, Any],
        receive: Receive,
        send: Send,
        turn: AbstractAsyncContextManager[None],
        *,
        is_upload: bool = False,
    ) -> None:
        in_thread = partial(asyncio.get_running_loop().run_in_executor, self._threads)
        scope, began, status, rest = environ["asgi.scope"], clock.monotonic(), 500, None
        headers: list[tuple[bytes, bytes]] = []
        try:
            async with turn:
                status, headers, piece, rest = await in_thread(copy_context().run, self._begin, environ)
        except HungCallError:
            status = 0  # counted with its answer
            raise
        finally:
            seconds = clock.monotonic() - began
            if status and not isinstance(rest, StreamResponse):
                _count(scope["path"], status, seconds)
            if seconds > recording.SLOW_SECONDS and not is_upload and rest is None and _is_page(headers):
                _note_slow(environ, seconds)
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            if isinstance(rest, StreamResponse):
                await rest.send(receive, send, scope.get(WRITE), scope.get(ABORT))
                return
            if rest is not None:
                gone = asyncio.create_task(until_gone(receive))
                while len(piece) >= PIECE and not gone.done():
                    # The thread is free while the client reads the response.
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    piece = await in_thread(_gather, rest)
                gone.cancel()
            await send({"type": "http.response.body", "body": piece})
        finally:
            if rest is not None:
                await in_thread(rest.close)

    def _begin(
        self, environ: dict[str, Any]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes, ClosingIterator | StreamResponse | None]:
        """Run the application in a thread; leave slow sending to the event loop.

        Returns status, headers, the first :data:`PIECE` of the body or all of it, and an iterator over the
        rest.
        """
        head: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
            head[:] = status, headers

        result = self._application(environ, start)
        status = int(head[0].split()[0])
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in head[1]]
        if isinstance(result, StreamResponse):
            return status, headers, b"", result
        pieces, piece = ClosingIterator(result), b""
        try:
            piece = _gather(pieces)
        finally:
            if len(piece) < PIECE:
                pieces.close()
        return status, headers, piece, pieces if len(piece) >= PIECE else None


class _Turns:
    """A limit of *most* concurrent responses per client, on one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._callers: dict[str, _Caller] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait until the client *name* may get another response; its turn ends with the block."""
        caller = self._callers.get(name)
        if caller is None:
            caller = self._callers[name] = _Caller(asyncio.Semaphore(self._most))
        caller.requests += 1
        try:
            async with caller.at_work:
                yield
        finally:
            caller.requests -= 1
            if not caller.requests:
                del self._callers[name]


@dataclass(slots=True)
class _Caller:
    """A client with running or waiting requests.

    :ivar requests: their number.
    """

    at_work: asyncio.Semaphore
    requests: int = 0


class _Body:
    """The body of a request, which must arrive fast enough."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._began = clock.monotonic()
        self.received = 0
        """Number of bytes received."""

    async def receive(self) -> Any:
        """Return the next part; a client that is too slow counts as disconnected."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        self.received += len(message.get("body", b""))
        took = clock.monotonic() - self._began
        if took > GRACE_SECONDS and self.received < took * SLOWEST and message.get("more_body"):
            return {"type": "http.disconnect"}
        return message

    async def copy_to(self, file: IO[bytes], length: int | None) -> None:
        """Read all of it into *file*: *length* bytes, or any number up to the largest form.

        :raises BadBodyError: if it is incomplete or too slow.
        """
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadBodyError(408)
            file.write(message.get("body", b""))
            if self.received > MAX_BODY:
                raise BadBodyError(413)
            more = message.get("more_body", False)
        if length is not None and self.received != length:
            raise BadBodyError(400)
        file.seek(0)


def _environ(scope: dict[str, Any]) -> dict[str, Any]:
    """Convert a request to WSGI, dropping headers that WSGI would confuse or cannot decode."""
    headers = [pair for pair in scope["headers"] if b"_" not in pair[0]]
    query = quote(scope["query_string"], safe=_ASCII).encode()
    known: Any = {**scope, "headers": headers, "query_string": query}
    return cast("dict[str, Any]", build_environ(known, cast(Any, None)))


async def respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a complete response."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(path: str, send: Send, status: int) -> None:
    """Respond with *status* instead of a page, and close the connection: its body was not read."""
    _count(path, status, None)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"3"), (b"connection", b"close")]
    if status == 503:
        headers.append((b"retry-after", b"30"))
    with suppress(RuntimeError):
        await respond(send, status, headers, b"%d" % status)


def _count(path: str, status: int, seconds: float | None) -> None:
    if not path.startswith(assets.PATHS):
        recording.answered("api" if path.startswith("/api/") else "page", status, seconds)


def _is_page(headers: list[tuple[bytes, bytes]]) -> bool:
    """Return whether an answer is a page or JSON, not a file; one that failed has no headers yet."""
    found = dict(headers)
    return found.get(b"content-type", _PAGES[0]).startswith(_PAGES) and b"content-disposition" not in found


def _note_slow(environ: dict[str, Any], seconds: float) -> None:
    """Log and count a slow answer by its view and the pattern of its address, which contain no ids."""
    rule = environ.get(incoming.RULE_OF_REQUEST)
    if rule is not None:
        log.warning("%s %s took %.0f s", environ["REQUEST_METHOD"], rule.rule, seconds)
        recording.slow(rule.endpoint, seconds)


def _gather(pieces: Iterable[bytes]) -> bytes:
    """Return the next bytes of a response, at least :data:`PIECE` of them unless it ends."""
    chunks, size = [], 0
    for chunk in pieces:
        chunks.append(chunk)
        size += len(chunk)
        if size >= PIECE:
            break
    return b"".join(chunks)
