"""Answer the probes of a process that serves nothing else: a few connections at a time, each for a moment."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from host.core.config import ConfigError
from host.health import probes
from host.health.probes import Probes

log = logging.getLogger(__name__)

PATHS = probes.PATHS - {"/readyz/webhooks"}
MOST = 16
"""Connections at a time; more are closed."""
SECONDS = 10.0
"""How long a caller may leave the server waiting."""


@contextmanager
def answering(asked: Probes, address: tuple[str, int] | None) -> Iterator[None]:
    """Answer at *address* while the block runs; None: nowhere.

    :raises ConfigError: if it is taken.
    """
    if address is None:
        yield
        return
    try:
        server = _Server(address, asked)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        raise ConfigError(
            f"The worker cannot answer at {where}: {error.strerror}. "
            "Stop the program that uses it, or set LOBBY_WORKER_LISTEN to another address and port."
        ) from error
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MOST

    def __init__(self, address: tuple[str, int], asked: Probes) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.asked = asked
        self._free = threading.BoundedSemaphore(MOST)
        super().__init__(address, _Request)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller who is gone, and the rest in the log."""
        log.debug("a probe was not answered", exc_info=True)


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = SECONDS
    default_request_version = "HTTP/1.0"

    def _answer(self) -> None:
        if self.path not in PATHS:
            self.send_response(HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        given = self.headers.get("Authorization", "")
        status, headers, body = self.server.asked.answer(self.path, self.command, given)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - names of http.server

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer, without a word of what answers."""
        self.send_response_only(code, message)

    def log_message(self, *_: object) -> None:
        """Write nothing: probes come every few seconds."""
