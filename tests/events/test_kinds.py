"""What is recorded of what customers, the team, programs and providers do."""

from __future__ import annotations

import msgspec
import pytest

from host.core import db
from host.core.clock import now
from host.events import reading
from host.events.bodies import building
from host.events.catalogue import KINDS
from host.events.kinds.contacts import CONTACT_ERASED
from host.events.kinds.shapes import Problem
from host.events.models import DomainEvent
from host.inbox import conversation_actions, erasure, notes, outcome
from host.models.inbox import Contact, Conversation, ConversationStatus, Message
from host.sdk.channel import AccountRef, ProviderProblem
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.test_outcome import reply
from tests.inbox.toys import apply, echoed, edited, incoming, reacted, read, received, unsent

MARKER = "Quetzalcoatl"


@pytest.fixture
def workspace(database: db.Database) -> int:
    return toys.make_workspace()


@pytest.fixture
def account(workspace: int) -> AccountRef:
    return toys.make_account(workspace)


@pytest.fixture
def mia(workspace: int) -> int:
    return toys.make_user(workspace)


def kinds() -> list[str]:
    """Return what was recorded, oldest first, and make sure that each row is as its kind declares it."""
    found = [row for row in toys.everything(DomainEvent) if row.kind is not None]
    for row in found:
        msgspec.json.decode(row.data or "{}", type=KINDS[row.kind].facts)
        assert MARKER not in (row.data or "")
    return [row.kind for row in found]


def last() -> DomainEvent:
    row: DomainEvent = next(row for row in reversed(toys.everything(DomainEvent)) if row.kind)
    return row


def test_a_first_message_begins_a_conversation(account: AccountRef) -> None:
    apply(account, received(MARKER, external_id="m"))
    apply(account, received("again", at=1))
    assert kinds() == ["conversation.created", "message.received", "message.received"]
    event = last()
    assert (event.actor_kind, event.account_id) == ("customer", account.id)
    assert event.message_id == max(one.id for one in toys.everything(Message))


def test_a_message_told_twice_is_recorded_once(account: AccountRef) -> None:
    change = received()
    apply(account, change, change)
    apply(account, change)
    assert kinds() == ["conversation.created", "message.received"]


def test_what_history_brings_is_not_recorded(account: AccountRef) -> None:
    old = [incoming(account, one)._replace(imported=True) for one in (received(), echoed(external_id="e"))]
    db.write(toys.apply_changes, old)
    assert toys.everything(Message)
    assert kinds() == []
    late = incoming(account, reacted(old[0].change.external_id))._replace(imported=True)
    db.write(toys.apply_changes, [late])
    assert kinds() == []


def test_an_answer_in_the_providers_app_is_one_the_provider_took(account: AccountRef) -> None:
    apply(account, received(), echoed(external_id="e", at=5))
    assert kinds()[-1] == "message.sent"
    assert last().actor_kind == "provider"


def test_an_answer_of_ours_is_recorded_once_however_often_it_is_confirmed(
    account: AccountRef, mia: int
) -> None:
    apply(account, received())
    id_ = reply(mia, MARKER, attempted=61)
    begun = len(kinds())
    db.write(outcome.record_sent, id_, "mid-1")
    db.write(outcome.record_sent, id_, "mid-1")
    apply(account, echoed(MARKER, at=62, external_id="mid-1"), read("mid-1", at=70))
    apply(account, read("mid-1", at=70))
    assert kinds()[begun:] == ["message.sent", "message.read"]
    sent = next(row for row in toys.everything(DomainEvent) if row.kind == "message.sent")
    assert (sent.actor_kind, sent.actor_id, sent.message_id) == ("user", mia, id_)
    assert last().actor_kind == "customer"


def test_an_echo_before_the_answer_records_the_sending_once(account: AccountRef, mia: int) -> None:
    apply(account, received())
    id_ = reply(mia, "Yes", attempted=61)
    begun = len(kinds())
    apply(account, echoed("Yes", at=62, external_id="mid-1"))
    db.write(outcome.record_sent, id_, "mid-1")
    assert kinds()[begun:] == ["message.sent"]


def test_failing_and_not_knowing_are_recorded(account: AccountRef, mia: int) -> None:
    apply(account, received())
    id_ = reply(mia, attempted=61)
    begun = len(kinds())
    problem = ProviderProblem(code="1", sentence=MARKER, next_step="", raw=MARKER)
    db.write(outcome.record_unknown, id_, problem)
    db.write(outcome.record_unknown, id_, problem)
    db.write(outcome.record_failed, id_, problem)
    assert kinds()[begun:] == ["message.unconfirmed", "message.failed"]
    # The error is gone once it was sent after all; the event still says which it was.
    assert _problem_told() == Problem(code=problem.code, message=problem.sentence)
    db.write(outcome.record_queued, id_)
    assert _problem_told() == Problem(code=problem.code, message="")


class NoAdapters:
    """A directory of a desk without channels."""

    def adapter(self, _channel: str) -> None:
        return None


def _problem_told() -> Problem:
    """Return the error in the body of the last event that has one, built as programs get it."""
    with db.read() as session:
        recorded = reading.after(session, reading.BEGINNING, 1000).events
        built = building.build(session, recorded, NoAdapters(), "http://desk.example")
        bodies = [msgspec.json.decode(own.body.body)["data"] for _event, (own, *_) in built]
    return msgspec.convert([body["error"] for body in bodies if "error" in body][-1], Problem)


def test_annotations_are_recorded_when_they_change_something(account: AccountRef) -> None:
    apply(account, received(MARKER, external_id="m"))
    begun = len(kinds())
    heart = reacted("m", at=1)
    apply(account, heart)
    apply(account, heart)
    apply(account, edited("m", at=2, text=MARKER + "!"))
    apply(account, unsent("m", at=3))
    apply(account, unsent("m", at=4))
    assert kinds()[begun:] == ["message.reacted", "message.edited", "message.unsent"]
    reaction = next(row for row in toys.everything(DomainEvent) if row.kind == "message.reacted")
    assert msgspec.json.decode(reaction.data)["emoji"] == heart.emoji


def test_what_was_said_before_its_message_came_is_recorded_with_it(account: AccountRef) -> None:
    apply(account, received("hello", external_id="first"))
    apply(account, reacted("late", at=5))
    begun = len(kinds())
    apply(account, received("late one", at=3, external_id="late"))
    assert kinds()[begun:] == ["message.received", "message.reacted"]


def test_what_people_and_programs_do_to_a_conversation(account: AccountRef, mia: int, workspace: int) -> None:
    apply(account, received(external_id="m"))
    begun = len(kinds())
    do(
        conversation_actions.set_fields,
        workspace,
        toys.only(Conversation).id,
        {"assignee_id": mia},
        actor=mia,
        now=now(),
    )
    do(
        conversation_actions.set_fields,
        workspace,
        toys.only(Conversation).id,
        {"assignee_id": mia},
        actor=mia,
        now=now(),
    )
    do(
        conversation_actions.set_fields,
        workspace,
        toys.only(Conversation).id,
        {"assignee_id": None},
        actor="CRM",
        now=now(),
    )
    do(
        notes.add_note,
        workspace,
        toys.only(Conversation).id,
        text=MARKER,
        reply_key="0123456789",
        actor=mia,
        now=now(),
    )
    do(
        conversation_actions.set_fields,
        workspace,
        toys.only(Conversation).id,
        {"status": ConversationStatus.CLOSED},
        actor=mia,
        now=now(),
    )
    apply(account, received("again", at=100, external_id="m2"))
    assert kinds()[begun:] == [
        "conversation.assigned",
        "conversation.assigned",
        "note.added",
        "conversation.closed",
        "conversation.reopened",
        "message.received",
    ]
    assigned = [row for row in toys.everything(DomainEvent) if row.kind == "conversation.assigned"]
    assert [row.actor_kind for row in assigned] == ["user", "key"]
    assert [row.data for row in assigned] == [
        f'{{"state":["open","nobody",{mia},0,[]],"assignee":{mia}}}',
        f'{{"state":["open","person",0,0,[]],"before":{mia}}}',
    ]


def test_an_erased_customer_is_named_by_id_alone(account: AccountRef, mia: int, workspace: int) -> None:
    apply(account, received(MARKER))
    contact = toys.only(Contact).id
    do(erasure.erase, workspace, contact)
    assert kinds()[-1] == CONTACT_ERASED
    assert last().data == f'{{"contact":{contact}}}'


def test_every_kind_says_what_it_is() -> None:
    for name, kind in KINDS.items():
        assert name == kind.name
        assert kind.about.endswith(".")
        assert msgspec.json.encode(msgspec.json.decode(b'{"contact":1}', type=kind.facts))
