"""The torture's own callers and sleepers do what they say."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from host.delivery import outbound
from host.events import consuming
from host.queue import lanes
from tests.torture import callers
from tests.torture.callers import Asking, Slow
from tests.torture.launch import Signs
from tests.whole.rig import until


def test_slow_callers_send_a_little_at_a_time_and_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADS", "BODIES", "READERS"):
        monkeypatch.setattr(callers, name, 2)
    monkeypatch.setattr(callers, "PAUSE", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with Slow(listener.getsockname()) as slow:
            ends = [listener.accept()[0] for _ in range(slow.count)]
            heard = [one.recv(65536) for one in ends]
            assert slow.count == 6
            more = [one.recv(65536) for one in ends]
        assert all(set(text) == {ord("a")} for text in more)
        assert b"\r\n\r\n" not in heard[0], "a head that does not end"
        assert heard[2].startswith(b"POST ")
        assert heard[4].count(b"GET /login") > 1
        for one in ends:
            one.close()


@contextmanager
def answering(status: int) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_who_asks_notes_each_answer_and_each_that_did_not_come() -> None:
    with answering(503) as port, Asking(port) as asking:
        until(lambda: len(asking.answers) >= 10, "ten answers")
    assert set(asking.answers) == {503}
    with Asking(port) as asking:
        until(lambda: len(asking.answers) >= 3, "three callers who got none")
    assert set(asking.answers) == {0}


def test_one_thread_sleeps_once_for_each_sign_with_its_lanes_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(lanes, "held", lambda session, leases: {"a lane"})
    monkeypatch.setattr(
        "tests.torture.launch.time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append)
    )
    monkeypatch.setattr(Signs, "READ_EVERY", -1.0)
    # What it wraps is put back at the end, for the other tests of this process.
    monkeypatch.setattr(outbound, "watch_departure", outbound.watch_departure)
    monkeypatch.setattr(consuming._Reader, "_consume", consuming._Reader._consume)
    Signs(tmp_path).wrap_work()
    (tmp_path / "rest").write_text("")
    assert lanes.held(None, []) == {"a lane"}  # type: ignore[arg-type]
    assert slept == []
    for number in range(2):
        (tmp_path / "rest").write_text(f"7.5 {number} applying")
        for _ in range(2):
            lanes.held(None, [])  # type: ignore[arg-type]
        assert slept == [7.5] * (number + 1)
        assert (tmp_path / "resting").exists()
