"""A program at an address of its own that a desk may post to, over real sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from host.core import guard


@dataclass(frozen=True, slots=True)
class Received:
    """A request a program got."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """A program that is told. It answers what *script* says in turn, then 200."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    script: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    words: bytes = b""
    before: Callable[[Received], object] = lambda _: None

    @property
    def names(self) -> list[str]:
        return [one.told["event"] for one in self.got]

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.got]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Yield a program at an address of its own, which the desk may reach.

    :param port: 0: any that is free.
    """
    receiver = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            one = Received({name.lower(): value for name, value in self.headers.items()}, body)
            receiver.before(one)
            with lock:
                receiver.got.append(one)
                status = receiver.script.pop(0) if receiver.script else 200
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(receiver.words)))
            self.end_headers()
            self.wfile.write(receiver.words)

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    address = f"127.0.0.1:{server.server_address[1]}"
    before = guard._exempt
    guard.allow([*(f"{host}:{port}" for host, port in before), address])
    receiver.url = f"http://{address}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        guard._exempt = before
