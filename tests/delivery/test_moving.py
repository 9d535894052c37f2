"""A message that waited stands in its thread where the customer gets it: at the time it went out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.events.kinds.messages import MESSAGE_SENT
from host.events.models import DomainEvent
from host.inbox.messages import load_thread
from host.models.channels import AccountState
from host.models.inbox import Conversation, DeliveryState, Origin
from host.sdk.channel import ProviderProblem, Rejected
from tests.delivery.desk import Desk

Travel = Callable[[timedelta], None]


def thread(desk: Desk, conversation_id: int) -> list[str]:
    with db.read() as session:
        return [one.text for one in load_thread(session, desk.workspace_id, conversation_id).entries]


def conversation(conversation_id: int) -> Conversation:
    with db.read() as session:
        return session.get_one(Conversation, conversation_id)


def events(message_id: int) -> list[DomainEvent]:
    with db.read() as session:
        query = sa.select(DomainEvent).where(DomainEvent.message_id == message_id)
        return list(session.scalars(query.order_by(DomainEvent.id)))


def test_what_was_held_gets_the_time_at_which_it_went(any_desk: Desk, travel: Travel) -> None:
    desk = any_desk
    talk = desk.customer_wrote()
    desk.set_account(state=AccountState.NEEDS_RECONNECT)
    first, second = desk.reply("first", talk), desk.reply("second", talk)
    desk.drain("out")
    written = desk.message(first).created_at
    travel(timedelta(minutes=30))
    desk.customer_wrote()
    assert thread(desk, talk) == ["hello", "first", "second", "hello"]
    travel(timedelta(minutes=31))
    desk.set_account(state=AccountState.CONNECTED)
    desk.drain("out")
    assert desk.states(first, second) == [DeliveryState.SENT] * 2
    assert thread(desk, talk) == ["hello", "hello", "first", "second"]
    one = desk.message(first)
    assert one.created_at == written
    assert one.sent_at - written >= timedelta(minutes=61)
    (sent,) = (event for event in events(first) if event.kind == MESSAGE_SENT)
    assert sent.occurred_at == one.sent_at
    assert "changed" in {event.topic for event in events(second)}
    shown = conversation(talk)
    assert (shown.last_preview, shown.last_direction) == ("second", "outbound")
    assert shown.last_message_at == desk.message(second).sent_at


def test_what_went_at_once_stays_where_it_is(desk: Desk) -> None:
    talk = desk.customer_wrote()
    made = desk.reply("at once", talk)
    before = desk.message(made).sent_at
    desk.drain("out")
    assert desk.message(made).sent_at == before
    assert "changed" not in {event.topic for event in events(made)}


def test_the_parts_behind_one_that_moves_stay_behind_it(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    ids = desk.reply_in_parts(talk, "one", "two", "three")
    travel(timedelta(minutes=2))
    desk.toy.script = [Rejected(ProviderProblem("no", "The provider refused it."))]
    desk.drain("out")
    assert desk.states(*ids) == [DeliveryState.FAILED, DeliveryState.QUEUED, DeliveryState.QUEUED]
    assert thread(desk, talk) == ["hello", "one", "two", "three"]
    assert len({desk.message(id_).sent_at for id_ in ids}) == 1


def test_an_echo_that_comes_first_tells_the_time_too(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    made = desk.reply("waited", talk)
    travel(timedelta(minutes=20))
    at = clock.now()

    def answer(_request: object) -> Rejected:
        desk.echo("m-echo", "waited", at=clock.now())
        return Rejected(ProviderProblem("late", "The connection broke off."))

    desk.toy.script = [answer]
    desk.drain("out")
    assert desk.state(made) == DeliveryState.SENT
    assert desk.message(made).sent_at >= at
    (sent,) = (event for event in events(made) if event.kind == MESSAGE_SENT)
    assert sent.occurred_at == desk.message(made).sent_at


@pytest.mark.parametrize("wrote", [True, False])
def test_a_greeting_that_waited_is_not_put_in_the_list(desk: Desk, travel: Travel, wrote: bool) -> None:
    talk = desk.customer_wrote()
    made = desk.reply("Welcome", talk, origin=Origin.SYSTEM)
    travel(timedelta(minutes=2))
    if wrote:
        desk.customer_wrote()
    desk.drain("out")
    assert desk.message(made).state == DeliveryState.SENT
    assert conversation(talk).last_preview == "hello"
