"""The servers of the product, with nothing of the product: whatever a floor has to be run by."""

from __future__ import annotations

from typing import Any

import uvicorn
import uvloop


def run(application: Any, server: str, port: int) -> None:
    """Serve an ASGI *application* with uvicorn, or with granian in this process as the product has it."""
    print("the floor is ready", flush=True)
    if server == "granian":
        uvloop.run(_granian(application, port))
    else:
        uvicorn.run(
            application,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
        )


async def _granian(application: Any, port: int) -> None:
    from granian.constants import Interfaces
    from granian.server.embed import Server

    server = Server(
        application,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
        backlog=2048,
    )
    await server.serve()
