"""Reading for a consumer: each event once and in order, whatever fails, whoever reads."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events import consuming, retention
from host.events import reading as record_reading
from host.events.consuming import ConsumerContext, Consumers, of_features
from host.events.kinds.conversations import NOTE_ADDED
from host.events.models import Consumer, DomainEvent
from host.events.reading import BEGINNING, Batch, Position, Recorded, number, number_all
from host.events.writing import Happened, caused_by, record
from host.models.users import Workspace
from tests.helpers import StandInGeneration, make_config


@dataclass
class Keeper:
    """Writes down what it is given, in the table of workspaces."""

    name: str = "keeper"
    from_beginning: bool = True
    batch: int = 10
    shown: bool = False
    fails: Callable[[Recorded], bool] = lambda _event: False
    given: list[int] = field(default_factory=list)

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        for event in events:
            self.given.append(event.id)
            if self.fails(event):
                raise ValueError("it cannot be done")
            session.add(Workspace(name=f"{event.id}", created_at=clock.now()))
        session.flush()


def done() -> list[int]:
    with db.read() as session:
        return [int(name) for name in session.scalars(sa.select(Workspace.name).order_by(Workspace.id))]


def say(count: int = 1) -> None:
    for _ in range(count):
        db.write(record, Happened(1, NOTE_ADDED, conversation_id=1))


def ids() -> list[int]:
    with db.read() as session:
        kind = DomainEvent.kind.is_not(None)
        return list(session.scalars(sa.select(DomainEvent.id).where(kind).order_by(DomainEvent.id)))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@contextmanager
def reading(*keepers: Keeper) -> Iterator[Consumers]:
    running = Consumers(keepers)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def test_each_event_is_done_once_and_in_order(any_database: db.Database) -> None:
    say(25)
    with reading(Keeper()):
        until(lambda: len(done()) == 25)
        say(5)
        until(lambda: len(done()) == 30)
    with reading(Keeper()):
        say(3)
        until(lambda: len(done()) == 33)
    assert done() == ids()


def test_a_new_consumer_begins_with_what_comes_unless_it_wants_all(database: db.Database) -> None:
    say(2)
    first, later = Keeper(), Keeper(name="later", from_beginning=False)
    with reading(first):
        until(lambda: len(done()) == 2)
    with reading(later):
        say()
        until(lambda: len(later.given) == 1)
    assert later.given == ids()[2:]


def test_what_fails_is_tried_again_and_nothing_is_passed_over(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "MOST_PAUSE_SECONDS", 0.05)
    say(5)
    third = ids()[2]
    broken = threading.Event()
    broken.set()
    keeper = Keeper(fails=lambda event: event.id == third and broken.is_set())
    healthy = Keeper(name="healthy")
    with reading(keeper):
        until(lambda: keeper.given.count(third) >= 4)
        assert done() == ids()[:2], "what stands before it is done"
        with db.read() as session:
            row = session.get_one(Consumer, "keeper")
        assert (row.problem, row.failing_since is not None) == ("ValueError", True)
        broken.clear()
        until(lambda: len(done()) == 5)
        say()
        until(lambda: len(done()) == 6)
    assert done() == ids()
    with db.read() as session:
        assert session.get_one(Consumer, "keeper").failing_since is None
    with reading(healthy):
        until(lambda: len(healthy.given) == 6)


def test_one_that_fails_holds_up_nobody_else(database: db.Database) -> None:
    broken, healthy = Keeper(name="broken", fails=lambda _event: True), Keeper()
    with reading(broken, healthy):
        say(20)
        until(lambda: len(done()) == 20)
    assert done() == ids()


@pytest.mark.services
def test_two_processes_share_one_position(any_database: db.Database) -> None:
    if any_database.is_sqlite:
        pytest.skip("one process owns the file")
    one, two = Keeper(), Keeper()
    with reading(one), reading(two):
        for _ in range(20):
            say(2)
        until(lambda: len(done()) == 40)
    assert done() == ids()
    assert not (one.given and two.given)


class Asked:
    """The statements that name a table while the block runs."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.seen: list[str] = []

    def _note(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if self.table in statement:
            self.seen.append(statement)

    def __enter__(self) -> list[str]:
        sa.event.listen(sa.engine.Engine, "before_cursor_execute", self._note)
        return self.seen

    def __exit__(self, *_: object) -> None:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", self._note)


def newest() -> Position:
    """Number what is committed, and return the position after all that can be read."""
    number_all()
    with db.read() as session:
        return record_reading.newest(session)


def test_a_process_asks_seldom_for_what_another_reads(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if any_database.is_sqlite:
        pytest.skip("one process owns the file")
    first, second = consuming._Reader(Keeper()), consuming._Reader(Keeper())
    db.write(consuming._make_rows, [first.consumer])
    first._step()
    assert first._position is not None
    with Asked("consumers") as asked:
        for _ in range(10):
            second._step()
    assert len(asked) == 1, asked
    assert second._position is None
    db.write(consuming._release, first.consumer.name, first._owner, first._position)
    now = clock.monotonic() + consuming.TAKE_SECONDS
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    second._step()
    assert second._position == first._position


def test_the_readers_of_a_process_read_once_up_to_the_mark(any_database: db.Database) -> None:
    recent = consuming._Recent()
    readers = [consuming._Reader(Keeper(name=name), recent=recent) for name in ("one", "two", "three")]
    db.write(consuming._make_rows, [reader.consumer for reader in readers])
    for reader in readers:
        reader._step()
    say(5)
    until(lambda: newest().event_id == ids()[-1])
    recent.reached(newest())
    with Asked("domain_events") as asked:
        for reader in readers:
            reader._step()
            reader._step()
    assert [reader.consumer.given for reader in readers] == [ids()] * 3  # type: ignore[attr-defined]
    assert len([one for one in asked if "ORDER BY" in one]) == 1, asked


def test_a_batch_moves_its_consumer_with_one_statement(any_database: db.Database) -> None:
    reader = consuming._Reader(Keeper())
    db.write(consuming._make_rows, [reader.consumer])
    reader._step()
    say(3)
    until(lambda: newest().event_id == ids()[-1])
    with Asked("consumers") as asked:
        reader._step()
    assert len(done()) == 3
    assert [one.split()[0] for one in asked] == ["UPDATE"]


def test_idle_readers_have_their_leases_renewed_together(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Consumers(Keeper(name=name) for name in ("one", "two", "three"))
    readers = together._readers
    db.write(consuming._make_rows, [reader.consumer for reader in readers])
    for reader in readers:
        reader._step()
        reader.idle = reader._owner
    readers[2].idle = None  # it works
    with Asked("consumers") as asked:
        together._renew_idle()
    assert asked == [], "they were just stored"
    later = clock.monotonic() + consuming._renew_seconds()
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    with clock.travel(timedelta(seconds=5)):
        with Asked("consumers") as asked:
            together._renew_idle()
        assert [one.split()[0] for one in asked] == ["SELECT", "UPDATE"]
        renewed_until = db.now() + consuming.LEASE - timedelta(seconds=2)
    with db.read() as session:
        rows = session.execute(sa.select(Consumer.name, Consumer.lease_until)).all()
    renewed = {name for name, ends in rows if ends and ends >= renewed_until}
    assert renewed == {"one", "two"}
    assert [reader.stored_at == later for reader in readers] == [True, True, False]


def test_a_reader_that_lost_its_lease_is_not_told_that_it_was_renewed(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Consumers([Keeper()])
    (reader,) = together._readers
    db.write(consuming._make_rows, [reader.consumer])
    reader._step()
    reader.idle, stored_at = reader._owner, reader.stored_at
    db.write(lambda session: session.execute(sa.update(Consumer).values(owner="another")))
    later = clock.monotonic() + consuming._renew_seconds()
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    together._renew_idle()
    assert reader.stored_at == stored_at


def test_readers_that_wait_are_idle(database: db.Database) -> None:
    with reading(Keeper(name="one"), Keeper(name="two")) as consumers:
        until(lambda: all(reader.idle for reader in consumers._readers))
        say(2)
        until(lambda: len(done()) == 4)
        until(lambda: all(reader.idle for reader in consumers._readers))


def test_who_lost_the_lease_writes_nothing(any_database: db.Database) -> None:
    """As after a stop of minutes: another process has read on meanwhile."""
    slow, quick = Keeper(), Keeper()
    first = consuming._Reader(slow)
    db.write(consuming._make_rows, [slow])
    say(2)
    until(lambda: (db.write(number), first._step(), len(done()) == 2)[-1])
    with clock.travel(timedelta(minutes=1)):
        second = consuming._Reader(quick)
        second._owner = "another"
        second._position = db.write(_stolen)
        say(2)
        until(lambda: (db.write(number), second._step(), len(done()) == 4)[-1])
        say(1)
        until(lambda: (db.write(number), first._step(), first._position is None)[-1])
        until(lambda: (db.write(number), second._step(), len(done()) == 5)[-1])
    assert done() == ids()


def test_on_sqlite_a_reader_that_keeps_others_waiting_does_less_at_a_time_and_stays_away(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, helpings, waiters = [100.0], [], []
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    class Slow(Keeper):
        def consume(self, session: Session, events: Sequence[Recorded]) -> None:
            super().consume(session, events)
            now[0] += 0.002 * len(events)
            helpings.append(len(events))
            if len(events) == 20:  # somebody comes while the first helping is made
                waiters.append(threading.Thread(target=say))
                waiters[0].start()
                until(lambda: database.is_wanted)

    reader = consuming._Reader(Slow(batch=20))
    db.write(consuming._make_rows, [reader.consumer])
    say(30)
    assert reader._step()
    assert reader._away == pytest.approx(0.04 * consuming.COURTESY)
    waiters[0].join()
    now[0] += 1
    while reader._step():
        pass
    assert helpings == [20, 5, 5, 1], "one of those who waited came in between"
    assert not database.is_wanted
    assert reader._away == 0


def _stolen(session: Session) -> object:
    session.execute(sa.update(Consumer).where(Consumer.name == "keeper").values(owner=None))
    return consuming._take(session, "keeper", "another")


@pytest.mark.slow
@pytest.mark.services
def test_a_transaction_open_for_a_minute_is_waited_for_across_a_restart(any_database: db.Database) -> None:
    if any_database.is_sqlite:
        pytest.skip("SQLite has one writer: nobody else would get in")
    sleep = "SELECT pg_sleep(1)" if any_database.dialect == "postgresql" else "DO SLEEP(1)"
    begun, enough = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        record(session, Happened(1, NOTE_ADDED, conversation_id=1))
        begun.set()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            session.execute(sa.text(sleep))
        enough.set()

    writer = threading.Thread(target=db.write, args=(slow,))
    writer.start()
    assert begun.wait(30)
    with reading(Keeper()):
        say(10)
        time.sleep(20)
    assert not enough.is_set()
    with reading(Keeper()):
        say(10)
        writer.join()
        until(lambda: len(done()) == 21)
        time.sleep(1)
    assert sorted(done()) == ids(), "none is lost, none is done twice"


@contextmanager
def frozen_writer(*, unlimited: bool = False) -> Iterator[list[Exception]]:
    """Record an event in a transaction that stands still, as of a frozen worker, to the end of the block.

    Yield a list to which its error is added when it goes on.

    :param unlimited: whether the database lets it stand still for as long as it likes (MariaDB).
    """
    reached, thawed = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def stand_still(session: Session) -> None:
        if unlimited:
            session.execute(sa.text("SET idle_transaction_timeout = 0"))
        record(session, Happened(1, NOTE_ADDED, conversation_id=1))
        reached.set()
        thawed.wait()
        if unlimited:
            session.execute(sa.text(f"SET idle_transaction_timeout = {db.IDLE_SECONDS}"))

    def run() -> None:
        try:
            db.write(stand_still)
        except sa.exc.DBAPIError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert reached.wait(30)
        yield errors
    finally:
        thawed.set()
        thread.join()


def writers() -> set[int]:
    """Return the connections to PostgreSQL that have written events and not ended."""
    query = (
        "SELECT pid FROM pg_locks WHERE relation = 'domain_events'::regclass AND mode = 'RowExclusiveLock'"
    )
    with db.read() as session:
        return set(session.scalars(sa.text(query)))


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_readers_go_on_once_the_database_has_ended_a_frozen_writer(any_database: db.Database) -> None:
    """Nothing is read past the low id it took before that is decided, and everything right afterwards."""
    before: list[set[int]] = []

    def look(_event: Recorded) -> bool:
        before.append(writers())
        return False

    keepers = [Keeper(name, fails=look) for name in retention.consumers()]
    with frozen_writer() as errors:
        frozen = writers()
        assert frozen
        with reading(*keepers):
            say(3)
            until(lambda: all(one.given == ids() for one in keepers))
            assert not any(frozen & one for one in before), "somebody read past an open transaction"
            say(2)
            until(lambda: all(one.given == ids() for one in keepers))
    assert errors, "the worker finds out when it goes on"
    assert len(ids()) == 5


@pytest.mark.services
@pytest.mark.parametrize("any_database", ["mariadb"], indirect=True)
def test_readers_pass_over_a_frozen_writer_on_mariadb(any_database: db.Database) -> None:
    """Rows are numbered once they are committed, so nobody waits for it, and what it wrote comes last."""
    keepers = [Keeper(name) for name in retention.consumers()]
    with reading(*keepers):
        with frozen_writer(unlimited=True) as errors:
            say(3)
            until(lambda: all(len(one.given) == 3 for one in keepers))
        assert not errors
        until(lambda: all(len(one.given) == 4 for one in keepers))
    assert all(one.given[-1] == ids()[0] for one in keepers)


@pytest.mark.services
@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.slow
def test_another_process_reads_on_for_one_that_is_frozen_in_the_middle(any_database: db.Database) -> None:
    """The database ends its transaction, and its lease runs out. What it had written is undone."""
    reached, thawed = threading.Event(), threading.Event()

    def freeze(_event: Recorded) -> bool:
        reached.set()
        thawed.wait()
        return False

    first, second = Keeper(fails=freeze), Keeper()
    say(2)
    with reading(first) as running:
        try:
            assert reached.wait(30)
            with reading(second):
                say(3)
                until(lambda: second.given == ids())
                running.retire()
                thawed.set()
        finally:
            thawed.set()
    assert done() == ids()


def test_what_a_consumer_does_names_its_cause(database: db.Database) -> None:
    say()
    seen: list[Recorded] = []

    class Echo(Keeper):
        def consume(self, session: Session, events: Sequence[Recorded]) -> None:
            for event in events:
                seen.append(event)
                if event.depth < 2:
                    with caused_by(session, event):
                        record(session, Happened(1, NOTE_ADDED, conversation_id=1))

    with reading(Echo()):
        until(lambda: len(seen) == 3)
    first, second, third = seen
    assert (first.cause_id, first.root_id, first.depth) == (None, None, 0)
    assert (second.cause_id, second.root_id, second.depth) == (first.id, first.id, 1)
    assert (third.cause_id, third.root_id, third.depth) == (second.id, first.id, 2)


def test_nothing_is_removed_before_every_consumer_has_done_it(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "consumers", lambda: frozenset({"keeper"}))
    say(5)
    with reading(Keeper()):
        until(lambda: len(done()) == 5)
    say(2)
    with clock.travel(timedelta(days=500)):
        before = clock.now() - timedelta(days=400)
        while db.write(retention.remove_old, before, 3):
            pass
        assert len(ids()) == 2, "the consumer was away when these were written"
        with reading(Keeper()):
            until(lambda: len(done()) == 7)
        while db.write(retention.remove_old, before, 3):
            pass
    assert ids() == []


def test_one_that_no_release_has_any_more_holds_nothing_back_after_a_while(any_database: db.Database) -> None:
    say(2)
    with reading(Keeper()):
        until(lambda: len(done()) == 2)
    say(3)
    number_all()
    with clock.travel(timedelta(days=1)):
        (one,) = _behind()
        assert one.kept_until is not None
        assert timedelta(days=12) < one.kept_until - clock.now() < timedelta(days=14)
        db.write(retention.remove_old, clock.now(), 100)
        assert len(ids()) == 3, "the release that has it may come back"
    with clock.travel(timedelta(days=15)):
        assert _behind() == []
        db.write(retention.remove_old, clock.now(), 100)
        assert ids() == []


def test_one_of_this_release_holds_back_however_long_it_was_away(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "consumers", lambda: frozenset({"keeper"}))
    with reading(Keeper()):
        pass
    say(3)
    number_all()
    with clock.travel(timedelta(days=500)):
        (one,) = _behind()
        assert one.kept_until is None
        db.write(retention.remove_old, clock.now(), 100)
        assert len(ids()) == 3


def test_the_names_are_those_of_the_consumers_there_are(tmp_path: Path) -> None:
    here = of_features(ConsumerContext(lambda: make_config(tmp_path), StandInGeneration))
    assert {one.name for one in here} == retention.consumers()


def test_one_that_stands_still_is_told_with_its_error(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(fails=lambda _event: True)
    with reading(keeper):
        say()
        until(lambda: bool(keeper.given))
        until(lambda: any(one.problem for one in _behind()))
    (one,) = _behind()
    assert (one.consumer, one.problem) == ("keeper", "ValueError")
    with reading(keeper):
        until(lambda: [one.kept_until for one in _behind()] == [None])  # somebody reads for it
    keeper.fails = lambda _event: False
    with reading(keeper):
        until(lambda: not _behind())


def _behind() -> list[retention.Behind]:
    with db.read() as session:
        return retention.behind(session)


def test_readers_stay_away_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they take their part and no more, and less of it while a backlog is there."""
    now, behind = [100.0], [False]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    courtesy = consuming._Courtesy(lambda: behind[0])
    assert courtesy.seconds_after(0.01, kept_others=False) == 0
    ends = [courtesy.seconds_after(0.01, kept_others=True) for _reader in range(5)]
    assert ends == pytest.approx([0.01 * consuming.COURTESY * n for n in range(1, 6)])
    now[0] += 10
    behind[0] = True
    assert courtesy.seconds_after(0.01, kept_others=False) == pytest.approx(0.01 * consuming.BACKLOG_COURTESY)


def test_readers_of_a_server_are_late_for_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules, sequences and webhooks go on while more comes in than is applied, however long that lasts."""
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    courtesy = consuming._Courtesy(lambda: True)
    fresh, old = timedelta(), consuming.LATE + timedelta(seconds=1)
    pauses = [courtesy.seconds_after(0.3, kept_others=False, age=fresh) for _reader in range(5)]
    assert max(pauses) == consuming.MOST_AWAY_SECONDS
    assert courtesy.seconds_after(0.3, kept_others=False, age=old) == 0.3, "half of the time is theirs"


def test_late_jobs_of_a_server_work_half_of_the_time(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of rules and sequences go on, too, where most of their time is spent waiting for the database."""
    fresh, old = timedelta(), consuming.LATE + timedelta(seconds=1)
    assert consuming.pause_after(0.5, old) == 0.0, "nobody else writes"
    monkeypatch.setattr(db.Database, "is_shared", True)
    is_server = not any_database.is_sqlite
    assert consuming.pause_after(0.1, fresh) == 0.1 * consuming.COURTESY
    assert consuming.pause_after(0.5, fresh) == (1.0 if is_server else 2.0)
    assert consuming.pause_after(0.5, old) == (0.5 if is_server else 2.0)


def test_a_late_reader_of_a_server_goes_on_soon(any_database: db.Database) -> None:
    class Slow(Keeper):
        def consume(self, session: Session, events: Sequence[Recorded]) -> None:
            super().consume(session, events)
            time.sleep(0.1)

    slow = Slow()
    reader = consuming._Reader(slow, consuming._Courtesy(lambda: True))
    db.write(consuming._make_rows, [slow])
    say(3)
    with clock.travel(timedelta(seconds=30)):
        until(lambda: (db.write(number), reader._step(), len(slow.given) == 3)[-1])
    if any_database.is_sqlite:
        assert reader._away > 0.1 * consuming.COURTESY
    else:
        assert reader._away < consuming.MOST_AWAY_SECONDS


@pytest.mark.services
@pytest.mark.parametrize("kept", [12, consuming.MOST_KEPT])
def test_what_one_reader_read_another_does_not_read_again(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """Whatever each is given at a time, and wherever it is, each gets all of it once and in order."""
    monkeypatch.setattr(consuming, "MOST_KEPT", kept)
    read: list[int] = []
    after = record_reading.after

    def noted(*args: Any, **how: Any) -> Batch:
        batch = after(*args, **how)
        read.extend(one.id for one in batch.events)
        return batch

    monkeypatch.setattr(record_reading, "after", noted)
    recent, rng = consuming._Recent(), random.Random(5)
    places, got = [BEGINNING] * 4, [[0][:0] for _reader in range(4)]

    def all_read(readers: Sequence[int]) -> bool:
        number_all()
        for n in readers:
            batch = recent.after(places[n], rng.choice((1, 2, 7, 20)), shown=n == 0)
            got[n] += [one.id for one in batch.events if one.kind]
            places[n] = batch.end
        return all(len(got[n]) == len(ids()) for n in readers)

    for _ in range(20):
        say(3)
        all_read([0, 1, 2])
    until(lambda: all_read([0, 1, 2]))
    until(lambda: all_read([0, 1, 2, 3]))  # the last one comes when most of it may be forgotten
    assert got == [ids()] * 4
    if kept > 12:
        assert read == ids()


@dataclass
class Outsider(Keeper):
    """Works outside of transactions, as listeners of addons do."""

    name: str = "outsider"
    lease: timedelta = timedelta(seconds=30)
    gives_up_after: timedelta = timedelta(hours=24)
    worked: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    odd_only: bool = False

    def chosen(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        return [event for event in events if event.id % 2 or not self.odd_only]

    def work(self, events: Sequence[Recorded]) -> None:
        db.write(lambda session: None)  # would raise inside a write
        for event in events:
            if self.fails(event):
                raise ValueError("it cannot be done")
            self.worked.append(event.id)

    def skip(self, session: Session, event: Recorded) -> None:
        session.add(Workspace(name=f"skipped {event.id}", created_at=clock.now()))
        self.skipped.append(event.id)


def test_work_outside_of_transactions_is_done_in_order_and_moves_the_position(
    any_database: db.Database,
) -> None:
    outsider = Outsider(odd_only=True)
    say(9)
    with reading(outsider):
        until(lambda: len(outsider.worked) == len([one for one in ids() if one % 2]))
    say(2)
    with reading(outsider):
        until(lambda: outsider.worked == [one for one in ids() if one % 2])
    assert outsider.given == [], "nothing is done inside of the write"


def test_work_outside_leaves_the_processor_to_a_backlog(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = [0.0]
    monkeypatch.setattr(consuming.time, "thread_time", lambda: used[0])

    class Busy(Outsider):
        def work(self, events: Sequence[Recorded]) -> None:
            super().work(events)
            used[0] += 5.0

    reader = consuming._Reader(Busy(), consuming._Courtesy(lambda: True))
    db.write(consuming._make_rows, [reader.consumer])
    say(3)
    reader._step()
    assert reader._away >= 5.0 * consuming.BACKLOG_COURTESY


def test_work_outside_ends_where_another_process_reads_by_now(any_database: db.Database) -> None:
    slow, quick = Outsider(), Outsider()
    first, second = consuming._Reader(slow), consuming._Reader(quick)
    db.write(consuming._make_rows, [slow])
    say(2)
    until(lambda: (db.write(number), first._step(), len(slow.worked) == 2)[-1])
    with clock.travel(timedelta(minutes=1)):
        second._owner = "another"
        second._position = db.write(consuming._take, "outsider", "another", slow.lease)
        say(2)
        until(lambda: (db.write(number), second._step(), len(quick.worked) == 2)[-1])
        first._stored_at -= 60  # it slept
        say(1)
        until(lambda: (db.write(number), first._step(), first._position is None)[-1])
        until(lambda: (db.write(number), second._step(), len(quick.worked) == 3)[-1])
    assert slow.worked + quick.worked == ids(), "the one that slept did it again"


def test_work_outside_that_fails_for_a_day_is_passed_over(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "MOST_PAUSE_SECONDS", 0.01)
    say(3)
    second = ids()[1]
    outsider = Outsider(fails=lambda event: event.id == second)
    reader = consuming._Reader(outsider)
    db.write(consuming._make_rows, [outsider])

    def step() -> None:
        try:
            reader._step()
        except ValueError as error:
            reader._note(error)

    for _ in range(4):
        step()
    assert set(outsider.worked) == {ids()[0]}
    assert outsider.skipped == []
    with clock.travel(timedelta(hours=23)):
        step()
        assert outsider.skipped == []
    with clock.travel(timedelta(hours=25)):
        for _ in range(3):
            step()
    assert outsider.skipped == [second]
    assert outsider.worked[-1] == ids()[2]
    with db.read() as session:
        row = session.get_one(Consumer, "outsider")
        assert (row.event_id, row.failing_since) == (ids()[2], None)


def test_a_consumer_that_failed_a_thousand_times_still_tries_again(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "MOST_PAUSE_SECONDS", 0.01)
    reader = consuming._Reader(Keeper(name="keeper"))
    reader._failures = 2000
    reader._note(ValueError())
    assert reader._failures == 2001
