"""What rules would send because of a bulk action is counted before, waits for its undo, and goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from host.core import clock, db
from host.events.kinds.conversations import CONVERSATION_CLOSED, CONVERSATION_LABELLED
from host.inbox.bulk import actions
from host.inbox.bulk.actions import UNDO, BulkChange
from host.inbox.foreseen import counting
from host.inbox.queries import ConversationFilter
from host.rules.models import RuleState
from tests.helpers import acting
from tests.inbox import toys
from tests.rules.ruled import Ruled

LATER = UNDO + timedelta(minutes=1)
SAY: Mapping[str, Any] = {"do": "say", "text": "We closed this."}


def change_all(any_desk: Ruled, change: BulkChange) -> int:
    return actions.start(acting(any_desk.desk.workspace), change, ConversationFilter()).id


def texts(any_desk: Ruled) -> list[str]:
    return [text for text in any_desk.automatic() if text == SAY["text"]]


def counted(any_desk: Ruled, kind: str, *contacts: str) -> dict[str, int]:
    directory = any_desk.desk.generation.directory
    ids = [any_desk.talk(one).id for one in contacts]
    with db.read() as session:
        found = counting.messages_after(
            session, any_desk.desk.workspace, {kind}, ids, directory, clock.now(), len(ids)
        )
    return dict(found[kind].by) if kind in found else {}


def test_a_rule_on_closing_waits_for_the_undo(any_desk: Ruled) -> None:
    any_desk.rule(dict(SAY), when=CONVERSATION_CLOSED, name="Goodbye")
    any_desk.said("ana")
    change_all(any_desk, BulkChange("close"))
    any_desk.run()
    assert texts(any_desk) == []
    with clock.travel(LATER):
        any_desk.run()
        assert texts(any_desk) == [SAY["text"]]


def test_an_undo_takes_what_has_not_left(any_desk: Ruled) -> None:
    rule = any_desk.rule(dict(SAY), when=CONVERSATION_CLOSED, name="Goodbye")
    any_desk.said("ana")
    bulk_id = change_all(any_desk, BulkChange("close"))
    any_desk.run()
    actions.undo(acting(any_desk.desk.workspace), bulk_id)
    with clock.travel(LATER):
        any_desk.run()
        assert (texts(any_desk), any_desk.ran(rule)) == ([], [])


def test_a_rule_that_sends_nothing_acts_at_once(any_desk: Ruled) -> None:
    any_desk.rule({"do": "assign", "person": any_desk.desk.mia.id}, when=CONVERSATION_CLOSED)
    any_desk.said("ana")
    change_all(any_desk, BulkChange("close"))
    any_desk.run()
    assert any_desk.talk().assignee_id == any_desk.desk.mia.id


def test_customers_of_each_rule_are_counted(any_desk: Ruled) -> None:
    for contact in ("ana", "bo"):
        any_desk.said(contact)
    other = toys.make_account(any_desk.desk.workspace)
    any_desk.rule(dict(SAY), when=CONVERSATION_CLOSED, name="Goodbye")
    any_desk.rule(dict(SAY), when=CONVERSATION_CLOSED, name="Shadow", state=RuleState.SHADOW)
    elsewhere = {"if": "conversation", "filter": {"account_id": other.id}}
    any_desk.rule(dict(SAY), when=CONVERSATION_CLOSED, name="Elsewhere", conditions=[elsewhere])
    of_label = {"if": "concerns", "label": any_desk.label("Offer")}
    any_desk.rule(dict(SAY), when=CONVERSATION_LABELLED, name="Offer sent", conditions=[of_label])
    assert counted(any_desk, CONVERSATION_CLOSED, "ana", "bo") == {"Goodbye": 2}
    assert counted(any_desk, CONVERSATION_LABELLED, "ana", "bo") == {"Offer sent": 2}
