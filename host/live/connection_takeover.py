"""Take a connection from the web server, so that an open stream holds none of its threads."""

from __future__ import annotations

import os
import socket
from email.utils import formatdate
from typing import TYPE_CHECKING

from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SERVER_KEY = "gunicorn.socket"


def connection_of(environ: WSGIEnvironment) -> socket.socket | None:
    """Return the connection a request came on, or None where it cannot be taken.

    It cannot where the server does not show it (granian, a test client), where it is encrypted by the server
    itself, and where several requests share it (HTTP/2).
    """
    found = environ.get(SERVER_KEY)
    if type(found) is not socket.socket or environ.get("SERVER_PROTOCOL") not in {"HTTP/1.0", "HTTP/1.1"}:
        return None
    return found


def take_connection(connection: socket.socket) -> socket.socket:
    """Return *connection* as a socket of our own and leave the server another one in its place.

    The server goes on as after any answer: it writes one, shuts the connection down, closes it. All of that
    now concerns a socket whose other end is closed; writing to it says that the client is gone, which servers
    are used to. The descriptor keeps its number, so whatever the server keeps about it stays true.

    :raises OSError: if the process has no descriptor left; the connection is the server's as before.
    """
    left, far = socket.socketpair()
    with left:
        far.close()
        own = connection.dup()
        try:
            os.dup2(left.fileno(), connection.fileno(), inheritable=False)
        except OSError:
            own.close()
            raise
    return own


def head(environ: WSGIEnvironment, status: str, headers: Headers) -> bytes:
    """Return the first lines of an answer whose end is the end of the connection."""
    lines = [
        f"{environ['SERVER_PROTOCOL']} {status}",
        f"Date: {formatdate(usegmt=True)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.to_wsgi_list()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
