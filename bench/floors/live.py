"""The floor of telling browsers: asyncio, an endless answer, the same bytes to everybody. Nothing else."""

from __future__ import annotations

import asyncio
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nretry: 2000\n\n"
FRAME = b'id: 1234\nevent: conversation\ndata: {"conversation":1234567890}\n\n'
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsaid"

watching: set[asyncio.StreamWriter] = set()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            if request.startswith(b"GET /bench/say"):
                for one in watching:
                    one.write(FRAME)
                writer.write(DONE)
            else:
                writer.write(HEAD)
                watching.add(writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        watching.discard(writer)
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]), backlog=2048)
    print("the floor is ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
