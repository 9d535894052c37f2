"""Serve the probes of a process without a web server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any

from host.health import probes
from host.health.probes import Probes
from host.process.asgi import answer_probe
from host.process.connections import Connections
from host.process.incoming import Receive
from host.process.pages import Send, respond
from host.process.server import Uvicorn, listen

PATHS = probes.PATHS - {"/readyz/webhooks"}
MOST = 16
"""Maximum number of connections; more are closed."""


@contextmanager
def answering(asked: Probes, address: tuple[str, int] | None) -> Iterator[None]:
    """Serve probes at *address* while the block runs; None: nowhere.

    :raises CannotGoOnError: if the address is not available.
    """
    if address is None:
        yield
        return
    few = ThreadPoolExecutor(4, "probe")

    async def answer(scope: dict[str, Any], _receive: Receive, send: Send) -> None:
        if scope["path"] in PATHS:
            await answer_probe(asked, few, scope, send)
        else:
            await respond(send, HTTPStatus.NOT_FOUND, [(b"content-length", b"0")], b"")

    with closing(listen(address, "LOBBY_WORKER_LISTEN")) as listening, few:
        server = Uvicorn(answer, listening, Connections(most=MOST, per_address=None))
        thread = threading.Thread(target=asyncio.run, args=(server.run(),), name="probes", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.stop()
            thread.join()
