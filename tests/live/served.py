"""A desk answered over real sockets."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from host.process.pages import Pages
from tests.helpers import Browser
from tests.inbox.desks import Desk
from tests.live.worker import uvicorn_server


@contextmanager
def serve(desk: Desk) -> Iterator[int]:
    """Serve *desk* the way `lobby run` does, with its hub running; yield the port."""
    desk.hub.start()
    with uvicorn_server(Pages(desk.app, threads=8)) as port:
        try:
            yield port
        finally:
            desk.hub.close()


def cookie(browser: Browser) -> str:
    found = browser.get_cookie("lobby")
    assert found is not None
    return f"lobby={found.value}"


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)


class Reader:
    """One browser's stream, read frame by frame."""

    def __init__(self, port: int, path: str, browser: Browser, **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.request("GET", path, headers={"Cookie": cookie(browser), **headers})
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def frame(self) -> dict[str, str]:
        """Return the next frame that is an event, no heartbeat; empty at the end of the stream."""
        found: dict[str, str] = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                return {}
            line = line.rstrip("\n")
            if not line:
                if found.get("event", "beat") != "beat":
                    return found
                found = {}
                continue
            name, _, value = line.partition(": ")
            found[name] = value

    def ended(self) -> bool:
        return not self.response.read()

    def close(self) -> None:
        self.response.close()
        self.connection.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
