"""What the desk does about a message, it does once for one that was found, as for one that was delivered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
import sqlalchemy as sa

from host.assistants.models import Mode
from host.core import clock, db
from host.delivery import second_look
from host.events import catalogue
from host.events.consuming import _make_rows, _Reader
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.models import DomainEvent
from host.models.inbox import Conversation, Direction, Message, Origin
from host.notifications.rules import Kind, Way
from host.sdk.channel import AccountRef
from host.webhooks import endpoints
from host.webhooks.consumer import Webhooks
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.models import HookDelivery
from tests import helpers
from tests.assistants.assisting import Assisted
from tests.helpers import do
from tests.inbox.desks import Desk
from tests.instagram.looking import MINUTE, Lookout, advance, marked, missed
from tests.instagram.world import Addon, Meta
from tests.notifications import telling
from tests.rules.ruled import add_rule, ran

HELLO = "We will be with you soon."


class Acting:
    """An account with a rule, an assistant that suggests, a person to notify and a program to tell."""

    def __init__(self, lookout: Lookout) -> None:
        self.lookout = lookout
        account = lookout.account
        generation = SimpleNamespace(directory=lookout.directory)
        desk = SimpleNamespace(account=account, workspace=account.workspace_id, generation=generation)
        self.assisted = Assisted(cast("Desk", desk))
        self.rule = add_rule(self.assisted, {"do": "say", "text": HELLO}, name="Hello")
        self.assisted.attach(Mode.SUGGEST)
        self.person = helpers.make_user(name="Mia R.", workspace=account.workspace_id).id
        telling.choose(self.person, {Kind.NEW: [Way.DESK]})
        wanted = EndpointSettings("https://program.example", ("message.received",), both_names=True)
        do(endpoints.create, account.workspace_id, wanted, frozenset(catalogue.KINDS))
        webhooks = Webhooks(lambda: lookout.directory, lambda: "https://desk.example.com")
        db.write(_make_rows, [webhooks])
        self.hooks = _Reader(webhooks)
        self.act()

    def act(self) -> None:
        """Let every consumer read the record, and do what is due."""
        self.assisted.run()
        telling.tell()
        while self.hooks._step():
            pass

    def told(self) -> tuple[int, int, int, list[tuple[str, int]]]:
        """Return how many messages were recorded, turns begun and requests made, and the notices."""
        with db.read() as session:
            received = DomainEvent.kind == MESSAGE_RECEIVED
            events = session.scalar(sa.select(sa.func.count()).select_from(DomainEvent).where(received))
            hooks = session.scalar(sa.select(sa.func.count()).select_from(HookDelivery))
        return events or 0, len(self.assisted.turns()), hooks or 0, telling.told(self.person)

    def said(self) -> list[str]:
        with db.read() as session:
            automatic = Message.direction == Direction.OUTBOUND, Message.origin == Origin.SYSTEM
            return list(session.scalars(sa.select(Message.text).where(*automatic)))


@pytest.fixture
def acting(account: AccountRef, ig: Addon, meta: Meta) -> Iterator[Acting]:
    lookout = Lookout(ig, meta, account)
    with clock.travel(timedelta()):
        lookout.look()
        advance(MINUTE)
        made = Acting(lookout)
        with made.assisted.until_closed():
            yield made


def check_soon(lookout: Lookout) -> None:
    """Have a person press *Check now*, and wait until a webhook can no longer be on its way."""
    rules = lookout.adapter.capabilities.second_look
    assert db.write(second_look.ask, lookout.account.id, rules)
    lookout.look()
    lookout.pass_time(3)


def test_all_act_once_on_a_message_that_was_found(acting: Acting) -> None:
    lookout = acting.lookout
    said = lookout.write("Is anybody there?")
    check_soon(lookout)
    assert missed() == [said.mid]
    acting.act()
    once = (1, 1, 1, [("new", 1)])
    assert (acting.told(), acting.said()) == (once, [HELLO])
    lookout.deliver(lookout.event(said))
    lookout.deliver(lookout.event(said))
    check_soon(lookout)
    acting.act()
    acting.assisted.read(again=True)
    telling.again()
    assert (acting.told(), acting.said()) == (once, [HELLO]), "neither its webhook nor reading again adds any"


def test_all_act_once_where_the_webhook_wins(acting: Acting) -> None:
    lookout = acting.lookout
    said = lookout.write("Is anybody there?")
    check = lookout.adapter.capabilities.second_look
    assert check is not None
    lookout.deliver(lookout.event(said))
    acting.act()
    check_soon(lookout)
    acting.act()
    assert (acting.told(), acting.said()) == ((1, 1, 1, [("new", 1)]), [HELLO])
    assert (missed(), marked()) == ([], [])


@pytest.mark.parametrize(
    ("hours", "why", "turn"),
    [(3, "late", ("sent", None)), (25, "window_closed", ("discarded", "window_closed"))],
)
def test_what_is_found_late_gets_no_greeting_and_after_the_window_no_answer(
    acting: Acting, hours: int, why: str, turn: tuple[str, str | None]
) -> None:
    lookout = acting.lookout
    acting.assisted.change(mode=Mode.ANSWER)
    said = lookout.write("Is anybody there?")
    advance(timedelta(hours=hours))
    lookout.pass_time(10)
    assert missed() == [said.mid]
    acting.act()
    assert acting.told() == (1, 1, 1, [("new", 1)]), "people, programs and the assistant know"
    with db.read() as session:
        found = session.scalars(sa.select(Conversation)).one()
    assert (found.unread_count, found.status) == (1, "open"), "people see it"
    assert [one.reason for one in ran(acting.rule)] == [why]
    acting.assisted.think()
    assert acting.assisted.states() == [turn], "what it says answers the customer, so an hour is no limit"
    with db.read() as session:
        sent = session.scalars(sa.select(Message.text).where(Message.direction == Direction.OUTBOUND)).all()
    assert len(sent) == (turn[0] == "sent")
    assert HELLO not in sent
