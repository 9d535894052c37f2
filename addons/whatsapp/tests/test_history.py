"""History: what was written before a number was connected comes in quietly, in order, and once."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from host.authoring.desk import TrialDesk
from host.core import clock, db
from host.events.models import DomainEvent
from host.models.inbox import Attachment, Conversation, ConversationStatus, Message
from host.models.notifications import Notification
from host.models.queue import EventState, InboundEvent

if TYPE_CHECKING:
    from conftest import Customer

NewCustomer = Callable[[], "Customer"]
OURS = "15550783881"

EACH = int(os.environ.get("HISTORY_EACH", "500"))
"""Messages of each of the ten people in the large history."""


def past(who: Customer, number: int, *, ours: bool = False, **said: Any) -> dict[str, Any]:
    """Return message *number* of the history, a minute after the one before."""
    at = clock.now() - timedelta(days=150) + timedelta(minutes=number)
    told = {"type": "text", "text": {"body": f"Message {number}"}, **said}
    id_ = f"wamid.OLD{who.phone}.{number}"
    sender = {"from": OURS} if ours else {"from": who.phone}
    context = {"history_context": {"status": "READ"}}
    return {**sender, "id": id_, "timestamp": str(int(at.timestamp())), **context, **told}


def chunk(who: Customer, messages: list[dict[str, Any]], order: int = 1, **thread: Any) -> dict[str, Any]:
    threads = [{"id": who.phone, "messages": messages, **thread}]
    metadata = {"phase": 1, "chunk_order": order, "progress": 50}
    return who.value(field="history", history=[{"metadata": metadata, "threads": threads}])


def stored(who: Customer) -> list[Message]:
    """Return the messages of the conversation by the time they were sent."""
    with db.read() as session:
        query = sa.select(Message).where(Message.id.in_([one.id for one in who.thread]))
        return list(session.scalars(query.order_by(Message.sent_at)))


def talk(who: Customer) -> Conversation:
    (id_,) = {one.conversation_id for one in stored(who)}
    with db.read() as session:
        return session.get_one(Conversation, id_)


def files_of(message: Message) -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(Attachment.kind).where(Attachment.message_id == message.id)))


def happened() -> int:
    """Return how many events programs get."""
    with db.read() as session:
        return (
            session.scalar(sa.select(sa.func.count()).select_from(DomainEvent).where(DomainEvent.kind != ""))
            or 0
        )


def notices() -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Notification)) or 0


def test_it_is_quiet_and_in_order(customer: NewCustomer) -> None:
    ann = customer()
    before = happened(), notices()
    messages = [past(ann, number, ours=number % 2 == 1) for number in range(6)]
    ann.told(chunk(ann, messages[3:], order=2))
    ann.told(chunk(ann, messages[:3], order=1))
    assert (happened(), notices()) == before, "no program and nobody is told"
    found = stored(ann)
    assert [one.text for one in found] == [f"Message {number}" for number in range(6)]
    assert [one.direction for one in found] == ["inbound", "outbound"] * 3
    assert all(one.imported_at is not None for one in found)
    thread = talk(ann)
    assert (thread.unread_count, thread.status) == (0, ConversationStatus.CLOSED)
    assert thread.last_preview == "Message 5"
    assert thread.responder is None


def test_a_chunk_that_comes_twice_or_in_parts_makes_no_doubles(customer: NewCustomer) -> None:
    ann = customer()
    messages = [past(ann, number) for number in range(20)]
    for part in (messages[:7], messages, messages[5:12], messages):
        ann.told(chunk(ann, part))
    assert len(ann.thread) == 20


def test_what_was_delivered_before_is_not_doubled_and_stays_new(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes("Hello")
    (here,) = stored(ann)
    told = past(ann, 1, text={"body": "Hello"})
    said = {"id": here.external_id, "timestamp": str(int(here.sent_at.timestamp()))}
    ann.told(chunk(ann, [told | said]))
    assert len(ann.thread) == 1
    assert talk(ann).unread_count == 1


def test_what_is_delivered_after_its_history_counts_as_new(customer: NewCustomer) -> None:
    ann = customer()
    live = ann.message(type="text", text={"body": "Hello"})
    (said,) = live["entry"][0]["changes"][0]["value"]["messages"]
    ann.told(chunk(ann, [dict(said)]))
    assert talk(ann).unread_count == 0
    ann.told(live)
    assert len(ann.thread) == 1
    assert talk(ann).unread_count == 1


def test_a_file_fills_in_its_placeholder_in_any_order(customer: NewCustomer) -> None:
    picture = {"type": "image", "image": {"id": "900", "mime_type": "image/jpeg", "caption": "The glaze"}}
    for ours in (False, True):
        for turned in (False, True):
            ann = customer()
            placeholder = past(ann, 2, ours=ours, type="media_placeholder")
            to = {"to": ann.phone} if ours else {}
            file = ann.value(field="history", messages=[past(ann, 2, ours=ours, **picture) | to])
            deliveries = [chunk(ann, [past(ann, 1), placeholder]), file]
            for one in [*(reversed(deliveries) if turned else deliveries), *deliveries]:
                ann.told(one)
            first, second = stored(ann)
            assert (first.text, second.kind, second.text) == ("Message 1", "image", "The glaze")
            assert second.content.get("event") is None
            assert len(files_of(second)) == 1, "a file that comes twice is there once"
            assert second.imported_at is not None
            assert (talk(ann).last_preview, talk(ann).unread_count) == ("The glaze", 0)


def test_a_placeholder_without_a_file_is_told_as_what_it_is(desk: TrialDesk, customer: NewCustomer) -> None:
    ann = customer()
    ann.told(chunk(ann, [past(ann, 1), past(ann, 2, type="media_placeholder")]))
    page = desk.get(f"/w/{desk.workspace_id}/inbox/{talk(ann).id}").text
    assert "A file from before this account was connected, which WhatsApp does not share" in page


def test_who_hides_their_number_is_one_person(customer: NewCustomer) -> None:
    ann = customer()
    ann.told(chunk(ann, [past(ann, 1)], id="DE.OLD1", context={"wa_id": ann.phone, "user_id": "DE.OLD1"}))
    ann.writes("Hello")
    said = [one.text for one in stored(ann) if one.kind == "text"]
    assert said == ["Message 1", "Hello"], "in one conversation"


def test_what_changes_other_messages_is_ignored_by_name(customer: NewCustomer) -> None:
    ann = customer()
    ann.told(chunk(ann, [past(ann, 1), past(ann, 2, type="reaction", reaction={"emoji": "👍"})]))
    assert len(ann.thread) == 1
    with db.read() as session:
        newest = session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id.desc())).first()
        assert newest is not None
        assert (newest.state, newest.reason) == (EventState.IGNORED, "reaction of the history")


def test_odd_chunks_harm_nothing(customer: NewCustomer) -> None:
    ann = customer()
    for odd in (
        None,
        "x",
        [1],
        [{"threads": "x"}],
        [{"threads": [{"id": [], "messages": [{}]}]}],
        [{"errors": 1}],
    ):
        ann.told(ann.value(field="history", history=odd))
    ann.told(chunk(ann, [past(ann, 1) | {"id": ""}, past(ann, 2) | {"timestamp": "soon"}, past(ann, 3)]))
    assert [one.text for one in ann.thread] == ["Message 3"]


def test_who_does_not_share_it_is_told_once(customer: NewCustomer) -> None:
    ann = customer()
    errors = [{"code": 2593109, "title": "History sync is turned off by the business"}]
    before = notices()
    for _ in range(2):
        ann.told(ann.value(field="history", history=[{"errors": errors}]))
    with db.read() as session:
        newest = session.scalars(sa.select(Notification).order_by(Notification.id.desc())).first()
        assert newest is not None
        assert newest.sentence == "WhatsApp doesn't share this number's earlier messages with Lobby."
        assert "disconnect the number in that app" in newest.next_step
    assert notices() == before + 1


def test_a_large_history_cut_in_the_middle(customer: NewCustomer) -> None:
    people = [customer() for _ in range(10)]
    messages = {
        one.phone: [past(one, number, ours=number % 3 == 0) for number in range(EACH)] for one in people
    }
    chunks = [
        chunk(one, messages[one.phone][start : start + 100], order=1 + start // 100)
        for one in people
        for start in range(0, EACH, 100)
    ]
    random.Random(7).shuffle(chunks)
    for one in chunks[: len(chunks) // 2]:
        people[0].deliver(one)
    people[0].desk.work()
    for one in chunks[len(chunks) // 5 * 2 :]:  # the rest, and again what was on its way when it was cut
        people[0].deliver(one)
    people[0].desk.work()
    ids = {one["id"] for each in messages.values() for one in each}
    with db.read() as session:
        query = sa.select(Message.external_id, Message.conversation_id, Message.sent_at, Message.text)
        found = session.execute(
            query.where(Message.external_id.like("wamid.OLD%")).order_by(Message.sent_at)
        ).all()
        mine = [one for one in found if one.external_id in ids]
        assert len(mine) == len(ids) == 10 * EACH
        for one in people:
            texts = [row.text for row in mine if row.external_id.startswith(f"wamid.OLD{one.phone}.")]
            assert texts == [f"Message {number}" for number in range(EACH)]
        unread = session.scalar(
            sa.select(sa.func.sum(Conversation.unread_count)).where(
                Conversation.id.in_({row.conversation_id for row in mine})
            )
        )
        assert unread == 0
