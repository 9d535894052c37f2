"""A line as slow as a phone's: forwards connections with a delay, all of them together at a limited rate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DELAY_SECONDS = 0.15
"""From a request to the first byte of its answer, without the desk; Lighthouse's "slow 4G"."""
BYTES_A_SECOND = 1_600_000 / 8
_PIECE = 4096


class _SlowConnections:
    def __init__(self, port: int) -> None:
        self.port = port
        self.free_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(DELAY_SECONDS)  # the handshake
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._up(reader, out), self._down(there, writer))

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                writer.write(piece)
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass each piece on when its turn has come at the rate, and the delay later."""
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                self.free_at = max(loop.time(), self.free_at) + len(piece) / BYTES_A_SECOND
                loop.call_at(self.free_at + DELAY_SECONDS, writer.write, piece)
        loop.call_at(max(loop.time(), self.free_at) + DELAY_SECONDS + 0.001, writer.close)


@contextmanager
def slow_line(port: int) -> Iterator[int]:
    """Forward a port of this machine to *port* while the block runs; yield it."""
    loop = asyncio.new_event_loop()
    line = _SlowConnections(port)
    server = loop.run_until_complete(asyncio.start_server(line.serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
