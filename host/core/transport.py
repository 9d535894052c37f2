"""Make HTTP requests over connections the guard vetted, for :mod:`host.sdk.http`.

requests and urllib3 speak HTTP. This module creates sockets, limits the total time, and notices whether any
byte of a request was written.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from host.core import clock, guard
from host.sdk.errors import ForbiddenAddressError


class Attempt(threading.local):
    """The request the current thread is making.

    :ivar target: the only host and port that may be connected to.
    :ivar fresh: whether kept connections must not be used.
    :ivar reused: whether a kept connection was used.
    :ivar sent: whether a byte of the request may have left.
    :ivar sign_in: whether it is for sign-in, for which a provider on the local network may be reached.
    :ivar model: whether it is for a language model, which may be on the local network.
    :ivar leaving: called right before the first byte leaves.
    """

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.deadline = float("inf")
        self.connect_timeout = 5.0
        self.read_timeout = 20.0
        self.fresh = True
        self.reused = False
        self.sent = False
        self.leaving: Callable[[], object] | None = None
        self.sign_in = False
        self.model = False

    def remaining(self, at_most: float) -> float:
        """Return the remaining seconds for the next step.

        :raises TimeoutError: when the time of the whole request is used up.
        """
        left = self.deadline - clock.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long as a whole")
        return min(left, at_most)


attempt = Attempt()


@contextmanager
def before_first_byte(do: Callable[[], object]) -> Iterator[None]:
    """Call *do* for each request this thread makes in the block, once connected and before the first byte."""
    before, attempt.leaving = attempt.leaving, do
    try:
        yield
    finally:
        attempt.leaving = before


class TimedSocket(socket.socket):
    """A socket whose reads are all limited by the remaining time of the whole request.

    Without this, a server that sends one byte before each read timeout could hold a thread for hours.
    """

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(attempt.remaining(attempt.read_timeout))
        return super().recv_into(*args, **kwargs)


class TimedTLSSocket(ssl.SSLSocket):
    """A :class:`TimedSocket` over TLS."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(attempt.remaining(attempt.read_timeout))
        return super().recv_into(*args, **kwargs)


def _open(host: str, port: int) -> socket.socket:
    host = host.removeprefix("[").removesuffix("]")
    if attempt.target != (host, port):
        raise ForbiddenAddressError(f"{host} port {port} is not where this request was meant to go")
    timeout = attempt.remaining(attempt.connect_timeout)
    connection = guard.connect(
        host,
        port,
        timeout=timeout,
        socket_class=TimedSocket,
        sign_in=attempt.sign_in,
        model=attempt.model,
        notes_first_byte=True,
    )
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _sending(connection: HTTPConnection) -> None:
    """Record that the request leaves; a large body may take all the remaining time."""
    if connection.sock is None:
        connection.connect()
    if attempt.leaving is not None and not attempt.sent:
        attempt.leaving()
    connection.sock.settimeout(attempt.remaining(float("inf")))
    attempt.sent = True
    guard.note_left()


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _open(self.host, self.port)

    def send(self, data: Any) -> None:
        _sending(self)
        super().send(data)


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _open(self.host, self.port)

    def send(self, data: Any) -> None:
        _sending(self)
        super().send(data)


def _picked(get: Callable[[], Any]) -> Any:
    connection = get()
    if attempt.fresh:
        connection.close()
    attempt.reused = connection.sock is not None
    return connection


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        return _picked(lambda: super(_Pool, self)._get_conn(timeout))


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        return _picked(lambda: super(_TLSPool, self)._get_conn(timeout))


@cache
def tls_context() -> ssl.SSLContext:
    """Return the shared TLS configuration of HTTP.

    It is created once, because loading the certificate authorities per connection, as requests does, takes
    longer than many requests.
    """
    context = guard.tls_context()
    context.sslsocket_class = TimedTLSSocket
    return context


class Adapter(HTTPAdapter):
    """A requests adapter over the connections above; no proxies, no retries, one idle connection per host."""

    def __init__(self) -> None:
        super().__init__(pool_connections=8, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(
            num_pools=connections, maxsize=maxsize, block=block, ssl_context=tls_context(), **kwargs
        )
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> Any:
        return self.poolmanager.connection_from_url(request.url)

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Do nothing: the context verifies certificates, and requests would replace its authorities."""
