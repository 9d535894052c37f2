"""A TCP proxy that can be told to be slow, to stall, to break off, or to refuse."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from demo.processes import free_port

CHUNK = 16 * 1024
CUT = 0.2
"""Share of COMMITs a line is cut at, while it is told to."""


@dataclass
class Proxy:
    """Forwards what comes to :attr:`port` to *target*, both ways, until :meth:`close`.

    Set one of the faults; :meth:`heal` takes all of them back. A fault counts for connections that are open,
    too.
    """

    target: tuple[str, int]
    port: int = field(default_factory=free_port)
    latency: float = 0.0
    """Seconds each piece waits before it is passed on."""
    stalled: bool = False
    """Nothing is passed on, nothing is closed."""
    most: int = 0
    """Bytes after which a connection is reset; 0: never."""
    refusing: bool = False
    """New connections are closed at once, open ones are reset."""
    at_commits: str = ""
    """``before``: some lines are reset when a COMMIT comes, which the server never sees; ``after``: when its
    answer comes, which the client never sees."""
    commits_cut: int = 0
    broken: int = 0
    """How many connections were reset or refused."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def heal(self) -> None:
        self.latency, self.stalled, self.most, self.refusing = 0.0, False, 0, False
        self.at_commits = ""

    def refuse(self) -> None:
        """Reset what is open and take nothing new until :meth:`heal`."""
        self.refusing = True
        with self._lock:
            ends = list(self._open)
        for end in ends:
            self._reset(end)

    def close(self) -> None:
        self._over.set()
        self._listener.close()
        with self._lock:
            ends = list(self._open)
        for end in ends:
            _shut(end)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                self._reset(near)
                continue
            try:
                far = socket.create_connection(self.target, timeout=10)
            except OSError:
                self._reset(near)
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            allowance = [random.randint(1, self.most) if self.most else 0]
            committing = threading.Event()
            for source, sink in ((near, far), (far, near)):
                work = (source, sink, allowance, committing, source is near)
                threading.Thread(target=self._pump, args=work, daemon=True).start()

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        allowance: list[int],
        committing: threading.Event,
        asking: bool,
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(CHUNK):
                if self._cuts(piece, committing, asking):
                    self.commits_cut += 1
                    self._reset(source)
                    self._reset(sink)
                    return
                if self.latency:
                    self._over.wait(self.latency)
                while self.stalled and not self._over.is_set():
                    time.sleep(0.01)
                if self.most:
                    left = allowance[0] or random.randint(1, self.most)
                    sink.sendall(piece[:left])
                    allowance[0] = left - len(piece)
                    if allowance[0] <= 0:
                        self._reset(source)
                        self._reset(sink)
                        return
                else:
                    sink.sendall(piece)
        for end in (source, sink):
            with self._lock:
                self._open.discard(end)
            _shut(end)

    def _cuts(self, piece: bytes, committing: threading.Event, asking: bool) -> bool:
        """Tell whether the line ends here: at a COMMIT, or at the answer to one that was let through."""
        if not asking:
            return committing.is_set()
        if not self.at_commits or b"COMMIT" not in piece or random.random() > CUT:
            return False
        if self.at_commits == "before":
            return True
        committing.set()
        return False

    def _reset(self, end: socket.socket) -> None:
        """Close with RST instead of FIN, as a broken line looks."""
        self.broken += 1
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _shut(end, socket.SHUT_RD)
        with self._lock:
            self._open.discard(end)


def _shut(end: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    # Closing alone would leave the thread that reads from it waiting, and the line open for as long.
    with suppress(OSError):
        end.shutdown(how)
    with suppress(OSError):
        end.close()
