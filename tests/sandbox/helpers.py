"""A sandbox as its clients see it, and a desk that receives its webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import requests

from sandbox import seed

T = TypeVar("T")
ANA = "1026000000000001"
LONG = "EAASANDBOXPotteryLong100000000000001"
IG_LONG = "IGAASANDBOXPotteryLong17841400000000001"


def poll(look: Callable[[], T], seconds: float = 60.0) -> T:
    """Look until there is something to see."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {seconds} s"
        time.sleep(0.01)
    return seen


class Desk:
    """A webhook receiver that remembers everything and answers what it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[bytes, str | None]] = []
        self.statuses: list[int] = []
        self.answer_challenge = True
        self.on_post: Callable[[dict[str, Any]], None] | None = None
        self._lock = threading.Lock()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                right = query.get("hub.verify_token") == ["v"] and query.get("hub.mode") == ["subscribe"]
                text = query["hub.challenge"][0] if desk.answer_challenge else "hello"
                self.reply(200 if right else 403, text)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with desk._lock:
                    desk.posts.append((body, self.headers.get("X-Hub-Signature-256")))
                    status = desk.statuses.pop(0) if desk.statuses else 200
                if desk.on_post is not None:
                    desk.on_post(json.loads(body))
                self.reply(status, "")

            def reply(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in list(self.posts)]

    def events(self) -> list[dict[str, Any]]:
        """Every messaging object received, in order."""
        return [
            event for body in self.bodies() for entry in body["entry"] for event in entry.get("messaging", [])
        ]

    def wait(self, count: int) -> list[dict[str, Any]]:
        return poll(lambda: self.events() if len(self.events()) >= count else [])

    def signatures(self, secret: str = seed.APP_SECRET) -> list[bool]:
        """Say of each POST whether its signature is right."""
        return [
            signature == "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            for body, signature in list(self.posts)
        ]


class Meta:
    """The sandbox as a client sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def control(self, method: str, path: str, body: Any = None, expect: int | None = None) -> Any:
        answer = self.session.request(method, f"{self.url}/control/{path}", json=body)
        if expect is None:
            assert answer.status_code < 300, answer.text
        else:
            assert answer.status_code == expect, answer.text
        return answer.json()

    def graph(
        self, method: str, path: str, token: str | None = LONG, flavour: str = "F", **options: Any
    ) -> requests.Response:
        host = "graph.facebook.com" if flavour == "F" else "graph.instagram.com"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.session.request(method, f"{self.url}/{host}/v26.0/{path}", headers=headers, **options)

    def get(self, path: str, token: str | None = LONG, **params: str) -> Any:
        return self.graph("GET", path, token, params=params).json()

    def dm(self, text: str = "hello", **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.control("POST", "dm", {"customer": ANA, "text": text, **more})
        return made

    def send(
        self, message: Any = "hi", token: str = LONG, flavour: str = "F", **more: Any
    ) -> requests.Response:
        if isinstance(message, str):
            message = {"text": message}
        body = {"recipient": {"id": ANA}, "message": message, **more}
        body = {key: value for key, value in body.items() if value is not None}
        return self.graph("POST", "me/messages", token, flavour, json=body)

    def ledger(self, kind: str = "", **query: Any) -> list[dict[str, Any]]:
        answer = self.session.get(f"{self.url}/control/ledger", params={"kind": kind, **query})
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries

    def fault(self, call: str, action: str, **options: Any) -> dict[str, Any]:
        rule: dict[str, Any] = self.control("POST", "faults", {"call": call, "action": action, **options})
        return rule

    def idle(self) -> None:
        assert self.control("POST", "wait", {"timeout": 10})["idle"]


def error_of(answer: requests.Response) -> tuple[int, int, int | None]:
    """Return HTTP status, code and subcode."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("error_subcode")
