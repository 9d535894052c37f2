"""A stand-in for Pigeon, and a desk with the addon on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from host.authoring.desk import TrialDesk, trial_desk

TOKEN = "a-token-of-pigeon"  # noqa: S105 - of the stand-in


class Provider:
    """Pigeon, as far as the addon knows it.

    :ivar answers: what it answers to GET, by path.
    :ivar sent: what was posted.
    :ivar refuse: statuses with which it refuses what is posted next.
    """

    def __init__(self) -> None:
        self.answers: dict[str, object] = {"/me": {"handle": "loft", "name": "The loft"}}
        self.sent: list[dict[str, Any]] = []
        self.refuse: list[int] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = provider.answers.get(self.path)
                self.answer(found or {"error": "not found"}, 200 if found else 404)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if provider.refuse:
                    self.answer({"error": "no"}, provider.refuse.pop(0))
                    return
                provider.sent.append(body)
                self.answer({"id": f"sent-{len(provider.sent)}"})

            def answer(self, found: object, status: int = 200) -> None:
                known = self.headers.get("authorization") == f"Bearer {TOKEN}"
                data = json.dumps(found if known else {"error": "unknown token"}).encode()
                self.send_response(status if known else 401)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing: pytest shows failures."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    standing_in = Provider()
    yield standing_in
    standing_in.close()


@pytest.fixture(scope="module")
def desk(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialDesk]:
    folder = Path(__file__).resolve().parent.parent
    settings = {"api_url": f"http://{provider.address}"}
    with trial_desk(
        folder, tmp_path_factory.mktemp("desk"), settings=settings, reach=[provider.address]
    ) as made:
        yield made
