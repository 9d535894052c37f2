"""Which endpoint is told of what: names, accounts, a channel's own events, and what an addon does wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.backup.restoring import Waiting, _settle
from host.core import clock, db
from host.events.bodies.choosing import hears
from host.events.kinds.contacts import CONTACT_ERASED, OfContact
from host.events.kinds.conversations import NOTE_ADDED
from host.events.writing import Happened, record
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.labels import labels
from host.inbox.labels.models import ConversationLabel, LabelTone
from host.models.inbox import Conversation, SnoozeKind
from host.sdk.messages import MessageKind, MessageReceived
from host.sdk.outgoing import DeskEvent, OutgoingEvent, OutgoingKind, ToldConversation, ToldMessage
from host.webhooks.models import EndpointState
from tests.helpers import work
from tests.receiver import Receiver
from tests.webhooks.desk import HookDesk

WAVE = "email.wave"


def waves(desk: HookDesk, outgoing: Callable[..., Any]) -> None:
    """Let the toy have an event of its own."""
    type(desk.toy).outgoing_kinds = (OutgoingKind(WAVE, "A customer waved."),)
    desk.toy.outgoing = outgoing  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _as_before(desk: HookDesk) -> Any:
    yield
    type(desk.toy).outgoing_kinds = ()


def wave(_event: DeskEvent, message: ToldMessage | None) -> Sequence[OutgoingEvent]:
    assert message is not None
    return [OutgoingEvent(WAVE, {"hand": message.text})]


@pytest.mark.parametrize(
    ("patterns", "name", "wanted"),
    [
        (["*"], "message.received", True),
        (["message.*"], "message.received", True),
        (["message.*"], "messages.received", False),
        (["message.received"], "message.received", True),
        (["message.received"], "message.receive", False),
        (["conversation.*"], "message.received", False),
        ([], "message.received", False),
    ],
)
def test_a_name_is_heard_by_itself_its_group_or_everything(
    patterns: list[str], name: str, wanted: bool
) -> None:
    assert hears(patterns, name) is wanted


def test_a_channels_own_event_stands_in_for_the_hosts(desk: HookDesk, receiver: Receiver) -> None:
    waves(desk, wave)
    desk.endpoint(receiver.url, "*")
    desk.customer_wrote()
    desk.deliver()
    assert receiver.names == ["conversation.created", WAVE]
    data = receiver.got[1].told["data"]
    assert data == {
        "channelId": desk.account.uuid,
        "from": "anna",
        "hand": "hello",
        "timestamp": data["timestamp"],
    }


def test_unless_both_are_asked_for(desk: HookDesk, receiver: Receiver) -> None:
    waves(desk, wave)
    desk.endpoint(receiver.url, WAVE, "message.received", both_names=True)
    desk.customer_wrote()
    desk.deliver()
    assert sorted(receiver.names) == [WAVE, "message.received"]


def test_who_does_not_hear_of_it_is_told_the_hosts(desk: HookDesk, receiver: Receiver) -> None:
    waves(desk, wave)
    desk.endpoint(receiver.url, "message.received")
    desk.customer_wrote()
    desk.deliver()
    assert receiver.names == ["message.received"]


def test_one_that_does_not_say_all_comes_beside(desk: HookDesk, receiver: Receiver) -> None:
    waves(desk, lambda *_: [OutgoingEvent(WAVE, {}, replaces=False)])
    desk.endpoint(receiver.url, WAVE, "message.received")
    desk.customer_wrote()
    desk.deliver()
    assert sorted(receiver.names) == [WAVE, "message.received"]


def test_an_addon_is_told_what_the_team_made_of_the_conversation(desk: HookDesk, receiver: Receiver) -> None:
    told: list[Any] = []
    waves(desk, lambda event, _message: told.append(event.conversation) or [])
    desk.endpoint(receiver.url, "*")
    desk.customer_wrote()
    with db.read() as session:
        talk = session.scalars(sa.select(Conversation.id)).one()
    now = clock.now()

    def settle(session: Session) -> None:
        for name in ("Order", "Angry"):
            label = labels.create(work(session, desk.workspace_id, now=now), name=name, tone=LabelTone.TEAL)
            session.add(ConversationLabel(conversation_id=talk, label_id=label.id, at=now))
        row = session.get_one(Conversation, talk)
        row.spam_at, row.snooze_kind, row.snoozed_until = now, SnoozeKind.FIXED, now

    desk.deliver()
    db.write(settle)
    desk.customer_wrote()
    desk.deliver()
    before, after = told
    assert before == ToldConversation("open")
    assert (after.labels, after.spam) == (("Angry", "Order"), True)
    assert (after.snoozed, after.snoozed_until is not None) == (True, True)


def fails(*_: object) -> Sequence[OutgoingEvent]:
    raise RuntimeError("broken")


@pytest.mark.parametrize(
    "outgoing",
    [
        fails,
        lambda *_: None,
        lambda *_: [OutgoingEvent("other.wave")],
        lambda *_: [OutgoingEvent("email.unknown")],
        lambda *_: [OutgoingEvent("email.Wave!")],
    ],
    ids=["raises", "nothing", "another's name", "undeclared", "no name"],
)
def test_what_an_addon_does_wrong_costs_its_own_event_alone(
    desk: HookDesk, receiver: Receiver, outgoing: Callable[..., Any]
) -> None:
    waves(desk, outgoing)
    desk.endpoint(receiver.url, "*")
    desk.customer_wrote()
    desk.deliver()
    assert receiver.names == ["conversation.created", "message.received"]


def test_what_an_addon_says_is_made_storable(desk: HookDesk, receiver: Receiver) -> None:
    waves(desk, lambda *_: [OutgoingEvent(WAVE, {"a": "\ud800\x00", "b": float("nan"), "c": object})])
    desk.endpoint(receiver.url, WAVE)
    desk.customer_wrote()
    desk.deliver()
    data = receiver.got[0].told["data"]
    assert (data["a"], data["b"]) == ("\ufffd", None)


def test_an_endpoint_hears_of_its_accounts_alone(desk: HookDesk, receiver: Receiver) -> None:
    other = desk.connect("200")
    desk.endpoint(receiver.url, "*", accounts=[other.id])
    desk.customer_wrote("anna")
    desk.customer_wrote("ben", account=other)
    erased = OfContact(contact=1)
    db.write(record, Happened(desk.workspace_id, CONTACT_ERASED, facts=erased))
    desk.deliver()
    assert {one.told["data"].get("channelId", "none") for one in receiver.got} == {other.uuid, "none"}


def test_what_a_newer_lobby_wrote_or_is_damaged_is_passed_over(desk: HookDesk, receiver: Receiver) -> None:
    desk.endpoint(receiver.url, "*")
    for kind in ("future.thing", NOTE_ADDED, CONTACT_ERASED):
        db.write(record, Happened(desk.workspace_id, kind))
    desk.customer_wrote()
    desk.deliver()
    assert receiver.names == ["conversation.created", "message.received"]


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_text_of_any_size_is_told(desk: HookDesk, receiver: Receiver, size: int) -> None:
    desk.endpoint(receiver.url, "message.received")
    change = MessageReceived("anna", "m", clock.now(), kind=MessageKind.TEXT, text="ß" * size)
    db.write(apply_changes, [Incoming(desk.account, desk.toy, change, clock.now(), "m")])
    desk.deliver()
    assert receiver.got[0].told["data"]["content"].get("text", "") == "ß" * size


def test_a_restored_desk_tells_nobody_until_somebody_says_so(desk: HookDesk, receiver: Receiver) -> None:
    row, _ = desk.endpoint(receiver.url, "*")
    desk.customer_wrote()
    desk.tell()
    _settle(Waiting.CHECK)
    assert desk.deliver() == 0
    assert desk.row(row.id).state == EndpointState.PAUSED
