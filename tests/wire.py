"""A line to a server that can be cut, held, left hanging and mended."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress


class Wire:
    """Listens on a port of its own and passes everything on to *port*, until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._hanging = False
        self._open = threading.Event()
        self._open.set()
        self._listening = self._listen(0)
        self.port: int = self._listening.getsockname()[1]

    def _listen(self, port: int) -> socket.socket:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(64)
        threading.Thread(target=self._accept, args=(listening,), daemon=True, name="wire").start()
        return listening

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far), daemon=True, name="wire").start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with near, far, suppress(OSError, ValueError):
            while True:
                for one in select.select([near, far], [], [], 1.0)[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    self._open.wait()
                    if not self._hanging:
                        other[one].sendall(data)

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        # A thread inside accept() would keep the port open.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                # Closed even if the other side is gone, which fails the rest.
                with suppress(OSError), one:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RDWR)

    def hang(self) -> None:
        """Take everything and pass nothing on."""
        self._hanging = True

    def hold(self) -> None:
        """Pass nothing on for now; what comes meanwhile is passed on once the line is mended."""
        self._open.clear()

    def mend(self) -> None:
        """Work again."""
        self._hanging = False
        self._open.set()
        if self._listening.fileno() < 0:
            self._listening = self._listen(self.port)

    def close(self) -> None:
        self._open.set()
        self.cut()
