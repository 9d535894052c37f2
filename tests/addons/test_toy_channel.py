"""An installed channel from the first webhook to a conversation that outlives it, on every database."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import sqlalchemy as sa
from werkzeug.test import Client

from host.addons import lifecycle
from host.channels.accounts import save_account
from host.core import clock, db
from host.delivery.worker import drain
from host.models.inbox import Conversation, Message
from host.models.queue import InboundEvent, RefusedDelivery
from host.models.users import User
from host.process.serving import HostApplication
from host.sdk.cards import Connection, ConnectRequest
from host.users import workspaces
from tests.addons.conftest import Admin, MakeZip

SECRET = "a secret of the toy"


def connect(desk: HostApplication, workspace_id: int) -> str:
    """Connect a toy account by its card; return the account's UUID."""
    card = desk.generation().directory.card("toy")
    assert card is not None
    values = {"handle": "ann", "secret": SECRET}
    connection = card.connect(ConnectRequest(workspace_id, None, values, lambda _: None))
    assert isinstance(connection, Connection)
    return db.write(save_account, workspace_id=workspace_id, channel="toy", connection=connection).uuid


def deliver(
    desk: HostApplication, address: str, *texts: str, secret: str = SECRET, customer: str = "bo"
) -> Any:
    at = int(clock.now().timestamp() * 1000)
    events = [
        {"from": customer, "id": f"m-{text}", "text": text, "at": at, "name": customer.title()}
        for text in texts
    ]
    body = json.dumps({"events": events}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Client(desk).post(address, data=body, headers={"X-Toy-Signature": signature})


def test_a_conversation_outlives_the_addon_that_brought_it(
    any_desk: HostApplication, toy_zip: MakeZip
) -> None:
    desk = any_desk
    admin = Admin(desk)
    with db.read() as session:
        mia = session.scalars(sa.select(User.id)).one()
    workspace = db.write(workspaces.create, "Sample Pottery", mia).id
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    desk.start()
    uuid = connect(desk, workspace)

    assert deliver(desk, f"/addons/toy/webhook/{uuid}", "hello", "are you there?").status_code == 200
    assert deliver(desk, f"/webhooks/toy/{uuid}", "hello").status_code == 200, (
        "a redelivery, by the other address"
    )
    assert deliver(desk, f"/addons/toy/webhook/{uuid}", "forged", secret="wrong").status_code == 401
    assert deliver(desk, "/addons/toy/webhook/unknown", "lost").status_code == 401
    assert Client(desk).get(f"/addons/toy/webhook/{uuid}?challenge=42").text == "42"
    drain(desk.generation)

    with db.read() as session:
        conversation = session.scalars(sa.select(Conversation)).one()
        assert conversation.channel == "toy"
        texts = session.scalars(sa.select(Message.text).order_by(Message.sent_at, Message.id)).all()
        assert texts == ["hello", "are you there?"]
        assert session.scalar(sa.select(sa.func.count()).select_from(InboundEvent)) == 2
    page = admin.get(f"/w/{workspace}/inbox/{conversation.id}")
    assert page.status_code == 200
    assert "are you there?" in page.text
    card = admin.get("/admin/addons").text
    assert "1 account connected" in card

    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert deliver(desk, f"/addons/toy/webhook/{uuid}", "too late").status_code == 404
    page = admin.get(f"/w/{workspace}/inbox/{conversation.id}")
    assert page.status_code == 200
    assert "are you there?" in page.text, "the conversation is no longer readable"

    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    assert deliver(desk, f"/addons/toy/webhook/{uuid}", "back again").status_code == 200
    drain(desk.generation)
    desk.close()
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Message)) == 3
        refused = session.scalars(sa.select(RefusedDelivery).where(RefusedDelivery.channel == "toy")).all()
        assert sum(row.count for row in refused) >= 2, "closing the desk did not write the counts down"
