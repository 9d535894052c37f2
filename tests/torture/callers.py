"""Callers of the desk who are no provider: hundreds that take their time, and some that keep asking."""

from __future__ import annotations

import http.client
import itertools
import socket
import threading
from contextlib import suppress

HEADS, BODIES, READERS = 200, 60, 40
"""How many send a head, or a body, byte by byte; how many ask, and never read the answer."""
PAUSE = 0.25
WEBHOOK = "/addons/instagram/webhook"


class Slow:
    """Connections that take their time while the block runs.

    :ivar count: how many were made.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._trickle, name="slow", daemon=True)
        self.count = 0

    def __enter__(self) -> Slow:
        body = f"POST {WEBHOOK} HTTP/1.1\r\nHost: desk\r\nContent-Length: 9999\r\n\r\n"
        asks = "GET /login HTTP/1.1\r\nHost: desk\r\n\r\n" * 200
        for text, many in (("GET / HTTP/1.1\r\nX-Slow: ", HEADS), (body, BODIES), (asks, READERS)):
            for _ in range(many):
                with suppress(OSError):
                    self._open.append(self._made(text))
        self.count = len(self._open)
        self._thread.start()
        return self

    def _made(self, text: str) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        made.settimeout(5)
        made.connect(self._address)
        made.setblocking(False)
        made.send(text.encode())
        return made

    def _trickle(self) -> None:
        while not self._over.wait(PAUSE):
            for one in self._open:
                with suppress(OSError):
                    one.send(b"a")

    def __exit__(self, *rest: object) -> None:
        self._over.set()
        self._thread.join()
        for one in self._open:
            one.close()


class Asking:
    """Asks for a page, and brings something nobody signed, one after the other while the block runs.

    :ivar answers: the status of each; 0: there was none.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, name="asking", daemon=True) for _ in range(3)]
        self.answers: list[int] = []

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def _ask(self) -> None:
        for number in itertools.count():
            if self._over.wait(0.02):
                return
            line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                if number % 2:
                    line.request("GET", "/login")
                else:
                    line.request("POST", WEBHOOK, body=b"{}", headers={"X-Hub-Signature-256": "sha256=none"})
                self.answers.append(line.getresponse().status)
            except (OSError, http.client.HTTPException):
                self.answers.append(0)
            finally:
                line.close()

    def __exit__(self, *rest: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
