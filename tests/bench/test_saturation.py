"""A server that is faster than expected is measured all the same, with every answer counted."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench import load, saturation, wrk

REQUEST = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answered = 0

    def do_POST(self) -> None:
        type(self).answered += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setenv("BENCH_WRK", "0")
    Answering.answered = 0
    server = Server(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_too_few_requests_are_made_again_twice_as_many(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(count: int) -> list[bytes]:
        made.append(count)
        return [REQUEST] * (count if len(made) < 3 else 200_000)

    result = saturation.press(port, make, 0.1, expected=5)
    assert made == [8, 16, 32]
    assert result.latencies, "what is returned is the try that lasted"
    assert sum(result.statuses.values()) == Answering.answered, "the answers of earlier tries are counted"
    assert result.statuses.total() >= 8 + 16 + len(result.latencies)


def test_running_out_is_told_once_nothing_is_under_way(port: int) -> None:
    with pytest.raises(load.RanOutError) as caught:
        load.closed_loop(port, iter([REQUEST] * 50), connections=8, seconds=30, warm_up=0)
    assert caught.value.statuses == {200: 50}
    assert Answering.answered == 50


def test_wrk_too_is_given_twice_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends what it has once more when it runs out, so what it says of such a try is not believed."""
    made: list[int] = []

    def make(count: int) -> list[bytes]:
        made.append(count)
        return [b"%d" % len(made)] * count

    def answers(_: object, **given: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Answer 1,000 a second, whether or not there are so many."""
        there = int(given["env"]["BENCH_LAST"]) - int(given["env"]["BENCH_FIRST"])
        said = f"BENCH 1000 1000000 0 0\nLATENCY{' 1000' * wrk.STEPS}\n"
        asked.append(there)
        return subprocess.CompletedProcess([], 0, said, "")

    asked: list[int] = []
    monkeypatch.setattr(wrk, "path", lambda: "wrk")
    monkeypatch.setattr(wrk.subprocess, "run", answers)
    result = saturation.press(1, make, 1.0, expected=500)
    assert made == [1250, 2500, 5000]
    assert asked == [312, 625, 1250, 3750]
    assert result.rate == 1000.0
    assert result.statuses == {200: 312 + 625 + 1000 + 1000}
