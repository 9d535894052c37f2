"""Reactions, edits, unsends and quotes: on the message they are about, before it came, and on our own."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.inbox import outcome
from host.inbox.apply import changes
from host.inbox.apply.changes import OF_ANOTHER, apply_changes
from host.inbox.reply import show_in_list
from host.models.inbox import Attachment, ContactIdentity, Conversation, Mark, Message, Reaction
from host.sdk.channel import AccountRef
from host.sdk.messages import (
    ConversationHandedOver,
    Handover,
    InboundAttachment,
    InboundChange,
    MessageKind,
)
from tests import helpers
from tests.helpers import do, queue_reply
from tests.inbox import toys
from tests.inbox.toys import START, TOY, apply, echoed, edited, incoming, reacted, received, unsent

pytestmark = pytest.mark.sqlite_first

PICTURE = InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/mug.jpg")


@pytest.fixture
def anywhere(any_database: db.Database) -> AccountRef:
    """An account, once for each kind of database."""
    return toys.make_account(toys.make_workspace())


def message(external_id: str) -> Message:
    with db.read() as session:
        return session.scalars(sa.select(Message).where(Message.external_id == external_id)).one()


def lines() -> list[tuple[str, str, str]]:
    """What the thread says instead of messages that are not here."""
    kinds = {MessageKind.REACTION, MessageKind.EDIT, MessageKind.UNSEND}
    return [(m.direction, m.kind, m.text) for m in toys.thread() if m.kind in kinds]


def told(topic: str) -> list[int]:
    """Ids of the messages that browsers were told of under *topic*."""
    return [json.loads(e.payload)["message"] for e in helpers.shown() if e.topic == topic]


def reaction() -> tuple[Any, ...]:
    row = toys.only(Reaction)
    return row.actor, row.emoji, row.name, row.removed_at is not None, row.message_id


# ---- on a message that is here -------------------------------------------------------------------


def test_a_reaction_stands_beside_its_message_and_counts_as_nothing_new(anywhere: AccountRef) -> None:
    apply(anywhere, received("Hello", external_id="m1"))
    apply(anywhere, reacted("m1", "❤️", at=5, name="love"))
    assert reaction() == ("customer", "❤️", "love", False, message("m1").id)
    assert told("changed") == [message("m1").id]
    conversation = toys.only(Conversation)
    assert (conversation.unread_count, conversation.last_message_at) == (1, START)
    assert len(toys.thread()) == 1


def test_a_later_reaction_replaces_the_first_and_may_be_taken_back(anywhere: AccountRef) -> None:
    apply(anywhere, received("Hello", external_id="m1"), reacted("m1", "❤️", at=5))
    apply(anywhere, reacted("m1", "👍", at=6, name="like"))
    assert reaction()[1:4] == ("👍", "like", False)
    apply(anywhere, reacted("m1", at=7, removed=True))
    assert reaction()[1:4] == ("", "", True)
    apply(anywhere, reacted("m1", "❤️", at=5))
    assert reaction()[1:4] == ("", "", True), "the older one came again"


def test_each_side_has_its_own_reaction(anywhere: AccountRef) -> None:
    apply(anywhere, received("Hello", external_id="m1"))
    apply(anywhere, reacted("m1", "❤️", at=5), reacted("m1", "👍", at=6, ours=True))
    rows = {row.actor: (row.emoji, row.state) for row in toys.everything(Reaction)}
    assert rows == {"customer": ("❤️", None), "team": ("👍", "sent")}


def test_an_edit_replaces_the_text_and_the_line_of_the_list(anywhere: AccountRef) -> None:
    apply(anywhere, received("Is it in stok?", external_id="m1"))
    apply(anywhere, edited("m1", "Is it in stock?", at=5))
    row = message("m1")
    assert (row.text, row.edit_count, row.edited_at) == ("Is it in stock?", 1, START + timedelta(seconds=5))
    conversation = toys.only(Conversation)
    assert (conversation.last_preview, conversation.unread_count) == ("Is it in stock?", 1)
    assert told("changed") == [row.id]


def test_an_edit_with_a_lower_number_comes_too_late(anywhere: AccountRef) -> None:
    apply(anywhere, received("a", external_id="m1"), edited("m1", "c", 2, at=9))
    apply(anywhere, edited("m1", "b", 1, at=10))
    assert (message("m1").text, message("m1").edit_count) == ("c", 2)


def test_an_edit_of_an_older_message_leaves_the_list_alone(anywhere: AccountRef) -> None:
    apply(anywhere, received("first", external_id="m1"), received("second", at=1))
    apply(anywhere, edited("m1", "changed", at=5))
    assert toys.only(Conversation).last_preview == "second"


def test_an_unsend_leaves_who_and_when_and_nothing_else(anywhere: AccountRef) -> None:
    content = {"shared": [{"title": "secret"}]}
    values: dict[str, Any] = {"attachments": (PICTURE,), "content": content, "reply_to": "m0"}
    apply(anywhere, received("secret", external_id="m1", **values), reacted("m1", at=1))
    apply(anywhere, unsent("m1", at=5))
    row = message("m1")
    assert (row.text, row.content, row.reply_to, row.direction) == ("", {}, None, "inbound")
    assert (row.sent_at, row.unsent_at) == (START, START + timedelta(seconds=5))
    assert toys.everything(Attachment) == []
    conversation = toys.only(Conversation)
    assert (conversation.last_preview, conversation.last_kind) == ("", MessageKind.UNSEND)
    assert conversation.last_inbound_at == START, "the time to answer in goes on"
    assert told("changed") == [row.id]


def test_nothing_brings_back_what_was_taken_back(anywhere: AccountRef) -> None:
    said = received("secret", external_id="m1", attachments=(PICTURE,))
    apply(anywhere, said, unsent("m1", at=5))
    apply(anywhere, said)
    apply(anywhere, edited("m1", "secret again", 3, at=6))
    apply(anywhere, unsent("m1", at=5))
    assert (message("m1").text, message("m1").edit_count) == ("", 3)
    assert toys.everything(Attachment) == []
    assert len(toys.thread()) == 1


def test_messages_that_quote_it_are_shown_anew(anywhere: AccountRef) -> None:
    apply(
        anywhere,
        received("secret", external_id="m1"),
        received("what he said", at=1, external_id="m2", reply_to="m1"),
    )
    assert message("m2").reply_to == "m1"
    apply(anywhere, unsent("m1", at=5))
    assert told("changed") == [message("m1").id, message("m2").id]


def test_a_message_quoted_before_it_came_is_shown_in_the_quote(anywhere: AccountRef) -> None:
    apply(anywhere, received("this one", at=1, external_id="m2", reply_to="m1"))
    apply(anywhere, received("which one?", external_id="m1"))
    assert told("changed") == [message("m2").id]


def test_nobody_speaks_about_somebody_elses_message(anywhere: AccountRef) -> None:
    apply(anywhere, received("mine", external_id="m1", contact="ana"), received("hi", contact="bo"))
    apply(
        anywhere,
        unsent("m1", at=5, contact="bo"),
        edited("m1", "forged", at=5, contact="bo"),
        reacted("m1", at=5, contact="bo"),
    )
    assert message("m1").text == "mine"
    assert (toys.everything(Reaction), toys.everything(Mark), lines()) == ([], [], [])


@pytest.mark.parametrize("first", [True, False], ids=["the stranger first", "the stranger last"])
@pytest.mark.parametrize("there", [True, False], ids=["before the batch", "in the batch"])
def test_what_a_stranger_says_is_refused_by_name_and_costs_the_right_one_nothing(
    account: AccountRef, first: bool, there: bool
) -> None:
    said = incoming(account, received("mine", external_id="m1"), event_id=1)
    if there:
        db.write(apply_changes, [said])
    strange = [
        incoming(account, reacted("m1", "👎", at=9, contact="bo"), event_id=2),
        incoming(account, edited("m1", "forged", 2, at=9, contact="bo"), event_id=3),
        incoming(account, unsent("m1", at=9, contact="bo", carried_by=("k",)), event_id=4),
        incoming(account, toys.read("m1", at=9, contact="bo"), event_id=5),
        incoming(account, received("forged", external_id="m1", contact="bo"), event_id=6),
        incoming(account, echoed("forged", external_id="m1", contact="bo"), event_id=7),
    ]
    right = [
        incoming(account, reacted("m1", "❤️", at=5), event_id=8),
        incoming(account, edited("m1", "Mine", 1, at=5), event_id=9),
    ]
    rest = [*strange, *right] if first else [*right, *strange]
    applied = db.write(apply_changes, rest if there else [said, *rest])
    assert applied.refused == dict.fromkeys(range(2, 8), OF_ANOTHER)
    assert (message("m1").text, message("m1").unsent_at, reaction()[1]) == ("Mine", None, "❤️")
    assert toys.everything(Mark) == []


@pytest.mark.parametrize("known", [True, False], ids=["its message is here", "its message is not here"])
def test_an_edit_made_before_its_customer_was_erased_says_nothing(account: AccountRef, known: bool) -> None:
    apply(account, received("Hello", external_id="m1"))
    toys.change_row(ContactIdentity, toys.only(ContactIdentity).id, erased_at=START + timedelta(seconds=60))
    toys.change_row(Message, message("m1").id, text="", unsent_at=START + timedelta(seconds=60))
    apply(account, edited("m1" if known else "m0", "secret", at=30))
    apply(account, edited("m9", "said afterwards", at=90))
    texts = [*(one.text for one in toys.thread()), *(mark.text for mark in toys.everything(Mark))]
    assert not any("secret" in text for text in texts)
    assert any("said afterwards" in text for text in texts)


def test_an_event_with_something_else_in_it_is_not_refused(account: AccountRef) -> None:
    apply(account, received("mine", external_id="m1"))
    both = [reacted("m1", at=9, contact="bo"), received("hi", contact="bo", at=9)]
    applied = db.write(apply_changes, [incoming(account, change, event_id=2) for change in both])
    assert applied.refused == {}
    assert toys.texts() == ["mine", "hi"]


# ---- on a message that has not come --------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "one by one"])
def test_what_comes_before_its_message_waits_for_it(anywhere: AccountRef, together: bool) -> None:
    said = received("Hello", external_id="m1")
    changes: list[InboundChange] = [reacted("m1", "❤️", at=5), edited("m1", "Hallo", 1, at=6), said]
    for some in [changes] if together else [[one] for one in changes]:
        apply(anywhere, *some)
    row = message("m1")
    assert (row.text, row.edit_count, reaction()[1], reaction()[4]) == ("Hallo", 1, "❤️", row.id)
    assert (toys.everything(Mark), lines()) == ([], [])
    conversation = toys.only(Conversation)
    assert (conversation.last_preview, conversation.last_message_at) == ("Hallo", START)
    assert (conversation.unread_count, conversation.last_kind) == (1, MessageKind.TEXT)


def test_until_then_a_line_says_so(anywhere: AccountRef) -> None:
    apply(anywhere, received("Hello", external_id="m0"))
    apply(anywhere, reacted("never", "❤️", at=5), reacted("never", "👍", at=6, ours=True))
    apply(anywhere, edited("other", "Hallo", 1, at=7))
    assert lines() == [
        ("inbound", "reaction", "❤️"),
        ("outbound", "reaction", "👍"),
        ("inbound", "edit", "Hallo"),
    ]
    apply(anywhere, edited("other", "Hallo!", 2, at=8), reacted("never", at=9, removed=True))
    assert ("inbound", "edit", "Hallo!") in lines()
    assert ("inbound", "reaction", "") in lines()
    apply(anywhere, unsent("other", at=10))
    assert lines()[-1] == ("inbound", "unsend", "")
    assert not any("Hallo" in mark.text for mark in toys.everything(Mark))
    assert toys.only(Conversation).unread_count == 1
    gone = [m.id for m in toys.thread() if m.kind == MessageKind.REACTION]
    apply(anywhere, received("late", at=1, external_id="never"))
    assert lines() == [("inbound", "unsend", "")]
    assert set(gone) <= set(told("gone"))


def test_a_customer_nobody_heard_of_gets_a_conversation_with_that_line(anywhere: AccountRef) -> None:
    apply(anywhere, reacted("never", "❤️", at=5))
    conversation = toys.only(Conversation)
    assert (conversation.unread_count, conversation.last_inbound_at) == (0, None)
    assert (conversation.last_direction, conversation.last_preview) == ("internal", "")
    assert lines() == [("inbound", "reaction", "❤️")]
    apply(anywhere, received("Hello", at=-60, external_id="m1"))
    assert toys.only(Conversation).last_preview == "Hello"


def test_a_message_taken_back_before_it_came_never_shows(anywhere: AccountRef) -> None:
    apply(anywhere, unsent("m1", at=5))
    apply(anywhere, received("secret", external_id="m1", attachments=(PICTURE,), content={"payload": "x"}))
    row = message("m1")
    assert (row.text, row.content, row.unsent_at) == ("", {}, START + timedelta(seconds=5))
    assert (toys.everything(Attachment), toys.everything(Mark), lines()) == ([], [], [])
    assert toys.only(Conversation).last_preview == ""


@pytest.mark.parametrize("known", [True, False], ids=["in a conversation", "with nobody known"])
def test_programs_that_pass_a_conversation_on_leave_a_line_and_nothing_unread(
    anywhere: AccountRef, known: bool
) -> None:
    if known:
        apply(anywhere, received("Hello"))
    change = ConversationHandedOver("ana", START + timedelta(seconds=5), Handover.TAKEN, "a note")
    for _ in range(2):
        db.write(apply_changes, [incoming(anywhere, change, key="event-1")])
    (line,) = [m for m in toys.thread() if m.direction == "internal"]
    assert line.content == {"what": "handed_over", "how": "taken", "note": "a note"}
    conversation = toys.only(Conversation)
    assert (conversation.unread_count, conversation.last_inbound_at) == ((1, START) if known else (0, None))
    assert conversation.last_direction == ("inbound" if known else "internal")


# ---- on messages of ours -------------------------------------------------------------------------


@pytest.fixture
def sending(anywhere: AccountRef) -> int:
    """A reply that is being sent."""
    apply(anywhere, received("In stock?"))
    conversation = toys.only(Conversation)
    (reply,) = do(
        queue_reply,
        anywhere.workspace_id,
        conversation.id,
        "Yes",
        reply_key="key-00000001",
        adapter=TOY,
        actor=toys.make_user(anywhere.workspace_id),
        now=START + timedelta(seconds=60),
    )
    db.write(outcome.record_sending, reply.id)
    return reply.id


def test_a_reaction_may_overtake_the_answer_to_our_send(anywhere: AccountRef, sending: int) -> None:
    apply(anywhere, reacted("ours-1", "❤️", at=62))
    assert reaction()[4] is None
    db.write(outcome.record_sent, sending, "ours-1")
    assert reaction() == ("customer", "❤️", "", False, sending)
    assert (toys.everything(Mark), lines()) == ([], [])


def test_so_may_an_edit_and_an_unsend_in_the_providers_app(anywhere: AccountRef, sending: int) -> None:
    apply(anywhere, edited("ours-1", "Yes, three", at=62))
    db.write(outcome.record_sent, sending, "ours-1")
    assert (message("ours-1").text, message("ours-1").edit_count) == ("Yes, three", 1)
    assert toys.only(Conversation).last_preview == "Yes, three"
    apply(anywhere, unsent("ours-1", at=70))
    assert (message("ours-1").text, message("ours-1").state) == ("", "sent")


def test_cards_that_were_taken_back_leave_the_list(anywhere: AccountRef, sending: int) -> None:
    content = {"template": {"elements": [{"title": "Blue mug"}]}}
    toys.change_row(Message, sending, kind=MessageKind.TEMPLATE, text="", content=content)
    db.write(outcome.record_sent, sending, "ours-1")
    db.write(
        lambda session: show_in_list(
            session.scalars(sa.select(Conversation)).one(), session.get_one(Message, sending)
        )
    )
    assert toys.only(Conversation).last_preview == "Blue mug"
    apply(anywhere, unsent("ours-1", at=70))
    listed = toys.only(Conversation)
    assert (listed.last_preview, listed.last_kind) == ("", MessageKind.UNSEND)


def test_what_was_said_about_the_echo_is_said_about_our_message(anywhere: AccountRef, sending: int) -> None:
    apply(anywhere, echoed("something else", at=61, external_id="ours-1"))
    apply(anywhere, reacted("ours-1", "❤️", at=62), unsent("ours-1", at=63))
    db.write(outcome.record_sent, sending, "ours-1")
    row = message("ours-1")
    assert (row.id, row.text, row.unsent_at) == (sending, "", START + timedelta(seconds=63))
    assert reaction()[4] == sending


def test_an_echo_that_confirms_our_message_brings_what_was_said_about_it(
    anywhere: AccountRef, sending: int
) -> None:
    apply(anywhere, reacted("ours-1", "❤️", at=62), edited("ours-1", "Yes!", at=62))
    apply(anywhere, echoed("Yes", at=3600, external_id="ours-1"))
    assert (message("ours-1").id, message("ours-1").text, reaction()[4]) == (sending, "Yes!", sending)
    assert lines() == []


def test_marks_written_beside_their_message_are_found_later(anywhere: AccountRef) -> None:
    apply(anywhere, reacted("m1", "❤️", at=5), edited("m1", "Hallo", at=5))
    (line,) = [m for m in toys.thread() if m.kind == MessageKind.EDIT]
    marks = toys.everything(Mark)
    apply(anywhere, received("Hello", external_id="m2"))
    toys.change_row(Message, message("m2").id, external_id="m1")  # as another process would have
    assert toys.everything(Mark) == marks or len(marks) == 2
    changes.apply_all_marks()
    assert (message("m1").text, reaction()[4], toys.everything(Mark)) == ("Hallo", message("m1").id, [])
    assert line.id in told("gone")


# ---- what it costs -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 64])
def test_statements_do_not_grow_with_what_is_said(database: db.Database, size: int) -> None:
    account = toys.make_account(toys.make_workspace())
    half = range(size // 2)
    apply(account, *(received(f"m{i}", at=i, external_id=f"m{i}", contact=f"c{i}") for i in half))
    items: list[InboundChange] = []
    for i in half:
        contact = f"c{i}"
        items += [
            reacted(f"m{i}", at=100, contact=contact),
            edited(f"m{i}", "b", at=100, contact=contact),
            unsent(f"m{i}", at=101, contact=contact),
            reacted(f"n{i}", at=100, contact=contact),
            edited(f"n{i}", "b", at=100, contact=contact),
            received("late", at=-1, external_id=f"l{i}", contact=contact, reply_to=f"m{i}"),
        ]
    with toys.Statements(database) as asked:
        db.write(apply_changes, [incoming(account, change) for change in items])
    assert len(asked.seen) <= 30
