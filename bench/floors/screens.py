"""``python -m bench.floors.screens SERVER PORT``: the floor from a webhook to the browsers.

The floor of ingest, and an endless answer to everybody who watches: one task each, which writes what it is
told of as soon as it can. Nobody is signed in, nothing is applied, nothing is told again.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from bench.floors import ingest, serving

HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


class Stream:
    """Frames that wait for one browser."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.told = asyncio.Event()


watching: set[Stream] = set()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["method"] == "GET":
        await watch(send)
        return
    number = await ingest.taken_in(scope, receive, send)
    if number is not None:
        tell(number)


def tell(number: int) -> None:
    """Queue a frame for everybody."""
    frame = b'id: %d\nevent: message\ndata: {"message":%d}\n\n' % (number, number)
    for one in watching:
        one.frames.append(frame)
        one.told.set()


async def watch(send: Any) -> None:
    stream = Stream()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
    watching.add(stream)
    try:
        while True:
            await stream.told.wait()
            stream.told.clear()
            frames, stream.frames = stream.frames, []
            await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})
    finally:
        watching.discard(stream)


if __name__ == "__main__":
    serving.run(application, sys.argv[1], int(sys.argv[2]))
