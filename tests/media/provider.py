"""A provider of files over a real socket, and a channel whose messages link to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from host.core import guard
from host.media import inbound
from host.sdk.capabilities import InboundMedia
from host.sdk.messages import MessageKind
from tests.inbox import toys

STORED = frozenset({MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE})


class Linking(toys.Toy):
    """A toy whose direct files may be kept; stories and shares are only linked."""

    media: ClassVar[InboundMedia] = InboundMedia(frozenset({"files.example.com"}), STORED)

    def inbound_media(self) -> InboundMedia:
        return self.media


@dataclass
class Answer:
    """What a path answers: *chunks* are sent as they are, after a head that announces *length*."""

    body: bytes = b""
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    before: Callable[[], object] = lambda: None


class Provider:
    """Answers each path with what was put there, 404 for the rest, ranges where a file is whole."""

    def __init__(self, port: int, asked: list[tuple[str, dict[str, str]]], files: dict[str, Answer]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked = asked
        self.files = files

    def put(self, path: str, body: bytes = b"", content_type: str = "image/jpeg", **given: Any) -> str:
        self.files[path] = Answer(body, content_type, **given)
        return self.url + path


@contextmanager
def serving() -> Iterator[Provider]:
    asked: list[tuple[str, dict[str, str]]] = []
    files: dict[str, Answer] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            answer = files.get(self.path, Answer(b"gone", "text/plain", 404))
            answer.before()
            body, status, headers = answer.body, answer.status, dict(answer.headers)
            part = self.headers.get("Range", "")
            if status == 200 and part.startswith("bytes="):
                first, _, last = part.removeprefix("bytes=").partition("-")
                start, end = int(first), int(last) if last else len(body) - 1
                status, body = 206, body[start : end + 1]
                headers["Content-Range"] = f"bytes {start}-{end}/{len(answer.body)}"
            self.send_response(status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body) if answer.length is None else answer.length))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)
            if answer.length is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing about a client that went away."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    port = server.server_address[1]
    guard.allow([f"127.0.0.1:{port}"])
    inbound.client_for.cache_clear()
    try:
        yield Provider(port, asked, files)
    finally:
        guard.allow(())
        server.shutdown()
        thread.join()
        server.server_close()
