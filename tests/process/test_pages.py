"""A WSGI application behind ASGI: what reaches it, and what becomes of its answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from host import recording
from host.core import clock
from host.process import pages
from host.process.incoming import RULE_OF_REQUEST
from host.process.pages import PIECE, Pages
from host.web.headers import MAX_BODY
from tests.live.served import until
from tests.live.worker import uvicorn_server
from tests.process.asking import ask, connect, head, rest, status

THREADS = 2
Answering = Callable[[Any], tuple[str, list[tuple[str, str]], Iterable[bytes]]]


class Body:
    """An answer in chunks that says when it was closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = iter(chunks)
        self.made = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.made += 1
            yield chunk

    def close(self) -> None:
        self.closed.set()


class Application:
    """A WSGI application that answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answering: Answering = lambda environ: ("200 OK", [("Content-Length", "2")], [b"ok"])

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.asked.append(environ)
        code, headers, body = self.answering(environ)
        start_response(code, headers)
        return body


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def port(application: Application) -> Iterator[int]:
    with uvicorn_server(Pages(application, threads=THREADS)) as served:
        yield served


def reads(size: int | None = None) -> Answering:
    """Return an answer with the length of what was read."""

    def answer(environ: Any) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]) if size is None else size)
        said = f"{len(body)} {environ['CONTENT_LENGTH']}".encode()
        return "200 OK", [("Content-Length", str(len(said)))], [said]

    return answer


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 5 * PIECE])
@pytest.mark.parametrize("stated", [True, False])
def test_an_answer_arrives_whole_and_is_closed(
    application: Application, port: int, size: int, stated: bool
) -> None:
    body = Body([b"x" * (size // 3), b"", b"y" * (size - size // 3)])
    headers = [("Content-Length", str(size))] if stated else []
    application.answering = lambda environ: ("200 OK", headers, body)
    answer = ask(port, head("GET", "/"))
    assert status(answer) == 200
    assert (answer.count(b"x") >= size // 3, answer.count(b"y")) == (True, size - size // 3)
    assert body.closed.wait(60)


def test_nothing_follows_the_head_that_was_asked_for_alone(application: Application, port: int) -> None:
    application.answering = lambda environ: ("200 OK", [("Content-Length", str(9 * PIECE))], Body([]))
    answer = ask(port, head("HEAD", "/"))
    assert answer.endswith(b"\r\n\r\n")
    assert f"content-length: {9 * PIECE}".encode() in answer


def test_a_caller_who_leaves_has_nothing_more_made_for_him(application: Application, port: int) -> None:
    body = Body(b"x" * PIECE for _ in range(100_000))
    application.answering = lambda environ: ("200 OK", [], body)
    with connect(port) as one:
        one.sendall(head("GET", "/"))
        one.recv(1)
    assert body.closed.wait(60)
    assert body.made < 10_000


def test_callers_who_take_nothing_hold_no_thread(application: Application, port: int) -> None:
    application.answering = lambda environ: ("200 OK", [], Body(b"x" * PIECE for _ in range(1000)))
    stuck = [connect(port, receive=4096) for _ in range(3 * THREADS)]
    for one in stuck:
        one.sendall(head("GET", "/"))
    until(lambda: len(application.asked) == len(stuck))
    application.answering = lambda environ: ("200 OK", [("Content-Length", "2")], [b"ok"])
    assert status(ask(port, head("GET", "/"))) == 200
    for one in stuck:
        one.close()


def test_callers_who_send_slowly_hold_no_thread(application: Application, port: int) -> None:
    application.answering = reads()
    slow = [connect(port) for _ in range(3 * THREADS)]
    for one in slow:
        one.sendall(head("POST", "/", "Content-Length: 4") + b"a")
    assert status(ask(port, head("POST", "/", "Content-Length: 4") + b"abcd")) == 200
    assert len(application.asked) == 1, "what is not there yet, nobody is asked about"
    for one in slow:
        one.sendall(b"bcd")
        assert rest(one).endswith(b"4 4")
        one.close()


@pytest.mark.parametrize("line", ["Cookie: lobby=busy", "Authorization: Bearer busy"])
def test_one_caller_with_many_requests_leaves_threads_to_others(application: Application, line: str) -> None:
    held = threading.Event()

    def answer(environ: Any) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        if environ["PATH_INFO"] == "/slow":
            held.wait(60)
        return "200 OK", [("Content-Length", "2")], [b"ok"]

    application.answering = answer
    with uvicorn_server(Pages(application, threads=16)) as port:
        many = [connect(port) for _ in range(20)]
        for one in many:
            one.sendall(head("GET", "/slow", line))
        until(lambda: len(application.asked) == 2)
        for other in ((), ("Cookie: lobby=other",), ("Authorization: Bearer other",)):
            assert status(ask(port, head("GET", "/", *other))) == 200
        assert len(application.asked) == 2 + 3, "the others of that caller wait"
        held.set()
        for one in many:
            assert status(rest(one)) == 200
            one.close()


def test_a_body_in_chunks_has_a_length(application: Application, port: int) -> None:
    application.answering = reads()
    request = head("POST", "/", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    assert ask(port, request).endswith(b"7 7")
    assert "HTTP_TRANSFER_ENCODING" not in application.asked[0]


def test_a_body_without_a_length_has_the_limit_of_a_form(application: Application, port: int) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = ask(port, head("POST", "/", "Transfer-Encoding: chunked") + 3 * chunk + b"0\r\n\r\n")
    assert status(answer) in {0, 413}
    assert application.asked == []


@pytest.mark.parametrize("size", [1, pages.IN_MEMORY + 1, MAX_BODY, MAX_BODY + 1, 8 * MAX_BODY])
def test_a_body_reaches_the_application_whole(application: Application, port: int, size: int) -> None:
    application.answering = reads()
    answer = ask(port, head("POST", "/", f"Content-Length: {size}") + b"x" * size)
    assert answer.endswith(f"{size} {size}".encode())


def test_who_may_send_much_is_asked_before_it_is_read(application: Application, port: int) -> None:
    application.answering = lambda environ: ("403 Forbidden", [("Content-Length", "2")], [b"no"])
    with connect(port) as one:
        one.sendall(head("POST", "/", f"Content-Length: {64 * MAX_BODY}") + b"only a little of it")
        assert status(rest(one)) == 403


def test_only_few_large_bodies_are_read_at_a_time(application: Application, port: int) -> None:
    application.answering = reads()
    slow = [connect(port) for _ in range(2)]
    for one in slow:
        one.sendall(head("POST", "/", f"Content-Length: {2 * MAX_BODY}"))
    until(lambda: len(application.asked) == 2)
    answer = ask(port, head("POST", "/", f"Content-Length: {2 * MAX_BODY}"))
    assert status(answer) == 503
    assert b"retry-after: 30" in answer
    for one in slow:
        one.sendall(b"x" * 2 * MAX_BODY)
        assert status(rest(one)) == 200
        one.close()


@pytest.mark.parametrize("size", [10, 2 * MAX_BODY])
def test_a_body_that_is_cut_off_is_never_taken_for_all_of_it(
    application: Application, port: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "IDLE_SECONDS", 0.1)
    application.answering = reads()
    answer = ask(port, head("POST", "/", f"Content-Length: {size}") + b"short")
    if size == 10:
        assert status(answer) == 408
        assert application.asked == []
    else:
        assert answer.endswith(f"5 {size}".encode()), "the application sees that it is short"


def test_a_trickle_is_too_slow(application: Application, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "GRACE_SECONDS", 0.05)
    application.answering = reads()
    with connect(port) as one:
        one.sendall(head("POST", "/", "Content-Length: 1000"))
        one.settimeout(0.05)
        answer = b""
        while not answer:
            one.sendall(b"x")
            try:
                answer = one.recv(1 << 16)
            except TimeoutError:
                continue
    assert status(answer) == 408


@pytest.mark.parametrize("length", ["x", "-1", "9" * 30, "1_0"])
def test_a_length_that_is_none_is_refused(application: Application, port: int, length: str) -> None:
    assert status(ask(port, head("POST", "/", f"Content-Length: {length}"))) == 400
    assert application.asked == []


def test_what_wsgi_cannot_hold_does_not_reach_it(application: Application, port: int) -> None:
    request = head("GET", "/p?a=b", "X_Forwarded_For: forged", "X-Forwarded-For: proxy", "Odd: \xe9")
    assert status(ask(port, request)) == 200
    (environ,) = application.asked
    assert environ["HTTP_X_FORWARDED_FOR"] == "proxy"


def test_an_address_with_odd_bytes_is_refused_or_reaches_it_as_ascii(
    application: Application, port: int
) -> None:
    for address in ("/?a=\xe9", "/\xe9", "/%ff?%ff"):
        assert status(ask(port, head("GET", address))) in {200, 400}, address
    assert all(environ["QUERY_STRING"].isascii() for environ in application.asked)
    assert len(application.asked) > 0


def test_a_mistake_is_answered_and_logged(
    application: Application, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(environ: Any) -> Any:
        raise RuntimeError("a bug")

    application.answering = fail
    assert status(ask(port, head("GET", "/"))) == 500
    assert "a bug" in caplog.text


RULE = Rule("/w/<int:workspace_id>/notes", endpoint="notes.add")
HTML, PICTURE = ("Content-Type", "text/html; charset=utf-8"), ("Content-Type", "image/png")
FILE = ("Content-Disposition", "attachment; filename=contacts.csv")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The endpoints that were counted as slow."""
    found: list[str] = []
    monkeypatch.setattr(
        recording, "slow", lambda endpoint, seconds: found.append(f"{endpoint} {seconds:.0f}")
    )
    return found


def taking(
    seconds: float, headers: list[tuple[str, str]], answer: Any, patch: pytest.MonkeyPatch
) -> Answering:
    """Return an answer of a view for which the clock moves by *seconds*."""

    def answering(environ: Any) -> Any:
        environ[RULE_OF_REQUEST] = RULE
        began = clock.monotonic()
        patch.setattr(clock, "monotonic", lambda: began + seconds)
        if isinstance(answer, Exception):
            raise answer
        return "200 OK", headers, answer

    return answering


def test_a_slow_page_is_logged_and_counted_without_ids(
    application: Application,
    port: int,
    slow: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cases: list[tuple[float, list[tuple[str, str]], Any, bool]] = [
        (98.8, [HTML], [b"page"], True),
        (98.8, [("Content-Type", "application/json")], [b"{}"], True),
        (98.8, [HTML], RuntimeError("a bug"), True),
        (9, [HTML], [b"page"], False),
        (98.8, [HTML, FILE], [b"a,b"], False),
        (98.8, [PICTURE], [b"png"], False),
        (98.8, [HTML], [b"x" * PIECE, b"y"], False),
    ]
    for seconds, headers, answer, counted in cases:
        application.answering = taking(seconds, headers, answer, monkeypatch)
        ask(port, head("GET", "/w/4711/notes?token=secret"))
        said = [one.getMessage() for one in caplog.records if one.name == "host.process.pages"]
        assert said == ["GET /w/<int:workspace_id>/notes took 99 s"] * counted, (seconds, headers)
        assert slow == ["notes.add 99"] * counted
        caplog.clear()
        slow.clear()


def test_a_slow_page_of_a_desk_is_counted(
    app: Flask, slow: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(environ: Any, start_response: Any) -> Iterable[bytes]:
        answer = app(environ, start_response)
        answered = clock.monotonic()
        monkeypatch.setattr(clock, "monotonic", lambda: answered + 98.8)
        return answer

    with uvicorn_server(Pages(late, threads=THREADS)) as served:
        assert status(ask(served, head("GET", "/login"))) == 200
    assert slow == ["accounts.login 99"]


def test_a_slow_upload_is_not_counted(
    application: Application, port: int, slow: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    application.answering = taking(98.8, [HTML], [b"page"], monkeypatch)
    ask(port, head("POST", "/", f"Content-Length: {MAX_BODY + 1}") + b"x" * (MAX_BODY + 1))
    assert (len(application.asked), slow) == (1, [])


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(application: Application, port: int) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"x" * PIECE
        raise RuntimeError("a bug")

    application.answering = lambda environ: ("200 OK", [], breaks())
    answer = ask(port, head("GET", "/"))
    assert status(answer) == 200
    assert not answer.endswith(b"0\r\n\r\n")
