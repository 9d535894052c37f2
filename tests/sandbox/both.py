"""A desk with the WhatsApp addon that talks to the sandbox, and the network between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from host.authoring.desk import TrialDesk, trial_desk
from host.sdk.channel import AccountRef
from sandbox.server import Server
from sandbox.whatsapp import seed
from tests.sandbox.cloud import ANA, NUMBER, WABA, Cloud
from tests.sandbox.helpers import Meta

PUBLIC = "https://desk.example.com"
VALUES = {"number": NUMBER, "business": WABA, "token": seed.TOKEN, "app_secret": seed.APP_SECRET}
ADDON = Path(__file__).parents[2] / "addons" / "whatsapp"


class Bridge:
    """The network between them: what the sandbox sends to the desk's address waits until the test takes it.

    The desk answers a verification at once, in the test's thread.
    """

    def __init__(self) -> None:
        self.desk: TrialDesk | None = None
        self.waiting: list[tuple[str, bytes, dict[str, str]]] = []
        self._send = requests.Session.send

    def patched(self) -> Any:
        """Return what replaces ``requests.Session.send``."""

        def send(session: Any, request: Any, **options: Any) -> requests.Response:
            return self.send(session, request, **options)

        return send

    def send(self, session: Any, request: Any, **options: Any) -> requests.Response:
        if not request.url.startswith(PUBLIC):
            return self._send(session, request, **options)
        answer = requests.Response()
        answer.status_code = 200
        if request.method == "GET":
            assert self.desk is not None
            told = self.desk.ask(request.url.removeprefix(PUBLIC))
            answer.status_code, answer._content = told.status_code, told.data
        else:
            path = urlsplit(request.url).path
            self.waiting.append((path, request.body, dict(request.headers)))
        return answer


class Both:
    """A desk and the sandbox, with the desk's number connected."""

    def __init__(self, bridge: Bridge, desk: TrialDesk, cloud: Cloud, account: AccountRef) -> None:
        self.bridge, self.desk, self.cloud, self.account = bridge, desk, cloud, account

    def settle(self) -> None:
        """Deliver and work until nothing is left to do."""
        while True:
            self.cloud.meta.idle()
            taken, self.bridge.waiting = self.bridge.waiting, []
            for path, body, headers in taken:
                assert self.desk.post(path, body, headers).status_code == 200
            self.desk.work()
            self.cloud.meta.idle()
            if not self.bridge.waiting:
                return

    def act(self, kind: str = "text", customer: str = ANA, **more: Any) -> None:
        self.cloud.act(kind, customer, **more)
        self.settle()

    def reply(self, text: str = "", customer: str = ANA, **more: Any) -> None:
        self.desk.reply(customer, text, **more)
        self.settle()

    def thread(self, customer: str = ANA) -> list[Any]:
        return self.desk.messages(customer)

    def newest(self, customer: str = ANA) -> Any:
        """Return the message the desk stored last: Meta's times are whole seconds."""
        return max(self.thread(customer), key=lambda message: message.id)

    def chat(self, customer: str = ANA) -> list[Any]:
        found: list[Any] = self.cloud.control("GET", f"messages?customer={customer}")["messages"]
        return found


def connected(place: Path) -> Iterator[Both]:
    """Yield a desk whose number is that of a sandbox."""
    bridge = Bridge()
    running = Server().start()
    settings = {"graph_url": f"{running.url}/graph.facebook.com"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", bridge.patched())
        with trial_desk(
            ADDON, place, settings=settings, reach=[urlsplit(running.url).netloc], public_url=PUBLIC
        ) as desk:
            bridge.desk = desk
            meta = Meta(running.url)
            yield Both(bridge, desk, Cloud(meta), desk.connect("whatsapp", VALUES))
            meta.session.close()
    running.close()
