"""An ASGI application on uvicorn, in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop

from host.core import db
from host.process.connections import Connections, connection_type
from host.process.server import listen


class Quiet(uvicorn.Server):
    """Uvicorn without signal handlers: only a main thread may set them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def uvicorn_server(application: Any, connections: Connections | None = None) -> Iterator[int]:
    """Serve *application* on a loop of its own, as `lobby run` does; yield the port."""
    listening = listen(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        http=connection_type(connections or Connections(most=5000, per_address=None)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=30,
    )
    server = Quiet(config)
    opened = threading.Event()

    async def serve() -> None:
        db.never_wait_here()
        opened.set()
        await server.serve(sockets=[listening])

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="uvicorn", daemon=True)
    thread.start()
    assert opened.wait(60)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the server did not stop"
