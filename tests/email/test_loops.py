"""Two desks that answer each other stop: at once where mails say what they are, else after three."""

from __future__ import annotations

import email
import smtplib
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox.drafts import Draft
from host.inbox.errors import AutomaticLimitError, FromMachineError
from host.inbox.reply import Voice, queue_parts
from host.models.inbox import Conversation, Direction, Message
from tests.email.conftest import Outside, connect
from tests.email.test_conversation import Desk, Generation, desk_at, whole
from tests.helpers import do

__all__ = ["whole"]

MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "X-Lobby-Message")
SHOP, OTHER = "hello@shop.example", "desk@other.example"


def answer_automatically(message: Message, voice: Voice) -> type[LobbyError] | None:
    """Answer *message* as a program does; return what refused it."""
    with db.read() as session:
        workspace = session.get_one(Conversation, message.conversation_id).workspace_id
    try:
        do(
            queue_parts,
            workspace,
            message.conversation_id,
            [Draft(text=f"Thank you for your message {message.id}.")],
            reply_key=f"automatic-{message.id}",
            adapter=Generation.directory.adapter("email"),
            by_person=False,
            voice=voice,
        )
    except LobbyError as error:
        return type(error)
    return None


def exchange(desk: Desk, outside: Outside, *, marks: bool, most: int = 20) -> list[type[LobbyError]]:
    """Let both desks answer whatever comes until nothing does; return what refused an answer."""
    refused: list[type[LobbyError]] = []
    answered = carried = 0
    for _round in range(most):
        with db.read() as session:
            query = sa.select(Message).where(Message.direction == Direction.INBOUND, Message.id > answered)
            came = list(session.scalars(query.order_by(Message.id)))
        for message in came:
            answered = message.id
            why = answer_automatically(message, Voice.NOTICE)
            refused += [why] if why else []
        desk.work()
        new, carried = outside.mails[carried:], len(outside.mails)
        if not new:
            return refused
        for sender, recipients, raw in new:
            mail = email.message_from_bytes(raw)
            for name in () if marks else MARKS:
                del mail[name]
            with smtplib.SMTP("127.0.0.1", desk.port, timeout=10) as client:
                client.sendmail(sender, recipients, mail.as_bytes())
        desk.work()
    raise AssertionError(f"they still answer each other after {len(outside.mails)} mails")


def begin(desk: Desk) -> None:
    """Have a person of the one desk write to the other, by a mail that says nothing of itself."""
    desk.receive(From=f"Other desk <{OTHER}>", Message_ID="<first@other.example>")


def test_a_mail_that_says_it_is_automatic_gets_no_answer(whole: Desk) -> None:
    connect(whole.outside, address=OTHER)
    begin(whole)
    assert exchange(whole, whole.outside, marks=True) == [FromMachineError]
    assert len(whole.outside.mails) == 1


def test_desks_that_hide_what_they_are_stop_after_three(whole: Desk) -> None:
    connect(whole.outside, address=OTHER)
    begin(whole)
    assert AutomaticLimitError in exchange(whole, whole.outside, marks=False)
    by = [sender for sender, _recipients, _raw in whole.outside.mails]
    assert by.count(SHOP) == 3
    assert by.count(OTHER) <= 3


def test_desks_that_answer_from_further_addresses_stop_too(
    desk: db.Database, data: Path, outside: Outside
) -> None:
    for shop in desk_at(data, outside, aliases="orders@shop.example"):
        connect(outside, address=OTHER, aliases="team@other.example")
        head = b"From: Other <team@other.example>\r\nTo: orders@shop.example\r\nMessage-ID: <1@other.example>"
        shop.deliver(head + b"\r\n\r\nHi\r\n")
        assert AutomaticLimitError in exchange(shop, outside, marks=False)
        by = [str(email.message_from_bytes(mail)["From"]) for _sender, _recipients, mail in outside.mails]
        assert set(by) == {"Shop <orders@shop.example>", "Shop <team@other.example>"}
        assert max(map(by.count, by)) == 3


def test_the_limit_is_of_ten_minutes_and_of_what_is_automatic(whole: Desk) -> None:
    begin(whole)
    (question,) = [one for one in _messages() if one.direction == Direction.INBOUND]
    for number in range(4):
        whole.reply(question.conversation_id, "A person's word.", f"reply-key-{number}")
    again = [_with_key(question, number) for number in range(4)]
    assert [answer_automatically(one, Voice.NOTICE) for one in again] == [
        None,
        None,
        None,
        AutomaticLimitError,
    ]
    with clock.travel(timedelta(minutes=11)):
        assert answer_automatically(_with_key(question, 9), Voice.NOTICE) is None


def _messages() -> list[Message]:
    with db.read() as session:
        return list(session.scalars(sa.select(Message).order_by(Message.id)))


def _with_key(message: Message, number: int) -> Message:
    """Return a stand-in for another message of the same conversation."""
    return Message(id=1000 + number, conversation_id=message.conversation_id)


@pytest.mark.parametrize("header", ["List-Unsubscribe", "List-Post"])
def test_what_a_list_sends_gets_no_automatic_answer(whole: Desk, header: str) -> None:
    whole.receive(Message_ID="<list@example.org>", **{header.replace("-", "_"): "<mailto:x@example.org>"})
    (message,) = _messages()
    assert answer_automatically(message, Voice.NOTICE) is FromMachineError
