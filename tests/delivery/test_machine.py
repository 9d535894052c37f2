"""Whatever happens, in whatever order: nothing is sent twice by itself, nothing is called what it is not."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter, defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host import counters
from host.core import clock, db, secrets, storage
from host.inbox.errors import TooLongError
from host.inbox.unsent import resending
from host.models.channels import AccountState
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Direction, Message
from host.models.queue import EventState, OutboxEntry
from host.queue import lanes, outbox
from host.queue.journal import Journal
from host.queue.replay import replay
from host.sdk.channel import (
    Absent,
    CannotTell,
    Found,
    Held,
    NotSent,
    Rejected,
    SearchRequest,
    SearchResult,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from tests.delivery.desk import PROBLEM, Desk, ToyAdapter, envelope
from tests.helpers import do_desk

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)

CONTACTS = ("anna", "bert")
OUTCOMES = (
    "sent",
    "sent, echo first",
    "accepted, unconfirmed",
    "accepted, unconfirmed, echo first",
    "lost, unconfirmed",
    "not sent",
    "account limit",
    "rejected",
    "held",
    "raises",
    "dies before",
    "dies after",
    "loses its lease, sent",
    "loses its lease, rejected",
)


class KilledError(BaseException):
    """The worker's process is gone."""


@dataclass
class Delivered:
    """What the provider took: the truth the desk has to end up with."""

    key: str
    contact: str
    text: str
    mid: str


class Provider(ToyAdapter):
    """A provider that keeps a ledger, can be read truthfully, and behaves as the test draws."""

    def __init__(self, machine: DeliveryMachine) -> None:
        super().__init__()
        self.machine = machine
        self.ledger: list[Delivered] = []
        self.next: list[str] = []
        self.readable = True
        self.window = None

    def accept(self, request: SendRequest) -> str:
        mid = f"mid-{len(self.ledger)}"
        self.ledger.append(Delivered(request.message_key, request.recipient, request.part.text, mid))
        return mid

    def send(self, request: SendRequest) -> SendResult:
        step = self.next.pop(0) if self.next else "sent"
        if step == "dies before":
            raise KilledError
        if step in {"not sent", "account limit"}:
            return NotSent(PROBLEM, retry_after=20.0, whole_account=step == "account limit")
        if step == "rejected":
            return Rejected(PROBLEM)
        if step == "held":
            return Held(PROBLEM)
        if step == "lost, unconfirmed":
            return Unknown(PROBLEM)
        if step == "loses its lease, rejected":
            self.machine.another_worker_takes_over()
            return Rejected(PROBLEM)
        mid = self.accept(request)
        if step.endswith("echo first"):
            self.machine.echo_of(self.ledger[-1])
        if step == "dies after":
            raise KilledError
        if step == "raises":
            raise RuntimeError("boom")
        if step.startswith("accepted"):
            return Unknown(PROBLEM)
        if step == "loses its lease, sent":
            self.machine.another_worker_takes_over()
        return Sent(mid)

    def search(self, request: SearchRequest) -> SearchResult:
        if not self.readable:
            return CannotTell("not now")
        for one in self.ledger:
            same = (one.contact, one.text) == (request.recipient, request.part.text)
            if same and one.mid not in request.known:
                return Found(one.mid)
        return Absent()


class DeliveryMachine(RuleBasedStateMachine):
    """A desk, a provider and time."""

    migrated: Path

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copy(self.migrated, folder / "lobby.sqlite3")
        db.connect(f"sqlite:///{folder / 'lobby.sqlite3'}", pool_size=4)
        self.stack.callback(db.current().dispose)
        counters.reset()
        secrets.use(secrets.Keyring({"k1": bytes(range(32))}))
        storage.use(storage.FolderStore(folder / "attachments"))
        self.desk = Desk()
        self.provider = Provider(self)
        self.desk.generation.directory.adapters["email"] = self.desk.toy = self.provider
        self.journal = Journal(folder / "spool", wake=lambda _: None)
        self.journal.start()
        self.stack.callback(self.journal.stop)
        self.talks: dict[str, int] = {}
        self.replies: list[int] = []
        self.written: Counter[tuple[str, str]] = Counter()
        self.by_hand: set[str] = set()
        self.moved: set[str] = set()
        """Keys of messages whose place among the others a person changed."""
        self.received: set[str] = set()

    @initialize()
    def two_customers_wrote(self) -> None:
        for contact in CONTACTS:
            self.talks[contact] = self.desk.customer_wrote(contact)

    # What people and the provider do

    @rule(contact=st.sampled_from(CONTACTS), text=st.sampled_from(("ok", "yes", "")))
    def reply(self, contact: str, text: str) -> None:
        words = text or f"reply {len(self.replies)}"
        self.written[contact, words] += 1
        self.replies.append(self.desk.reply(words, self.talks[contact], contact=contact))

    @rule(contact=st.sampled_from(CONTACTS), number=st.integers(2, 3))
    def reply_in_parts(self, contact: str, number: int) -> None:
        texts = [f"reply {len(self.replies)} part {part}" for part in range(number)]
        self.written.update((contact, text) for text in texts)
        self.replies += self.desk.reply_in_parts(self.talks[contact], *texts, contact=contact)

    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=3))
    def provider_will(self, outcomes: list[str]) -> None:
        self.provider.next.extend(outcomes)

    @rule()
    def provider_can_be_read_or_not(self) -> None:
        self.provider.readable = not self.provider.readable

    @rule(seconds=st.sampled_from((1, 25, 70, 100, 4000)))
    def time_passes(self, seconds: int) -> None:
        self.stack.enter_context(clock.travel(timedelta(seconds=seconds)))
        self.work()

    @rule()
    def work(self) -> None:
        with suppress(KilledError):
            self.desk.drain()

    @rule()
    def restart(self) -> None:
        db.write(lanes.void_leases)
        self.work()

    @precondition(lambda self: self.provider.ledger)
    @rule(data=st.data(), twice=st.booleans())
    def echo(self, data: st.DataObject, twice: bool) -> None:
        one = data.draw(st.sampled_from(self.provider.ledger))
        for _ in range(2 if twice else 1):
            self.echo_of(one)

    @rule()
    def reconnect(self) -> None:
        self.desk.set_account(state=AccountState.CONNECTED, state_reason=None, blocked_until=None)
        db.write(outbox.resume_account, self.desk.account.id)

    @precondition(lambda self: self.replies)
    @rule(data=st.data(), what=st.sampled_from((resending.retry, outbox.check_now, resending.send_again)))
    def somebody_presses(self, data: st.DataObject, what: object) -> None:
        message = data.draw(st.sampled_from(self.replies))
        with suppress(outbox.StateMovedOnError):
            db.write(what, message)  # type: ignore[arg-type]
            if what is not outbox.check_now:
                self.by_hand.add(self.keys_of_reply(message)[message])
                self.moved.update(self.keys_of_reply(message).values())

    @precondition(lambda self: self.replies)
    @rule(data=st.data(), what=st.sampled_from((resending.cancel, resending.send_anyway)))
    def somebody_thinks_again(self, data: st.DataObject, what: object) -> None:
        message = data.draw(st.sampled_from(self.replies))
        with suppress(outbox.StateMovedOnError):
            db.write(what, message)  # type: ignore[arg-type]
            self.moved.update(self.keys_of_reply(message).values())

    @precondition(lambda self: self.replies)
    @rule(data=st.data())
    def somebody_edits(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.replies))
        row = self.desk.message(message)
        with db.read() as session:
            contact = session.get_one(
                ContactIdentity, session.get_one(Conversation, row.conversation_id).identity_id
            )
        words = f"{row.text} again"
        with suppress(outbox.StateMovedOnError, resending.NotEditableError, TooLongError):
            db.write(resending.edit, message, words, self.provider)
            self.written[contact.external_id, words] += 1
            self.written[contact.external_id, row.text] -= 1

    def keys_of_reply(self, message: int) -> dict[int, str]:
        """Return the keys of the messages of the reply that *message* is a part of, by their ids."""
        with db.read() as session:
            reply_key = session.get_one(Message, message).reply_key
            parts = session.scalars(sa.select(Message).where(Message.reply_key == reply_key))
            return {part.id: outbox.message_key(part) for part in parts}

    @rule(contact=st.sampled_from(CONTACTS), number=st.integers(0, 20), broken=st.booleans())
    def event_arrives(self, contact: str, number: int, broken: bool) -> None:
        mid = f"{contact}-{number}"
        if broken and mid not in self.received:
            self.provider.broken[mid] = ValueError("cannot be read")
        self.received.add(mid)
        one = envelope(self.desk.account.id, mid, contact=contact)
        self.journal.ingest(source="/x", channel="email", raw=one.body, remote="", envelopes=[one])

    @rule()
    def the_adapter_is_mended(self) -> None:
        self.provider.broken.clear()
        for event in self.desk.events():
            if event.state == EventState.DEAD:
                do_desk(replay, event.id)

    def echo_of(self, one: Delivered) -> None:
        self.desk.echo(one.mid, one.text, contact=one.contact)

    def another_worker_takes_over(self) -> None:
        """Let five minutes pass in which this worker hears nothing, and another one does its work."""
        kept, self.provider.next = self.provider.next, []
        for _ in range(6):
            self.stack.enter_context(clock.travel(timedelta(seconds=50)))
            self.work()
        self.provider.next = kept

    # What must hold, always

    def accepted(self) -> dict[str, int]:
        counts: dict[str, int] = defaultdict(int)
        for one in self.provider.ledger:
            counts[one.key] += 1
        return counts

    @invariant()
    def nothing_is_sent_twice_by_itself(self) -> None:
        """Of replies with the same words the one found may be taken for the other, as nobody can tell them
        apart; the customer still gets no more of them than were written."""
        twice = {key for key, count in self.accepted().items() if count > 1} - self.by_hand
        got = Counter((one.contact, one.text) for one in self.provider.ledger)
        for one in self.provider.ledger:
            if one.key in twice:
                words = one.contact, one.text
                assert self.written[words] > 1
                assert got[words] <= self.written[words]

    @invariant()
    def replies_to_one_customer_keep_their_order(self) -> None:
        with db.read() as session:
            position = {
                outbox.message_key(message): message.id
                for message in session.scalars(sa.select(Message).where(Message.id.in_(self.replies)))
            }
        for contact in CONTACTS:
            order = [
                position[one.key]
                for one in self.provider.ledger
                if one.contact == contact and one.key not in self.moved
            ]
            assert order == sorted(order)

    @invariant()
    def every_event_is_one_message_at_most(self) -> None:
        with db.read() as session:
            mids = list(
                session.scalars(sa.select(Message.external_id).where(Message.direction == Direction.INBOUND))
            )
        assert len(mids) == len(set(mids))
        assert {mid for mid in mids if mid and "-" in mid} <= self.received

    @invariant()
    def what_is_called_sent_or_failed_is_true(self) -> None:
        mids = {one.mid: one for one in self.provider.ledger}
        accepted = self.accepted()
        with db.read() as session:
            for message in session.scalars(sa.select(Message).where(Message.direction == Direction.OUTBOUND)):
                if message.state == DeliveryState.SENT:
                    assert message.external_id in mids
                    assert mids[message.external_id].text == message.text
                if message.state in {DeliveryState.FAILED, DeliveryState.CANCELLED}:
                    assert not accepted[outbox.message_key(message)]

    def teardown(self) -> None:
        try:
            self.in_the_end()
        finally:
            self.stack.close()

    def in_the_end(self) -> None:
        """Let everything heal; then nothing may be open, and each thing there was is there once."""
        self.provider.next.clear()
        self.provider.readable = True
        self.provider.broken.clear()
        self.reconnect()
        for _ in range(40):
            self.stack.enter_context(clock.travel(timedelta(seconds=61)))
            self.work()
        with db.read() as session:
            entries = sa.select(sa.func.count()).select_from(OutboxEntry).where(OutboxEntry.open.is_(True))
            assert session.scalar(entries) == 0
            outbound = list(
                session.scalars(sa.select(Message).where(Message.direction == Direction.OUTBOUND))
            )
        failed = {message.reply_key for message in outbound if message.state == DeliveryState.FAILED}
        for message in outbound:
            assert message.state not in {DeliveryState.QUEUED, DeliveryState.SENDING} or (
                message.state == DeliveryState.QUEUED and message.reply_key in failed
            ), "only a part behind one that failed may wait"
        assert len({message.external_id for message in outbound if message.external_id}) == len(
            [message for message in outbound if message.external_id]
        )
        if not self.by_hand:
            assert len(outbound) == len(self.replies), "an echo became a second message"
        assert all(event.state in {EventState.APPLIED, EventState.DEAD} for event in self.desk.events())
        self.nothing_is_sent_twice_by_itself()
        self.what_is_called_sent_or_failed_is_true()


def run(migrated_file: Path, *, examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    DeliveryMachine.migrated = migrated_file
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        DeliveryMachine,
        settings=settings(
            max_examples=examples,
            deadline=None,  # the profile of tests/conftest.py is not asked here
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        ),
    )


def test_delivery_holds_its_promises(migrated_file: Path) -> None:
    run(migrated_file, examples=12, steps=25)


LONG = int(os.environ.get("MACHINE_EXAMPLES") or 40)
"""The long form, by hand, has 2,000."""


@pytest.mark.slow
def test_delivery_holds_its_promises_for_long(migrated_file: Path) -> None:
    run(migrated_file, examples=LONG, steps=60)
