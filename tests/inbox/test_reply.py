"""Answering: once, within what the channel allows, in one write with the outbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel

from host.core import db
from host.inbox import errors
from host.inbox.notes import add_note
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, Message
from host.models.queue import Lane, OutboxEntry
from host.sdk.channel import AccountRef, Capabilities
from host.sdk.messages import MessageKind
from host.sdk.text import byte_length
from tests import helpers
from tests.helpers import do, queue_reply
from tests.inbox import toys
from tests.inbox.toys import BY_REFERENCE, START, TOY, WINDOWED, apply, received

KEY = "0123456789abcdef"


@pytest.fixture
def conversation(account: AccountRef) -> Conversation:
    apply(account, received("Is it in stock?"))
    found = toys.only(Conversation)
    assert isinstance(found, Conversation)
    return found


def send(conversation: Conversation, mia: int, text: str = "Yes, 3 left", **values: Any) -> list[Message]:
    values.setdefault("reply_key", KEY)
    values.setdefault("adapter", TOY)
    values.setdefault("now", START + timedelta(minutes=5))
    return do(queue_reply, conversation.workspace_id, conversation.id, text, **({"actor": mia} | values))


def test_a_reply_is_a_message_and_an_outbox_entry(conversation: Conversation, mia: int) -> None:
    (message,) = send(conversation, mia)
    entry = toys.only(OutboxEntry)
    assert (message.state, message.direction, message.author_id) == ("queued", "outbound", mia)
    assert (entry.message_id, entry.recipient, entry.open) == (message.id, "ana", True)
    with db.read() as session:
        assert session.get_one(Lane, entry.lane).next_at is not None
    after = toys.only(Conversation)
    assert (after.last_preview, after.last_author_id, after.unread_count) == ("Yes, 3 left", mia, 0)
    topics = [event.topic for event in helpers.shown()]
    assert topics == ["message", "message", "conversation"]


def test_the_same_form_twice_sends_once(conversation: Conversation, mia: int) -> None:
    first = send(conversation, mia)
    second = send(conversation, mia)
    assert [m.id for m in first] == [m.id for m in second]
    assert len(toys.everything(OutboxEntry)) == 1


def test_the_same_form_with_another_text_is_refused_rather_than_lost(
    conversation: Conversation, mia: int
) -> None:
    send(conversation, mia)
    with pytest.raises(errors.AlreadySentError):
        send(conversation, mia, "Something else")
    assert len(toys.everything(OutboxEntry)) == 1


@pytest.mark.parametrize("text", ["", "  \r\n\t ", "\x00", "\u00a0\ufeff"])
def test_nothing_is_not_sent(conversation: Conversation, mia: int, text: str) -> None:
    with pytest.raises(errors.EmptyTextError):
        send(conversation, mia, text)


def test_what_a_form_did_to_the_text_is_undone(conversation: Conversation, mia: int) -> None:
    (message,) = send(conversation, mia, "  one\r\ntwo\x00 \ud83d\r\n")
    assert message.text == "one\ntwo \ufffd"


def test_a_thousand_bytes_are_one_message(conversation: Conversation, mia: int) -> None:
    assert len(send(conversation, mia, "é" * 500)) == 1


def test_one_byte_more_is_split_into_messages_of_their_own(conversation: Conversation, mia: int) -> None:
    text = "First sentence. " * 62 + "Last one!"
    assert byte_length(text) == 1001
    parts = send(conversation, mia, text)
    assert [part.position for part in parts] == [0, 1]
    assert all(byte_length(part.text) <= 1000 for part in parts)
    assert " ".join(part.text for part in parts) == text
    assert [entry.message_id for entry in toys.everything(OutboxEntry)] == [part.id for part in parts]
    assert [m.id for m in send(conversation, mia, text)] == [part.id for part in parts]


def test_it_is_cut_where_asked(conversation: Conversation, mia: int) -> None:
    family = "👨‍👩‍👧‍👦"
    (part,) = send(conversation, mia, "x" * 990 + family + "tail", overflow="truncate")
    assert part.text == "x" * 990


def test_it_is_refused_where_asked(conversation: Conversation, mia: int) -> None:
    with pytest.raises(errors.TooLongError):
        send(conversation, mia, "x" * 1001, overflow="reject")
    assert toys.everything(OutboxEntry) == []


def test_a_channel_without_a_limit_has_the_inboxs_own(conversation: Conversation, mia: int) -> None:
    assert len(send(conversation, mia, "x" * 20_000, adapter=BY_REFERENCE)) == 1
    with pytest.raises(errors.TooLongError) as refused:
        send(conversation, mia, "x" * 20_001, adapter=BY_REFERENCE, reply_key=KEY + "2")
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        assert "20001" in refused.value.sentence


def test_for_a_day_and_then_for_people_and_then_not_at_all(conversation: Conversation, mia: int) -> None:
    def at(hours: float, key: str) -> list[Message]:
        return send(
            conversation,
            mia,
            adapter=WINDOWED,
            now=START + timedelta(hours=hours),
            reply_key="key-" + key * 8,
        )

    assert at(23.99, "a")
    assert at(24.01, "b")
    assert at(167.99, "c")
    with pytest.raises(errors.WindowClosedError) as refused:
        at(168, "d")
    assert "7 days" in refused.value.sentence
    assert len(toys.everything(OutboxEntry)) == 3


def test_a_channel_nobody_brings_takes_no_reply(conversation: Conversation, mia: int) -> None:
    with pytest.raises(errors.UnknownChannelError):
        send(conversation, mia, adapter=None)


def test_a_disconnected_account_takes_no_reply(conversation: Conversation, mia: int) -> None:
    toys.change_row(ChannelAccount, conversation.account_id, state="disconnected")
    with pytest.raises(errors.AccountDisconnectedError):
        send(conversation, mia)


def test_an_account_that_needs_new_credentials_lets_replies_wait(
    conversation: Conversation, mia: int
) -> None:
    toys.change_row(ChannelAccount, conversation.account_id, state="needs_reconnect")
    assert send(conversation, mia)


def test_a_channel_without_text_takes_no_text(conversation: Conversation, mia: int) -> None:
    class Pictures(toys.Toy):
        capabilities = Capabilities(sends=frozenset({MessageKind.IMAGE}))

    with pytest.raises(errors.KindNotSupportedError):
        send(conversation, mia, adapter=Pictures())


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "with space in it", "ünicode-key"])
def test_a_form_without_a_usable_key_is_refused(conversation: Conversation, mia: int, key: str) -> None:
    with pytest.raises(errors.ReplyKeyError):
        send(conversation, mia, reply_key=key)


def test_another_workspaces_conversation_does_not_exist(conversation: Conversation, mia: int) -> None:
    other = toys.make_workspace("Other")
    with pytest.raises(errors.ConversationNotFoundError):
        do(queue_reply, other, conversation.id, "hi", reply_key=KEY, adapter=TOY, actor=mia, now=START)


def test_a_note_goes_to_nobody(conversation: Conversation, mia: int) -> None:
    def note(text: str) -> Message:
        return do(
            add_note,
            conversation.workspace_id,
            conversation.id,
            text=text,
            reply_key=KEY,
            actor=mia,
            now=START + timedelta(minutes=1),
        )

    first = note(" Only three left. ")
    assert note("Only three left.").id == first.id
    assert (first.direction, first.kind, first.state) == ("internal", "note", None)
    assert toys.everything(OutboxEntry) == []
    assert toys.only(Conversation).last_preview == "Is it in stock?"
    with pytest.raises(errors.AlreadySentError):
        note("Something else")
    with pytest.raises(errors.EmptyTextError):
        note("  ")
