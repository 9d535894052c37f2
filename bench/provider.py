"""``python -m bench.provider PORT LEDGER``: a Graph API that takes 50 ms, fails at times, and keeps a ledger.

Of a twentieth of the messages the first try goes wrong: a third each with 429, a 500, and no answer at all;
of the last two every other message is taken all the same. Who is limited altogether is told by
``PROVIDER_LIMITED``, ids separated by commas. Each line of the ledger is one message: when it came, account,
customer, text, and whether it was taken.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import zlib
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qs, urlsplit

LATENCY = 0.05
FAULTY = float(os.environ.get("PROVIDER_FAULTY", "0.05"))
LIMITED = frozenset(os.environ.get("PROVIDER_LIMITED", "").split(",")) - {""}
LIMIT = {"error": {"message": "too many calls"}}
BROKEN = {"error": {"message": "an unexpected error", "type": "OAuthException"}}


class Provider:
    """Messages it accepted, and those of which it has seen a first attempt."""

    def __init__(self, ledger: TextIO) -> None:
        self._ledger = ledger
        self._seen: set[tuple[str, str]] = set()
        self._threads: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at = time.time()
                line, *fields = head.decode("latin-1").split("\r\n")
                method, target, _ = line.split(" ", 2)
                length = next((int(f[15:]) for f in fields if f.lower().startswith("content-length:")), 0)
                body = await reader.readexactly(length)
                await self._answer(writer, method, target, body, at)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, method: str, target: str, body: bytes, at: float
    ) -> None:
        url = urlsplit(target)
        _version, node, *edge = url.path.strip("/").split("/")
        status = 200
        answer: dict[str, Any] = {"id": node, "name": node}
        if method == "POST" and edge == ["messages"]:
            status, answer = self._message(node, json.loads(body), at)
        elif edge == ["conversations"]:
            customer = parse_qs(url.query)["user_id"][0]
            answer = {"data": [{"id": "t", "messages": {"data": self._threads[node, customer][:20]}}]}
        await asyncio.sleep(LATENCY)
        if status == 0:
            await asyncio.sleep(3600)
        text = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        writer.write(head.encode() + text)
        await writer.drain()

    def _message(self, node: str, body: dict[str, Any], at: float) -> tuple[int, dict[str, Any]]:
        if "sender_action" in body:
            return 200, {}
        customer, text = body["recipient"]["id"], body["message"]["text"]
        dice = zlib.crc32(f"{node}:{text}".encode()) % 3000
        first = (node, text) not in self._seen
        self._seen.add((node, text))
        status, taken = 200, True
        if node in LIMITED:
            status, taken = 429, False
        elif first and dice < FAULTY * 3000:
            status = (429, 500, 0)[dice % 3]
            taken = status != 429 and dice % 2 == 0
        print(at, node, customer, text, int(taken), sep="\t", file=self._ledger, flush=True)
        mid = f"mid-{node}-{zlib.crc32(text.encode())}-{len(self._seen)}"
        if taken:
            self._threads[node, customer].insert(
                0,
                {
                    "id": mid,
                    "created_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
                    "from": {"id": node},
                    "message": text,
                },
            )
        if status == 200:
            return 200, {"recipient_id": customer, "message_id": mid}
        return status, LIMIT if status == 429 else BROKEN


async def main() -> None:
    with Path(sys.argv[2]).open("w") as ledger:
        server = await asyncio.start_server(Provider(ledger).serve, "127.0.0.1", int(sys.argv[1]))
        print("the provider is ready", flush=True)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
