"""Reports about our messages that overtake the answer of the call that sent them, in any order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.core import clock, db
from host.delivery import results
from host.inbox import outcome
from host.inbox.apply import bounces
from host.inbox.apply.changes import apply_all_marks, apply_changes
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Mark, Message
from host.models.queue import OutboxEntry
from host.sdk.channel import AccountRef, ProviderProblem
from host.sdk.messages import InboundChange, ReportKind
from tests.helpers import queue_reply, work
from tests.inbox import toys
from tests.inbox.test_delivery_reports import TELLING, Telling, delivered, failed
from tests.inbox.toys import START

PROBLEM = ProviderProblem("timeout", "No answer came.", "")
BOTH = pytest.mark.parametrize("adapter", [TELLING, toys.TOY], ids=["telling", "other"])


def tell(account: AccountRef, *changes: InboundChange, adapter: toys.Toy = TELLING, **values: Any) -> None:
    values.setdefault("received_at", clock.now())
    db.write(apply_changes, [toys.incoming(account, change, adapter=adapter, **values) for change in changes])


def sending(account: AccountRef, mia: int, number: int = 1, *, talk: int | None = None) -> int:
    """Return the id of a message that was handed to the provider, which has not answered yet."""
    where = Conversation.account_id == account.id if talk is None else Conversation.id == talk

    def begin(session: Session) -> int:
        talk = session.scalars(sa.select(Conversation).where(where)).one()
        (message,) = queue_reply(
            work(session, talk.workspace_id, actor=mia, now=START + timedelta(seconds=60 * number)),
            talk.id,
            f"Yes {number}",
            reply_key=f"key-{account.id:06}-{number:06}",
            adapter=TELLING,
        )
        session.flush()
        outcome.record_sending(session, message.id)
        session.execute(
            sa.update(OutboxEntry)
            .where(OutboxEntry.message_id == message.id)
            .values(attempted_at=START + timedelta(seconds=60 * number + 1), attempts=1)
        )
        return message.id

    return db.write(begin)


def state(id_: int) -> Any:
    with db.read() as session:
        return session.get_one(Message, id_).state


def inbound() -> list[str]:
    return [one.text for one in toys.thread() if one.direction == "inbound"]


@pytest.fixture
def account(workspace: int) -> AccountRef:
    account = toys.make_account(workspace)
    tell(account, toys.received("In stock?"))
    return account


@BOTH
def test_a_failure_that_comes_first_is_kept(account: AccountRef, mia: int, adapter: toys.Toy) -> None:
    id_ = sending(account, mia)
    tell(account, failed(), adapter=adapter)
    tell(account, failed(), adapter=adapter)
    assert (state(id_), inbound()) == (DeliveryState.SENDING, ["In stock?"])
    db.write(outcome.record_sent, id_, "out-1")
    assert state(id_) == DeliveryState.FAILED
    found = next(one for one in toys.thread() if one.id == id_)
    assert found.error == {"code": "bounced", "sentence": "No such number.", "next_step": "", "raw": ""}
    assert toys.only(Conversation).failed_count == 1
    assert toys.everything(Mark) == []


def test_one_that_comes_first_says_as_much_about_the_customer(account: AccountRef, mia: int) -> None:
    id_ = sending(account, mia)
    tell(account, replace(failed(), whole_contact=True))
    assert toys.only(ContactIdentity).unreachable_since is None
    db.write(outcome.record_sent, id_, "out-1")
    identity, found = toys.only(ContactIdentity), next(one for one in toys.thread() if one.id == id_)
    assert identity.unreachable_since == START + timedelta(seconds=80)
    assert identity.unreachable == found.error
    assert found.error == {"code": "bounced", "sentence": "No such number.", "next_step": "", "raw": ""}


def test_a_delivery_that_comes_first_is_kept(account: AccountRef, mia: int) -> None:
    id_ = sending(account, mia)
    tell(account, delivered())
    db.write(outcome.record_sent, id_, "out-1")
    assert state(id_) == DeliveryState.DELIVERED
    assert toys.everything(Mark) == []


@BOTH
def test_one_found_at_the_provider_later_has_its_reports(
    account: AccountRef, mia: int, adapter: toys.Toy
) -> None:
    id_ = sending(account, mia)
    db.write(outcome.record_unknown, id_, PROBLEM)
    tell(account, failed(), adapter=adapter)
    db.write(outcome.record_sent, id_, "out-1")
    assert (state(id_), inbound()) == (DeliveryState.FAILED, ["In stock?"])


@BOTH
@pytest.mark.parametrize("together", [True, False])
def test_one_that_its_echo_confirms_has_its_reports(
    account: AccountRef, mia: int, adapter: toys.Toy, together: bool
) -> None:
    id_ = sending(account, mia)
    changes = [failed(), toys.echoed("Yes 1", at=62, external_id="out-1")]
    for batch in [changes] if together else [[one] for one in changes]:
        tell(account, *batch, adapter=adapter)
    assert (state(id_), inbound()) == (DeliveryState.FAILED, ["In stock?"])
    assert toys.everything(Mark) == []


@pytest.mark.parametrize("together", [True, False])
def test_one_written_in_the_providers_app_has_its_reports(account: AccountRef, together: bool) -> None:
    changes = [delivered(), toys.echoed("Hello", at=62, external_id="out-1")]
    for batch in [changes] if together else [[one] for one in changes]:
        tell(account, *batch)
    (found,) = [one for one in toys.thread() if one.direction == "outbound"]
    assert found.state == DeliveryState.DELIVERED


def test_one_taken_for_the_apps_hands_its_reports_over(account: AccountRef, mia: int) -> None:
    for number, change in enumerate((delivered("out-1"), failed("out-2")), 1):
        id_ = sending(account, mia, number)
        tell(account, toys.echoed("[link]", at=60 * number + 2, external_id=f"out-{number}"))
        tell(account, change)
        db.write(outcome.record_sent, id_, f"out-{number}")
        wanted = DeliveryState.DELIVERED if number == 1 else DeliveryState.FAILED
        assert state(id_) == wanted
    assert toys.only(Conversation).failed_count == 1


def test_without_a_message_on_its_way_a_report_is_shown(account: AccountRef, mia: int) -> None:
    tell(account, failed(), adapter=toys.TOY)
    assert inbound() == ["In stock?", "Report: failed"]
    assert toys.everything(Mark) == []


def test_of_a_stranger_nothing_is_kept(account: AccountRef, mia: int) -> None:
    sending(account, mia)
    tell(account, delivered(contact="bo"), failed(contact="cy"))
    assert toys.everything(Mark) == []
    assert inbound() == ["In stock?", "Report: failed"]


def test_a_report_kept_under_another_customer_changes_nothing(account: AccountRef, mia: int) -> None:
    tell(account, toys.received("Hi", contact="bo"))
    with db.read() as session:
        theirs = session.scalars(sa.select(Conversation).order_by(Conversation.id.desc())).first()
        assert theirs is not None
    toys.change_row(Conversation, theirs.id, account_id=toys.make_account(account.workspace_id).id)
    id_ = sending(account, mia)
    tell(account, delivered(contact="bo"), failed(contact="bo"))
    assert len(toys.everything(Mark)) == 2
    db.write(outcome.record_sent, id_, "out-1")
    assert state(id_) == DeliveryState.SENT
    assert toys.everything(Mark) == []


class TwoWays(Telling):
    """A toy whose provider has two ids for the same person."""

    def other_ids(self, contact: str) -> tuple[str, ...]:
        return {"ana": ("ANA",), "ANA": ("ana",)}.get(contact, ())


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("renamed", [False, True])
def test_a_report_under_their_other_id_waits_for_the_answer_too(
    account: AccountRef, mia: int, known: bool, renamed: bool
) -> None:
    if known:
        tell(account, toys.received("Me, too", contact="ANA", external_id="theirs-2"), adapter=TwoWays())
    with db.read() as session:
        query = sa.select(Conversation).order_by(Conversation.id)
        talk, others = session.scalars(query).first(), len(session.scalars(query).all())
        assert talk is not None
    id_ = sending(account, mia, talk=talk.id)
    tell(account, delivered(contact="ANA"), adapter=TwoWays())
    if renamed:
        db.write(results.note_recipient, talk.identity_id, "ANA")
    db.write(outcome.record_sent, id_, "out-1")
    assert state(id_) == DeliveryState.DELIVERED
    assert (toys.everything(Mark), len(toys.everything(Conversation))) == ([], others)
    tell(account, failed(contact="bo"), failed(contact="ana "), adapter=TwoWays())
    assert state(id_) == DeliveryState.DELIVERED
    tell(account, failed(contact="ANA"), adapter=TwoWays())
    assert state(id_) == DeliveryState.FAILED


@pytest.mark.parametrize("known", [False, True])
def test_a_message_of_their_other_id_is_of_somebody_else(account: AccountRef, mia: int, known: bool) -> None:
    """Only reports are matched, since a person who writes is known by the id they write with."""
    wrote = toys.received("Me, too", contact="ANA", external_id="theirs-2")
    id_ = sending(account, mia)
    changes = [delivered(contact="ANA"), wrote]
    for batch in [[wrote], [changes[0]]] if known else [changes]:
        tell(account, *batch, adapter=TwoWays())
    db.write(outcome.record_sent, id_, "out-1")
    assert state(id_) == DeliveryState.DELIVERED
    assert {one.external_id for one in toys.everything(ContactIdentity)} == {"ana", "ANA"}


def test_an_adapter_that_raises_has_one_id_for_everybody(account: AccountRef, mia: int) -> None:
    class Broken(Telling):
        def other_ids(self, contact: str) -> tuple[str, ...]:
            raise RuntimeError("broken")

    id_ = sending(account, mia)
    tell(account, delivered(), adapter=Broken())
    db.write(outcome.record_sent, id_, "out-1")
    assert state(id_) == DeliveryState.DELIVERED


def test_a_report_about_no_message_of_ours_is_shown_after_a_day(
    account: AccountRef, mia: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[int] = []
    monkeypatch.setattr(bounces.replay, "apply_again", lambda _session, ids: again.extend(ids))
    sending(account, mia)
    event = failed("never")
    tell(account, event, adapter=toys.TOY, event_id=77)
    tell(account, delivered("never"), toys.read("never"), event_id=78)
    assert len(toys.everything(Mark)) == 3
    db.write(bounces.give_up_kept, 100)
    apply_all_marks()
    assert len(toys.everything(Mark)) == 3
    received_at = clock.now()
    with clock.travel(timedelta(days=1, minutes=1)):
        db.write(bounces.give_up_kept, 100)
        assert (toys.everything(Mark), again) == ([], [77])
        tell(account, event, adapter=toys.TOY, event_id=77, received_at=received_at)
    assert inbound() == ["In stock?", "Report: failed"]


def test_one_sent_again_under_its_id_keeps_what_comes_before_the_answer(
    account: AccountRef, mia: int
) -> None:
    id_ = sending(account, mia)
    db.write(outcome.record_sent, id_, "out-1")
    tell(account, failed())
    db.write(outcome.record_queued, id_)
    db.write(outcome.record_sending, id_)
    tell(account, delivered())
    assert state(id_) == DeliveryState.SENDING
    db.write(outcome.record_sent, id_, "out-1")
    assert state(id_) == DeliveryState.DELIVERED


def test_on_every_database(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    account, mia = toys.make_account(workspace), toys.make_user(workspace, "Mia R.")
    tell(account, toys.received("In stock?"))
    ids = [sending(account, mia, number) for number in (1, 2, 3)]
    tell(account, delivered("out-1"), failed("out-2"), toys.read("out-3"), delivered("out-3"))
    for number, id_ in enumerate(ids, 1):
        db.write(outcome.record_sent, id_, f"out-{number}")
    assert [state(id_) for id_ in ids] == ["read", "failed", "read"]
    tell(account, delivered("out-2"))
    assert state(ids[1]) == DeliveryState.FAILED
    tell(account, toys.read("out-2"))
    assert state(ids[1]) == DeliveryState.READ
    assert toys.everything(Mark) == []
    tell(account, failed("never"))
    with clock.travel(timedelta(days=2)):
        db.write(bounces.give_up_kept, 1)
    assert toys.everything(Mark) == []


# ---- any order ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """What happens to two messages of ours, and the order and batches in which we learn of it."""

    happened: frozenset[tuple[str, int]]
    told: tuple[tuple[tuple[str, int], ...], ...]


@st.composite
def tellings(draw: st.DrawFn, messages: int) -> Story:
    kinds = ("delivered", "read", "failed", "delayed")
    reports = st.tuples(st.sampled_from(kinds), st.integers(1, messages))
    happened = draw(st.frozensets(reports, max_size=4 * messages))
    again = draw(st.lists(st.sampled_from(sorted(happened)), max_size=4)) if happened else []
    answers = [("sent", number) for number in range(1, messages + 1)]
    order = draw(st.permutations([*sorted(happened), *again, *answers]))
    told: list[tuple[tuple[str, int], ...]] = []
    while order:
        size = draw(st.integers(1, 3))
        told.append(tuple(order[:size]))
        order = order[size:]
    return Story(happened, tuple(told))


@pytest.fixture(scope="module")
def stage(migrated_file: Path) -> Iterator[tuple[int, int]]:
    """One workspace and one person for all examples; each has an account of its own."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "lobby.sqlite3"
        shutil.copy(migrated_file, path)
        database = db.connect(f"sqlite:///{path}")
        workspace = toys.make_workspace()
        yield workspace, toys.make_user(workspace, "Mia R.")
        database.dispose()


def change(kind: str, number: int) -> InboundChange:
    external_id = f"out-{number}"
    if kind == "delivered":
        return delivered(external_id)
    if kind == "read":
        return toys.read(external_id)
    return failed(external_id, kind=ReportKind(kind))


def play(stage: tuple[int, int], telling: Story, messages: int, adapter: toys.Toy) -> list[str]:
    """Return the states in which the messages end."""
    account = toys.make_account(stage[0])
    tell(account, toys.received("In stock?"), adapter=adapter)
    ids = [sending(account, stage[1], number) for number in range(1, messages + 1)]
    for batch in telling.told:
        reports = [change(*one) for one in batch if one[0] != "sent"]
        if reports:
            tell(account, *reports, adapter=adapter)
        for kind, number in batch:
            if kind == "sent":
                db.write(outcome.record_sent, ids[number - 1], f"out-{number}")
    with db.read() as session:
        query = sa.select(Message).where(Message.account_id == account.id, Message.direction == "inbound")
        assert [one.text for one in session.scalars(query)] == ["In stock?"], "no report became a message"
        assert session.scalars(sa.select(Mark).where(Mark.account_id == account.id)).all() == []
        talk = session.scalars(sa.select(Conversation).where(Conversation.account_id == account.id)).one()
        found = [session.get_one(Message, id_) for id_ in ids]
        assert talk.failed_count == sum(one.state == DeliveryState.FAILED for one in found)
        for one in found:
            assert (one.state == DeliveryState.FAILED) == ((one.error or {}).get("code") == "bounced")
        return [str(one.state) for one in found]


def expected(telling: Story, number: int, adapter: toys.Toy) -> str:
    tells = adapter.capabilities.delivery_reports
    is_delivered = tells and ("delivered", number) in telling.happened
    is_read = ("read", number) in telling.happened
    if ("failed", number) in telling.happened and not is_read:
        return "failed"
    if any(kind == "read" and of >= number for kind, of in telling.happened):
        return "read"
    return "delivered" if is_delivered else "sent"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(telling=tellings(2))
def test_in_any_order_two_messages_end_in_the_same_states(stage: tuple[int, int], telling: Story) -> None:
    assert play(stage, telling, 2, TELLING) == [expected(telling, number, TELLING) for number in (1, 2)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(telling=tellings(1))
def test_so_does_one_where_the_channel_does_not_tell_of_deliveries(
    stage: tuple[int, int], telling: Story
) -> None:
    assert play(stage, telling, 1, toys.TOY) == [expected(telling, 1, toys.TOY)]
