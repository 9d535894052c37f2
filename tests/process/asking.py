"""Raw requests, as no library would send them."""

from __future__ import annotations

import socket


def connect(port: int, *, receive: int | None = None) -> socket.socket:
    """Return a connection to *port*; *receive*: how many bytes its system keeps for it."""
    one = socket.socket()
    if receive is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    one.settimeout(60)
    one.connect(("127.0.0.1", port))
    return one


def ask(port: int, request: bytes) -> bytes:
    """Return everything that is answered to *request* until the other side closes."""
    with connect(port) as one:
        one.sendall(request)
        return rest(one)


def rest(one: socket.socket) -> bytes:
    """Return what comes until the other side closes, or resets."""
    found = b""
    try:
        while data := one.recv(1 << 16):
            found += data
    except ConnectionResetError:
        pass
    return found


def head(method: str, path: str, *lines: str) -> bytes:
    """Return the head of a request, with the connection to be closed after it."""
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", "Host: desk", "Connection: close", *lines, "", ""]
    ).encode()


def status(answer: bytes) -> int:
    """Return the status of an answer; 0: there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0
