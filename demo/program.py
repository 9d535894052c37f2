"""A webhook receiver: a page with one address, which checks each signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_SECONDS = 300
"""Maximum age of a request in seconds, against replays."""


class Program:
    """A receiver on this machine that keeps the events it gets. Set *secret* to the one the desk shows.

    :param answers: what it answers in JSON to what the desk sent; None: nothing.
    """

    def __init__(self, port: int, answers: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> None:
        self.secret = ""
        self._answers = answers
        self.told: list[dict[str, Any]] = []
        self.refused = 0
        self._arrived = threading.Condition()
        program = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                genuine = program.take(dict(self.headers.items()), body)
                words = program.answer(body) if genuine else b""
                self.send_response((200 if words else 204) if genuine else 401)
                self.send_header("content-length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.address = f"127.0.0.1:{port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, headers: dict[str, str], body: bytes) -> bool:
        """Keep *body* if the desk signed it; return whether it did."""
        genuine = self._is_genuine({name.lower(): value for name, value in headers.items()}, body)
        with self._arrived:
            if genuine:
                self.told.append(json.loads(body))
            else:
                self.refused += 1
            self._arrived.notify_all()
        return genuine

    def answer(self, body: bytes) -> bytes:
        """Return its answer to *body*; empty: it has none."""
        return b"" if self._answers is None else json.dumps(self._answers(json.loads(body))).encode()

    def _is_genuine(self, headers: dict[str, str], body: bytes) -> bool:
        """Check the signature according to Standard Webhooks."""
        stamp = headers.get("webhook-timestamp", "")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > PATIENCE_SECONDS:
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = b".".join((headers.get("webhook-id", "").encode(), stamp.encode(), body))
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(one.encode(), wanted.encode()) for one in given)

    def wait_for(self, event: str, seconds: float = 10.0) -> dict[str, Any] | None:
        """Return the data of the first *event* received; None if none arrives in time."""

        def found() -> dict[str, Any] | None:
            return next((one["data"] for one in self.told if one["event"] == event), None)

        with self._arrived:
            self._arrived.wait_for(lambda: found() is not None, seconds)
            return found()
