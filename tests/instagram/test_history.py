"""What Instagram knows from before is brought in once, quietly, and what it does not tell is counted."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db
from host.delivery import history
from host.inbox.apply.changes import Incoming, apply_changes
from host.models.inbox import Attachment, Conversation, Message, Reaction
from host.models.queue import CatchUp, CatchUpState, CatchUpThread
from host.queue import catch_ups
from host.sdk.channel import AccountRef, ReplyContext, ReplyState
from host.sdk.messages import MessageKind, MessageReceived
from sandbox import play
from sandbox.world import Message as Said
from tests.instagram import world
from tests.instagram.world import ANA, KIT, POTTERY, Addon, Meta

DAY = 24 * 3600
_numbers = itertools.count(1)


def only(model: type[Any]) -> Any:
    with db.read() as session:
        return session.scalars(sa.select(model)).one()


def every(model: type[Any]) -> list[Any]:
    with db.read() as session:
        return list(session.scalars(sa.select(model).order_by(model.id)))


def texts() -> list[str]:
    rows = sorted(every(Message), key=lambda row: (row.sent_at, row.id))
    return [row.text for row in rows if row.direction != "internal"]


BEFORE = 30.0
"""Seconds by which what is said lies before the account was connected, however slow the machine is."""


def did(meta: Meta, kind: str, igsid: str = ANA, **args: Any) -> Said:
    """Let a customer do something no webhook tells of."""
    customer = meta.box.world.customers[igsid]
    mid, _ = play.perform(meta.box, meta.box.world.accounts[customer.igid], customer, kind, args)
    said = meta.box.world.messages[mid or ""]
    said.at -= BEFORE
    return said


def wrote(meta: Meta, text: str, igsid: str = ANA, *, ago: float = 0) -> Said:
    said = did(meta, "text", igsid, text=text)
    said.at -= ago
    return said


class Reader:
    """Takes the steps of the worker's chore."""

    def __init__(self, ig: Addon) -> None:
        self.directory = Directory([ig.channel.InstagramAdapter()])

    def step(self) -> int:
        return history.step_due(self.directory, pace=timedelta(0))

    def run(self) -> None:
        for _ in range(100):
            if not self.step():
                return
        raise AssertionError("it does not end")


@pytest.fixture
def reader(ig: Addon, meta: Meta, account: AccountRef) -> Reader:
    # Connecting asked for it already.
    assert only(CatchUp).next_at is not None
    return Reader(ig)


def received(account: AccountRef, adapter: Any, mid: str, text: str) -> None:
    change = MessageReceived(contact=ANA, external_id=mid, sent_at=clock.now(), text=text)
    db.write(apply_changes, [Incoming(account, adapter, change, clock.now(), f"key-{next(_numbers)}")])


def test_a_customer_who_wrote_before_the_account_was_connected_can_be_answered(
    reader: Reader, meta: Meta
) -> None:
    """As after moving the account here from another program."""
    wrote(meta, "Is it in stock?", ago=3 * DAY)
    last = wrote(meta, "Still there?", ago=3600.0)
    did(meta, "echo", text="One moment").at -= 1800.0
    reader.run()
    conversation = only(Conversation)
    assert conversation.unread_count == 0
    assert conversation.last_inbound_at is not None
    assert abs(conversation.last_inbound_at.timestamp() - last.at) < 1, "the time is the provider's"


def test_what_was_said_before_comes_in_quietly(reader: Reader, meta: Meta) -> None:
    wrote(meta, "Is it in stock?", ago=90 * DAY)
    did(meta, "echo", text="It is").at -= 89 * DAY
    reader.run()
    conversation = only(Conversation)
    assert texts() == ["Is it in stock?", "It is"]
    assert (conversation.status, conversation.unread_count) == ("closed", 0)
    assert conversation.last_inbound_at is None, "its window closed long ago"
    assert conversation.last_preview == "It is"
    assert all(row.imported_at is not None for row in every(Message))
    assert (only(CatchUp).state, only(CatchUp).next_at) == (CatchUpState.DONE, None)
    thread = only(CatchUpThread)
    assert (thread.was_here, thread.imported, thread.untold, thread.username) == (
        False,
        2,
        0,
        "ana.sample",
    )


def test_what_was_missed_can_be_answered(reader: Reader, meta: Meta, account: AccountRef) -> None:
    wrote(meta, "Hello", ago=2 * DAY)
    reader.run()
    with clock.travel(timedelta(hours=3)):
        said = wrote(meta, "Anybody there?")
        said.at = (clock.now() - timedelta(minutes=1)).timestamp()
        db.write(catch_ups.ask, account.id)
        reader.run()
        conversation = only(Conversation)
        assert (conversation.status, conversation.unread_count) == ("open", 1)
        (adapter,) = reader.directory.adapters
        context = ReplyContext(account, clock.now(), conversation.last_inbound_at)
        allowed = adapter.reply_policy(context)
        assert (allowed.state, allowed.until - clock.now() > timedelta(hours=23)) == (ReplyState.OPEN, True)


def test_a_customer_who_waits_stands_among_the_open_ones(reader: Reader, meta: Meta) -> None:
    wrote(meta, "Anybody there?", ago=2 * DAY)
    wrote(meta, "Never mind", KIT, ago=8 * DAY)
    reader.run()
    found = {row.last_preview: (row.status, row.unread_count) for row in every(Conversation)}
    assert found == {"Anybody there?": ("open", 0), "Never mind": ("closed", 0)}


def test_what_webhooks_brought_is_not_there_twice(reader: Reader, meta: Meta, account: AccountRef) -> None:
    missed, told = wrote(meta, "You missed this", ago=60), wrote(meta, "You got this")
    (adapter,) = reader.directory.adapters
    received(account, adapter, told.mid, "You got this")
    reader.run()
    assert texts() == ["You missed this", "You got this"]
    assert [row.imported_at is None for row in every(Message)] == [True, False]
    assert only(Conversation).unread_count == 1
    assert (only(CatchUpThread).was_here, only(CatchUpThread).imported) == (True, 1)
    db.write(catch_ups.ask, account.id)
    reader.run()
    assert len(texts()) == 2
    assert missed.mid in {row.external_id for row in every(Message)}


def test_a_webhook_that_comes_after_all_counts(reader: Reader, meta: Meta, account: AccountRef) -> None:
    said = wrote(meta, "Hello")
    reader.run()
    assert only(Conversation).unread_count == 0
    (adapter,) = reader.directory.adapters
    for _ in range(2):
        received(account, adapter, said.mid, "Hello")
    conversation, message = only(Conversation), only(Message)
    assert message.imported_at is None
    assert message.sent_at == conversation.last_message_at == conversation.last_inbound_at
    assert (conversation.status, conversation.unread_count) == ("open", 1)
    assert conversation.last_inbound_at is not None


def test_what_the_webhook_tells_better_replaces_what_the_history_told(
    reader: Reader, meta: Meta, account: AccountRef
) -> None:
    said = wrote(meta, "Red")
    reader.run()
    (adapter,) = reader.directory.adapters
    change = MessageReceived(
        contact=ANA,
        external_id=said.mid,
        sent_at=clock.now(),
        kind=MessageKind.QUICK_REPLY,
        text="Red",
        content={"payload": "COLOR_RED"},
    )
    db.write(apply_changes, [Incoming(account, adapter, change, clock.now(), "late")])
    message = only(Message)
    assert (message.kind, message.content) == ("quick_reply", {"payload": "COLOR_RED"})
    assert only(Conversation).last_kind == "quick_reply"


def test_an_event_without_an_id_is_recognised_by_its_words(
    reader: Reader, meta: Meta, account: AccountRef
) -> None:
    wrote(meta, "Where are you?")
    (adapter,) = reader.directory.adapters
    at = clock.now() - timedelta(seconds=BEFORE)
    change = MessageReceived(contact=ANA, external_id=None, sent_at=at, text="Where are you?")
    db.write(apply_changes, [Incoming(account, adapter, change, clock.now(), "tap")])
    reader.run()
    assert texts() == ["Where are you?"]


def test_only_the_newest_twenty_are_told_and_the_rest_is_counted(reader: Reader, meta: Meta) -> None:
    for number in range(130):
        wrote(meta, f"Message {number}", ago=1000 - number)
    reader.run()
    assert texts() == [f"Message {number}" for number in range(110, 130)]
    thread = only(CatchUpThread)
    assert (thread.imported, thread.untold) == (20, 110)
    calls = meta.calls("conversations")
    assert len(calls) <= 4, "one for the list, one for the details, two for the ids"


def test_kinds_are_what_they_are(reader: Reader, meta: Meta) -> None:
    kinds = ["image", "video", "sticker", "story_mention", "story_reply", "unsupported", "ig_post", "file"]
    for number, kind in enumerate(kinds):
        did(meta, kind, **({"text": "love this"} if kind == "story_reply" else {})).at -= 100 - number
    quoted = wrote(meta, "This one")
    did(meta, "reply", text="answers it", mid=quoted.mid)
    did(meta, "reaction", reaction="love", mid=quoted.mid)
    reader.run()
    rows = every(Message)
    assert [row.kind for row in rows] == [
        "image",
        "video",
        "sticker",
        "story_mention",
        "story_reply",
        "unsupported",
        "share",
        "file",
        "text",
        "text",
    ]
    assert rows[-1].reply_to == quoted.mid
    ids = {str(row.content["story"]["id"]) for row in rows[3:5]}
    assert len(ids) == 2, "each knows its story"
    assert all(one.isdigit() for one in ids)
    assert only(Reaction).message_id == rows[-2].id
    assert len(every(Attachment)) >= 6


def test_it_goes_on_where_a_killed_process_stopped(reader: Reader, meta: Meta) -> None:
    for igsid in (ANA, KIT):
        wrote(meta, f"From {igsid}", igsid, ago=60)
    reader.step()
    # Killed between the call and the write: the claim runs out, nothing is lost, nothing doubled.
    step = db.write(history._claim, only(CatchUp).account_id)
    assert step is not None
    assert reader.step() == 0
    with clock.travel(history.CLAIM + timedelta(seconds=1)):
        Reader.run(reader)
        assert sorted(texts()) == sorted([f"From {ANA}", f"From {KIT}"])
        assert db.write(history._held, step) is None, "whoever comes back late writes nothing"
    assert len(meta.calls("conversations")) == 3


def test_a_limit_is_waited_for_and_a_refusal_named(reader: Reader, meta: Meta) -> None:
    wrote(meta, "Hello")
    meta.fault("conversations", "error", code=613, subcode=2534040, times=1)
    assert reader.step() == 1
    run = only(CatchUp)
    assert run.next_at > clock.now() + timedelta(seconds=4)
    assert run.problem["sentence"]
    with clock.travel(timedelta(minutes=5)):
        reader.run()
        assert texts() == ["Hello"]
        assert only(CatchUp).problem is None
        meta.box.world.accounts[POTTERY].allow_messages = False
        db.write(catch_ups.ask, only(CatchUp).account_id)
        for _ in range(len(history.DELAYS) + 2):
            with clock.travel(timedelta(hours=_ + 1)):
                reader.step()
        assert (only(CatchUp).state, only(CatchUp).next_at) == (CatchUpState.FAILED, None)


def test_threads_without_news_are_not_read_again(reader: Reader, meta: Meta, account: AccountRef) -> None:
    wrote(meta, "Old", KIT, ago=DAY)
    reader.run()
    before = len(meta.calls("conversations"))
    wrote(meta, "New")
    db.write(catch_ups.ask, account.id)
    reader.run()
    assert len(meta.calls("conversations")) == before + 2
    assert sorted(texts()) == ["New", "Old"]


def test_a_stranger_silent_for_a_month_is_not_listed(reader: Reader, meta: Meta) -> None:
    wrote(meta, "Hi from afar", ago=31 * DAY)
    meta.box.world.customers[ANA].is_user_follow_business = False
    wrote(meta, "Hi, a friend", KIT, ago=31 * DAY)
    meta.box.world.customers[KIT].is_user_follow_business = True
    reader.run()
    assert texts() == ["Hi, a friend"]


def test_the_way_without_a_page_reads_the_same(desk: db.Database, ig: Addon, meta: Meta) -> None:
    from host.sdk.secrets import Secret

    world.connect(
        ig,
        flavour=ig.config.Flavour.LOGIN,
        page_id="",
        token=Secret(f"IGAASANDBOXPotteryLong{POTTERY}"),
    )
    wrote(meta, "Hello", ago=60)
    Reader(ig).run()
    assert texts() == ["Hello"]


def test_a_subscription_that_was_lost_is_caught_up_with(reader: Reader, ig: Addon, meta: Meta) -> None:
    reader.run()
    ig.monitoring.watchdog.watch()
    assert only(CatchUp).next_at is not None
    wrote(meta, "Nobody delivered this")
    reader.run()
    assert texts() == ["Nobody delivered this"]
    ig.monitoring.watchdog.watch()
    assert only(CatchUp).next_at is None, "all is well"
