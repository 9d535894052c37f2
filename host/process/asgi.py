"""The ASGI application: dispatches probes, webhooks and pages.

Webhooks are decided on the event loop. Pages go to threads: :mod:`host.process.pages`. Live streams are
tasks: :mod:`host.live.response`. Code here may only wait with ``await``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from host.addons.running.generation import Generation
from host.core import db, logs
from host.core.config import Config
from host.health import probes
from host.health.probes import Probes
from host.process import incoming
from host.process.incoming import Receive
from host.process.pages import Pages, Send, respond
from host.process.webhook_front import Answering, answer_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


_CLOSING = [(b"content-type", b"text/plain"), (b"content-length", b"3"), (b"connection", b"close")]


class Host(Protocol):
    """A :class:`host.process.serving.HostApplication`, or its stand-in."""

    config: Config
    probes: Probes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]: ...

    def generation(self) -> Generation: ...

    def webhook(self, generation: Generation, path: str) -> Answering | None: ...


class AsgiApplication:
    """The ASGI application of a server.

    :ivar host: the application behind it; may be replaced while requests are answered.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self._pages = Pages(
            self._page,
            threads=host.config.threads,
            session_cookie=host.config.session_cookie,
            proxies=host.config.proxies,
        )
        # Separate threads: probes must be answered, and a new generation built, while all pages are busy.
        self._few = ThreadPoolExecutor(4, "probe")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if not incoming.names_one_host(scope):
            await respond(send, HTTPStatus.BAD_REQUEST, _CLOSING, b"400")
            return
        path = scope["path"]
        if path in probes.PATHS:
            await answer_probe(self.host.probes, self._few, scope, send)
            return
        if path.startswith(("/addons/", "/webhooks/")) and await self._webhook(scope, receive, send):
            return
        await self._pages(scope, receive, send)

    def _page(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.host(environ, start_response)

    async def _webhook(self, scope: dict[str, Any], receive: Receive, send: Send) -> bool:
        """Answer a webhook; return False for a page request."""
        answering = self.host.webhook(await self._generation(), scope["path"])
        if answering is None:
            return False
        request = incoming.of_scope(scope, self.host.config.proxies)
        # An id from outside is accepted from a trusted proxy only.
        given = request.headers.get("x-request-id", "") if self.host.config.proxies else ""
        id_ = logs.begin_request(given)
        try:
            status, text, more = await answering(request, receive)
        finally:
            logs.end_request()
        headers = [*_encoded(text, tuple(more)), (b"x-request-id", id_.encode())]
        await respond(send, status, headers, text.encode())
        return True

    async def _generation(self) -> Generation:
        try:
            return self.host.generation()
        except db.WouldWaitError:
            return await asyncio.get_running_loop().run_in_executor(self._few, self.host.generation)


async def answer_probe(asked: Probes, few: Executor, scope: dict[str, Any], send: Send) -> None:
    """Answer a request to one of :data:`host.health.probes.PATHS`, computed in a thread of *few*."""
    header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    status, headers, body = await asyncio.get_running_loop().run_in_executor(
        few, asked.answer, scope["path"], scope["method"], header.decode("latin-1")
    )
    await respond(send, status, _bytes(headers), body)


@lru_cache(256)
def _encoded(text: str, more: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a webhook response, which are nearly always the same."""
    return _bytes(answer_headers(text, list(more)))


def _bytes(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
