"""Reports of a provider about our messages: sent, delivered, read, failed, in whatever order they come."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from host.core import db
from host.events.models import DomainEvent
from host.inbox import outcome, queries
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, InternalKind, Message, Reaction
from host.queue import outbox
from host.sdk.capabilities import Capabilities
from host.sdk.channel import AccountRef, ProviderProblem
from host.sdk.messages import InboundChange, MessageAccepted, MessageBounced, MessageDelivered, ReportKind
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.test_outcome import message, reply
from tests.inbox.toys import START, received


class Telling(toys.Toy):
    """A toy whose provider tells when a message was delivered."""

    capabilities: ClassVar[Capabilities] = Capabilities(text_limit_bytes=1000, delivery_reports=True)


TELLING = Telling()


def delivered(external_id: str = "out-1", *, contact: str = "ana") -> MessageDelivered:
    return MessageDelivered(contact, external_id, START + timedelta(seconds=70))


def failed(
    external_id: str = "out-1", *, contact: str = "ana", kind: ReportKind = ReportKind.FAILED
) -> MessageBounced:
    report = received(f"Report: {kind}", external_id=f"report-{external_id}-{kind}", contact=contact)
    at = START + timedelta(seconds=80)
    return MessageBounced(contact, external_id, at, report, "No such number.", kind=kind)


def apply(account: AccountRef, *changes: InboundChange, adapter: toys.Toy = TELLING) -> None:
    toys.apply(account, *changes, adapter=adapter)


def sent(mia: int, external_id: str = "out-1", *, at: float = 60) -> int:
    id_ = reply(mia, after=at, attempted=at + 1)
    db.write(outcome.record_sent, id_, external_id)
    return id_


def told() -> list[str]:
    """Return the kinds of events about our messages, in their order."""
    kinds = [event.kind for event in toys.everything(DomainEvent)]
    return [kind for kind in kinds if kind and kind.startswith("message.") and kind != "message.received"]


@pytest.fixture
def account(workspace: int) -> AccountRef:
    account = toys.make_account(workspace)
    apply(account, received("In stock?"))
    return account


@pytest.fixture
def mia(workspace: int, account: AccountRef) -> int:
    return toys.make_user(workspace, "Mia R.")


def state(id_: int) -> Any:
    found = message(id_)
    return found.state, (found.error or {}).get("sentence")


def test_a_sent_message_is_delivered_and_then_read(account: AccountRef, mia: int) -> None:
    id_ = sent(mia)
    assert message(id_).state == DeliveryState.SENT
    apply(account, delivered())
    apply(account, delivered())
    assert message(id_).state == DeliveryState.DELIVERED
    apply(account, toys.read("out-1"))
    assert message(id_).state == DeliveryState.READ
    apply(account, delivered())
    assert message(id_).state == DeliveryState.READ
    assert told() == ["message.sent", "message.delivered", "message.read"]


def test_a_read_message_says_nothing_of_its_delivery_afterwards(account: AccountRef, mia: int) -> None:
    id_ = sent(mia)
    apply(account, toys.read("out-1"))
    apply(account, delivered())
    assert message(id_).state == DeliveryState.READ
    assert told() == ["message.sent", "message.read"]


def test_a_channel_that_does_not_say_it_tells_stays_at_sent(account: AccountRef, mia: int) -> None:
    id_ = sent(mia)
    apply(account, delivered(), adapter=toys.TOY)
    assert message(id_).state == DeliveryState.SENT
    assert told() == ["message.sent"]
    assert message(id_).content == {}


def test_only_its_customer_can_have_got_it(account: AccountRef, mia: int) -> None:
    id_ = sent(mia)
    apply(account, delivered(contact="bo"))
    apply(account, delivered("never"))
    assert message(id_).state == DeliveryState.SENT
    inbound = [m for m in toys.thread() if m.direction == "inbound"]
    apply(account, delivered(str(inbound[0].external_id)))
    assert [m.state for m in toys.thread() if m.direction == "inbound"] == [None]


def test_a_read_receipt_covers_the_delivered_messages_before_it(account: AccountRef, mia: int) -> None:
    first, second = sent(mia, "out-1"), sent(mia, "out-2", at=70)
    apply(account, delivered("out-1"))
    apply(account, toys.read("out-2"))
    assert message(first).state == message(second).state == DeliveryState.READ


@pytest.mark.parametrize("first", ["failed", "delivered"])
def test_a_failure_counts_more_than_a_delivery_in_any_order(
    account: AccountRef, mia: int, first: str
) -> None:
    id_ = sent(mia)
    changes: list[InboundChange] = [failed(), delivered()]
    for change in changes if first == "failed" else reversed(changes):
        apply(account, change)
    assert state(id_) == (DeliveryState.FAILED, "No such number.")
    assert toys.only(Conversation).failed_count == 1
    assert told()[-1] == "message.failed"
    apply(account, delivered(), toys.read("out-1"))
    assert state(id_) == (DeliveryState.READ, None)
    assert toys.only(Conversation).failed_count == 0


@pytest.mark.parametrize("adapter", [TELLING, toys.TOY])
@pytest.mark.parametrize("as_report", [True, False])
def test_a_failed_message_was_read_after_all(
    account: AccountRef, mia: int, adapter: toys.Toy, as_report: bool
) -> None:
    id_ = sent(mia)
    apply(account, failed(), adapter=adapter)
    read = failed(kind=ReportKind.READ) if as_report else toys.read("out-1")
    apply(account, read, adapter=adapter)
    assert state(id_) == (DeliveryState.READ, None)
    assert toys.only(Conversation).failed_count == 0
    assert told() == ["message.sent", "message.failed", "message.read"]


@pytest.mark.parametrize("first", ["failed", "read"])
def test_reading_a_later_message_does_not_undo_a_failure(account: AccountRef, mia: int, first: str) -> None:
    failing, later = sent(mia, "out-1"), sent(mia, "out-2", at=70)
    changes: list[InboundChange] = [failed("out-1"), toys.read("out-2")]
    for change in changes if first == "failed" else reversed(changes):
        apply(account, change)
    assert message(failing).state == DeliveryState.FAILED
    assert message(later).state == DeliveryState.READ
    apply(account, delivered("out-1"))
    assert message(failing).state == DeliveryState.FAILED


def closing(external_id: str = "out-1") -> MessageBounced:
    return replace(failed(external_id), whole_contact=True)


def reach() -> Any:
    identity = toys.only(ContactIdentity)
    return identity.unreachable_since, (identity.unreachable or {}).get("sentence")


OUT_OF_REACH = START + timedelta(seconds=80), "No such number."


def test_a_failure_may_say_that_nothing_else_arrives_until_they_write(account: AccountRef, mia: int) -> None:
    sent(mia)
    apply(account, closing())
    assert reach() == OUT_OF_REACH
    apply(account, received("Hello?", external_id="theirs-2", at=90))
    assert reach()[0] is None
    apply(account, closing())
    assert reach()[0] is None, "it is known already"


@pytest.mark.parametrize("templates", [True, False])
def test_it_may_say_that_templates_arrive(account: AccountRef, mia: int, templates: bool) -> None:
    id_ = sent(mia)
    apply(account, replace(closing(), templates=templates))
    found = queries.unreachable_of(START, None, toys.only(ContactIdentity).unreachable)
    assert found is not None
    assert found.templates is templates
    assert set(message(id_).error or {}) == {"code", "sentence", "next_step", "raw"}


@pytest.mark.parametrize(("at", "closed"), [(79, True), (81, False)])
@pytest.mark.parametrize("order", ["first", "together", "last"])
def test_what_they_wrote_since_counts_in_any_order(
    account: AccountRef, mia: int, at: int, closed: bool, order: str
) -> None:
    id_ = sent(mia)
    wrote = received("Hello?", external_id="theirs-2", at=at)
    changes: list[InboundChange] = [wrote, closing()] if order == "first" else [closing(), wrote]
    for batch in [changes] if order == "together" else [[one] for one in changes]:
        apply(account, *batch)
    assert message(id_).state == DeliveryState.FAILED
    assert (reach()[0] is not None) is closed


def test_one_that_was_read_closes_nothing(account: AccountRef, mia: int) -> None:
    sent(mia)
    apply(account, failed(kind=ReportKind.READ))
    apply(account, closing())
    apply(account, replace(closing(), external_id="never"))
    assert reach() == (None, None)


def test_a_message_sent_again_has_nothing_to_do_with_reports_of_before(account: AccountRef, mia: int) -> None:
    id_ = sent(mia)
    apply(account, failed())
    db.write(outcome.record_queued, id_)
    apply(account, delivered())
    assert message(id_).state == DeliveryState.QUEUED


@pytest.mark.parametrize(
    ("show_seen", "words"),
    [(True, ["Sent", "Delivered", "Seen"]), (False, ["Sent", "Delivered", "Delivered"])],
)
def test_agents_see_it(database: db.Database, data: Path, show_seen: bool, words: list[str]) -> None:
    desk = open_desk(data, TELLING)
    toys.change_row(ChannelAccount, desk.account.id, settings={"show_seen": show_seen})
    apply(desk.account, received("In stock?"))
    sent(desk.mia.id)
    path = desk.path(f"/{toys.only(Conversation).id}")
    found = [shown(desk, path)]
    for change in (delivered(), toys.read("out-1")):
        apply(desk.account, change)
        found.append(shown(desk, path))
    assert found == words


def shown(desk: Desk, path: str) -> str:
    (found,) = re.findall(r"data-sent>(.*?)</span>", desk.browser.get(path).text, re.DOTALL)
    return re.sub(r"<[^>]*>", "", found).strip()


# Reports that return our key


CHANGES: dict[str, Callable[[], InboundChange]] = {
    "delivered": delivered,
    "read": lambda: toys.read("out-1"),
    "failed": failed,
    "reacted": lambda: toys.reacted("out-1", at=90),
}


@pytest.mark.parametrize("what", CHANGES)
def test_reports_that_come_before_the_sending_got_no_answer_stay(
    account: AccountRef, mia: int, what: str
) -> None:
    id_ = reply(mia, attempted=61)
    key = outbox.message_key(message(id_))
    apply(account, MessageAccepted("ana", "out-1", key, START + timedelta(seconds=62)), CHANGES[what]())
    before = message(id_).state
    db.write(outcome.record_unknown, id_, ProviderProblem("away", "No answer."))
    assert message(id_).state == before != "unknown"


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("first", [True, False])
def test_one_without_an_answer_is_confirmed_and_what_came_about_it_applied(
    account: AccountRef, mia: int, what: str, at_once: bool, first: bool
) -> None:
    id_ = reply(mia, attempted=61)
    db.write(outcome.record_unknown, id_, ProviderProblem("away", "No answer."))
    key = outbox.message_key(message(id_))
    accepted = MessageAccepted("ana", "out-1", key, START + timedelta(seconds=62))
    changes = [CHANGES[what](), accepted]
    for batch in [changes] if at_once else [[one] for one in changes]:
        apply(account, *(batch[::-1] if first else batch))
    assert message(id_).external_id == "out-1"
    wanted = {"delivered": "delivered", "read": "read", "failed": "failed", "reacted": "sent"}
    assert message(id_).state == wanted[what]
    reactions = [(one.message_id, one.emoji) for one in toys.everything(Reaction)]
    assert reactions == ([(id_, "❤️")] if what == "reacted" else [])


# Messages of other programs


def of_another_program(external_id: str = "theirs", *, contact: str = "ana") -> MessageBounced:
    return replace(failed(external_id, contact=contact), report=None)


def test_a_message_of_another_program_that_failed_is_a_line(account: AccountRef) -> None:
    """Toys whose provider doesn't tell what was delivered: the report isn't kept in case it is ours."""
    before = toys.only(Conversation)
    for _ in range(2):
        apply(account, of_another_program(), adapter=toys.TOY)
    lines = [one for one in toys.everything(Message) if one.kind == InternalKind.ACTIVITY]
    assert [one.content for one in lines] == [{"what": "not_delivered", "reason": "No such number."}]
    after = toys.only(Conversation)
    assert (after.unread_count, after.last_preview, after.failed_count) == (
        before.unread_count,
        "In stock?",
        0,
    )


def test_it_is_nobodys_where_no_one_has_written(account: AccountRef) -> None:
    for adapter in (TELLING, toys.TOY):
        apply(account, of_another_program(contact="bert"), adapter=adapter)
    apply(account, replace(of_another_program(), kind=ReportKind.DELAYED), adapter=toys.TOY)
    assert len(toys.everything(Conversation)) == len(toys.everything(Message)) == 1
    assert len(toys.everything(ContactIdentity)) == 1


def test_it_waits_a_day_in_case_it_is_ours(account: AccountRef, mia: int) -> None:
    apply(account, of_another_program("out-1"))
    assert [one.kind for one in toys.everything(Message)] == ["text"]
    sent(mia)
    apply(account)
    assert [one.state for one in toys.everything(Message)][-1] == DeliveryState.FAILED
