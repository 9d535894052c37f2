"""The ASGI application: probes, webhooks and pages, each where it belongs.

Webhooks are decided on the event loop. Pages go to threads: :mod:`host.process.pages`. Live streams are
tasks: :mod:`host.live.response`. Nothing here may wait but by ``await``.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from host.addons.running.generation import Generation
from host.core import db, logs
from host.health import probes
from host.process import incoming
from host.process.incoming import Receive
from host.process.pages import Pages, Send
from host.process.serving import HostApplication
from host.process.webhook_front import Answer, headers_of


class AsgiApplication:
    """Answers what a server takes in."""

    def __init__(self, host: HostApplication) -> None:
        self._host = host
        self._pages = Pages(host, threads=host.config.threads)
        # Of their own: probes are asked, and a new generation is built, while all pages are busy.
        self._few = ThreadPoolExecutor(4, "probe")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path in probes.PATHS:
            await self._probe(scope, send)
            return
        if path.startswith(("/addons/", "/webhooks/")):
            answer = await self._webhook(path, scope, receive)
            if answer is not None:
                await self._send(answer, send)
                return
        await self._pages(scope, receive, send)

    async def _webhook(self, path: str, scope: dict[str, Any], receive: Receive) -> Answer | None:
        """Return the answer to a webhook; None: the path belongs to a page."""
        generation = await self._generation()
        request = incoming.of_scope(scope, self._host.config.proxies)
        # An id from outside is a proxy's, where there is one to believe.
        given = request.headers.get("x-request-id", "") if self._host.config.proxies else ""
        id_ = logs.begin_request(given)
        try:
            answer = await self._host.webhook(generation, request, receive)
        finally:
            logs.end_request()
        if answer is None:
            return None
        status, text, headers = answer
        return status, text, [*headers, ("X-Request-Id", id_)]

    async def _generation(self) -> Generation:
        try:
            return self._host.generation()
        except db.WouldWaitError:
            return await asyncio.get_running_loop().run_in_executor(self._few, self._host.generation)

    async def _probe(self, scope: dict[str, Any], send: Send) -> None:
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        status, headers, body = await asyncio.get_running_loop().run_in_executor(
            self._few, self._host.probes.answer, scope["path"], scope["method"], header.decode("latin-1")
        )
        await _respond(send, status, headers, body)

    async def _send(self, answer: Answer, send: Send) -> None:
        status, text, headers = answer
        await _respond(send, status, headers_of(text, headers), text.encode())


async def _respond(send: Send, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
