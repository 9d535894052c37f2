"""The server of the model stand-in: a thread per connection, with its own sockets to break."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.model import answering, speaking
from sandbox.model.answering import ModelAnswer
from sandbox.model.speaking import ModelRequest

MAX_BODY = 4 * 1024 * 1024
CONTROL = "/_control"
DOINGS = frozenset(
    {
        "answer",
        "body",
        "break",
        "call",
        "drip",
        "empty",
        "garbage",
        "hang",
        "raw_arguments",
        "redirect",
        "status",
        "text",
    }
)
"""Actions an order may request; see ``README.md``."""
_REMEMBERED = 1000


class Model:
    """The orders for the stand-in, and the requests it received.

    :ivar key: the required API key; empty: any.
    :ivar obeys: whether it obeys every text, like a model that falls for all prompt injections.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Delete orders and requests."""
        with self._lock:
            self.key = ""
            self.obeys = False
            self._orders: list[dict[str, Any]] = []
            self._asked: list[dict[str, Any]] = []
            self._count = 0

    def order(self, *orders: dict[str, Any]) -> None:
        """Set the next answers, one order for each; ``times`` repeats one.

        :raises ValueError: for an unknown order.
        """
        for one in orders:
            if one.get("do") not in DOINGS:
                raise ValueError(f"an order does one of: {', '.join(sorted(DOINGS))}")
        with self._lock:
            for one in orders:
                self._orders += [one] * int(one.get("times", 1))

    def take(self, request: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        """Record a request; return its number and the order for it, if there is one."""
        with self._lock:
            self._count += 1
            self._asked = [*self._asked, request][-_REMEMBERED:]
            return self._count, self._orders.pop(0) if self._orders else None

    @property
    def count(self) -> int:
        """Number of requests so far."""
        with self._lock:
            return self._count

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The last requests: ``path``, ``headers`` and ``body``."""
        with self._lock:
            return list(self._asked)

    def state(self) -> dict[str, Any]:
        """Return the state for ``GET /_control``."""
        with self._lock:
            return {"requests": self._count, "orders": len(self._orders), "asked": list(self._asked)}

    def change(self, given: dict[str, Any]) -> None:
        """Apply a ``POST /_control`` request.

        :raises ValueError: if it is invalid.
        """
        if given.get("reset"):
            self.reset()
        self.order(*given.get("orders", []))
        with self._lock:
            self.key = str(given.get("key", self.key))
            self.obeys = bool(given.get("obeys", self.obeys))

    def wait(self, seconds: float) -> bool:
        """Wait; return whether the server was closed in the meantime."""
        return self._closing.wait(seconds)

    def close(self) -> None:
        """Release all hanging requests."""
        self._closing.set()

    def says(self, asked: ModelRequest, order: dict[str, Any]) -> ModelAnswer:
        """Return the answer to a request."""
        if order.get("do") == "answer":
            return ModelAnswer(
                answer=str(order.get("answer", "")),
                sources=tuple(order.get("sources", ())),
                hands_over=bool(order.get("hands_over")),
                because=str(order.get("because", "")),
            )
        if order.get("do") == "text":
            return ModelAnswer(text=str(order.get("text", "")))
        if order.get("do") == "call":
            return ModelAnswer(tool=str(order.get("tool", "")), arguments=order.get("arguments") or {})
        if self.obeys and (found := answering.obeyed(asked.texts, asked.used)) is not None:
            return found
        return answering.answered(asked.instructions, asked.question)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path == CONTROL:
            self._json(200, self.server.model.state())
        elif self.path.endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": "stand-in", "object": "model"}]})
        else:
            self._json(404, {"error": {"message": "there is nothing here"}})

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._json(400, {"error": {"message": "its length is not usable"}})
            return
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._json(400, {"error": {"message": "the body is no JSON object"}})
        elif self.path == CONTROL:
            self._control(body)
        elif self.path.endswith((speaking.OPENAI, speaking.ANTHROPIC)):
            self._answer(body)
        else:
            self._json(404, {"error": {"message": "there is nothing here"}})

    def _control(self, body: dict[str, Any]) -> None:
        try:
            self.server.model.change(body)
        except (TypeError, ValueError) as error:
            self._json(400, {"error": {"message": str(error)}})
        else:
            self._json(200, self.server.model.state())

    def _answer(self, body: dict[str, Any]) -> None:
        model = self.server.model
        headers = {name.lower(): value for name, value in self.headers.items()}
        number, order = model.take({"path": self.path, "headers": headers, "body": body})
        asked = speaking.read(self.path, body)
        order = order or {}
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if model.key and given != model.key:
            self._json(401, speaking.refusal(asked.openai, 401, f"Incorrect API key provided: {given}"))
            return
        doing = order.get("do", "answer")
        if doing == "hang" and model.wait(float(order.get("seconds", 60))):
            self.close_connection = True
            return
        if doing == "status":
            status = int(order.get("status", 500))
            text = str(order.get("message", "the stand-in was told to refuse"))
            self._json(status, speaking.refusal(asked.openai, status, text))
        elif doing == "redirect":
            self._send(int(order.get("status", 307)), b"", [("location", str(order.get("to", "/")))])
        elif doing == "garbage":
            self._send(200, str(order.get("text", "<html>no JSON</html>")).encode(), [])
        elif doing == "body":
            self._json(200, order.get("body"))
        else:
            said = speaking.answer(asked, model.says(asked, order), number)
            self._say(asked, said, order, doing)

    def _say(self, asked: ModelRequest, said: dict[str, Any], order: dict[str, Any], doing: str) -> None:
        if doing == "raw_arguments":
            raw = str(order.get("raw", "{"))
            if asked.openai:
                said["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = raw
        elif doing == "empty":
            said.update({"choices": []} if asked.openai else {"content": []})
        body = json.dumps(said).encode()
        if doing == "break":
            self._head(200, len(body), [])
            self.wfile.write(body[: len(body) // 2])
            self._reset()
        elif doing == "drip":
            self._head(200, len(body), [])
            for at in range(len(body)):
                self.wfile.write(body[at : at + 1])
                if self.server.model.wait(float(order.get("seconds", 0.1))):
                    break
            self.close_connection = True
        else:
            self._send(200, body, [])

    def _json(self, status: int, body: Any) -> None:
        self._send(status, json.dumps(body).encode(), [])

    def _send(self, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
        self._head(status, len(body), headers)
        self.wfile.write(body)

    def _head(self, status: int, length: int, headers: Iterable[tuple[str, str]]) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(length))
        self.end_headers()

    def _reset(self) -> None:
        """Close so that the client sees a connection reset."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def handle(self) -> None:
        """Serve a connection; the client may disconnect at any time."""
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def finish(self) -> None:
        """Close, unless the connection was reset."""
        try:
            super().finish()
        except (OSError, ValueError):
            return

    def log_message(self, *_: object) -> None:
        """Log nothing: requests contain customers' messages."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], model: Model) -> None:
        super().__init__(address, _Handler)
        self.model = model


class ModelServer:
    """A model stand-in that listens on a port. Its address for OpenAI's format is *url* with ``/v1``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.model = Model()
        self._server = _Server((host, port), self.model)
        self.port = int(self._server.server_address[1])
        self.host = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 - compared, not bound
        self.url = f"http://{self.host}:{self.port}"
        self._thread: threading.Thread | None = None

    def serve_forever(self) -> None:
        """Serve until :meth:`close`."""
        self._server.serve_forever(poll_interval=0.05)

    def start(self) -> ModelServer:
        """Serve from a thread."""
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving, and release hanging requests."""
        self.model.close()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()


def serve(host: str = "127.0.0.1", port: int = 0) -> ModelServer:
    """Start a model stand-in in a thread of this process."""
    return ModelServer(host, port).start()
