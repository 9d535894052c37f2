"""Who locks the same rows locks them in one order, so that nobody waits for each other in a circle."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.core import clock, db, storage
from host.delivery import results
from host.delivery.outbox_head import read_outbox_head
from host.delivery.results import LOCK_ORDER
from host.delivery.worker import Workers
from host.inbox.unsent import resending
from host.models.inbox import Conversation, DeliveryState
from host.models.queue import EventState, InboundEvent, Lane, OutboxEntry
from host.queue import data, lanes, replay, wakeups
from host.queue.account_rotation import AccountRotation
from host.queue.journal import Journal
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import Held, NotSent, Pause, Rejected, SendResult, Sent, Unknown
from tests.delivery.conftest import Door
from tests.delivery.desk import PROBLEM, Desk, envelope
from tests.helpers import do, do_desk, queue_reply

pytestmark = [
    pytest.mark.services,
    pytest.mark.fresh_database,  # MariaDB locks what was deleted, too
    pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True),
]

_WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock'",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p "
    "ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = database()",
}


@pytest.fixture
def desk(any_database: db.Database, tmp_path: Path) -> Desk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    return Desk()


@pytest.fixture(autouse=True)
def _none_undone() -> None:
    db.take_undone()


def waits() -> bool:
    """Tell whether somebody waits for a lock in this test's database."""
    with db.read() as session:
        return bool(session.scalar(sa.text(_WAITING[db.current().dialect.replace("mysql", "mariadb")])))


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.15)  # MariaDB looks anew at who waits only after a tenth of a second without a question


def lock(session: Session, table: type[db.Base], *where: sa.ColumnElement[bool]) -> None:
    """Lock rows as an update does."""
    session.execute(sa.select(*sa.inspect(table).primary_key).where(*where).with_for_update()).all()


def one_after_the_other(first: Callable[[Session], object], other: Callable[[], object]) -> None:
    """Run *other* until it waits for the lane locked here, then *first*, and both to their ends."""

    def work(session: Session) -> None:
        lock(session, Lane)
        running = pool.submit(other)
        until(lambda: waits() or running.done(), 10)
        assert not running.done(), running.result()
        first(session)
        begun.append(running)

    begun: list[object] = []
    with ThreadPoolExecutor(1) as pool:
        db.write(work)
        assert len(begun) == 1, "the first write was undone and tried again"
        begun[0].result(60)  # type: ignore[attr-defined]
    assert db.take_undone() == {}


def test_a_replay_waits_for_the_worker_that_applies_others_of_the_lane(desk: Desk, door: Door) -> None:
    desk.toy.broken["hello"] = ValueError("no")
    door.receive(desk.account.id, "hello")
    desk.drain()
    db.write(lambda session: session.execute(sa.update(InboundEvent).values(state=EventState.DEAD)) and None)
    (event,) = desk.events()
    one_after_the_other(
        lambda session: lock(session, InboundEvent), lambda: do_desk(replay.replay_many, [event.id])
    )
    assert desk.event_states() == [EventState.PENDING]


def test_a_reply_waits_for_the_worker_that_sends_to_the_same_customer(desk: Desk) -> None:
    conversation = desk.customer_wrote()
    desk.reply("one", conversation)
    one_after_the_other(
        lambda session: lock(session, Conversation),
        lambda: do(
            queue_reply,
            desk.workspace_id,
            conversation,
            "two",
            reply_key="a-key-of-its-own",
            adapter=desk.toy,
        ),
    )
    desk.drain()
    assert [one.part.text for one in desk.toy.sent] == ["one", "two"]


def test_a_retry_waits_for_the_worker_that_sends_to_the_same_customer(desk: Desk) -> None:
    conversation = desk.customer_wrote()
    desk.toy.script = [Rejected(PROBLEM)]
    message = desk.reply("one", conversation)
    desk.drain()
    assert desk.state(message) == DeliveryState.FAILED
    one_after_the_other(
        lambda session: lock(session, OutboxEntry), lambda: db.write(resending.retry, message)
    )
    desk.drain()
    assert desk.state(message) == DeliveryState.SENT


def test_lanes_made_due_together_are_locked_in_the_order_of_their_keys(desk: Desk, door: Door) -> None:
    names = [f"c{number}" for number in range(8)]
    for name in names:
        door.receive(desk.account.id, name, contact=name)
    keys = sorted(lane.key for lane in desk.lanes())
    later = clock.now().replace(year=clock.now().year + 1)
    db.write(lambda session: session.execute(sa.update(Lane).values(next_at=later)) and None)

    def work(session: Session) -> None:
        first, last = keys[0], keys[-1]
        lock(session, Lane, Lane.key == first)
        running.append(pool.submit(db.write, lanes.make_due, keys[::-1], at=clock.now()))
        until(waits)
        lock(session, Lane, Lane.key == last)

    running: list[object] = []
    with ThreadPoolExecutor(1) as pool:
        db.write(work)
        running[0].result(60)  # type: ignore[attr-defined]
    assert db.take_undone() == {}
    assert all(lane.next_at is not None and lane.next_at < later for lane in desk.lanes())


def test_idle_lanes_are_removed_but_those_somebody_has(desk: Desk, door: Door) -> None:
    for number in range(8):
        door.receive(desk.account.id, f"m{number}", contact=f"c{number}")
    desk.drain()
    keys = [lane.key for lane in desk.lanes()]

    def work(session: Session) -> None:
        for key in (keys[0], keys[-1]):
            lock(session, Lane, Lane.key == key)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(db.write, data.remove_lanes, 500).result(60)

    db.write(work)
    assert [lane.key for lane in desk.lanes()] == [keys[0], keys[-1]]
    assert db.take_undone() == {}


def test_what_the_database_undoes_is_counted(desk: Desk) -> None:
    for name in ("anna", "bert"):
        desk.customer_wrote(name)
    rows = sorted(row.id for row in conversations())
    barrier = threading.Barrier(2)

    def circle(session: Session, ids: list[int], tries: list[int]) -> None:
        tries.append(1)
        lock(session, Conversation, Conversation.id == ids[0])
        if len(tries) == 1:
            barrier.wait(30)
        lock(session, Conversation, Conversation.id == ids[1])

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(db.write, circle, ids, []) for ids in (rows, rows[::-1])]
        for one in both:
            one.result(60)
    recording.flush()
    assert db.take_undone() == {}
    with db.read() as session:
        query = sa.text("SELECT count FROM health_minutes WHERE metric = 'undone' AND label = 'deadlock'")
        assert set(session.scalars(query)) == {1}


@pytest.mark.parametrize("record", ["not_sent", "unknown"])
def test_failures_of_one_account_are_recorded_beside_each_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    for name in ("anna", "bert"):
        desk.reply("hello", desk.customer_wrote(name), contact=name)
    leases = db.write(lanes.claim, wakeups.OUT, limit=2, rotation=AccountRotation())
    assert len(leases) == 2
    with db.read() as session:
        heads = [read_outbox_head(session, lease.key) for lease in leases]
    for lease, head in zip(leases, heads, strict=True):
        assert head is not None
        assert db.write(results.begin, lease, head, (), InboundMedia()) is results.Begun.YES
    both, note = threading.Barrier(2), results.note_failure
    waited: set[int] = set()

    def note_failure(session: Session, account_id: int, **values: bool) -> object:
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            both.wait(30)
        return note(session, account_id, **values)

    monkeypatch.setattr(results, "note_failure", note_failure)
    answer = {"not_sent": (NotSent(PROBLEM),), "unknown": (PROBLEM,)}[record]
    with ThreadPoolExecutor(2) as pool:
        written = [
            pool.submit(db.write, getattr(results, record), lease, head, *answer)
            for lease, head in zip(leases, heads, strict=True)
        ]
        assert all(one.result(60) for one in written)
    assert db.take_undone() == {}
    assert desk.account_row().failures == 2


TABLE = re.compile(r"(?:FROM|UPDATE|JOIN) [`\"]?([a-z_]+)")
LOCKS = re.compile(r" FOR (?:NO KEY )?UPDATE(?: OF ([a-z_, ]+?))?( SKIP LOCKED)?$")


@contextmanager
def locks_noted() -> Iterator[list[list[str]]]:
    """Yield the tables in which each write locks rows, in the order of their first locks."""
    noted: list[list[str]] = []

    def begins(_connection: sa.Connection) -> None:
        noted.append([])

    def executes(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        words = " ".join(statement.split())
        found = LOCKS.search(words)
        if found is not None and found[2]:
            return  # it waits for nobody
        if found is not None:
            tables = [one.strip() for one in found[1].split(",")] if found[1] else TABLE.findall(words)
        else:
            tables = TABLE.findall(words)[:1] if words.startswith(("UPDATE", "DELETE")) else []
        noted[-1] += [one for one in dict.fromkeys(tables) if one not in noted[-1]]

    engine = db.current().write_engine
    events = (("begin", begins), ("before_cursor_execute", executes))
    for name, listener in events:
        sa.event.listen(engine, name, listener)
    try:
        yield noted
    finally:
        for name, listener in events:
            sa.event.remove(engine, name, listener)


def test_what_became_of_a_sending_is_written_in_the_written_order(desk: Desk) -> None:
    pause = Pause(PROBLEM, seconds=5, whole_account=True)
    results_: dict[str, SendResult | Exception] = {
        "sent": Sent("mid-sent"),
        "sent-pause": Sent("mid-pause", pause),
        "sent-missed": Sent("mid-missed", None, PROBLEM),
        "not-sent": NotSent(PROBLEM),
        "limited": NotSent(PROBLEM, whole_account=True, retry_after=5),
        "rejected": Rejected(PROBLEM),
        "out-of-reach": Rejected(PROBLEM, whole_contact=True),
        "unknown": Unknown(PROBLEM),
        "raises": ValueError("no"),
        "held": Held(PROBLEM),
    }
    seen: set[tuple[str, ...]] = set()
    for name, result in results_.items():
        account = desk.connect(name)
        talk = desk.customer_wrote(name, account=account)
        desk.reply_in_parts(talk, "one", "two", contact=name)
        desk.toy.script = [result]
        with locks_noted() as noted:
            desk.drain("out")
        ordered = [[one for one in tables if one in LOCK_ORDER] for tables in noted]
        for tables in ordered:
            assert tables == sorted(tables, key=LOCK_ORDER.index), name
        seen |= set(map(tuple, ordered))
    assert ("lanes", "outbox", "messages", "channel_accounts") in seen
    assert {table for tables in seen for table in tables} == set(LOCK_ORDER)


def conversations() -> list[Conversation]:
    with db.read() as session:
        return list(session.scalars(sa.select(Conversation)))


def pending() -> int:
    with db.read() as session:
        query = sa.select(sa.func.count()).where(InboundEvent.state == EventState.PENDING)
        return session.scalar(query) or 0


# ---- all at once -------------------------------------------------------------------------------------

CUSTOMERS, ROUNDS = 24, 60


@contextmanager
def journals(folder: Path, count: int) -> Iterator[list[Journal]]:
    """Journals as so many web processes have them."""
    started = [Journal(folder / f"spool-{number}") for number in range(count)]
    for one in started:
        one.start()
    try:
        yield started
    finally:
        for one in started:
            one.stop()


@pytest.mark.slow
def test_no_deadlock_while_everybody_is_at_work(desk: Desk, tmp_path: Path) -> None:
    accounts = [desk.account, *(desk.connect(f"{number}00") for number in range(2, 5))]
    names = [f"c{number}" for number in range(CUSTOMERS)]
    known = {
        (account.id, name): desk.customer_wrote(name, account=account)
        for account in accounts
        for name in names
    }

    def provider(number: int) -> None:
        """Bring many lanes in each request, in any order, to two processes, most of it twice."""
        chance = random.Random(number)
        for taken in range(ROUNDS):
            account = chance.choice(accounts)
            some = [
                envelope(account.id, f"{number}-{taken}-{name}", contact=name)
                for name in chance.sample(names, chance.randint(1, 8))
            ]
            some.append(envelope(account.id, f"{number}-{taken}-new", contact=f"new {number} {taken}"))
            some.append(envelope(None, f"nobody {number} {taken}"))
            for journal in chance.sample(running, 2):
                chance.shuffle(some)
                call = calls.submit(
                    journal.ingest,
                    source="/hook",
                    channel="email",
                    raw=b"{}",
                    remote="",
                    envelopes=list(some),
                )
                if db.current().dialect != "postgresql":
                    call.result(60)  # see merged_events
            time.sleep(0.03)

    def agent(number: int) -> None:
        chance = random.Random(number)
        for written in range(ROUNDS):
            do(
                queue_reply,
                desk.workspace_id,
                chance.choice(list(known.values())),
                f"answer {number} {written}",
                reply_key=f"answer-{number}-{written}",
                adapter=desk.toy,
            )
            time.sleep(0.02)

    desk.toy.script = [Rejected(PROBLEM) if n % 5 == 0 else Sent(f"first {n}") for n in range(400)]
    workers = [Workers(lambda: desk.generation, receivers=3, senders=2) for _ in range(2)]
    with journals(tmp_path, 2) as running, ThreadPoolExecutor(8) as calls, ThreadPoolExecutor(5) as people:
        for one in workers:
            one.start()
        try:
            works = [people.submit(provider, number) for number in range(3)]
            works += [people.submit(agent, number) for number in range(2)]
            for work in works:
                work.result(120)
            until(lambda: not pending(), 120)
        finally:
            for one in workers:
                one.stop()
    assert db.take_undone() == {}
