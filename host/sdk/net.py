"""Connections other than HTTP, through the same guard."""

from __future__ import annotations

import socket
import ssl
from contextlib import AbstractContextManager

from host.core import guard, marks


def connect(host: str, port: int, *, timeout: float, mail: bool = False) -> socket.socket:
    """Return a TCP socket to *host*, which must lead to public addresses only.

    The pairs named in LOBBY_ALLOW_HOSTS are excepted. The socket goes to the address that was vetted.

    :param mail: whether it is to send mail: then those named in LOBBY_MAIL_RELAYS are, too.

    :param timeout: seconds until connected; stays the socket's time-out.
    :raises ForbiddenAddressError: if the name leads somewhere private.
    :raises FetchError: if there is no answer; nothing was sent.
    """
    return guard.connect(host, port, timeout=timeout, mail=mail)


def waiting() -> AbstractContextManager[None]:
    """Leave the time the block takes out of the budget of the addon's call.

    For a dialogue with a server that may take long. Each of its steps needs a time-out of its own.
    """
    return marks.waiting()


def tls_context() -> ssl.SSLContext:
    """Return a new TLS configuration that verifies the server's name and certificate."""
    return guard.tls_context()
