"""What a provider tells us becomes conversations, once."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from host.core import db
from host.inbox.apply import loading
from host.inbox.apply.changes import apply_changes
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, Contact, ContactIdentity, Conversation, Message
from host.sdk.channel import AccountRef
from host.sdk.messages import Ignored, InboundAttachment, MessageKind
from tests import helpers
from tests.inbox import toys
from tests.inbox.toys import BY_REFERENCE, START, apply, incoming, received, texts


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_first_message_makes_contact_conversation_and_message(account: AccountRef) -> None:
    change = received("Is it in stock?", contact_name="Ana Q.", contact_username="ana.sample")
    apply(account, change)

    contact, identity = toys.only(Contact), toys.only(ContactIdentity)
    conversation, message = toys.only(Conversation), toys.only(Message)
    assert contact.name == "Ana Q."
    assert (identity.external_id, identity.username, identity.contact_id) == ("ana", "ana.sample", contact.id)
    assert identity.profile_due_at is not None
    assert (conversation.channel, conversation.status, conversation.unread_count) == ("email", "open", 1)
    assert conversation.last_message_at == conversation.last_inbound_at == START
    assert (conversation.last_preview, conversation.last_direction) == ("Is it in stock?", "inbound")
    assert (message.text, message.external_id, message.state) == ("Is it in stock?", change.external_id, None)
    assert message.sent_at == START


def test_a_message_writes_a_live_event_that_names_it(account: AccountRef) -> None:
    apply(account, received())
    (event,) = helpers.shown()
    assert (event.workspace_id, event.topic) == (account.workspace_id, "message")
    assert (
        event.payload == f'{{"conversation":{toys.only(Conversation).id},"message":{toys.only(Message).id}}}'
    )


def test_a_message_told_twice_is_there_once(account: AccountRef) -> None:
    change = received()
    apply(account, change, change)
    apply(account, change)
    assert len(toys.everything(Message)) == 1
    assert toys.only(Conversation).unread_count == 1
    assert len(helpers.shown()) == 1


def test_what_another_worker_wrote_a_moment_ago_is_taken_over(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = toys.make_account(toys.make_workspace())
    apply(account, received("a", external_id="m1"))
    before = toys.only(ContactIdentity).id, toys.only(Contact).id
    # It was not there yet when this batch looked first: only the unique keys tell.
    for name in ("_read_people", "_read_messages"):
        finds_nothing_once(monkeypatch, name)
    apply(account, received("a", external_id="m1"), received("b", external_id="m2"))
    assert (toys.only(ContactIdentity).id, toys.only(Contact).id) == before
    assert sorted(texts()) == ["a", "b"]
    stored = {message.external_id: message.id for message in toys.everything(Message)}
    told = [json.loads(event.payload)["message"] for event in helpers.shown()]
    assert set(told) == set(stored.values())


def test_a_message_another_worker_wrote_a_moment_ago_is_not_told_again(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = toys.make_account(toys.make_workspace())
    apply(account, received("a", external_id="m1"))
    finds_nothing_once(monkeypatch, "_read_messages")
    apply(account, received("a", external_id="m1"), received("b", external_id="m2"))
    assert sorted(texts()) == ["a", "b"]
    told = [json.loads(event.payload)["message"] for event in helpers.shown()]
    assert sorted(told) == sorted(message.id for message in toys.everything(Message))
    assert toys.only(Conversation).unread_count == 2


def finds_nothing_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have the first look with *name* of the module that loads come too early."""
    look = getattr(loading, name)
    early: list[dict[Any, Any]] = [{}]

    def look_early(*args: Any) -> Any:
        return early.pop() if early else look(*args)

    monkeypatch.setattr(loading, name, look_early)


def test_ids_that_differ_in_case_are_two_messages(any_database: db.Database) -> None:
    account = toys.make_account(toys.make_workspace())
    apply(account, received("a", external_id="mid-A"), received("b", external_id="mid-a"))
    apply(account, received("c", contact="ANA"), received("d", contact="ana"))
    assert len(toys.everything(Message)) == 4
    assert len(toys.everything(ContactIdentity)) == 2


def test_the_same_id_on_two_accounts_is_two_messages(workspace: int, account: AccountRef) -> None:
    other = toys.make_account(workspace)
    change = received(external_id="one")
    db.write(apply_changes, [incoming(account, change), incoming(other, change)])
    assert len(toys.everything(Message)) == len(toys.everything(Conversation)) == 2


def test_a_message_without_an_id_is_known_by_its_event(account: AccountRef) -> None:
    first, second = received("tap", external_id=None), received("tap twice", external_id=None)
    event = [incoming(account, first, key="event-1"), incoming(account, second, key="event-1")]
    db.write(apply_changes, event)
    db.write(apply_changes, event)
    assert texts() == ["tap", "tap twice"]
    db.write(apply_changes, [incoming(account, first, key="event-2")])
    assert len(texts()) == 3


def test_later_messages_join_the_conversation_of_the_contact(account: AccountRef) -> None:
    apply(account, received("one"))
    apply(account, received("two", at=60), received("from Bo", at=61, contact="bo"))
    assert len(toys.everything(Conversation)) == 2
    first = toys.everything(Conversation)[0]
    assert texts(first.id) == ["one", "two"]
    assert (first.unread_count, first.last_preview) == (2, "two")


def test_a_late_message_takes_its_place_and_moves_nothing_back(account: AccountRef) -> None:
    apply(account, received("second", at=60))
    apply(account, received("first", at=10))
    conversation = toys.only(Conversation)
    assert texts() == ["first", "second"]
    assert conversation.last_message_at == conversation.last_inbound_at == at(60)
    assert (conversation.last_preview, conversation.unread_count) == ("second", 2)


def test_of_messages_sent_at_the_same_moment_the_one_that_came_last_is_shown(account: AccountRef) -> None:
    apply(account, received("came first", at=60))
    apply(account, received("came next", at=60), received("came last", at=60))
    assert texts() == ["came first", "came next", "came last"]
    assert toys.only(Conversation).last_preview == "came last"


def test_an_account_was_last_heard_from_when_the_latest_of_a_batch_came_in(account: AccountRef) -> None:
    for minutes, latest in (((10, 30, 20), 30), ((50, 40), 50)):
        batch = [incoming(account, received(), received_at=at(60 * minute)) for minute in minutes]
        db.write(apply_changes, batch)
        assert toys.only(ChannelAccount).last_event_at == at(60 * latest)


def test_a_message_that_opens_no_window_leaves_it_alone(account: AccountRef) -> None:
    apply(account, received("hello"))
    apply(account, received("", at=99, kind=MessageKind.REACTION, opens_window=False))
    conversation = toys.only(Conversation)
    assert conversation.last_inbound_at == START
    assert (conversation.last_message_at, conversation.last_kind) == (at(99), "reaction")


def test_a_new_message_reopens_and_keeps_the_assignee(account: AccountRef, mia: int) -> None:
    apply(account, received("one"))
    conversation = toys.only(Conversation)
    toys.change_row(Conversation, conversation.id, status="closed", closed_at=at(30), assignee_id=mia)
    apply(account, received("two", at=60), received("three", at=61))
    conversation = toys.only(Conversation)
    assert (conversation.status, conversation.closed_at, conversation.assignee_id) == ("open", None, mia)
    rows = [(m.direction, m.kind, m.text) for m in toys.thread()]
    assert rows == [
        ("inbound", "text", "one"),
        ("inbound", "text", "two"),
        ("internal", "activity", ""),
        ("inbound", "text", "three"),
    ] or rows[1] == ("internal", "activity", "")
    assert len(rows) == 4
    activity = next(m for m in toys.thread() if m.kind == "activity")
    assert activity.content == {"what": "reopened_by_message"}


def test_what_is_known_about_a_contact_stays(account: AccountRef) -> None:
    apply(account, received(contact_email="ana@example.com"))
    apply(account, received(at=1, contact_name="Ana", contact_username="ana", contact_email="x@example.com"))
    apply(account, received(at=2, contact_name="Somebody else"))
    contact, identity = toys.only(Contact), toys.only(ContactIdentity)
    assert (contact.name, contact.email) == ("Ana", "ana@example.com")
    assert (identity.name, identity.username) == ("Ana", "ana")


def test_threads_by_reference_to_a_message_of_the_same_person(account: AccountRef) -> None:
    apply(account, received("order", external_id="<1@a>", subject="My order"), adapter=BY_REFERENCE)
    apply(account, received("invoice", at=1, external_id="<2@a>", subject="Invoice"), adapter=BY_REFERENCE)
    answer = received("order, again", at=2, external_id="<3@a>", references=("<nobody@b>", "<1@a>"))
    apply(account, answer, received("again", at=3, references=("<3@a>",)), adapter=BY_REFERENCE)
    order, invoice = toys.everything(Conversation)
    assert (order.subject, invoice.subject) == ("My order", "Invoice")
    assert texts(order.id) == ["order", "order, again", "again"]
    assert texts(invoice.id) == ["invoice"]


def test_a_reference_to_somebody_elses_message_starts_a_conversation(account: AccountRef) -> None:
    apply(account, received("private", external_id="<1@a>"), adapter=BY_REFERENCE)
    apply(account, received("let me in", contact="eve", references=("<1@a>",)), adapter=BY_REFERENCE)
    private, other = toys.everything(Conversation)
    assert texts(private.id) == ["private"]
    assert texts(other.id) == ["let me in"]


def test_text_a_database_would_refuse_is_cleaned(any_database: db.Database) -> None:
    account = toys.make_account(toys.make_workspace())
    apply(
        account,
        received(
            "a\x00b\ud83dc",
            contact_name="N\x00ame\udc00",
            content={"note": "\ud800", "nested": [{"x": "y\x00"}], "nan": float("nan")},
            external_id="id\ud800",
        ),
    )
    message = toys.only(Message)
    assert message.text == "ab�c"
    assert message.content == {"note": "�", "nested": [{"x": "y"}], "nan": None}
    assert toys.only(Contact).name == "Name�"


def test_values_longer_than_their_columns_are_kept_as_far_as_they_fit(any_database: db.Database) -> None:
    account = toys.make_account(toys.make_workspace())
    change = received(
        "ü" * 70_000,
        external_id="m" * 2000,
        contact="c" * 900,
        contact_name="n" * 900,
        contact_email="e" * 900,
        subject="s" * 900,
        attachments=(InboundAttachment(MessageKind.FILE, url="https://x/" + "u" * 3000, name="f" * 900),),
    )
    apply(account, change)
    apply(account, change)
    message = toys.only(Message)
    assert len(message.text) == 70_000
    assert message.external_id.startswith("sha256:")
    assert len(toys.only(Contact).name) == 255
    assert len(toys.only(Attachment).name) == 255


def test_a_date_in_the_future_is_not_believed(account: AccountRef) -> None:
    change = received(at=86_400 * 365 * 70)
    db.write(apply_changes, [incoming(account, change, received_at=at(5))])
    assert toys.only(Message).sent_at == at(5)
    assert toys.only(Conversation).last_inbound_at == at(5)


def test_a_clock_of_ours_that_is_an_hour_late_does_not_mix_up_a_thread(account: AccountRef) -> None:
    db.write(apply_changes, [incoming(account, received(at=3600), received_at=at(5))])
    assert toys.only(Message).sent_at == at(3600)


def test_a_time_an_hour_ahead_opens_no_longer_window(account: AccountRef) -> None:
    db.write(apply_changes, [incoming(account, received(at=3600), received_at=at(5))])
    assert toys.only(Conversation).last_inbound_at == at(5)


def test_attachments_keep_order_bytes_and_links(account: AccountRef) -> None:
    files = (
        InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/1"),
        InboundAttachment(MessageKind.FILE, content=b"%PDF", name="a.pdf", content_type="application/pdf"),
    )
    item = incoming(account, received("", attachments=files), stored={1: "key-of-the-pdf"})
    db.write(apply_changes, [item])
    picture, pdf = toys.everything(Attachment)
    assert (picture.kind, picture.url, picture.storage_key) == ("image", "https://cdn.example/1", None)
    assert (pdf.name, pdf.size, pdf.storage_key) == ("a.pdf", 4, "key-of-the-pdf")


def test_the_account_knows_when_it_last_heard_something(account: AccountRef) -> None:
    db.write(apply_changes, [incoming(account, received(), received_at=at(60))])
    assert toys.only(ChannelAccount).last_event_at == at(60)
    db.write(apply_changes, [incoming(account, received(), received_at=at(30))])
    assert toys.only(ChannelAccount).last_event_at == at(60)


def test_what_is_ignored_leaves_no_trace(account: AccountRef) -> None:
    apply(account, Ignored("a test"))
    assert toys.everything(Contact) == toys.everything(Message) == []


@pytest.mark.parametrize("batch", [8, 64])
def test_statements_do_not_grow_with_the_batch(database: db.Database, batch: int) -> None:
    workspace = toys.make_workspace()
    accounts = [toys.make_account(workspace) for _ in range(4)]
    apply(accounts[0], received(contact="c0"))
    items = [
        incoming(accounts[i % 4], received(f"m{i}", at=i, contact=f"c{i // 2}", contact_name=f"C{i}"))
        for i in range(batch)
    ]
    with toys.Statements(database) as asked:
        db.write(apply_changes, items)
    assert len(toys.everything(Message)) == batch + 1
    assert len(asked.seen) <= 17


def test_a_tap_that_names_a_message_already_here_is_shown(account: AccountRef) -> None:
    apply(
        account, toys.echoed("Which mug?", external_id="ours"), received("Hello", external_id="theirs", at=5)
    )
    taps = [
        received(color, external_id=name, kind=MessageKind.POSTBACK, at=5)
        for color, name in [("Blue", "ours"), ("Green", "theirs")]
    ]
    for _ in range(2):
        for number, tap in enumerate(taps):
            db.write(apply_changes, [incoming(account, tap, key=f"tap{number}")])
    assert texts() == ["Which mug?", "Hello", "Blue", "Green"]


def test_a_tap_that_the_history_told_before_is_there_once(account: AccountRef) -> None:
    apply(account, received("Blue", external_id="m1", at=5))
    tap = received("Blue", external_id="m1", kind=MessageKind.POSTBACK, at=5.7)
    db.write(apply_changes, [incoming(account, tap, key="tap")])
    assert texts() == ["Blue"]
