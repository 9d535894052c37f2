"""Devices of people, and having the desk push to them."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, config, db
from host.core.config import Config
from host.push import devices
from host.push.models import PushDelivery, PushDevice
from host.push.sending import Sender
from host.users import sessions
from tests.helpers import do_desk
from tests.inbox import toys
from tests.push.service import BrowserKeys, PushService

HOSTS = ("127.0.0.1", "127.0.0.2")
SETTINGS: Config = config.load(
    {"LOBBY_PUSH_HOSTS": ",".join(HOSTS), "LOBBY_PUBLIC_URL": "https://desk.example"}
)
DIRECTORY = Directory([toys.WINDOWED])


class Phone:
    """A browser that is signed in and gets pushes."""

    def __init__(self, service: PushService, user_id: int, name: str = "phone", **values: Any) -> None:
        self.service, self.name, self.user = service, name, user_id
        self.keys = BrowserKeys()
        self.token = db.write(sessions.start, user_id, "192.0.2.7")
        with db.read() as session:
            found = sessions.load(session, self.token)
        assert found is not None
        self.session = found.session_id
        self.id = self.subscribe(**values)

    def subscribe(self, **values: Any) -> int:
        wanted = self.keys.subscription(self.service.endpoint(self.name))
        values = {"name": "Firefox on Android", "more": HOSTS, **values}
        return do_desk(devices.add, self.session, wanted, actor=self.user, **values).id

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What it was told, decrypted."""
        return [json.loads(self.keys.decrypt(one.body)) for one in self.service.of(self.name)]


def push(sender: Sender | None = None, *, seconds: float = 60.0, settings: Config = SETTINGS) -> Sender:
    """Send what is due, as the job does, until nothing is."""
    sender = sender or Sender()
    until = time.monotonic() + seconds
    while sender.turn(DIRECTORY, settings) or sender.is_busy:
        assert time.monotonic() < until, "still sending"
    return sender


def devices_of(user_id: int) -> list[int]:
    with db.read() as session:
        return [one.id for one in devices.own(session, user_id)]


def waiting() -> int:
    """Return how many pushes are queued."""
    return _count(PushDelivery)


def count_devices() -> int:
    return _count(PushDevice)


def _count(model: Any) -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def make_due(ids: Collection[int] = ()) -> None:
    """Have queued pushes tried again now."""
    query = sa.update(PushDelivery).values(due_at=clock.now())
    db.write(lambda session: session.execute(query.where(PushDelivery.id.in_(ids)) if ids else query))
