"""A customer with two ids, as two apps name them: one contact, by the way that any channel has."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from host.core import clock, db
from host.inbox.apply.changes import Incoming, apply_changes
from host.models.inbox import ContactIdentity, Conversation, Message
from host.sdk.channel import AccountRef
from host.sdk.messages import ContactIdentified, InboundChange, MessageReceived, PersonId
from tests.instagram.world import ANA, Addon

OTHER = "998877665544332"
"""Ana's id for another app."""


def test_messages_to_two_apps_are_one_customers(account: AccountRef, ig: Addon) -> None:
    adapter, now = ig.channel.InstagramAdapter(), clock.now()

    def hear(key: str, *changes: InboundChange) -> None:
        db.write(apply_changes, [Incoming(account, adapter, one, now, key) for one in changes])

    hear("first", MessageReceived(ANA, "mid-1", now - timedelta(minutes=2), text="Hello"))
    ids = PersonId(ANA, lasting=True), PersonId(OTHER, lasting=True)
    hear("both", ContactIdentified(ANA, now - timedelta(minutes=1), ids))
    hear("second", MessageReceived(OTHER, "mid-2", now, text="It is me again"))
    with db.read() as session:
        talk = session.scalars(sa.select(Conversation)).one()
        assert set(session.scalars(sa.select(Message.conversation_id))) == {talk.id}
        rows = {one.external_id: one.same_as_id for one in session.scalars(sa.select(ContactIdentity))}
    assert rows == {ANA: None, OTHER: talk.identity_id}
