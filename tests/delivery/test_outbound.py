"""The table of outcomes: what happens after each answer a provider may give."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from host.core import clock, db
from host.delivery import agent_messages, outbound, results
from host.delivery.held_lanes import wake_active_channels
from host.delivery.worker import drain
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.messages import RECONNECT_FIRST, load_messages
from host.inbox.unsent import resending
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Attachment, ContactIdentity, DeliveryState, Direction, Message, Origin
from host.models.queue import Lane
from host.queue import outbox, policy
from host.queue.outbox import StateMovedOnError
from host.sdk.channel import (
    Absent,
    AccountRef,
    CannotTell,
    Capabilities,
    Found,
    Held,
    NotSent,
    Rejected,
    SearchRequest,
    SearchResult,
    SendRequest,
    SendResult,
    Sent,
    Threading,
    Unknown,
)
from host.sdk.messages import InboundAttachment, MessageKind, MessageReceived
from tests.delivery.desk import PROBLEM, Desk

Travel = Callable[[timedelta], None]

QUEUED, SENDING, SENT, FAILED, UNKNOWN = (
    DeliveryState.QUEUED,
    DeliveryState.SENDING,
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.UNKNOWN,
)
PATIENCE = policy.ECHO_PATIENCE + timedelta(seconds=1)
GAP = policy.READING_GAP + timedelta(seconds=1)


def test_a_reply_is_sent_with_everything_the_adapter_needs(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    message = any_desk.reply("hi", talk)
    assert any_desk.drain() == 1
    (request,) = any_desk.toy.sent
    assert (request.recipient, request.part.text, request.attempt, request.tag) == ("anna", "hi", 1, None)
    assert request.account.id == any_desk.account.id
    assert len(request.message_key) == 32
    row, entry = any_desk.message(message), any_desk.entry(message)
    assert (row.state, row.external_id) == (SENT, "mid-1")
    assert (entry.open, entry.attempts) == (False, 1)
    (lane,) = any_desk.lanes()
    assert (lane.next_at, lane.lease_until, lane.owner) == (None, None, None)
    assert any_desk.drain() == 0


def test_replies_to_one_customer_keep_their_order_and_leave_in_one_go(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    ids = [any_desk.reply(f"part {number}", talk) for number in range(5)]
    any_desk.drain()
    assert [request.part.text for request in any_desk.toy.sent] == [f"part {n}" for n in range(5)]
    assert set(any_desk.states(*ids)) == {SENT}


def test_a_message_that_was_not_sent_is_tried_again_and_holds_back_only_its_own_lane(
    any_desk: Desk, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    other = any_desk.customer_wrote("bert")
    any_desk.toy.script = [NotSent(PROBLEM)]
    first, second = any_desk.reply("one", talk), any_desk.reply("two", talk)
    third = any_desk.reply("three", other, contact="bert")
    any_desk.drain()
    assert any_desk.states(first, second, third) == [QUEUED, QUEUED, SENT]
    entry = any_desk.entry(first)
    assert entry.waiting is not None
    assert entry.waiting["sentence"] == "The toy is broken."
    assert entry.next_at is not None
    assert entry.next_at.isoformat() == entry.waiting["until"]
    any_desk.drain()
    assert len(any_desk.toy.sent) == 2, "it waits"
    travel(timedelta(seconds=3))
    any_desk.drain()
    assert [request.part.text for request in any_desk.toy.sent] == ["one", "three", "one", "two"]
    assert any_desk.states(first, second) == [SENT, SENT]
    assert any_desk.entry(first).waiting is None
    assert any_desk.toy.sent[2].attempt == 2
    assert any_desk.toy.sent[2].message_key == any_desk.toy.sent[0].message_key


@pytest.mark.parametrize("away", [0, outbound.RECORD_TRIES - 1, outbound.RECORD_TRIES])
def test_what_was_sent_is_written_when_the_database_is_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, away: int
) -> None:
    talk = desk.customer_wrote()
    message = desk.reply("hi", talk)
    write, left = db.write, [OperationalError("UPDATE", {}, Exception("away"))] * away

    def write_if_there(fn: Callable[..., object], *args: object, **values: object) -> object:
        if desk.toy.sent and left:
            raise left.pop()
        return write(fn, *args, **values)

    monkeypatch.setattr(outbound, "RECORD_PAUSE_SECONDS", 0)
    monkeypatch.setattr(db, "write", write_if_there)
    if away < outbound.RECORD_TRIES:
        desk.drain()
        assert desk.state(message) == SENT
    else:
        with pytest.raises(OperationalError):
            desk.drain()
        assert desk.state(message) == SENDING
    assert (len(desk.toy.sent), left) == (1, [])


def test_a_rest_another_process_has_just_made_longer_is_not_cut_short(desk: Desk) -> None:
    soon, late = (clock.now() + timedelta(minutes=minutes) for minutes in (1, 9))

    def hold_back(session: Session) -> None:
        row = session.get_one(ChannelAccount, desk.account.id)
        assert row.blocked_until is None
        table = ChannelAccount.metadata.tables["channel_accounts"]
        session.connection().execute(sa.update(table).values(blocked_until=late))
        results.hold_account_back(session, desk.account, soon, "")

    db.write(hold_back)
    assert desk.account_row().blocked_until == late


def test_a_new_reply_behind_a_waiting_one_does_not_hurry_it(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [NotSent(PROBLEM, retry_after=600)]
    desk.reply("one", talk)
    desk.drain()
    desk.reply("two", talk)
    desk.drain()
    assert len(desk.toy.sent) == 1


def test_the_delays_grow_and_respect_what_the_provider_asks_for(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [NotSent(PROBLEM), NotSent(PROBLEM), NotSent(PROBLEM, retry_after=120.0)]
    message = desk.reply("one", talk)
    waits = []
    for _ in range(3):
        desk.drain()
        entry = desk.entry(message)
        assert entry.next_at is not None
        waits.append((entry.next_at - clock.now()).total_seconds())
        travel(entry.next_at - clock.now() + timedelta(seconds=1))
    assert 1 < waits[0] <= 2.4
    assert 3.5 < waits[1] <= 6
    assert 119 < waits[2] <= 120
    desk.drain()
    assert desk.state(message) == SENT


def test_tries_are_spread_by_a_fifth_either_way_and_the_last_pause_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place, factor in ((0, 0.8), (1, 1.2)):
        monkeypatch.setattr(policy.random, "uniform", lambda *ends, place=place: ends[place])
        found = [policy.send_delay(attempts) for attempts in range(1, 12)]
        assert found[:3] == [timedelta(seconds=seconds) * factor for seconds in (2, 5, 15)]
        assert found[8] == found[10] == timedelta(minutes=15) * factor
        assert found == sorted(found)


def test_a_limit_of_the_account_holds_back_its_customers_and_nobody_elses(
    any_desk: Desk, travel: Travel
) -> None:
    other_account = any_desk.connect("200")
    talk, talk2 = any_desk.customer_wrote("anna"), any_desk.customer_wrote("bert")
    talk3 = any_desk.customer_wrote("carl", account=other_account)
    any_desk.toy.script = [NotSent(PROBLEM, retry_after=60, whole_account=True)]
    first = any_desk.reply("one", talk)
    any_desk.drain()
    second = any_desk.reply("two", talk2, contact="bert")
    third = any_desk.reply("three", talk3, contact="carl")
    any_desk.drain()
    assert any_desk.states(first, second, third) == [QUEUED, QUEUED, SENT]
    account = any_desk.account_row()
    assert account.blocked_reason == "The toy is broken."
    assert account.blocked_until is not None
    waiting = any_desk.entry(second).waiting
    assert waiting == {"sentence": "The toy is broken.", "until": account.blocked_until.isoformat()}
    travel(timedelta(seconds=61))
    any_desk.drain()
    assert any_desk.states(first, second) == [SENT, SENT]


def test_what_waits_until_the_window_closes_fails_then(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    travel(timedelta(hours=23, minutes=59))
    desk.toy.script = [NotSent(PROBLEM, retry_after=7200)]
    first, second = desk.reply("one", talk), desk.reply("two", talk)
    desk.drain()
    assert desk.state(first) == QUEUED
    travel(timedelta(minutes=2))
    desk.drain()
    assert desk.states(first, second) == [FAILED, FAILED]
    error = desk.message(first).error
    assert error is not None
    assert error["code"] == "window_closed"
    assert len(desk.toy.sent) == 1


def test_on_a_channel_without_a_window_it_is_given_up_after_three_days(desk: Desk, travel: Travel) -> None:
    desk.toy.window = None
    talk = desk.customer_wrote()
    desk.toy.script = [NotSent(PROBLEM)] * 1000
    message = desk.reply("one", talk)
    desk.later(travel, timedelta(days=2, hours=23), step=timedelta(minutes=20))
    assert desk.state(message) == QUEUED
    desk.later(travel, timedelta(hours=2), step=timedelta(minutes=20))
    assert desk.state(message) == FAILED
    desk.toy.script = []
    db.write(resending.retry, message)
    desk.drain()
    assert desk.state(message) == SENT, "a person who asks again gets one more try"


def test_held_means_nothing_failed_and_everything_goes_on_after_a_reconnect(
    any_desk: Desk, travel: Travel
) -> None:
    talk, talk2 = any_desk.customer_wrote("anna"), any_desk.customer_wrote("bert")
    any_desk.toy.script = [Held(PROBLEM)]
    first, second = any_desk.reply("one", talk), any_desk.reply("two", talk)
    any_desk.drain()
    third = any_desk.reply("three", talk2, contact="bert")
    any_desk.drain()
    assert any_desk.states(first, second, third) == [QUEUED, QUEUED, QUEUED]
    account = any_desk.account_row()
    assert (account.state, account.state_reason) == (AccountState.NEEDS_RECONNECT, "The toy is broken.")
    for message in (first, third):
        assert any_desk.entry(message).waiting == {"sentence": agent_messages.RECONNECT_FIRST, "until": None}
    any_desk.later(travel, timedelta(hours=3), step=timedelta(hours=1))
    assert len(any_desk.toy.sent) == 1
    any_desk.set_account(state=AccountState.CONNECTED, state_reason=None)
    db.write(outbox.resume_account, any_desk.account.id)
    any_desk.drain()
    assert any_desk.states(first, second, third) == [SENT, SENT, SENT]


def test_held_until_the_window_closed_fails(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Held(PROBLEM)]
    message = desk.reply("one", talk)
    desk.drain()
    desk.later(travel, timedelta(hours=24), step=timedelta(minutes=30))
    assert desk.state(message) == FAILED


def test_a_disconnected_account_sends_nothing(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.set_account(state=AccountState.DISCONNECTED)
    message = desk.reply("one", talk)
    desk.drain()
    assert desk.state(message) == FAILED
    error = desk.message(message).error
    assert error is not None
    assert error["sentence"] == "The account was disconnected before this was sent."
    assert desk.toy.sent == []


def test_rejected_fails_with_the_providers_reason_and_the_next_goes_on(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [Rejected(PROBLEM)]
    first, second = any_desk.reply("one", talk), any_desk.reply("two", talk)
    any_desk.drain()
    assert any_desk.states(first, second) == [FAILED, SENT]
    assert any_desk.message(first).error == {
        "code": "42",
        "sentence": "The toy is broken.",
        "next_step": "Mend it.",
        "cause": "",
        "raw": "toy says no",
    }


def test_retry_really_sends_again(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [Rejected(PROBLEM)]
    message = any_desk.reply("one", talk)
    any_desk.drain()
    db.write(resending.retry, message)
    assert any_desk.state(message) == QUEUED
    any_desk.drain()
    assert any_desk.state(message) == SENT
    assert len(any_desk.toy.sent) == 2
    with pytest.raises(StateMovedOnError):
        db.write(resending.retry, message)


@pytest.mark.parametrize("answer", [Unknown(PROBLEM), RuntimeError("boom")])
def test_an_unknown_result_waits_for_an_echo_and_holds_the_lane(
    desk: Desk, travel: Travel, answer: SendResult | Exception
) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [answer]
    first, second = desk.reply("one", talk), desk.reply("two", talk)
    desk.drain()
    assert desk.states(first, second) == [UNKNOWN, QUEUED]
    travel(timedelta(seconds=80))
    desk.drain()
    assert desk.toy.searched == []
    desk.echo("echoed", "one", at=clock.now() - timedelta(seconds=75))
    assert desk.state(first) == SENT
    travel(timedelta(seconds=11))
    desk.drain()
    assert desk.states(first, second) == [SENT, SENT]
    assert desk.message(first).external_id == "echoed"
    assert len(desk.toy.sent) == 2
    assert desk.texts(Direction.OUTBOUND) == ["one", "two"]


def test_an_unknown_message_that_is_found_is_sent(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [Unknown(PROBLEM)]
    any_desk.toy.searches = [Found("there")]
    message = any_desk.reply("one", talk)
    any_desk.drain()
    travel(PATIENCE)
    any_desk.drain()
    assert (any_desk.state(message), any_desk.message(message).external_id) == (SENT, "there")
    assert len(any_desk.toy.sent) == 1
    (request,) = any_desk.toy.searched
    assert request.recipient == "anna"
    assert request.message_key == any_desk.toy.sent[0].message_key


def test_absent_in_two_readings_a_minute_apart_is_sent_once_more_by_itself(
    any_desk: Desk, travel: Travel
) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [Unknown(PROBLEM)]
    message = any_desk.reply("one", talk)
    any_desk.drain()
    travel(PATIENCE)
    any_desk.drain()
    assert (any_desk.state(message), len(any_desk.toy.searched)) == (UNKNOWN, 1)
    travel(timedelta(seconds=50))
    any_desk.drain()
    assert len(any_desk.toy.searched) == 1, "the second reading is a minute after the first"
    travel(timedelta(seconds=11))
    any_desk.drain()
    assert len(any_desk.toy.searched) == 2
    assert (any_desk.state(message), len(any_desk.toy.sent)) == (SENT, 2)


def test_what_became_of_a_message_is_not_asked_while_the_account_is_held_back(
    desk: Desk, travel: Travel
) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    message = desk.reply("one", talk)
    desk.drain()
    travel(PATIENCE)
    desk.drain()
    until = clock.now() + timedelta(minutes=10)
    desk.set_account(blocked_until=until, blocked_reason="The toy is tired.")
    desk.later(travel, timedelta(minutes=9))
    assert (desk.state(message), len(desk.toy.sent), len(desk.toy.searched)) == (UNKNOWN, 1, 1)
    assert [lane.next_at for lane in desk.lanes() if lane.direction == "out"] == [until]
    desk.later(travel, timedelta(minutes=2))
    assert (desk.state(message), len(desk.toy.sent), len(desk.toy.searched)) == (SENT, 2, 2)


def test_every_reply_of_a_limited_account_says_what_it_waits_for_and_until_when(desk: Desk) -> None:
    talks = [desk.customer_wrote(), desk.customer_wrote("ben")]
    messages = [desk.reply("one", talks[0]), desk.reply("two", talks[0]), desk.reply("three", talks[1])]
    until = clock.now() + timedelta(minutes=10)

    def waiting() -> list[Any]:
        with db.read() as session:
            found = load_messages(session, desk.workspace_id, None, messages)
        return [one.waiting for one in found]

    assert waiting() == [None] * 3
    desk.set_account(blocked_until=until, blocked_reason="The toy is tired.")
    told = {"sentence": "The toy is tired.", "until": until.isoformat()}
    assert waiting() == [told] * 3, "before any worker has looked at it"
    desk.drain()
    assert waiting() == [told] * 3
    desk.set_account(blocked_until=clock.now() - timedelta(seconds=1))
    assert waiting()[1:2] == [None]
    desk.set_account(state=AccountState.NEEDS_RECONNECT, blocked_until=None)
    assert {one["sentence"] for one in waiting()[1:2]} == {RECONNECT_FIRST}


def test_it_is_sent_once_more_only_once(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM), Unknown(PROBLEM)]
    first, second = desk.reply("one", talk), desk.reply("two", talk)
    desk.later(travel, timedelta(minutes=20))
    assert desk.states(first, second) == [UNKNOWN, SENT], "it is left to a person, and the lane goes on"
    assert [request.part.text for request in desk.toy.sent] == ["one", "one", "two"]
    assert len(desk.toy.searched) == 4
    error = desk.message(first).error
    assert error is not None
    assert (error["code"], error["raw"]) == ("not_found", "toy says no")
    desk.later(travel, timedelta(hours=2), step=timedelta(minutes=5))
    assert len(desk.toy.sent) == 3


def test_it_is_not_sent_once_more_after_the_window(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    travel(timedelta(hours=23, minutes=58))
    desk.toy.script = [Unknown(PROBLEM)]
    message = desk.reply("one", talk)
    desk.later(travel, timedelta(minutes=10))
    assert (desk.state(message), len(desk.toy.sent)) == (UNKNOWN, 1)
    assert not desk.entry(message).open


@pytest.mark.parametrize("answer", [CannotTell("older than 20"), RuntimeError("boom")])
def test_cannot_tell_is_left_to_a_person(desk: Desk, travel: Travel, answer: CannotTell | Exception) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    desk.toy.searches = [answer]
    first, second = desk.reply("one", talk), desk.reply("two", talk)
    desk.drain()
    travel(PATIENCE)
    desk.drain()
    assert desk.states(first, second) == [UNKNOWN, SENT]
    error = desk.message(first).error
    assert error is not None
    assert error["code"] == "cannot_tell"


def left_to_a_person(desk: Desk, travel: Travel) -> int:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    desk.toy.searches = [CannotTell("no")]
    message = desk.reply("one", talk)
    desk.drain()
    travel(PATIENCE)
    desk.drain()
    assert desk.state(message) == UNKNOWN
    return message


def test_check_looks_once_and_sends_nothing(desk: Desk, travel: Travel) -> None:
    message = left_to_a_person(desk, travel)
    db.write(outbox.check_now, message)
    desk.drain()
    desk.later(travel, timedelta(minutes=30), step=timedelta(minutes=1))
    assert (desk.state(message), len(desk.toy.sent), len(desk.toy.searched)) == (UNKNOWN, 1, 2)
    desk.toy.searches = [Found("there")]
    db.write(outbox.check_now, message)
    desk.drain()
    assert (desk.state(message), desk.message(message).external_id) == (SENT, "there")
    with pytest.raises(StateMovedOnError):
        db.write(outbox.check_now, message)


def test_send_again_sends(any_desk: Desk, travel: Travel) -> None:
    message = left_to_a_person(any_desk, travel)
    db.write(resending.send_again, message)
    any_desk.drain()
    assert (any_desk.state(message), len(any_desk.toy.sent)) == (SENT, 2)
    with pytest.raises(StateMovedOnError):
        db.write(resending.send_again, message)


def test_what_was_unconfirmed_once_is_never_called_failed(desk: Desk, travel: Travel) -> None:
    message = left_to_a_person(desk, travel)
    desk.toy.script = [Rejected(PROBLEM)]
    db.write(resending.send_again, message)
    desk.drain()
    assert desk.state(message) == UNKNOWN


def test_an_echo_resolves_what_was_left_to_a_person(desk: Desk, travel: Travel) -> None:
    message = left_to_a_person(desk, travel)
    desk.echo("late", "one")
    assert desk.state(message) == SENT


def test_the_id_that_the_provider_has_for_the_customer_is_theirs_before_its_reports(desk: Desk) -> None:
    """As where WhatsApp knows a number without a digit that was dialled."""
    talk = desk.customer_wrote()
    desk.toy.script = [Sent("m1", recipient="anne")]
    message, later = desk.reply("one", talk), desk.reply("two", talk)
    asked: list[str] = []

    def send(request: SendRequest) -> SendResult:
        asked.append(request.recipient)
        return Sent("m2", recipient="anne")

    desk.toy.script.append(send)
    desk.drain()
    assert desk.states(message, later) == [SENT, SENT]
    assert asked == ["anna"], "what was queued keeps the id it was written to"
    assert desk.customer_wrote("anne") == talk
    desk.toy.script = [Sent("m3", recipient="anne")]
    assert desk.state(desk.reply("three", talk, contact="anne")) == "queued"
    desk.drain()
    with db.read() as session:
        assert session.scalars(sa.select(ContactIdentity.external_id)).all() == ["anne"]


def test_an_id_that_cannot_be_noted_leaves_the_message_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("", {}, Exception("gone"))

    monkeypatch.setattr(results, "note_recipient", broken)
    desk.toy.script = [Sent("m1", recipient="anne")]
    message = desk.reply("one", desk.customer_wrote())
    desk.drain()
    assert desk.state(message) == SENT


def test_an_id_that_is_none_leaves_the_message_sent(desk: Desk) -> None:
    wrong: Any = ["anne"]
    desk.toy.script = [Sent("m1", recipient=wrong)]
    message = desk.reply("one", desk.customer_wrote())
    desk.drain()
    assert desk.state(message) == SENT


def test_found_means_one_we_do_not_know_yet(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Sent("ok-1"), Unknown(PROBLEM)]
    first, second = desk.reply("ok", talk), desk.reply("ok", talk)
    desk.toy.searches = [Found("ok-1"), Found("ok-2")]
    desk.drain()
    assert desk.states(first, second) == [SENT, UNKNOWN]
    travel(PATIENCE)
    desk.drain()
    assert desk.toy.searched[0].known == {"ok-1"}
    assert desk.state(second) == UNKNOWN
    travel(GAP)
    desk.drain()
    assert [desk.message(one).external_id for one in (first, second)] == ["ok-1", "ok-2"]


@pytest.mark.parametrize("doubled", [False, True])
def test_an_echo_before_the_answer_makes_no_second_message(desk: Desk, doubled: bool) -> None:
    talk = desk.customer_wrote()

    def send(request: SendRequest) -> SendResult:
        for _ in range(2 if doubled else 1):
            desk.echo("m1", request.part.text)
        return Sent("m1")

    desk.toy.script = [send]
    message = desk.reply("one", talk)
    desk.drain()
    assert (desk.state(message), desk.message(message).external_id) == (SENT, "m1")
    assert desk.texts(Direction.OUTBOUND) == ["one"]


def test_an_echo_with_other_words_before_the_answer_is_merged(desk: Desk) -> None:
    talk = desk.customer_wrote()

    def send(_request: SendRequest) -> SendResult:
        desk.echo("m1", "the provider rewrote it")
        assert len(desk.texts(Direction.OUTBOUND)) == 2
        return Sent("m1")

    desk.toy.script = [send]
    message = desk.reply("one", talk)
    desk.drain()
    assert desk.message(message).external_id == "m1"
    assert desk.texts(Direction.OUTBOUND) == ["one"]


@pytest.mark.parametrize("doubled", [False, True])
def test_an_echo_after_the_answer_makes_no_second_message(desk: Desk, doubled: bool) -> None:
    talk = desk.customer_wrote()
    message = desk.reply("one", talk)
    desk.drain()
    for _ in range(2 if doubled else 1):
        desk.echo("mid-1", "one")
    assert desk.texts(Direction.OUTBOUND) == ["one"]
    assert desk.state(message) == SENT


def test_an_echo_while_unknown_prevents_the_second_sending(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    message = desk.reply("one", talk)
    desk.drain()
    travel(PATIENCE)
    desk.drain()
    desk.echo("m1", "one")
    travel(GAP)
    desk.drain()
    assert (desk.state(message), len(desk.toy.sent)) == (SENT, 1)


def test_a_worker_that_died_while_sending_leaves_it_unknown(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()

    class DiedError(BaseException):
        pass

    def die(_request: SendRequest) -> SendResult:
        raise DiedError

    any_desk.toy.script = [die]
    any_desk.toy.searches = [Found("it arrived")]
    message = any_desk.reply("one", talk)
    with pytest.raises(DiedError):
        any_desk.drain()
    assert any_desk.state(message) == SENDING
    assert any_desk.drain() == 0, "the lease holds"
    travel(policy.LEASE)
    any_desk.drain()
    assert any_desk.state(message) == UNKNOWN
    error = any_desk.message(message).error
    assert error is not None
    assert error["code"] == "interrupted"
    travel(PATIENCE)
    any_desk.drain()
    assert (any_desk.state(message), len(any_desk.toy.sent)) == (SENT, 1)


def take_the_lane_away() -> None:
    """Do what happens when another worker leases a lane whose lease ran out."""
    db.write(
        lambda session: (
            session.execute(sa.update(Lane).values(fence=Lane.fence + 1, owner="somebody else")) and None
        )
    )


def test_a_result_is_discarded_when_the_lease_was_lost(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()

    def send(_request: SendRequest) -> SendResult:
        take_the_lane_away()
        return Rejected(PROBLEM)

    any_desk.toy.script = [send]
    message = any_desk.reply("one", talk)
    any_desk.drain()
    assert any_desk.state(message) == SENDING
    assert any_desk.lanes()[0].owner == "somebody else"
    travel(policy.LEASE)
    any_desk.drain()
    assert any_desk.state(message) == UNKNOWN


def test_that_it_was_sent_is_remembered_even_when_the_lease_was_lost(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()

    def send(_request: SendRequest) -> SendResult:
        take_the_lane_away()
        return Sent("m1")

    any_desk.toy.script = [send]
    first, second = any_desk.reply("one", talk), any_desk.reply("two", talk)
    any_desk.drain()
    assert any_desk.states(first, second) == [SENT, QUEUED]
    assert any_desk.lanes()[0].owner == "somebody else"
    travel(policy.LEASE)
    any_desk.drain()
    assert [request.part.text for request in any_desk.toy.sent] == ["one", "two"]


def test_a_lease_that_ran_out_before_the_first_byte_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, travel: Travel
) -> None:
    talk = desk.customer_wrote()
    message = desk.reply("one", talk)
    monkeypatch.setattr("host.queue.lanes.Lease.alive", lambda _self: False)
    monkeypatch.setattr(policy, "SENDS_PER_CLAIM", 1)
    with pytest.raises(RuntimeError, match="still not done"):
        drain(desk.generation, direction="out", limit=20)
    assert desk.toy.sent == []
    assert (desk.state(message), desk.entry(message).attempts) == (QUEUED, 0)
    monkeypatch.undo()
    desk.drain()
    assert desk.state(message) == SENT


@pytest.mark.parametrize(("waits", "brought", "writes"), [(1, 1, 2), (1, 0, 0), (0, 1, 0), (0, 0, 0)])
def test_lanes_are_woken_for_a_channel_only_where_one_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, waits: int, brought: int, writes: int
) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [NotSent(PROBLEM, retry_after=600)] * waits
    desk.reply("hi", talk)
    desk.drain()
    if not brought:
        desk.generation.directory.adapters.clear()
    written: list[object] = []
    monkeypatch.setattr(db, "write", lambda *args, **_: written.append(args))
    wake_active_channels(desk.generation.directory)
    assert len(written) == writes


def test_a_reply_to_a_channel_nobody_brings_waits_for_its_addon(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.generation.directory.adapters.clear()
    message = desk.reply("one", talk)
    desk.drain()
    assert desk.state(message) == QUEUED
    assert desk.entry(message).waiting == {"sentence": agent_messages.CHANNEL_INACTIVE, "until": None}
    wake_active_channels(desk.generation.directory)
    assert desk.drain() == 0
    desk.generation.directory.adapters["email"] = desk.toy
    wake_active_channels(desk.generation.directory)
    desk.drain()
    assert desk.state(message) == SENT


def test_after_the_first_day_a_person_may_and_an_automatic_sender_may_not(desk: Desk, travel: Travel) -> None:
    account = desk.connect("300", people=True)
    talk = desk.customer_wrote(account=account)
    travel(timedelta(hours=25))
    person = desk.reply("by a person", talk)
    automatic = desk.reply("by a machine", talk, origin=Origin.SYSTEM)
    desk.drain()
    assert desk.states(person, automatic) == [SENT, FAILED]
    assert [(request.part.text, request.tag) for request in desk.toy.sent] == [("by a person", "PERSON")]


def test_a_policy_that_raises_sends_nothing_and_is_asked_again(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.policy_error = RuntimeError("boom")
    message = desk.reply("one", talk)
    desk.drain()
    assert desk.state(message) == QUEUED
    assert desk.toy.sent == []
    desk.toy.policy_error = None
    travel(GAP)
    desk.drain()
    assert desk.state(message) == SENT


def test_the_same_id_twice_from_a_provider_does_not_stop_the_lane(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Sent("same"), Sent("same")]
    first, second, third = (desk.reply(text, talk) for text in ("one", "two", "three"))
    desk.later(travel, timedelta(minutes=15))
    assert desk.state(third) == SENT
    assert {desk.state(first), desk.state(second)} <= {SENT, UNKNOWN}


def test_a_channel_that_threads_by_reference_gets_the_newest_ids_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = desk.customer_wrote()
    desk.reply("one", talk)
    desk.drain()
    monkeypatch.setattr(type(desk.toy), "capabilities", Capabilities(threading=Threading.REFERENCES))
    desk.reply("two", talk)
    desk.drain()
    assert desk.toy.sent[0].references == ()
    references = desk.toy.sent[1].references
    assert references[0] == "mid-1"
    assert len(references) == 2


def test_an_addon_that_answers_nonsense_leaves_it_unknown(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [lambda _request: "sent!"]  # type: ignore[list-item,return-value]
    message = desk.reply("one", talk)
    desk.drain()
    assert desk.state(message) == UNKNOWN


def test_a_message_that_is_none_of_ours_cannot_be_retried(desk: Desk) -> None:
    desk.customer_wrote()
    with pytest.raises(outbox.NotInOutboxError):
        db.write(resending.retry, 1)


# ---- what the provider itself says failed for a moment --------------------------------------------------

PASSING = Unknown(PROBLEM, transient=True)


def test_a_transient_failure_is_looked_for_as_often_but_sooner(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [PASSING]
    message = any_desk.reply("one", talk)
    any_desk.drain()
    for readings in range(2):
        travel(timedelta(seconds=14))
        any_desk.drain()
        assert len(any_desk.toy.searched) == readings
        assert (any_desk.state(message), len(any_desk.toy.sent)) == (UNKNOWN, 1)
        travel(timedelta(seconds=2))
        any_desk.drain()
        assert len(any_desk.toy.searched) == readings + 1
    assert (any_desk.state(message), len(any_desk.toy.sent)) == (SENT, 2)


def test_a_transient_failure_that_arrived_all_the_same_is_not_sent_again(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script, desk.toy.searches = [PASSING], [Absent(), Found("there")]
    message = desk.reply("one", talk)
    desk.later(travel, timedelta(minutes=10))
    assert (desk.state(message), desk.message(message).external_id) == (SENT, "there")
    assert len(desk.toy.sent) == 1


def test_each_of_several_transient_failures_is_followed_by_two_readings_and_longer_waits(
    desk: Desk, travel: Travel
) -> None:
    began, sent_at, read_at = clock.now(), [], []
    send, search = desk.toy.send, desk.toy.search

    def sending(request: SendRequest) -> SendResult:
        sent_at.append(round((clock.now() - began).total_seconds()))
        return send(request)

    def searching(request: SearchRequest) -> SearchResult:
        read_at.append(round((clock.now() - began).total_seconds()))
        return search(request)

    desk.toy.send, desk.toy.search = sending, searching  # type: ignore[method-assign]
    talk = desk.customer_wrote()
    desk.toy.script = [PASSING] * 4
    first, second = desk.reply("one", talk), desk.reply("two", talk)
    desk.drain()
    desk.later(travel, timedelta(minutes=20), step=timedelta(seconds=5))
    assert desk.states(first, second) == [UNKNOWN, SENT], "in the end it is left to a person"
    tries, waits = sent_at[:4], policy.TRANSIENT_PAUSES
    for before, after, wait in zip(tries, tries[1:], waits, strict=False):
        assert 2 * wait.total_seconds() <= after - before <= 2 * wait.total_seconds() + 15
    assert len(sent_at) == 5, "four times the first, then the second"
    for at in (*tries[1:], sent_at[4]):
        assert sum(last < read <= at for read in read_at for last in [max(t for t in tries if t < at)]) == 2


def test_a_transient_failure_after_an_unclear_one_and_the_other_way_round(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM), PASSING, Unknown(PROBLEM)]
    message = desk.reply("one", talk)
    desk.drain()
    desk.later(travel, timedelta(minutes=20), step=timedelta(seconds=5))
    assert (desk.state(message), len(desk.toy.sent)) == (UNKNOWN, 3)


def test_a_person_who_asks_to_check_has_nothing_sent(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [PASSING]
    message = desk.reply("one", talk)
    desk.drain()
    db.write(outbox.check_now, message)
    desk.later(travel, timedelta(minutes=20))
    assert (desk.state(message), len(desk.toy.sent), len(desk.toy.searched)) == (UNKNOWN, 1, 1)


@pytest.mark.parametrize("answer", [PASSING, NotSent(PROBLEM, retry_after=20)])
def test_what_waits_behind_such_a_reply_says_so(desk: Desk, travel: Travel, answer: SendResult) -> None:
    talk, other = desk.customer_wrote(), desk.customer_wrote("bert")
    desk.toy.script = [answer]
    desk.reply("one", talk)
    second = desk.reply("two", talk)
    desk.drain()
    third = desk.reply("three", talk)
    apart = desk.reply("apart", other, contact="bert")
    desk.drain()
    for message in (second, third):
        assert desk.entry(message).waiting == {"sentence": agent_messages.BEHIND, "until": None}
    assert desk.state(apart) == SENT
    desk.later(travel, timedelta(minutes=2))
    assert [desk.entry(one).waiting for one in (second, third)] == [None, None]
    assert desk.states(second, third) == [SENT, SENT]


def test_what_a_reply_names_by_an_id_is_shown_with_it_and_never_sent(
    desk: Desk, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[Any] = []

    def named_files(account: AccountRef, content: Mapping[str, Any]) -> list[InboundAttachment]:
        named.append(account.id)
        return [
            InboundAttachment(MessageKind.TEMPLATE, f"https://shop.example/{one}")
            for one in content["products"]
        ]

    monkeypatch.setattr(desk.toy, "named_files", named_files)
    message = desk.reply("", desk.customer_wrote())
    shows = {"kind": MessageKind.TEMPLATE, "content": {"products": ["7", "8"]}}
    db.write(lambda session: session.execute(sa.update(Message).values(shows).where(Message.id == message)))
    desk.toy.script = [NotSent(PROBLEM, retry_after=0)]
    desk.drain()
    desk.later(travel, timedelta(minutes=5))
    assert [one.part.files for one in desk.toy.sent] == [(), ()], "tried twice"
    with db.read() as session:
        rows = session.scalars(sa.select(Attachment).where(Attachment.message_id == message)).all()
    assert [one.url for one in rows] == ["https://shop.example/7", "https://shop.example/8"]
    assert named == [desk.account.id]


def test_an_adapter_that_cannot_tell_what_a_reply_names_does_not_keep_it_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.toy, "named_files", lambda *_: 1 / 0)
    message = desk.reply("", desk.customer_wrote())
    shows = {"kind": MessageKind.TEMPLATE, "content": {"products": ["7"]}}
    db.write(lambda session: session.execute(sa.update(Message).values(shows).where(Message.id == message)))
    desk.drain()
    assert len(desk.toy.sent) == 1


def as_template(message_id: int, *, promotional: bool = False) -> None:
    """Turn a queued text into an approved template."""

    def change(session: Session) -> None:
        message = session.get_one(Message, message_id)
        message.kind = MessageKind.APPROVED_TEMPLATE
        template = {"id": "1", "name": "order", "language": "en", "promotional": promotional}
        message.content = {"approved_template": template}

    db.write(change)


def test_an_approved_template_is_sent_although_the_window_has_closed(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    travel(timedelta(days=3))
    text, template = desk.reply("hi", talk), desk.reply("Your order", talk)
    as_template(template)
    desk.drain()
    assert desk.states(text, template) == [FAILED, SENT]
    (request,) = desk.toy.sent
    assert (request.part.kind, request.part.text) == (MessageKind.APPROVED_TEMPLATE, "Your order")
    assert request.part.content["approved_template"]["id"] == "1"


def wants_marketing(desk: Desk, state: str) -> None:
    """Have the customer stop or resume marketing messages."""
    told = {"opt_in": {"state": state, "marketing": True}}
    mid, at = uuid.uuid4().hex, clock.now()
    change = MessageReceived("anna", mid, at, MessageKind.OPT_IN, content=told, opens_window=False)
    db.write(apply_changes, [Incoming(desk.account, desk.toy, change, at, mid)])


@pytest.mark.parametrize(("origin", "end"), [("agent", FAILED), ("system", DeliveryState.CANCELLED)])
def test_marketing_that_was_stopped_since_it_was_written_is_not_sent(
    desk: Desk, travel: Travel, origin: str, end: DeliveryState
) -> None:
    talk = desk.customer_wrote()
    offer, order = desk.reply("Half the price", talk, origin=Origin(origin)), desk.reply("Your order", talk)
    as_template(offer, promotional=True)
    as_template(order)
    wants_marketing(desk, "stopped")
    desk.drain()
    assert desk.states(offer, order) == [end, SENT]
    error = desk.message(offer).error
    assert error is not None
    assert error["code"] == "opted_out"
    travel(timedelta(minutes=1))
    again = desk.reply("Half the price", talk, origin=Origin(origin))
    as_template(again, promotional=True)
    wants_marketing(desk, "resumed")
    desk.drain()
    assert desk.state(again) == SENT


def test_a_template_that_was_paused_meanwhile_fails_with_its_reason_and_keeps_its_text(desk: Desk) -> None:
    talk = desk.customer_wrote()
    message = desk.reply("Your order", talk)
    as_template(message)
    desk.toy.script.append(Rejected(PROBLEM))
    desk.drain()
    row = desk.message(message)
    assert (row.state, row.text) == (FAILED, "Your order")
    assert row.error is not None
    assert row.error["sentence"] == PROBLEM.sentence
