"""Write to a socket without releasing the interpreter's lock.

``socket.send`` lets other threads in around each call and then has to wait for its turn again. For one call
that is right; for a thousand in a row, beside threads that compute, it is the difference between tens of
milliseconds and a second. The sockets here never block, so nothing is held up while the lock is kept.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable

_FLAGS = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_NOSIGNAL", 0)


def _find() -> Callable[[int, bytes, int, int], int] | None:
    """Return the C library's ``send``, called with the lock held; None where there is none of that kind."""
    if not hasattr(socket, "MSG_DONTWAIT") or not hasattr(socket, "MSG_NOSIGNAL"):
        return None
    try:
        found = ctypes.PyDLL(None, use_errno=True).send
    except (OSError, AttributeError):
        return None
    found.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
    found.restype = ctypes.c_ssize_t
    return found


_send = _find()


def send(connection: socket.socket, data: bytes) -> int:
    """Send what the system takes of *data* at once; return how many bytes that were, perhaps none.

    :raises OSError: if the connection is gone.
    """
    if _send is None:
        try:
            return connection.send(data)
        except BlockingIOError:
            return 0
    sent = _send(connection.fileno(), data, len(data), _FLAGS)
    if sent >= 0:
        return sent
    number = ctypes.get_errno()
    if number in {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}:
        return 0
    raise OSError(number, os.strerror(number))
