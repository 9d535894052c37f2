"""A desk whose events are told to programs, and programs to tell, over real sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db, guard
from host.core.secrets import Secret
from host.models.outgoing import Endpoint, EventBody, HookDelivery
from host.outgoing import endpoints, sending
from host.outgoing.bodies.telling import Webhooks
from host.outgoing.endpoints import Wanted
from host.record import catalogue, reading
from host.record.consuming import _make_rows, _Reader
from tests.delivery.desk import Desk

BASE = "https://desk.example"


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
def receiving() -> Iterator[Receiver]:
    """Yield a program at an address of its own, which the desk may reach."""
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

    server = _Server(("127.0.0.1", 0), Handler)
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


KNOWN = frozenset(catalogue.KINDS)


class HookDesk(Desk):
    """A desk with endpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.webhooks = Webhooks(lambda: self.generation.directory, lambda: BASE)
        db.write(_make_rows, [self.webhooks])
        self.reader = _Reader(self.webhooks)

    def endpoint(self, url: str, *events: str, **more: Any) -> tuple[Endpoint, Secret]:
        known = KNOWN | {name for one in [self.toy] for name in (kind.name for kind in one.outgoing_kinds)}

        def make(session: Session) -> tuple[Endpoint, Secret]:
            wanted = Wanted(url, events or ("*",), **more)
            return endpoints.create(session, self.workspace_id, wanted, known, created_by=None)

        return db.write(make)

    def tell(self) -> None:
        """Read the record up to its end."""
        db.write(reading.number)
        while self.reader._step():
            pass

    def deliver(self) -> int:
        """Read the record up to its end, and send everything due; return how many tries that took."""
        self.tell()
        return sending.drain()

    def bodies(self) -> Sequence[EventBody]:
        with db.read() as session:
            return session.scalars(sa.select(EventBody).order_by(EventBody.event_id, EventBody.name)).all()

    def deliveries(self) -> Sequence[HookDelivery]:
        with db.read() as session:
            return session.scalars(sa.select(HookDelivery).order_by(HookDelivery.id)).all()

    def row(self, endpoint_id: int) -> Endpoint:
        with db.read() as session:
            return session.get_one(Endpoint, endpoint_id)
