"""Hundreds of connections that are slow in every way there is: customers' messages and pages go on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from host.core import config, db
from host.process import connections, incoming, pages, server
from host.process.asgi import AsgiApplication
from host.process.connections import HEAD_BYTES, Connections
from host.process.webhook_front import WebhookFront
from host.sdk.webhooks import Accepted, Envelope, WebhookRequest, WebhookRoute
from tests.live.served import until
from tests.live.worker import uvicorn_server
from tests.process.asking import ask, connect, head, rest, status

EACH = 60
BIG = b"x" * (8 * 1024 * 1024)
NEXT = b"GET / HTTP/1.1\r\nHost: desk\r\n\r\n"
"""A request that others follow on the same connection."""


class Journal:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def ingest(self, *, raw: bytes, **_: Any) -> None:
        self.taken.append(raw)

    async def ingest_soon(self, *, raw: bytes, **_: Any) -> None:
        self.taken.append(raw)


class StandInHost:
    """What the ASGI application needs of a host: two webhooks, and pages with few threads."""

    def __init__(self, folder: Path) -> None:
        self.config = config.load({"LOBBY_DATA": str(folder), "LOBBY_THREADS": "4"})
        self.journal = Journal()
        self.pages = 0
        self.front = WebhookFront(self.config, self.journal)  # type: ignore[arg-type]
        self.routes = {
            path: WebhookRoute(path, "toy", self.authenticate, quick=quick)
            for path, quick in (("/addons/toy/quick", True), ("/addons/toy/slow", False))
        }

    def authenticate(self, request: WebhookRequest) -> Accepted:
        return Accepted((Envelope(1, "ann", request.body.decode(), "message", request.body),))

    def generation(self) -> StandInHost:
        return self

    def webhook(self, generation: object, path: str) -> Any:
        if path not in self.routes:
            return None
        return partial(self.front.answer, "toy", self.routes[path], None)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.pages += 1
        body = BIG if environ["PATH_INFO"] == "/big" else b"page"
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def host(tmp_path: Path) -> StandInHost:
    return StandInHost(tmp_path)


def head_in_pieces(port: int) -> socket.socket:
    one = connect(port)
    one.sendall(b"POST /addons/toy/quick HTT")
    return one


def silent(port: int) -> socket.socket:
    return connect(port)


def body_in_pieces(path: str) -> Callable[[int], socket.socket]:
    def begin(port: int) -> socket.socket:
        one = connect(port)
        one.sendall(head("POST", path, "Content-Length: 100") + b"a little")
        return one

    return begin


def taking_nothing(port: int) -> socket.socket:
    one = connect(port, receive=4096)
    one.sendall(head("GET", "/big"))
    return one


KINDS = {
    "says nothing": silent,
    "its head does not end": head_in_pieces,
    "its event does not end": body_in_pieces("/addons/toy/quick"),
    "its form does not end": body_in_pieces("/form"),
    "takes nothing": taking_nothing,
}


def is_over(one: socket.socket, more: bytes) -> bool:
    """Tell whether the other side has closed *one*, which sends *more* and does not mean to end."""
    try:
        one.sendall(more)
    except OSError:
        return True
    return False


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 3.0)
    monkeypatch.setattr(incoming, "BODY_SECONDS", 3.0)
    monkeypatch.setattr(pages, "IDLE_SECONDS", 3.0)
    monkeypatch.setattr(server, "UNANSWERED_MS", 3000)


@pytest.mark.slow
@pytest.mark.usefixtures("deadlines")
def test_messages_and_pages_go_on_and_the_slow_are_let_go(host: StandInHost) -> None:
    open_ones = Connections(most=1000, per_address=1000)
    with uvicorn_server(AsgiApplication(host), open_ones) as port:  # type: ignore[arg-type]
        slow = {name: [begin(port) for _ in range(EACH)] for name, begin in KINDS.items()}
        for number in range(50):
            path = "/addons/toy/quick" if number % 2 else "/addons/toy/slow"
            body = b"message %d" % number
            assert status(ask(port, head("POST", path, f"Content-Length: {len(body)}") + body)) == 200
            assert ask(port, head("GET", "/")).endswith(b"page")
        assert host.journal.taken == [b"message %d" % number for number in range(50)]
        until(lambda: open_ones.count == 0)
        for name, every in slow.items():
            for one in every:
                answer = rest(one)
                assert status(answer) in {0, 200, 408}, name
                assert len(answer) < len(BIG), name
                one.close()
        assert status(ask(port, head("GET", "/"))) == 200


@pytest.mark.parametrize("trickle", [b"\r\n", b"A: b\r\n", b"x"])
@pytest.mark.usefixtures("deadlines")
def test_a_trickle_does_not_put_the_deadline_off(
    host: StandInHost, trickle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with uvicorn_server(AsgiApplication(host)) as port, connect(port) as one:  # type: ignore[arg-type]
        one.sendall(b"GET / HTTP/1.1\r\n" if trickle != b"\r\n" else b"")
        until(lambda: is_over(one, trickle), 30)


def test_after_an_answer_the_next_head_has_its_deadline_too(
    host: StandInHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with uvicorn_server(AsgiApplication(host)) as port, connect(port) as one:  # type: ignore[arg-type]
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
        answer = rest(one)
    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_head_without_end_is_cut_off(host: StandInHost) -> None:
    with uvicorn_server(AsgiApplication(host)) as port, connect(port) as one:  # type: ignore[arg-type]
        one.sendall(b"GET / HTTP/1.1\r\n")
        line = b"X: " + b"y" * 1000 + b"\r\n"
        until(lambda: is_over(one, line), 30)


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize(
    "large", [f"X: {'y' * HEAD_BYTES}", "\r\n".join(f"X{number}: {'y' * 1000}" for number in range(70))]
)
def test_a_head_over_the_limit_is_refused_however_it_arrives(
    host: StandInHost, large: str, pieces: int
) -> None:
    request = head("GET", "/", large)
    size = len(request) // pieces + 1
    with uvicorn_server(AsgiApplication(host)) as port, connect(port) as one:  # type: ignore[arg-type]
        for at in range(0, len(request), size):
            one.sendall(request[at : at + size])
        assert status(rest(one)) == 431
    assert host.pages == 0


def test_an_address_over_the_limit_is_refused(host: StandInHost) -> None:
    with uvicorn_server(AsgiApplication(host)) as port:  # type: ignore[arg-type]
        assert status(ask(port, head("GET", "/?" + "y" * HEAD_BYTES))) == 431
        assert status(ask(port, head("GET", "/?" + "y" * (HEAD_BYTES - 1000)))) == 200


def test_a_head_over_the_limit_costs_the_answers_before_it_nothing(host: StandInHost) -> None:
    with uvicorn_server(AsgiApplication(host)) as port:  # type: ignore[arg-type]
        answer = ask(port, NEXT + head("GET", "/", f"X: {'y' * HEAD_BYTES}"))
    assert (answer.count(b"HTTP/1.1"), status(answer), host.pages) == (1, 200, 1)


def test_two_requests_at_once_are_both_answered(host: StandInHost) -> None:
    with uvicorn_server(AsgiApplication(host)) as port:  # type: ignore[arg-type]
        assert ask(port, NEXT + head("GET", "/")).count(b"HTTP/1.1 200") == 2


def test_who_sends_thousands_and_reads_nothing_is_not_answered_thousands_of_times(host: StandInHost) -> None:
    limits = Connections(most=1000, per_address=1000)
    with uvicorn_server(AsgiApplication(host), limits) as port:  # type: ignore[arg-type]
        many = [connect(port, receive=4096) for _ in range(EACH)]
        for one in many:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.sendall(NEXT * 5000)
        until(lambda: host.pages >= EACH)
        until(lambda: limits.count == 0)
        assert host.pages <= 3 * EACH
        for one in many:
            one.close()
        assert status(ask(port, head("GET", "/"))) == 200


def test_one_address_may_wait_with_so_many_and_all_may_be_so_many(host: StandInHost) -> None:
    limits = Connections(most=20, per_address=5)
    with uvicorn_server(AsgiApplication(host), limits) as port:  # type: ignore[arg-type]
        waiting = [silent(port) for _ in range(5)]
        until(lambda: limits.begin("127.0.0.1") is False or limits.done("127.0.0.1"))
        limits.done("127.0.0.1")
        with connect(port) as one:
            assert rest(one) == b"", "one more is not let in"
        waiting.pop().close()
        until(lambda: status(ask(port, head("GET", "/"))) == 200)
        for one in waiting:
            one.close()
    free = Connections(most=3, per_address=None)
    with uvicorn_server(AsgiApplication(host), free) as port:  # type: ignore[arg-type]
        waiting = [silent(port) for _ in range(3)]
        until(lambda: free.count == 3)
        with connect(port) as one:
            assert rest(one) == b""
        for one in waiting:
            one.close()
        until(lambda: status(ask(port, head("GET", "/"))) == 200)


def test_the_loop_waits_for_nothing(database: db.Database) -> None:
    failed: list[BaseException] = []

    def on_the_loop() -> None:
        db.never_wait_here()
        try:
            with db.read():
                pass
        except BaseException as error:  # noqa: BLE001 - that it is one is the point
            failed.append(error)

    thread = threading.Thread(target=on_the_loop)
    thread.start()
    thread.join()
    assert [type(one) for one in failed] == [db.WouldWaitError]
    assert not isinstance(failed[0], Exception)
    with db.read():
        pass  # another thread may
