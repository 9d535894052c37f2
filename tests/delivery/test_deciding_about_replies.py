"""A failed part holds the rest of its reply, and what has not left can be cancelled and edited."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.inbox import outcome, reply
from host.inbox.errors import EmptyTextError, TooLongError
from host.inbox.unsent import resending
from host.models.inbox import Conversation, DeliveryState, Message
from host.queue import outbox
from host.queue.outbox import StateMovedOnError
from host.sdk.channel import Absent, NotSent, Rejected, SendRequest, SendResult, Sent, Unknown
from tests.delivery.desk import PROBLEM, Desk

Travel = Callable[[timedelta], None]

QUEUED, SENT, FAILED, UNKNOWN, CANCELLED = (
    DeliveryState.QUEUED,
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.UNKNOWN,
    DeliveryState.CANCELLED,
)


def texts_sent(desk: Desk) -> list[str]:
    return [request.part.text for request in desk.toy.sent]


def listed(desk: Desk, conversation_id: int) -> tuple[str, str]:
    with db.read() as session:
        row = session.get_one(Conversation, conversation_id)
        return row.last_direction, row.last_preview


def in_three(desk: Desk) -> tuple[int, list[int]]:
    """Write a reply of three parts of which the second is rejected, and let it go."""
    talk = desk.customer_wrote()
    parts = desk.reply_in_parts(talk, "one", "two", "three")
    desk.toy.script = [Sent("mid-a"), Rejected(PROBLEM)]
    desk.drain()
    return talk, parts


# The rest of a reply behind a part that failed


def test_a_failed_middle_part_holds_the_rest_of_its_reply_and_no_other(any_desk: Desk) -> None:
    talk, parts = in_three(any_desk)
    assert any_desk.states(*parts) == [SENT, FAILED, QUEUED]
    assert any_desk.entry(parts[2]).waiting == {"sentence": outcome.PART_BEFORE_FAILED, "until": None}
    another = any_desk.reply("another", talk)
    any_desk.drain()
    assert texts_sent(any_desk) == ["one", "two", "another"]
    assert any_desk.states(parts[2], another) == [QUEUED, SENT]


def test_retry_sends_the_part_and_then_the_rest(any_desk: Desk) -> None:
    _talk, parts = in_three(any_desk)
    db.write(resending.retry, parts[1])
    any_desk.drain()
    assert texts_sent(any_desk) == ["one", "two", "two", "three"]
    assert any_desk.states(*parts) == [SENT, SENT, SENT]
    assert any_desk.entry(parts[2]).waiting is None


def test_a_part_that_fails_again_holds_the_rest_again(desk: Desk) -> None:
    _talk, parts = in_three(desk)
    desk.toy.script = [Rejected(PROBLEM)]
    db.write(resending.retry, parts[1])
    desk.drain()
    assert desk.states(*parts) == [SENT, FAILED, QUEUED]
    assert texts_sent(desk) == ["one", "two", "two"]


def test_the_rest_can_be_sent_without_the_part(any_desk: Desk) -> None:
    _talk, parts = in_three(any_desk)
    db.write(resending.send_anyway, parts[2])
    any_desk.drain()
    assert texts_sent(any_desk) == ["one", "two", "three"]
    assert any_desk.states(*parts) == [SENT, FAILED, SENT]
    with pytest.raises(StateMovedOnError):
        db.write(resending.send_anyway, parts[2])


def test_of_two_failed_parts_each_lets_go_what_it_held(desk: Desk) -> None:
    talk = desk.customer_wrote()
    parts = desk.reply_in_parts(talk, "one", "two", "three", "four")
    desk.toy.script = [Rejected(PROBLEM), Sent("mid-a"), Rejected(PROBLEM)]
    desk.drain()
    db.write(resending.send_anyway, parts[1])
    desk.drain()
    assert desk.states(*parts) == [FAILED, SENT, FAILED, QUEUED]
    db.write(resending.retry, parts[0])
    desk.drain()
    assert desk.states(*parts) == [SENT, SENT, FAILED, QUEUED]
    db.write(resending.retry, parts[2])
    desk.drain()
    assert desk.states(*parts) == [SENT, SENT, SENT, SENT]


def test_a_part_that_may_have_arrived_holds_nothing(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    parts = desk.reply_in_parts(talk, "one", "two")
    desk.toy.script = [Unknown(PROBLEM), Rejected(PROBLEM)]
    desk.later(travel, timedelta(minutes=5), step=timedelta(seconds=31))
    assert desk.states(*parts) == [UNKNOWN, SENT]
    assert texts_sent(desk) == ["one", "one", "two"]


# Cancelling


def test_what_waits_can_be_cancelled_and_what_is_behind_it_goes_on(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [NotSent(PROBLEM, retry_after=600)]
    first, second = any_desk.reply("one", talk), any_desk.reply("two", talk)
    any_desk.drain()
    db.write(resending.cancel, first)
    any_desk.drain()
    assert any_desk.states(first, second) == [CANCELLED, SENT]
    assert texts_sent(any_desk) == ["one", "two"]
    assert any_desk.entry(first).waiting is None
    with pytest.raises(StateMovedOnError):
        db.write(resending.cancel, second)
    with pytest.raises(StateMovedOnError):
        db.write(resending.cancel, first)


def test_the_list_shows_what_was_said_before_a_cancelled_reply(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    message = any_desk.reply("one", talk)
    db.write(
        lambda session: (
            session.execute(
                sa.update(Conversation).values(
                    last_message_at=session.get_one(Message, message).sent_at,
                    last_direction="outbound",
                    last_preview="one",
                )
            )
            and None
        )
    )
    db.write(resending.cancel, message)
    assert listed(any_desk, talk) == ("inbound", "hello")


@pytest.mark.parametrize("taken_back", [False, True])
def test_the_list_shows_nothing_of_the_only_message_once_it_is_cancelled(
    any_desk: Desk, taken_back: bool
) -> None:
    talk = any_desk.customer_wrote()
    message = any_desk.reply("one", talk)

    def alone(session: Session) -> None:
        row = session.get_one(Conversation, talk)
        reply.show_in_list(row, session.get_one(Message, message))
        earlier = sa.select(Message).where(Message.conversation_id == talk, Message.id != message)
        for one in session.scalars(earlier):
            if taken_back:
                one.unsent_at, one.text = one.sent_at, ""
            else:
                session.delete(one)

    db.write(alone)
    assert listed(any_desk, talk) == ("outbound", "one")
    db.write(resending.cancel, message)
    assert listed(any_desk, talk) == ("inbound" if taken_back else "internal", "")
    with db.read() as session:
        kind = session.get_one(Conversation, talk).last_kind
    assert kind == ("unsend" if taken_back else "activity")


def test_a_cancel_that_comes_while_it_is_being_sent_loses(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    message = any_desk.reply("one", talk)
    refused: list[str] = []

    def too_late(_request: SendRequest) -> SendResult:
        for act in (resending.cancel, lambda session, id_: resending.edit(session, id_, "x", any_desk.toy)):
            with pytest.raises(StateMovedOnError):
                db.write(act, message)
            refused.append("yes")
        return Sent("mid-a")

    any_desk.toy.script = [too_late]
    any_desk.drain()
    assert refused == ["yes", "yes"]
    assert (any_desk.state(message), texts_sent(any_desk)) == (SENT, ["one"])


def test_of_a_cancel_and_a_send_at_the_same_moment_one_wins(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    for number in range(8):
        message = any_desk.reply(f"reply {number}", talk)
        both, said = threading.Barrier(2), []

        def cancels(message: int = message, both: threading.Barrier = both, said: list[str] = said) -> None:
            both.wait(timeout=30)
            try:
                db.write(resending.cancel, message)
                said.append("cancelled")
            except StateMovedOnError:
                said.append("too late")

        person = threading.Thread(target=cancels)
        person.start()
        both.wait(timeout=30)
        any_desk.drain()
        person.join()
        any_desk.drain()
        arrived = texts_sent(any_desk).count(f"reply {number}")
        assert (any_desk.state(message), arrived, said) in (
            (CANCELLED, 0, ["cancelled"]),
            (SENT, 1, ["too late"]),
        )


def test_a_cancel_that_comes_right_before_it_is_sent_wins(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    message = any_desk.reply("one", talk)

    def just_in_time(_request: object) -> tuple[()]:
        if any_desk.state(message) == QUEUED:
            db.write(resending.cancel, message)
        return ()

    any_desk.toy.pace = just_in_time
    any_desk.drain()
    assert (any_desk.state(message), texts_sent(any_desk)) == (CANCELLED, [])


def test_what_may_have_arrived_is_never_called_cancelled(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    desk.toy.searches = [Absent(), Absent()]
    message = desk.reply("one", talk)
    desk.drain()
    with pytest.raises(StateMovedOnError):
        db.write(resending.cancel, message)
    db.write(resending.send_again, message)
    with pytest.raises(resending.NotEditableError):
        db.write(resending.edit, message, "two", desk.toy)
    db.write(resending.cancel, message)
    assert desk.state(message) == UNKNOWN
    desk.drain()
    assert len(desk.toy.sent) == 1
    with pytest.raises(outbox.NotInOutboxError):
        db.write(resending.cancel, 0)


# Editing


def test_what_waits_is_sent_with_the_words_it_was_edited_to(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [NotSent(PROBLEM, retry_after=600)]
    message = any_desk.reply("one", talk)
    any_desk.drain()
    db.write(resending.edit, message, " one and a half ", any_desk.toy)
    travel(timedelta(seconds=601))
    any_desk.drain()
    assert texts_sent(any_desk) == ["one", "one and a half"]
    assert any_desk.message(message).text == "one and a half"
    with pytest.raises(StateMovedOnError):
        db.write(resending.edit, message, "two", any_desk.toy)


def test_an_edit_right_before_it_is_sent_is_what_is_sent(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    message = any_desk.reply("one", talk)

    def just_in_time(_request: object) -> tuple[()]:
        if any_desk.message(message).text == "one":
            db.write(resending.edit, message, "two", any_desk.toy)
        return ()

    any_desk.toy.pace = just_in_time
    any_desk.drain()
    assert (any_desk.state(message), texts_sent(any_desk)) == (SENT, ["two"])


def test_an_edit_keeps_to_the_limits_of_the_channel(desk: Desk) -> None:
    message = desk.reply("one", desk.customer_wrote())
    with pytest.raises(EmptyTextError):
        db.write(resending.edit, message, " \n ", desk.toy)
    with pytest.raises(TooLongError):
        db.write(resending.edit, message, "x" * 101, desk.toy)
    assert desk.message(message).text == "one"
