"""Report the state of this process to systemd, if a unit of ``Type=notify`` started it: sd_notify(3)."""

from __future__ import annotations

import socket
from contextlib import suppress

from host.core.config import notify_socket

READY = "READY=1\nSTATUS="
"""Requests are answered and the database is available, or deliveries run. Clears :data:`WAITING`."""
STOPPING = "STOPPING=1"
WAITING = "STATUS=Waiting for the database, which does not answer."


def notify(state: str) -> None:
    """Send *state* to the service manager; do nothing without one."""
    address = notify_socket()
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    # A missing manager is no reason to stop serving.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        line.sendto(state.encode(), address)
