"""Replies that wait: undone, sent before their time, for later; and customers told of in time."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery import deadlines
from host.events.models import DomainEvent
from host.inbox.drafts import Draft
from host.inbox.errors import MessageNotFoundError, SendTimeError
from host.inbox.reply import Hold, queue_parts
from host.inbox.unsent import resending, scheduled
from host.inbox.unsent import undo as holding
from host.models.channels import ChannelAccount
from host.models.inbox import (
    Conversation,
    ConversationRead,
    DeliveryState,
    Direction,
    InternalKind,
    Message,
    SnoozeKind,
)
from host.models.queue import OutboxEntry
from host.models.users import User, Workspace
from host.queue.outbox import StateMovedOnError
from tests.delivery.desk import Desk
from tests.helpers import do

Travel = Callable[[timedelta], None]
TEN = timedelta(seconds=10)


@pytest.fixture
def mia(any_desk: Desk) -> int:
    def make(session: Any) -> int:
        user = User(name="Mia", email="mia@example.com", password_hash="", created_at=clock.now())
        session.add(user)
        session.flush()
        return user.id

    return db.write(make)


def send(
    desk: Desk, talk: int, text: str, by: int | None, hold: Hold | None = None, **values: Any
) -> list[int]:
    messages = do(
        queue_parts,
        desk.workspace_id,
        talk,
        [Draft(text=text)],
        reply_key=uuid.uuid4().hex,
        adapter=desk.toy,
        hold=hold or Hold(undo={"draft": {"text": f"  {text}"}}),
        actor=by,
        **values,
    )
    return [message.id for message in messages]


def undo(desk: Desk, talk: int, message: int, by: int) -> dict[str, Any]:
    return do(holding.undo, desk.workspace_id, talk, message, actor=by).draft


def send_now(desk: Desk, talk: int, message: int) -> None:
    do(holding.send_now, desk.workspace_id, talk, message)


def talk_of(conversation_id: int) -> Conversation:
    with db.read() as session:
        return session.get_one(Conversation, conversation_id)


def sent(desk: Desk) -> list[str]:
    return [request.part.text for request in desk.toy.sent]


def lines(conversation_id: int) -> list[str]:
    with db.read() as session:
        query = sa.select(Message.content).where(
            Message.conversation_id == conversation_id, Message.kind == InternalKind.ACTIVITY
        )
        return [one["what"] for one in session.scalars(query.order_by(Message.id))]


def told(kind: str) -> list[tuple[int | None, str]]:
    with db.read() as session:
        events = session.scalars(
            sa.select(DomainEvent).where(DomainEvent.kind == kind).order_by(DomainEvent.id)
        )
        return [(one.conversation_id, json.loads(one.data or "{}").get("until", "")) for one in events]


# Undo


def test_a_reply_waits_its_seconds_and_then_leaves_with_what_was_written_after_it(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    send(any_desk, talk, "first", mia)
    assert any_desk.drain() == 0
    any_desk.reply("a program's", talk)  # at once, but not before what stands above it
    any_desk.drain()
    assert sent(any_desk) == []
    travel(TEN)
    any_desk.drain()
    assert sent(any_desk) == ["first", "a program's"]
    with db.read() as session:
        assert set(session.execute(sa.select(OutboxEntry.not_before, OutboxEntry.undo)).all()) == {
            (None, None)
        }


def test_undoing_puts_back_what_answering_changed(any_desk: Desk, mia: int, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    before = talk_of(talk)

    def read(session: Any) -> None:
        session.add(ConversationRead(user_id=mia, conversation_id=talk, seen_count=1, marked=False))

    db.write(read)
    (message,) = send(any_desk, talk, "first", mia)
    assert talk_of(talk).waiting_since is None
    assert undo(any_desk, talk, message, mia) == {"text": "  first"}
    after = talk_of(talk)
    for name in ("waiting_since", "unread_count", "read_count", "last_preview", "last_direction"):
        assert getattr(after, name) == getattr(before, name), name
    with db.read() as session:
        assert session.get_one(ConversationRead, (mia, talk)).seen_count == 1
        assert session.scalars(sa.select(OutboxEntry)).all() == []
    travel(TEN)
    any_desk.drain()
    assert sent(any_desk) == []
    with pytest.raises(MessageNotFoundError):
        undo(any_desk, talk, message, mia)


def test_undoing_leaves_what_was_answered_since(any_desk: Desk, mia: int) -> None:
    talk = any_desk.customer_wrote()
    (message,) = send(any_desk, talk, "first", mia)
    send(any_desk, talk, "second", mia)
    undo(any_desk, talk, message, mia)
    assert talk_of(talk).waiting_since is None


def test_only_who_wrote_it_gets_it_back_and_only_until_it_leaves(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    (message,) = send(any_desk, talk, "first", mia)
    with pytest.raises(holding.NotYoursError):
        undo(any_desk, talk, message, mia + 1)
    travel(TEN)
    any_desk.drain()
    with pytest.raises(StateMovedOnError):
        undo(any_desk, talk, message, mia)
    assert any_desk.state(message) == DeliveryState.SENT


def test_a_long_reply_is_undone_whole_and_sent_now_with_what_waits_before_it(
    any_desk: Desk, mia: int
) -> None:
    talk = any_desk.customer_wrote()
    parts = send(any_desk, talk, "word " * 40, mia)
    assert len(parts) > 1
    undo(any_desk, talk, parts[1], mia)
    send(any_desk, talk, "first", mia)
    (second,) = send(any_desk, talk, "second", mia)
    send_now(any_desk, talk, second)
    any_desk.drain()
    assert sent(any_desk) == ["first", "second"]


def test_a_workspace_without_undo_sends_at_once_and_a_closing_window_sends_before_its_end(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    any_desk.toy.window = timedelta(seconds=12)
    talk = any_desk.customer_wrote()
    (message,) = send(any_desk, talk, "first", mia)
    left = any_desk.entry(message).not_before
    assert left is not None
    assert left - clock.now() < timedelta(seconds=8)
    any_desk.toy.window = timedelta(hours=24)

    def off(session: Any) -> None:
        session.execute(sa.update(Workspace).values(undo_seconds=0))

    db.write(off)
    (message,) = send(any_desk, talk, "second", mia)
    assert (any_desk.entry(message).not_before, any_desk.entry(message).undo) == (None, None)


def test_of_undo_and_a_worker_at_once_one_wins(any_desk: Desk, mia: int, travel: Travel) -> None:
    """It is sent or it is back: in each of many rounds, and never both."""
    outcomes = set()
    talk = any_desk.customer_wrote()
    for number in range(12):
        any_desk.toy.sent.clear()
        (message,) = send(any_desk, talk, f"round {number}", mia)
        travel(TEN)
        both, back = threading.Barrier(3), []

        def takes(message: int = message, both: threading.Barrier = both, back: list[bool] = back) -> None:
            both.wait()
            try:
                undo(any_desk, talk, message, mia)
                back.append(True)
            except (StateMovedOnError, MessageNotFoundError):
                pass

        def works(both: threading.Barrier = both) -> None:
            both.wait()
            any_desk.drain("out")

        threads = [threading.Thread(target=one) for one in (takes, takes, works)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        any_desk.drain("out")
        assert (len(back), len(any_desk.toy.sent)) in {(1, 0), (0, 1)}
        outcomes.add(len(back))
    assert outcomes <= {0, 1}


# Later


def plan(desk: Desk, talk: int, text: str, by: int, after: timedelta, **values: Any) -> int:
    hold = Hold(clock.now() + after, undo={"draft": {"text": text}}, **values)
    return send(desk, talk, text, by, hold)[0]


HOUR = timedelta(hours=1)


def test_a_reply_for_later_blocks_nothing_and_leaves_at_its_time(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    message = plan(any_desk, talk, "later", mia, HOUR)
    here = talk_of(talk)
    assert here.scheduled_at is not None
    assert here.waiting_since is not None  # nobody has answered yet
    any_desk.reply("meanwhile", talk)
    any_desk.drain()
    assert sent(any_desk) == ["meanwhile"]
    assert scheduled.release_due() == 0
    travel(HOUR)
    assert (scheduled.release_due(), scheduled.release_due()) == (1, 0)
    any_desk.drain()
    assert sent(any_desk) == ["meanwhile", "later"]
    here = talk_of(talk)
    assert (here.scheduled_at, here.waiting_since, here.last_preview) == (None, None, "later")
    assert any_desk.message(message).sent_at <= clock.now()


def test_what_waits_in_the_lane_goes_before_what_was_for_later(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    plan(any_desk, talk, "later", mia, HOUR)
    travel(HOUR)
    send(any_desk, talk, "before", mia)  # can still be undone when the other's time comes
    scheduled.release_due()
    travel(TEN)
    any_desk.drain()
    assert sent(any_desk) == ["before", "later"]


def test_it_stays_here_if_they_write_first_and_the_thread_says_so(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    held, goes = (
        plan(any_desk, talk, "held", mia, HOUR),
        plan(any_desk, talk, "goes", mia, 2 * HOUR, unless_written=False),
    )
    any_desk.customer_wrote()
    assert scheduled.release_due() == 1  # at once, so that who planned it sees it
    assert lines(talk) == ["held_for_message"]
    travel(2 * HOUR)
    scheduled.release_due()
    any_desk.drain()
    assert sent(any_desk) == ["goes"]
    db.write(resending.send_anyway, held)
    any_desk.drain()
    assert any_desk.states(held, goes) == [DeliveryState.SENT] * 2


def test_another_time_sent_now_taken_back_cancelled(any_desk: Desk, mia: int, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    moved, now, back, off = (
        plan(any_desk, talk, text, mia, HOUR * number) for number, text in enumerate(("a", "b", "c", "d"), 2)
    )
    at = clock.now() + timedelta(minutes=5)
    do(
        scheduled.change_time,
        any_desk.workspace_id,
        talk,
        moved,
        at=at,
        unless_written=True,
        adapter=any_desk.toy,
    )
    assert talk_of(talk).scheduled_at == at
    with pytest.raises(SendTimeError):
        do(
            scheduled.change_time,
            any_desk.workspace_id,
            talk,
            moved,
            at=clock.now() - HOUR,
            unless_written=True,
            adapter=any_desk.toy,
        )
    send_now(any_desk, talk, now)
    assert undo(any_desk, talk, back, mia) == {"text": "c"}
    db.write(resending.cancel, off)
    any_desk.drain()
    assert sent(any_desk) == ["b"]
    travel(timedelta(minutes=6))
    scheduled.release_due()
    any_desk.drain()
    assert sent(any_desk) == ["b", "a"]
    assert (any_desk.state(off), talk_of(talk).scheduled_at) == (DeliveryState.CANCELLED, None)
    with pytest.raises(scheduled.NotForLaterError):
        do(
            scheduled.change_time,
            any_desk.workspace_id,
            talk,
            off,
            at=clock.now() + HOUR,
            unless_written=True,
            adapter=any_desk.toy,
        )


def test_a_time_outside_the_window_is_refused_and_nothing_is_kept(any_desk: Desk, mia: int) -> None:
    talk = any_desk.customer_wrote()
    for after in (timedelta(hours=25), timedelta(days=90), -HOUR):
        with pytest.raises(SendTimeError):
            plan(any_desk, talk, "too late", mia, after)
    with db.read() as session:
        query = sa.select(sa.func.count()).select_from(Message).where(Message.direction == Direction.OUTBOUND)
        assert session.scalar(query) == 0


def test_a_window_that_closed_meanwhile_refuses_it_at_its_time(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    message = plan(any_desk, talk, "later", mia, HOUR)
    any_desk.toy.window = timedelta(minutes=30)
    travel(HOUR)
    scheduled.release_due()
    any_desk.drain()
    assert (any_desk.state(message), sent(any_desk)) == (DeliveryState.FAILED, [])


def test_several_workers_release_it_once(any_desk: Desk, mia: int, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    for number in range(3):
        plan(any_desk, talk, f"later {number}", mia, HOUR)
    travel(HOUR)
    together, found = threading.Barrier(3), []

    def works() -> None:
        together.wait()
        found.append(scheduled.release_due())
        any_desk.drain("out")

    threads = [threading.Thread(target=works) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    any_desk.drain("out")
    assert sum(found) == 3
    assert sorted(sent(any_desk)) == ["later 0", "later 1", "later 2"]


# Told in time


def target(minutes: int | None) -> None:
    def change(session: Any) -> None:
        session.execute(sa.update(ChannelAccount).values(reply_target=minutes))

    db.write(change)


def watch(desk: Desk) -> None:
    deadlines.watch(desk.generation.directory)


def test_an_answer_that_is_soon_due_is_told_once_each_time_somebody_waits(
    any_desk: Desk, mia: int, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    watch(any_desk)
    target(60)
    travel(timedelta(minutes=49))
    watch(any_desk)
    assert told("conversation.reply_due") == []  # ten minutes before is later than three quarters
    travel(timedelta(minutes=1, seconds=1))
    together = threading.Barrier(3)

    def watches() -> None:
        together.wait()
        watch(any_desk)

    threads = [threading.Thread(target=watches) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watch(any_desk)
    since = talk_of(talk).waiting_since
    assert since is not None
    assert told("conversation.reply_due") == [(talk, (since + HOUR).isoformat())]
    send(any_desk, talk, "answered", mia)
    any_desk.customer_wrote()
    travel(timedelta(minutes=51))
    watch(any_desk)
    assert len(told("conversation.reply_due")) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"snooze_kind": SnoozeKind.REPLY},
        {"spam_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"status": "closed"},
        {"waiting_since": None},
    ],
)
def test_what_is_put_away_is_not_due(desk: Desk, travel: Travel, values: dict[str, Any]) -> None:
    desk.toy.window = timedelta(hours=3)
    talk = desk.customer_wrote()
    target(60)

    def change(session: Any) -> None:
        session.execute(sa.update(Conversation).values(**values))

    db.write(change)
    for _ in range(3):
        travel(timedelta(minutes=55))
        watch(desk)
    assert (talk, told("conversation.reply_due"), told("conversation.window_closing")) == (talk, [], [])


def test_a_target_set_late_tells_of_nobody_who_is_long_late(desk: Desk, travel: Travel) -> None:
    desk.customer_wrote()
    travel(timedelta(hours=3))
    target(60)
    watch(desk)
    assert told("conversation.reply_due") == []


def test_a_window_that_soon_closes_is_told_once_for_each_window(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    travel(timedelta(hours=21, minutes=59))
    watch(any_desk)
    assert told("conversation.window_closing") == []
    travel(timedelta(minutes=2))
    for _ in range(2):
        watch(any_desk)
    last = talk_of(talk).last_inbound_at
    assert last is not None
    assert told("conversation.window_closing") == [(talk, (last + timedelta(hours=24)).isoformat())]
    any_desk.customer_wrote()  # which opens it anew
    watch(any_desk)
    assert len(told("conversation.window_closing")) == 1
    travel(timedelta(hours=22, minutes=1))
    watch(any_desk)
    assert len(told("conversation.window_closing")) == 2
