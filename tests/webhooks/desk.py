"""A desk whose events are told to programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from host.core import db
from host.core.secrets import Secret
from host.events import catalogue, reading
from host.events.consuming import _make_rows, _Reader
from host.webhooks import endpoints, sending
from host.webhooks.consumer import Webhooks
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.models import Endpoint, EventBody, HookDelivery
from tests.delivery.desk import Desk
from tests.helpers import do

BASE = "https://desk.example"


KNOWN = frozenset(catalogue.KINDS)


class HookDesk(Desk):
    """A desk with endpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.webhooks = Webhooks(lambda: self.generation.directory, lambda: BASE)
        db.write(_make_rows, [self.webhooks])
        self.reader = _Reader(self.webhooks)

    def endpoint(self, url: str, *events: str, **more: Any) -> tuple[Endpoint, Secret]:
        known = KNOWN | {name for one in [self.toy] for name in (kind.name for kind in one.outgoing_kinds)}
        wanted = EndpointSettings(url, events or ("*",), **more)
        return do(endpoints.create, self.workspace_id, wanted, known)

    def tell(self) -> None:
        """Read the record up to its end."""
        db.write(reading.number)
        while self.reader._step():
            pass

    def deliver(self) -> int:
        """Read the record up to its end, and send everything due; return how many tries that took."""
        self.tell()
        return sending.drain()

    def bodies(self) -> Sequence[EventBody]:
        with db.read() as session:
            return session.scalars(sa.select(EventBody).order_by(EventBody.event_id, EventBody.name)).all()

    def deliveries(self) -> Sequence[HookDelivery]:
        with db.read() as session:
            return session.scalars(sa.select(HookDelivery).order_by(HookDelivery.id)).all()

    def row(self, endpoint_id: int) -> Endpoint:
        with db.read() as session:
            return session.get_one(Endpoint, endpoint_id)
