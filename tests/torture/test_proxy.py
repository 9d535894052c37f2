"""The proxy passes on what it gets, and breaks lines as it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.torture.proxy import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    server = socket.create_server(("127.0.0.1", 0))

    def answer(line: socket.socket) -> None:
        with suppress(OSError), line:
            while piece := line.recv(1024):
                line.sendall(piece)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    proxy = Proxy(("127.0.0.1", server.getsockname()[1]))
    yield proxy
    proxy.close()
    server.close()


def connected(proxy: Proxy) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", proxy.port), timeout=30)
    try:
        line.sendall(b"hello")
        if line.recv(16) != b"hello":
            raise ConnectionResetError
    except OSError:
        line.close()
        raise
    return line


def test_a_line_is_refused_and_healed(proxy: Proxy) -> None:
    with connected(proxy) as line:
        proxy.refuse()
        with pytest.raises(ConnectionError):
            ended(line)
    with pytest.raises(ConnectionError):
        connected(proxy)
    proxy.heal()
    connected(proxy).close()


def test_a_line_is_reset_after_so_many_bytes(proxy: Proxy) -> None:
    with connected(proxy) as line:
        proxy.most = 1000
        with pytest.raises(ConnectionError):
            echoed(line, 100)


def echoed(line: socket.socket, times: int) -> None:
    for _ in range(times):
        line.sendall(b"x" * 100)
        ended(line)


def ended(line: socket.socket) -> None:
    """Read, and call the end of the line what it is."""
    if not line.recv(4096):
        raise ConnectionResetError


def test_a_stalled_line_goes_on_where_it_stopped(proxy: Proxy) -> None:
    with connected(proxy) as line:
        proxy.stalled = True
        line.sendall(b"later")
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(16)
        proxy.heal()
        line.settimeout(30)
        assert line.recv(16) == b"later"


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_line_is_cut_at_a_commit_before_or_after_it_reached_the_server(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("tests.torture.proxy.CUT", 1.0)
    seen: list[bytes] = []
    answered = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        line, _ = server.accept()
        with suppress(OSError), line:
            while piece := line.recv(1024):
                seen.append(piece)
                line.sendall(b"done")
        answered.set()

    threading.Thread(target=serve, daemon=True).start()
    proxy = Proxy(("127.0.0.1", server.getsockname()[1]))
    proxy.at_commits = how
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as line:
        line.sendall(b"INSERT")
        assert line.recv(16) == b"done"
        line.sendall(b"COMMIT")
        with pytest.raises(ConnectionError):
            ended(line)
    assert answered.wait(30)
    assert seen == ([b"INSERT"] if how == "before" else [b"INSERT", b"COMMIT"])
    assert proxy.commits_cut == 1
    proxy.close()
    server.close()
