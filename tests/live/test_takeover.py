"""What taking a connection relies on, held against the installed gunicorn: it must let go without a trace."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import pytest

from host.live import connection_takeover
from tests.live.served import until
from tests.live.worker import gunicorn_worker


class Application:
    """Answers ``/plain`` as usual and takes the connection of anything else."""

    def __init__(self) -> None:
        self.taken: list[socket.socket] = []

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/plain":
            start_response("200 OK", [("Content-Length", "5")])
            return [b"plain"]
        theirs = connection_takeover.connection_of(environ)
        assert theirs is not None
        self.taken.append(connection_takeover.take_connection(theirs))
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Of", "the server")])
        return [b"nobody is to read this"]


def ask(port: int, path: str, connection: socket.socket | None = None, version: str = "1.1") -> socket.socket:
    if connection is None:
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(f"GET {path} HTTP/{version}\r\nHost: desk\r\n\r\n".encode())
    return connection


def plain(port: int, connection: socket.socket | None = None) -> socket.socket:
    connection = ask(port, "/plain", connection)
    answer = b""
    while not answer.endswith(b"plain"):
        answer += connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    return connection


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_server_forgets_a_connection_that_was_taken(
    version: str, caplog: pytest.LogCaptureFixture
) -> None:
    application = Application()
    with gunicorn_worker(application) as (port, worker):
        client = ask(port, "/", version=version)
        until(lambda: application.taken and worker.nr_conns == 0)
        (ours,) = application.taken
        ours.sendall(b"only what we say")
        assert client.recv(4096) == b"only what we say"
        client.sendall(b"and the other way")
        assert ours.recv(4096) == b"and the other way"
        assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    # The worker has stopped and did not wait for it.
    ours.sendall(b"still")
    assert client.recv(4096) == b"still"
    ours.close()
    assert client.recv(4096) == b""
    client.close()


def test_no_thread_is_held_and_no_place_lost() -> None:
    application = Application()
    with gunicorn_worker(application, threads=1) as (port, worker):
        clients = [ask(port, "/") for _ in range(20)]
        until(lambda: len(application.taken) == 20)
        plain(port).close()
        until(lambda: worker.nr_conns == 0)
        assert not worker.keepalived_conns
        for ours, client in zip(application.taken, clients, strict=True):
            ours.close()
            assert client.recv(1) == b""
            client.close()
        plain(port).close()
        until(lambda: worker.nr_conns == 0)


def test_a_connection_that_served_other_requests_before_can_be_taken() -> None:
    application = Application()
    with gunicorn_worker(application) as (port, worker):
        client = plain(port, plain(port))
        until(lambda: worker.keepalived_conns)
        ask(port, "/", client)
        until(lambda: application.taken and worker.nr_conns == 0)
        application.taken[0].sendall(b"hello")
        assert client.recv(4096) == b"hello"
        application.taken[0].close()
        client.close()


def test_without_a_descriptor_left_the_connection_stays_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = socket.socketpair()

    def full(*given: Any, **named: Any) -> int:
        raise OSError(24, "Too many open files")

    with near, far:
        with monkeypatch.context() as patch:
            patch.setattr(os, "dup2", full)
            with pytest.raises(OSError, match="Too many"):
                connection_takeover.take_connection(near)
        near.sendall(b"mine")
        assert far.recv(4096) == b"mine"


def test_what_cannot_be_taken() -> None:
    one, other = socket.socketpair()
    with one, other:
        shown = {"gunicorn.socket": one, "SERVER_PROTOCOL": "HTTP/1.1"}
        assert connection_takeover.connection_of(shown) is one
        assert connection_takeover.connection_of({**shown, "SERVER_PROTOCOL": "HTTP/2.0"}) is None
        assert connection_takeover.connection_of({"SERVER_PROTOCOL": "HTTP/1.1"}) is None
        # Bytes written past TLS would reach nobody.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        wrapped = context.wrap_socket(one, do_handshake_on_connect=False)
        with wrapped:
            assert connection_takeover.connection_of({**shown, "gunicorn.socket": wrapped}) is None
