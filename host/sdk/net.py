"""Connections other than HTTP, through the same guard."""

from __future__ import annotations

import socket
import ssl
from contextlib import AbstractContextManager

from host.core import guard, marks


def connect(host: str, port: int, *, timeout: float, mail: bool = False) -> socket.socket:
    """Return a TCP socket to *host*, which must only resolve to public addresses.

    Pairs in LOBBY_ALLOW_HOSTS are exempt. The socket connects to the vetted address.

    :param mail: whether it is for sending mail: then those in LOBBY_MAIL_RELAYS are also exempt.

    :param timeout: seconds to connect; also set as the socket's timeout.
    :raises ForbiddenAddressError: if the name resolves to a private address.
    :raises FetchError: without a response; nothing was sent.
    """
    return guard.connect(host, port, timeout=timeout, mail=mail)


def waiting() -> AbstractContextManager[None]:
    """Exclude the time of the block from the time budget of the addon's call.

    For slow dialogues with a server. Each step needs its own timeout.
    """
    return marks.waiting()


def tls_context() -> ssl.SSLContext:
    """Return a new TLS configuration that verifies the server's name and certificate."""
    return guard.tls_context()
