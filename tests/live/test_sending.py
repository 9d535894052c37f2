"""Writing with the interpreter's lock held says the same as writing without."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Iterator

import pytest

from host.live import socket_send


@pytest.fixture(params=["kept", "given away"])
def pair(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[socket.socket, socket.socket]]:
    if request.param == "given away":
        with monkeypatch.context() as patch:
            patch.delattr(socket, "MSG_DONTWAIT")  # a system that has no such way
            importlib.reload(socket_send)
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far
    importlib.reload(socket_send)


def test_what_is_sent_arrives_as_it_is(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    data = b"a\0b" + bytes(range(256))
    assert socket_send.send(near, data) == len(data)
    assert far.recv(4096) == data


def test_a_full_connection_takes_a_part_and_then_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    big = b"x" * (1 << 22)
    taken = 0
    while sent := socket_send.send(near, big):
        taken += sent
    assert 0 < taken < 1 << 26
    assert far.recv(10) == b"x" * 10


def test_a_connection_that_is_gone_is_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    far.close()
    with pytest.raises(BrokenPipeError):
        socket_send.send(near, b"hello")


def test_this_system_has_it(
    pair: tuple[socket.socket, socket.socket], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def called(*_: object) -> int:
        raise AssertionError("the interpreter's lock was given away")

    monkeypatch.setattr(socket.socket, "send", called, raising=False)
    if request.node.callspec.params["pair"] == "kept":
        assert socket_send.send(pair[0], b"hello") == 5
    else:
        with pytest.raises(AssertionError, match="given away"):
            socket_send.send(pair[0], b"hello")
