"""The journal: durable before it says so, each event once, and never an answer for something not stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.models.queue import EventState, InboundEvent, InboundRequest, Lane
from host.queue import journal as journal_module
from host.queue.journal import Journal, JournalUnavailableError
from host.sdk.webhooks import Envelope


def envelope(key: str, *, lane: str = "customer", account_id: int | None = 7, **more: object) -> Envelope:
    values: dict[str, object] = {"body": key.encode("utf-8", "replace"), "kind": "message", **more}
    return Envelope(account_id=account_id, lane=lane, dedupe_key=key, **values)  # type: ignore[arg-type]


def put(
    journal: Journal, *envelopes: Envelope, raw: bytes = b"raw", source: str = "/addons/toy/hook"
) -> None:
    journal.ingest(source=source, channel="toy", raw=raw, remote="192.0.2.1", envelopes=envelopes)


def events() -> list[InboundEvent]:
    with db.read() as session:
        return list(session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id)))


def count(model: type[db.Base]) -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


class Running:
    """A started journal, the wake-ups it gave, and its spool."""

    def __init__(self, spool: Path) -> None:
        self.woken: list[str] = []
        self.spool = spool
        self.journal = Journal(spool, wake=self.woken.append, patience=5)
        self.journal.start()


@pytest.fixture
def running(any_database: db.Database, tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path / "spool")
    yield started
    started.journal.stop()


@pytest.fixture
def on_sqlite(database: db.Database, tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path / "spool")
    yield started
    started.journal.stop()


def test_a_request_is_stored_byte_for_byte_with_one_row_per_envelope(running: Running) -> None:
    at = clock.now() - timedelta(minutes=1)
    raw = bytes(range(256)) * 4
    put(running.journal, envelope("a", occurred_at=at), envelope("b", lane="other"), raw=raw)
    with db.read() as session:
        request = session.scalars(sa.select(InboundRequest)).one()
        lanes = session.scalars(sa.select(Lane).order_by(Lane.key)).all()
    assert request.body == raw
    assert (request.source, request.remote) == ("/addons/toy/hook", "192.0.2.1")
    assert clock.now() - request.received_at < timedelta(minutes=1)
    first, second = events()
    assert (first.body, first.occurred_at, first.account_id, first.account_key) == (b"a", at, 7, "7")
    assert first.request_id == second.request_id == request.id
    assert first.state == second.state == EventState.PENDING
    assert {lane.key for lane in lanes} == {first.lane, second.lane}
    assert all(lane.next_at == request.received_at and lane.lease_until is None for lane in lanes)
    assert running.woken == ["in"]


def test_a_redelivery_changes_nothing(running: Running) -> None:
    put(running.journal, envelope("a"), envelope("b"))
    put(running.journal, envelope("b"), envelope("a"), envelope("c"))
    assert [one.body for one in events()] == [b"a", b"b", b"c"]


def test_ids_that_differ_in_case_are_two_events(running: Running) -> None:
    put(running.journal, envelope("aWdfM"), envelope("awdfM"))
    assert len(events()) == 2


def test_the_same_key_on_two_accounts_or_on_none_is_not_a_redelivery(running: Running) -> None:
    put(running.journal, envelope("a"), envelope("a", account_id=8), envelope("a", account_id=None))
    put(running.journal, envelope("a", account_id=None))
    assert [one.account_key for one in events()] == ["7", "8", ""]


def test_a_megabyte_survives(running: Running) -> None:
    raw = b"\xff\x00" * (512 * 1024)
    put(running.journal, envelope("big", body=raw), raw=raw)
    with db.read() as session:
        assert session.scalars(sa.select(InboundRequest.body)).one() == raw
    assert events()[0].body == raw


def test_events_of_one_request_keep_their_order(running: Running) -> None:
    put(running.journal, *(envelope(f"{number:04}") for number in range(1000)))
    assert [one.body for one in events()] == [b"%04d" % number for number in range(1000)]


def test_many_threads_at_once_lose_nothing(running: Running) -> None:
    with ThreadPoolExecutor(16) as pool:
        for done in [
            pool.submit(put, running.journal, envelope(f"e{n}", lane=f"l{n % 5}")) for n in range(200)
        ]:
            done.result()
    assert len({one.dedupe_key for one in events()}) == 200
    assert count(Lane) == 5


def test_a_lane_that_waits_for_later_is_due_at_once_when_something_arrives(running: Running) -> None:
    put(running.journal, envelope("a"))
    later = clock.now() + timedelta(hours=1)
    db.write(lambda session: session.execute(sa.update(Lane).values(next_at=later)) and None)
    put(running.journal, envelope("b"))
    with db.read() as session:
        assert session.scalars(sa.select(Lane.next_at)).one() <= clock.now()
    db.write(lambda session: session.execute(sa.update(Lane).values(next_at=None)) and None)
    put(running.journal, envelope("c"))
    with db.read() as session:
        assert session.scalars(sa.select(Lane.next_at)).one() is not None


def test_what_must_not_be_applied_wakes_nobody_and_says_why(running: Running) -> None:
    old = clock.now() - timedelta(days=91)
    put(
        running.journal,
        envelope("theirs", set_aside="meant for another account"),
        envelope("test", account_id=None, ignored="Test received"),
        envelope("old", occurred_at=old),
    )
    assert [(one.state, one.reason) for one in events()] == [
        (EventState.DEAD, "meant for another account"),
        (EventState.IGNORED, "Test received"),
        (EventState.IGNORED, "older than 90 days by the provider's time"),
    ]
    assert count(Lane) == 0
    assert running.woken == []


def test_what_is_weeks_old_is_applied_and_what_takes_back_always(running: Running) -> None:
    put(
        running.journal,
        envelope("weeks", occurred_at=clock.now() - timedelta(days=89)),
        envelope("unsend", occurred_at=clock.now() - timedelta(days=900), any_age=True),
    )
    assert {one.state for one in events()} == {EventState.PENDING}


def test_what_was_set_aside_does_not_keep_out_what_is_right(running: Running) -> None:
    put(
        running.journal,
        envelope("m1", lane="", body=b"cut off", kind="message", set_aside="it names no customer"),
        envelope("m2", occurred_at=clock.now() - timedelta(days=100)),
        raw=b"first",
    )
    put(running.journal, envelope("m1", body=b"whole"), envelope("m2"), raw=b"second")
    second, first = sorted(events(), key=lambda one: one.body)
    assert [(one.state, one.reason) for one in (first, second)] == [(EventState.PENDING, None)] * 2
    assert first.body == b"whole"
    assert first.lane == second.lane
    with db.read() as session:
        requests = list(session.scalars(sa.select(InboundRequest.id).order_by(InboundRequest.id)))
    assert [first.request_id, int(first.repeats or 0)] == requests, "an unsend finds both"
    assert count(Lane) == 1
    put(running.journal, envelope("m1", body=b"again", set_aside="it names no customer"))
    assert {(one.state, one.body) for one in events()} == {
        (EventState.PENDING, body) for body in (b"whole", b"m2")
    }


@pytest.mark.parametrize("state", [EventState.APPLIED, EventState.IGNORED, EventState.DEAD])
def test_what_was_tried_stays_as_it_is(running: Running, state: EventState) -> None:
    put(running.journal, envelope("m1"))
    done = sa.update(InboundEvent).values(state=state, attempts=1, reason="as it was")
    db.write(lambda session: session.execute(done) and None)
    put(running.journal, envelope("m1", body=b"again"))
    (one,) = events()
    assert (one.state, one.reason, one.body) == (state, "as it was", b"m1")


def test_mail_is_never_too_old(on_sqlite: Running) -> None:
    put(
        on_sqlite.journal,
        envelope("mail", occurred_at=datetime(2001, 1, 1, tzinfo=UTC)),
        source="receiver:smtp",
    )
    assert events()[0].state == EventState.PENDING


def test_text_no_database_takes_is_made_harmless(running: Running) -> None:
    put(
        running.journal,
        envelope("k\0\ud800", lane="\ud800", kind="k\0\ud800" + "x" * 100, set_aside="\0" * 600),
    )
    assert events()[0].state == EventState.DEAD


def test_a_request_without_envelopes_is_kept_too(running: Running) -> None:
    put(running.journal)
    assert count(InboundRequest) == 1


def test_stopping_finishes_what_is_queued_and_takes_nothing_more(on_sqlite: Running) -> None:
    with db.current().lock:
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(put, on_sqlite.journal, envelope("e0"))]
            # One is in the committer's hands, which wait for the lock; the others are behind it.
            _until(lambda: not on_sqlite.journal._queue and on_sqlite.journal._busy_since < float("inf"))
            waiting += [pool.submit(put, on_sqlite.journal, envelope(f"e{n}")) for n in range(1, 4)]
            _until(lambda: len(on_sqlite.journal._queue) == 3)
            stopping = threading.Thread(target=on_sqlite.journal.stop)
            stopping.start()
            db.current().lock.release()
            try:
                for one in waiting:
                    one.result()
                stopping.join()
            finally:
                db.current().lock.acquire()
    assert len(events()) == 4
    with pytest.raises(JournalUnavailableError):
        put(on_sqlite.journal, envelope("late"))
    assert len(events()) == 4


def test_a_full_queue_refuses_at_once(database: db.Database, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spool", wake=lambda _: None, limit=2, patience=60)
    journal.start()
    with ThreadPoolExecutor(4) as pool:
        with database.lock:
            waiting = [pool.submit(put, journal, envelope("e0"))]
            _until(lambda: not journal._queue and journal._busy_since != float("inf"))
            waiting += [pool.submit(put, journal, envelope(f"e{n}")) for n in (1, 2)]
            _until(lambda: len(journal._queue) == 2)
            started = clock.monotonic()
            with pytest.raises(JournalUnavailableError):
                put(journal, envelope("one too many"))
            assert clock.monotonic() - started < 30, "it waited as those in the queue do"
        for one in waiting:
            one.result()
    journal.stop()
    assert len(events()) == 3


def test_a_request_the_database_refuses_fails_alone(on_sqlite: Running, database: db.Database) -> None:
    db.write(
        lambda session: (
            session.execute(
                sa.text(
                    "CREATE TRIGGER poison BEFORE INSERT ON inbound_events WHEN NEW.kind = 'poison' "
                    "BEGIN SELECT RAISE(ABORT, 'no'); END"
                )
            )
            and None
        )
    )
    with ThreadPoolExecutor(8) as pool:
        with database.lock:
            first = pool.submit(put, on_sqlite.journal, envelope("first"))
            _until(lambda: on_sqlite.journal._busy_since < float("inf"))
            # The committer waits for the lock with the first in its hands; these will be one batch.
            good = [pool.submit(put, on_sqlite.journal, envelope(f"e{n}")) for n in range(4)]
            bad = pool.submit(put, on_sqlite.journal, envelope("bad", kind="poison"))
            _until(lambda: len(on_sqlite.journal._queue) == 5)
        for one in (first, *good):
            one.result()
        with pytest.raises(JournalUnavailableError):
            bad.result()
    assert sorted(one.body or b"" for one in events()) == [b"e0", b"e1", b"e2", b"e3", b"first"]
    assert count(InboundRequest) == 5, "the refused request left nothing behind"


def _until(condition: object, *, seconds: float = 60) -> None:
    assert callable(condition)
    deadline = clock.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert clock.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.002)


class Fault:
    """Makes the journal's statements fail at a chosen point, as the driver would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, at: str, times: int, error: Exception) -> None:
        self.left = times
        self.at = at
        self.error = error
        for name in ("_begin", "_commit"):
            monkeypatch.setattr(Journal, name, self._wrap(name, getattr(Journal, name)))

    def _wrap(self, name: str, original: object) -> object:
        assert callable(original)

        def step(journal: Journal, *arguments: object) -> object:
            if name == self.at and self.left:
                self.left -= 1
                raise self.error
            result = original(journal, *arguments)
            if f"after {name}" == self.at and self.left:
                self.left -= 1
                raise self.error
            return result

        return step


def _operational(database: db.Database) -> Exception:
    return OSError("the line went dead") if database.is_sqlite else _driver_error(database)


def _driver_error(database: db.Database) -> Exception:
    import psycopg
    import pymysql

    if database.dialect == "postgresql":
        return psycopg.OperationalError("server closed the connection unexpectedly")
    return pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")


@pytest.mark.parametrize("at", ["_begin", "_commit", "after _commit"])
def test_one_lost_connection_costs_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch, at: str, any_database: db.Database
) -> None:
    Fault(monkeypatch, at=at, times=1, error=_operational(any_database))
    put(running.journal, envelope("a"))
    assert [one.body for one in events()] == [b"a"]
    assert not list(running.spool.glob("*")) if running.spool.exists() else True


def test_a_deadlock_is_tried_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    class DeadlockError(Exception):
        sqlstate = "40P01"

    Fault(monkeypatch, at="_commit", times=2, error=DeadlockError())
    put(running.journal, envelope("a"))
    assert len(events()) == 1
    assert count(InboundRequest) == 1


@pytest.mark.parametrize("at", ["_begin", "_commit", "after _commit"])
def test_while_the_database_is_away_requests_wait_in_files_and_are_replayed_once(
    running: Running, monkeypatch: pytest.MonkeyPatch, at: str, any_database: db.Database
) -> None:
    monkeypatch.setattr(journal_module, "PROBE_SECONDS", 0.05)
    fault = Fault(monkeypatch, at=at, times=10**6, error=_operational(any_database))
    for number in range(5):
        put(running.journal, envelope(f"e{number}"))
    _until(lambda: len(list(running.spool.glob("*.request"))) == 5)
    fault.left = 0
    _until(lambda: not list(running.spool.glob("*.request")))
    put(running.journal, envelope("e5"))
    _until(lambda: len(events()) == 6)
    assert sorted(one.body or b"" for one in events()) == [b"e%d" % n for n in range(6)]
    assert count(InboundRequest) == 6
    assert "in" in running.woken


def test_what_the_spool_kept_is_replayed_after_a_restart(
    running: Running, monkeypatch: pytest.MonkeyPatch, any_database: db.Database, tmp_path: Path
) -> None:
    fault = Fault(monkeypatch, at="_begin", times=10**6, error=_operational(any_database))
    put(running.journal, envelope("a", occurred_at=clock.now()))
    put(running.journal, envelope("b"))
    running.journal.stop()
    assert events() == []
    fault.left = 0
    again = Running(running.spool)
    _until(lambda: len(events()) == 2)
    again.journal.stop()
    assert [one.body for one in events()] == [b"a", b"b"]
    assert list(running.spool.glob("*")) == []


def test_a_spool_file_that_was_stored_but_not_removed_changes_nothing(
    on_sqlite: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(monkeypatch, at="_begin", times=10**6, error=OSError("gone"))
    put(on_sqlite.journal, envelope("a"))
    on_sqlite.journal.stop()
    (file,) = on_sqlite.spool.glob("*.request")
    kept = file.read_bytes()
    fault.left = 0
    for _ in range(2):
        file.write_bytes(kept)
        again = Running(on_sqlite.spool)
        _until(lambda: not list(on_sqlite.spool.glob("*")))
        again.journal.stop()
    assert len(events()) == 1
    assert count(InboundRequest) == 1


def test_an_unreadable_spool_file_is_put_aside_and_blocks_nothing(
    on_sqlite: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(monkeypatch, at="_begin", times=10**6, error=OSError("gone"))
    put(on_sqlite.journal, envelope("a"))
    on_sqlite.journal.stop()
    (on_sqlite.spool / "0000.request").write_bytes(b"half a fi")
    fault.left = 0
    again = Running(on_sqlite.spool)
    _until(lambda: not list(on_sqlite.spool.glob("*.request")))
    again.journal.stop()
    assert [path.name for path in on_sqlite.spool.glob("*")] == ["0000.unreadable"]
    assert len(events()) == 1


def test_neither_database_nor_spool_means_no_answer(
    on_sqlite: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_sqlite.spool.write_text("a file where the folder should be")
    fault = Fault(monkeypatch, at="_begin", times=10**6, error=OSError("disk full"))
    with pytest.raises(JournalUnavailableError):
        put(on_sqlite.journal, envelope("a"))
    with pytest.raises(JournalUnavailableError):
        put(on_sqlite.journal, envelope("a"))
    fault.left = 0
    assert events() == []


def test_a_file_that_could_not_be_synced_is_not_kept(
    on_sqlite: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError("I/O error")

    Fault(monkeypatch, at="_begin", times=10**6, error=OSError("gone"))
    monkeypatch.setattr("host.queue.spool.os.fsync", broken)
    with pytest.raises(JournalUnavailableError):
        put(on_sqlite.journal, envelope("a"))
    assert list(on_sqlite.spool.glob("*")) == []


def test_a_commit_that_hangs_sends_the_request_to_the_spool_in_time(
    database: db.Database, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "spool", wake=lambda _: None, patience=3)
    journal.start()
    with database.lock:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(put, journal, envelope("a")).result()
            started = clock.monotonic()
            pool.submit(put, journal, envelope("b")).result()
        assert clock.monotonic() - started < 2, "it knows by now that the database hangs"
    _until(lambda: len(events()) == 2 and not list((tmp_path / "spool").glob("*")))
    journal.stop()
    assert len(events()) == 2


def test_it_answers_only_for_what_is_durable_whatever_fails(
    running: Running, monkeypatch: pytest.MonkeyPatch, any_database: db.Database
) -> None:
    """Faults at every step of the way, again and again: every call that returned has its event in the end."""
    monkeypatch.setattr(journal_module, "PROBE_SECONDS", 0.01)
    acknowledged: list[bytes] = []
    lock = threading.Lock()
    fault = Fault(monkeypatch, at="", times=0, error=_operational(any_database))
    refused = ValueError("a value the driver cannot bind")

    def feed(start: int) -> None:
        for number in range(start, 240, 4):
            try:
                put(running.journal, envelope(f"e{number}", lane=f"l{number % 3}"))
            except JournalUnavailableError:
                continue
            with lock:
                acknowledged.append(b"e%d" % number)

    threads = [threading.Thread(target=feed, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        fault.at = ("_begin", "_commit", "after _commit")[number % 3]
        fault.error = refused if number % 5 == 0 else _operational(any_database)
        fault.left = 1 + number % 4
        threading.Event().wait(0.003)
    fault.left = 0
    for thread in threads:
        thread.join()
    _until(lambda: not list(running.spool.glob("*.request")))
    running.journal.stop()
    # What was refused while it was replayed lies beside; the next start tries it again.
    again = Running(running.spool)
    _until(lambda: not [path for path in running.spool.glob("*") if path.suffix != ".unreadable"])
    again.journal.stop()
    stored = [one.body for one in events()]
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)
    assert len(acknowledged) > 50


def test_the_statements_are_prepared_for_each_kind_of_database_alike(any_database: db.Database) -> None:
    """The hand-written INSERTs name every column the model has no default for."""
    from host.queue.journal_rows import Statements

    statements = Statements(any_database.dialect)
    for model, statement in (
        (InboundEvent, statements.event.text.of()),
        (InboundRequest, statements.request.text.of()),
    ):
        named = statement.split("(", 1)[1].split(")", 1)[0].replace(" ", "").split(",")
        required = {
            column.name
            for column in model.__table__.columns
            if not column.nullable and column.name != "id" and column.autoincrement is not True
        }
        assert required <= set(named)
        assert set(named) <= {column.name for column in model.__table__.columns}


def test_a_row_the_server_finds_too_large_is_refused_not_waited_for() -> None:
    import pymysql

    error = pymysql.err.OperationalError
    assert not db.is_away(error(1153, "Got a packet bigger than 'max_allowed_packet' bytes"))
    assert db.is_away(error(2013, "Lost connection to MySQL server during query"))
