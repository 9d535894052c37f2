"""Each statement of each handler fails once, in every way a database can fail; so does each COMMIT.

Fail the first, then the second, until none is left to fail. Whatever failed, once it was tried again as
providers, people and workers do, everything is as if nothing had.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from host.core import db
from host.delivery import outbound
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Message
from host.models.queue import InboundEvent, OutboxEntry
from host.queue import journal as journals
from host.queue import policy
from host.queue.journal import JournalUnavailableError
from host.sdk.channel import Absent, Found, SearchRequest, SearchResult
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk, EventState
from tests.helpers import do, make_user, queue_reply
from tests.whole.rig import until

pytestmark = pytest.mark.slow

Travel = Callable[[timedelta], None]

MOST = 200
"""More statements than any handler has; none may need so many."""


def _integrity(dialect: str) -> Exception:
    return {
        "sqlite": sqlite3.IntegrityError("UNIQUE constraint failed: a.b"),
        "postgresql": psycopg.errors.UniqueViolation("duplicate key value"),
        "mariadb": pymysql.err.IntegrityError(1062, "Duplicate entry"),
    }[dialect]


def _operational(dialect: str) -> Exception:
    return {
        "sqlite": sqlite3.OperationalError("disk I/O error"),
        "postgresql": psycopg.errors.DiskFull("could not extend file"),
        "mariadb": pymysql.err.OperationalError(1021, "Disk full"),
    }[dialect]


def _deadlock(dialect: str) -> Exception:
    return {
        "sqlite": sqlite3.OperationalError("database is locked"),
        "postgresql": psycopg.errors.DeadlockDetected("deadlock detected"),
        "mariadb": pymysql.err.OperationalError(1213, "Deadlock found"),
    }[dialect]


def _serialization(dialect: str) -> Exception:
    return {
        "sqlite": sqlite3.OperationalError("database table is locked"),
        "postgresql": psycopg.errors.SerializationFailure("could not serialize access"),
        "mariadb": pymysql.err.OperationalError(1205, "Lock wait timeout exceeded"),
    }[dialect]


FAILURES = {
    "integrity": _integrity,
    "operational": _operational,
    "deadlock": _deadlock,
    "serialization": _serialization,
    "disconnect": None,
}
COMMITS = ("not applied", "applied, and nobody was told")


def _lost(dialect: str) -> Exception:
    return {
        "sqlite": sqlite3.OperationalError("disk I/O error"),
        "postgresql": psycopg.OperationalError("server closed the connection unexpectedly"),
        "mariadb": pymysql.err.OperationalError(2013, "Lost connection to server during query"),
    }[dialect]


def _cut(connection: Any) -> None:
    """Cut a line to a server, as seen from here."""
    if isinstance(connection, pymysql.connections.Connection):
        connection._force_close()
    elif isinstance(connection, psycopg.Connection):
        connection.close()


@dataclass
class Fault:
    """Fails what is executed number *at*, once."""

    dialect: str
    failure: str
    at: int
    seen: int = 0
    fired: bool = False
    on: bool = False
    names: list[str] = field(default_factory=list)

    def statement(self, connection: Any, text: str) -> None:
        """Be told of a statement before it is executed; raise if it is the one to fail."""
        if not self.on or self.failure in COMMITS:
            return
        if self._is_it(text):
            make = FAILURES[self.failure]
            if make is None:
                _cut(connection)
                raise _lost(self.dialect)
            raise make(self.dialect)

    def commit(self, connection: Any) -> None:
        """Be told of a COMMIT before it is done; raise if it is the one to fail."""
        if not self.on or self.failure not in COMMITS or not self._is_it("COMMIT"):
            return
        if self.failure == COMMITS[0]:
            connection.rollback()
        else:
            connection.commit()
        _cut(connection)
        raise _lost(self.dialect)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let the block look at the database in peace."""
        on, self.on = self.on, False
        try:
            yield
        finally:
            self.on = on

    def _is_it(self, text: str) -> bool:
        self.seen += 1
        if self.seen != self.at:
            return False
        self.fired = True
        self.names.append(text)
        return True


class Cursor:
    """The journal's cursor, with a fault before each statement."""

    def __init__(self, cursor: Any, fault: Fault) -> None:
        self._cursor = cursor
        self._fault = fault

    def execute(self, text: str, *rest: Any) -> Any:
        if text != "COMMIT":
            self._fault.statement(self._cursor.connection, text)
        return self._cursor.execute(text, *rest)

    def executemany(self, text: str, *rest: Any) -> Any:
        self._fault.statement(self._cursor.connection, text)
        return self._cursor.executemany(text, *rest)

    def fetchall(self) -> Any:
        return self._cursor.fetchall()

    def close(self) -> None:
        self._cursor.close()


class Injector:
    """Puts one fault at a time between the desk and its database."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dialect = db.current().dialect
        self.fault = Fault(self.dialect, "none", 0)
        self.rows = db.current()
        for engine in self.rows.engines:
            event.listen(engine, "do_execute", self._execute)
            event.listen(engine, "do_execute_no_params", self._execute)
            event.listen(engine, "do_executemany", self._execute)
            commit = engine.dialect.do_commit

            def faulty(connection: Any, commit: Any = commit) -> None:
                self.fault.commit(getattr(connection, "dbapi_connection", connection))
                commit(connection)

            monkeypatch.setattr(engine.dialect, "do_commit", faulty)
        begin, commit_journal = journals.Journal._begin, journals.Journal._commit

        def begun(one: Any) -> Any:
            return Cursor(begin(one), self.fault)

        def committed(one: Any, cursor: Any) -> None:
            self.fault.commit(one._connection.dbapi_connection)
            commit_journal(one, cursor)

        monkeypatch.setattr(journals.Journal, "_begin", begun)
        monkeypatch.setattr(journals.Journal, "_commit", committed)

    def _execute(self, cursor: Any, statement: str, *rest: Any) -> None:
        self.fault.statement(cursor.connection, statement)

    @contextmanager
    def failing(self, failure: str, at: int) -> Iterator[Fault]:
        self.fault = Fault(self.dialect, failure, at)
        self.fault.on = True
        try:
            yield self.fault
        finally:
            self.fault.on = False


@pytest.fixture
def injector(any_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Injector:
    monkeypatch.setattr(journals, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(outbound, "RECORD_PAUSE_SECONDS", 0.0)
    return Injector(monkeypatch)


def each(injector: Injector, failure: str, run: Callable[[int, Callable[[], Any]], None]) -> int:
    """Have *run* played with the first thing failing, the second, until there is none; return how many."""
    if failure == "disconnect" and injector.dialect == "sqlite":
        pytest.skip("there is no line to a file")
    for at in range(1, MOST):
        with injector.failing(failure, at) as fault:
            run(at, lambda: setattr(fault, "on", False))
        if not fault.fired:
            return at - 1
    raise AssertionError(f"a handler has {MOST} statements")


HOWS = (*FAILURES, *COMMITS)


def everything(session: Session, contact: str) -> dict[str, Any]:
    """Return all there is about one contact, without ids and times."""
    conversation = session.scalars(
        sa.select(Conversation).join(ContactIdentity).where(ContactIdentity.external_id == contact)
    ).one()
    found = session.scalars(
        sa.select(Message).where(Message.conversation_id == conversation.id).order_by(Message.id)
    ).all()
    entries = session.scalars(
        sa.select(OutboxEntry).where(OutboxEntry.message_id.in_([one.id for one in found]))
    ).all()
    return {
        "messages": [(one.direction, one.text.replace(contact, ""), one.state) for one in found],
        "unread": conversation.unread_count,
        "failed": conversation.failed_count,
        "outbox": [one.open for one in entries],
    }


def state(contact: str) -> dict[str, Any]:
    with db.read() as session:
        return everything(session, contact)


@pytest.mark.parametrize("failure", HOWS)
def test_what_comes_in_is_in_the_journal_once(
    any_desk: Desk, door: Door, injector: Injector, failure: str
) -> None:
    account = any_desk.account.id

    def run(at: int, calm: Callable[[], Any]) -> None:
        mid = f"in-{at}."
        for _ in range(5):  # the provider brings it again until it is taken
            try:
                door.receive(account, mid, contact=mid)
            except JournalUnavailableError:
                continue
            break
        else:
            raise AssertionError("it was never taken")
        calm()
        until(lambda: count(mid) == 1, f"{mid} being in the journal", 30)
        door.receive(account, mid, contact=mid)
        assert count(mid) == 1

    def count(mid: str) -> int:
        lane = {one.lane for one in any_desk.events() if mid.encode() in (one.body or b"")}
        return sum(one.lane in lane for one in any_desk.events())

    assert each(injector, failure, run) >= 1
    any_desk.drain()
    assert {one.state for one in any_desk.events()} == {EventState.APPLIED}


@pytest.mark.parametrize("failure", HOWS)
def test_what_came_in_is_in_the_inbox_once(
    any_desk: Desk, door: Door, injector: Injector, travel: Travel, failure: str
) -> None:
    clean: dict[str, Any] = {}

    def run(at: int, calm: Callable[[], Any]) -> None:
        contact = f"apply-{at}."
        injector.fault.on = False
        for number in range(3):
            door.receive(any_desk.account.id, f"{contact}{number}", contact=contact)
        until(lambda: len(any_desk.events()) % 3 == 0, "all being journalled", 30)
        injector.fault.on = True
        for _ in range(8):
            # A worker logs what failed and goes on; leases end, and what failed is due again later.
            with suppress(sa.exc.SQLAlchemyError):
                any_desk.drain("in")
            with injector.fault.resting():
                if not pending():
                    break
            travel(policy.LEASE + policy.EVENT_DELAYS[-1])
        calm()
        found = state(contact)
        clean.setdefault("found", found)
        assert [text for _, text, _ in found["messages"]] == ["0", "1", "2"], injector.fault
        assert found["unread"] == 3, injector.fault
        assert {one.state for one in any_desk.events()} == {EventState.APPLIED}
        # What every run leaves is what a run without any fault leaves; the last one is that.
        assert found == clean["found"]

    def pending() -> int:
        with db.read() as session:
            waiting = sa.select(sa.func.count()).where(InboundEvent.state == EventState.PENDING)
            return session.scalar(waiting) or 0

    assert each(injector, failure, run) >= (1 if failure in COMMITS else 5)


@pytest.mark.parametrize("failure", HOWS)
def test_a_reply_is_written_once(any_desk: Desk, injector: Injector, failure: str) -> None:
    author = make_user("ann@example.com")

    def run(at: int, calm: Callable[[], Any]) -> None:
        contact = f"reply-{at}."
        injector.fault.on = False
        conversation = any_desk.customer_wrote(contact)
        injector.fault.on = True
        for _ in range(5):  # somebody presses Send until the page says it was taken
            try:
                do(
                    queue_reply,
                    any_desk.workspace_id,
                    conversation,
                    f"{contact}answer",
                    reply_key=f"a-reply-{at:04}",
                    adapter=any_desk.toy,
                    actor=author.id,
                )
            except sa.exc.SQLAlchemyError:
                continue
            break
        else:
            raise AssertionError("it was never taken")
        calm()
        found = state(contact)
        assert found["messages"][1:] == [("outbound", "answer", DeliveryState.QUEUED)], injector.fault
        assert found["outbox"] == [True]
        assert found["unread"] == 0

    assert each(injector, failure, run) >= (1 if failure in COMMITS else 3)


@pytest.mark.parametrize("failure", HOWS)
def test_a_reply_reaches_its_customer_once(
    any_desk: Desk, injector: Injector, travel: Travel, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    toy = any_desk.toy

    def search(request: SearchRequest) -> SearchResult:
        taken = [one.part.text for one in toy.sent]
        wanted = request.part.text
        return Found(f"mid-{taken.index(wanted) + 1}") if wanted in taken else Absent()

    monkeypatch.setattr(toy, "search", search)

    def run(at: int, calm: Callable[[], Any]) -> None:
        contact = f"send-{at}."
        injector.fault.on = False
        conversation = any_desk.customer_wrote(contact)
        any_desk.reply(f"{contact}answer", conversation, contact=contact)
        injector.fault.on = True
        for _ in range(12):
            with suppress(sa.exc.SQLAlchemyError):
                any_desk.drain("out")
            with injector.fault.resting():
                if state(contact)["outbox"] == [False]:
                    break
            travel(policy.LEASE + policy.ECHO_PATIENCE)
        calm()
        found = state(contact)
        assert found["messages"][1:] == [("outbound", "answer", DeliveryState.SENT)], injector.fault
        assert found["outbox"] == [False]
        assert [one.part.text for one in toy.sent].count(f"{contact}answer") == 1, injector.fault

    assert each(injector, failure, run) >= (2 if failure in COMMITS else 5)
