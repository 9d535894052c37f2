"""What a desk has of webhooks where tests need something of everything."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.webhooks import consumer, endpoints
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.models import Endpoint, HookDelivery
from tests.helpers import work


def endpoint_ids(workspace: int) -> dict[str, int]:
    """Return an endpoint that is told nothing, with one delivery; made once."""

    def make(session: Session) -> dict[str, int]:
        found = session.scalars(sa.select(Endpoint)).first()
        if found is None:
            wanted = EndpointSettings("https://crm.example/told", ["account.stopped"])
            found, _ = endpoints.create(work(session, workspace), wanted, {"account.stopped"})
            consumer.send_test(work(session, workspace), found.id)
        delivery = session.scalars(
            sa.select(HookDelivery.id).where(HookDelivery.endpoint_id == found.id)
        ).one()
        return {"endpoint_id": found.id, "delivery_id": delivery}

    return db.write(make)
