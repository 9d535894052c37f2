"""One thread, many streams: what each browser gets, and which of them are let go."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from host.core import clock
from host.live import events, gateway
from host.live.events import Told
from host.live.gateway import Gateway
from host.live.stream import BUFFER_BYTES, Stream
from tests.live.served import until


class Browsers:
    """A gateway and the other ends of its connections."""

    def __init__(self) -> None:
        self.ended: list[Stream] = []
        self.gateway = Gateway(self.ended.append)
        self.gateway.start()
        self._far: list[socket.socket] = []

    def open(self, workspace: int = 1, first: bytes = b"", *told: int) -> tuple[Stream, socket.socket]:
        near, far = socket.socketpair()
        far.settimeout(60)
        self._far.append(far)
        stream = Stream(workspace, 1, 1)
        self.gateway.adopt(stream, near, first, Told(frozenset(told)))
        return stream, far

    def close(self) -> None:
        self.gateway.close()
        for far in self._far:
            far.close()


@pytest.fixture
def browsers() -> Iterator[Browsers]:
    opened = Browsers()
    yield opened
    opened.close()


def read(far: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        data = far.recv(size - len(found))
        assert data, "the stream ended"
        found += data
    return found


def rest(far: socket.socket) -> bytes:
    found = b""
    while data := far.recv(1 << 16):
        found += data
    return found


def test_each_gets_its_workspaces_part_in_order(browsers: Browsers) -> None:
    _, mine = browsers.open(1, b"first;")
    _, other = browsers.open(2, b"first;")
    browsers.gateway.deliver([(1, 1, b"a;"), (2, 2, b"b;"), (0, 3, b"all;"), (1, 4, b"c;"), (3, 5, b"x;")])
    browsers.gateway.close()
    assert rest(mine) == b"first;a;all;c;"
    assert rest(other) == b"first;b;all;"


def test_what_was_told_as_missed_is_not_told_again(
    browsers: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, mine = browsers.open(1, b"3;5;", 3, 5)
    _, other = browsers.open(1)
    browsers.gateway.deliver([(1, 3, b"3;"), (1, 4, b"4;"), (1, 5, b"5;"), (1, 6, b"6;")])
    assert read(mine, 8) == b"3;5;4;6;"
    assert read(other, 8) == b"3;4;5;6;"


def test_a_thousand_browsers_need_no_more_threads_than_one(browsers: Browsers) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    _, first = browsers.open(0, b"!")
    read(first, 1)
    before = threading.active_count()
    opened = [browsers.open(number % 20 + 1)[1] for number in range(1000)]
    for number in range(20):
        browsers.gateway.deliver([(number + 1, number + 1, b"%02d" % number)])
    for number, far in enumerate(opened):
        assert read(far, 2) == b"%02d" % (number % 20)
    assert threading.active_count() == before
    assert not browsers.ended
    browsers.gateway.close()
    assert {rest(far) for far in opened} == {b""}


def test_a_reader_too_slow_is_cut_off_and_holds_nobody_up(browsers: Browsers) -> None:
    slow, _ = browsers.open()
    quick, far = browsers.open()
    frame = b"x" * 1000
    sent = 0
    while not browsers.ended:
        browsers.gateway.deliver([(1, sent + 1, frame)])
        sent += 1
        read(far, 1000)
        assert sent < 10_000, "it is never cut off"
    assert browsers.ended == [slow]
    browsers.gateway.deliver([(1, sent + 1, frame)])
    read(far, 1000)
    assert quick not in browsers.ended


def test_a_reader_that_catches_up_loses_nothing(browsers: Browsers) -> None:
    # More than the system takes at once, so that most of it waits; what was missed is not held against it.
    first = bytes(range(256)) * 4096
    _, far = browsers.open(1, first)
    browsers.gateway.deliver([(1, 1, b"live")])
    assert read(far, len(first) + 4) == first + b"live"
    browsers.gateway.deliver([(1, 2, b"more")])
    assert read(far, 4) == b"more"
    assert not browsers.ended


def test_a_browser_that_goes_away_is_noticed_at_once(browsers: Browsers) -> None:
    gone, far = browsers.open(1, b"!")
    stays, other = browsers.open(1, b"!")
    read(far, 1)
    far.close()
    until(lambda: browsers.ended == [gone])
    browsers.gateway.deliver([(1, 1, b"on")])
    assert read(other, 3) == b"!on"
    assert stays not in browsers.ended


def test_the_quiet_hear_that_we_are_still_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "HEARTBEAT_SECONDS", 0.15)
    opened = Browsers()
    _, far = opened.open()
    assert read(far, 2 * len(gateway.HEARTBEAT)) == gateway.HEARTBEAT * 2
    opened.close()


def test_a_browser_that_takes_nothing_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "HEARTBEAT_SECONDS", 0.15)
    opened = Browsers()
    stuck, _ = opened.open(1, b"x" * (1 << 22))
    until(lambda: opened.ended == [stuck])
    opened.close()


def test_late_repeats_are_remembered_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "HEARTBEAT_SECONDS", 0.15)
    opened = Browsers()
    stream, far = opened.open(1, b"!", 7)
    read(far, 1)
    now = clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: now() + events.LATE.total_seconds() + 1)
    until(lambda: opened.gateway._connections[stream].told is None)
    opened.close()


def test_what_a_browser_says_is_ignored_up_to_a_point(browsers: Browsers) -> None:
    talks, far = browsers.open()
    far.sendall(b"x" * 1000)
    browsers.gateway.deliver([(1, 1, b"heard")])
    assert read(far, 5) == b"heard"
    with suppress(OSError):
        far.sendall(b"x" * 2 * gateway.IGNORED_BYTES)
    until(lambda: browsers.ended == [talks])


def test_an_end_comes_after_what_waits(browsers: Browsers) -> None:
    stream, far = browsers.open(1, b"first;")
    browsers.gateway.deliver([(1, 1, b"last;")])
    browsers.gateway.end(stream)
    assert rest(far) == b"first;last;"
    until(lambda: browsers.ended == [stream])
    browsers.gateway.end(stream)  # once more does no harm
    _, other = browsers.open(1, b"!")
    read(other, 1)


def test_a_stream_that_ended_before_it_came_is_told_so(browsers: Browsers) -> None:
    near, far = socket.socketpair()
    stream = Stream(1, 1, 1)
    browsers.gateway.adopt(stream, near, b"first;", Told(), ended=True)
    assert rest(far) == b"first;"
    far.close()


def test_closing_ends_all_and_leaves_no_thread(browsers: Browsers) -> None:
    opened = [browsers.open(1, b"x" * BUFFER_BYTES)[1] for _ in range(3)]
    thread = browsers.gateway._thread
    browsers.gateway.close()
    assert {rest(far) for far in opened} == {b"x" * BUFFER_BYTES}
    assert len(browsers.ended) == 3
    assert thread is not None
    assert not thread.is_alive()
    assert not browsers.gateway.is_running
    browsers.gateway.close()


def test_a_mistake_ends_nothing(browsers: Browsers, caplog: pytest.LogCaptureFixture) -> None:
    _, far = browsers.open(1)
    browsers.gateway.deliver([(1, 1)])  # type: ignore[list-item]
    browsers.gateway.deliver([(1, 1, b"on")])
    assert read(far, 2) == b"on"
    assert "could not be done" in caplog.text
