"""One statement asks for all jobs what is due, and a worker with nothing to do executes little else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.db import UTCDateTime
from host.delivery import due_work, profiles
from host.delivery.due_work import DueWork
from host.delivery.worker import Workers
from host.features import registry
from host.inbox import snoozing
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity, Conversation, DeliveryState
from host.queue import activity, policy, wakeups
from host.sdk.channel import Unknown
from tests.delivery.desk import PROBLEM, Desk
from tests.delivery.test_worker import until


@contextmanager
def counted(only: Callable[[], bool] = lambda: True) -> Iterator[list[str]]:
    """Collect the statements executed by this process while *only* is true."""
    found: list[str] = []

    def executed(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if only():
            found.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", executed)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", executed)


def find() -> list[str]:
    with db.read() as session:
        return DueWork().find(session)


def do(statement: Any) -> None:
    db.write(lambda session: session.execute(statement))


def test_one_statement_asks_for_all_jobs(any_desk: Desk) -> None:
    assert len(registry.jobs_when_due()) >= 15
    with counted() as statements:
        assert find() == []
    assert len(statements) == 1


def test_it_names_the_jobs_that_have_something_due(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    do(sa.update(ContactIdentity).values(profile_due_at=clock.now()))
    assert find() == ["profiles"]
    assert profiles.fetch_due(any_desk.generation.directory) == 1
    do(sa.update(ChannelAccount).values(probe_at=clock.now()))
    do(sa.update(Conversation).where(Conversation.id == talk).values(snoozed_until=clock.now()))
    assert sorted(find()) == ["probes", "snoozes"]
    do(sa.update(ChannelAccount).values(probe_at=clock.now() + timedelta(minutes=1)))
    assert snoozing.wake_due() == 1
    assert find() == []


def test_what_a_disabled_feature_has_due_is_not_looked_for(desk: Desk) -> None:
    one = DueWork()
    with db.read() as session, counted() as statements:
        one.find(session)
        registry.switch_off(["sequences"])
        try:
            one.find(session)
        finally:
            registry.switch_off([])
    assert ["sequence_runs" in text for text in statements] == [True, False]


@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_each_query_seeks_in_an_index_in_its_order(any_database: db.Database) -> None:
    """A table that is read as a whole would be read once a second."""
    plans = db.write(_plans)
    assert len(plans) >= len(registry.jobs_when_due())
    assert [one for one in plans if "Seq Scan" in one[1] or "Sort" in one[1]] == []


def _plans(session: Session) -> list[tuple[str, str]]:
    """Return how PostgreSQL finds what each job has due, where it may not read whole tables."""
    connection = session.connection()
    for way in ("seqscan", "bitmapscan"):
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    now = sa.bindparam("now", value=clock.now(), type_=UTCDateTime())
    found = []
    for name, query in registry.due_queries().items():
        made = query(now)
        for one in [made] if isinstance(made, sa.Select) else made:
            text = one.limit(1).compile(connection, compile_kwargs={"literal_binds": True})
            rows = connection.exec_driver_sql(f"EXPLAIN {text}")
            found.append((name, "\n".join(row[0] for row in rows)))
    return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let workers look for due jobs without a rest, and count that."""
    found = [0]
    find = DueWork.find

    def counting(self: DueWork, session: Any) -> list[str]:
        names = find(self, session)
        found[0] += 1
        return names

    monkeypatch.setattr(DueWork, "find", counting)
    for name in ("LOOK_SECONDS", "QUIET_LOOK_SECONDS"):
        monkeypatch.setattr(due_work, name, 0.001)
    return found


@pytest.fixture
def workers(desk: Desk) -> Iterator[Workers]:
    made = Workers(lambda: desk.generation, 1, 1)
    yield made
    made.stop()


def test_jobs_with_nothing_due_execute_nothing(desk: Desk, workers: Workers, looks: list[int]) -> None:
    threads = {f"delivery-{name}" for name in registry.jobs_when_due()}
    activity.current().note()
    with counted(lambda: threading.current_thread().name in threads) as statements:
        workers.start()
        until(lambda: looks[0] > 20)
    assert statements == []


def test_a_job_is_done_when_something_becomes_due(desk: Desk, workers: Workers, looks: list[int]) -> None:
    workers.start()
    until(lambda: looks[0] > 0)
    desk.customer_wrote()
    do(sa.update(Conversation).values(snoozed_until=clock.now()))

    def is_awake() -> bool:
        with db.read() as session:
            return session.scalar(sa.select(Conversation.snoozed_until)) is None

    until(is_awake)


def test_waiting_threads_end_with_the_workers(desk: Desk, looks: list[int]) -> None:
    workers = Workers(lambda: desk.generation, 1, 1)
    workers.start()
    until(lambda: looks[0] > 0)
    workers.stop(timeout=60)
    assert not workers._threads


def test_unconfirmed_replies_cost_nothing_until_they_are_due(
    desk: Desk, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FAILURES_IN_A_ROW", 100)  # the provider does not count as away

    def one_round() -> int:
        with counted() as statements:
            for _ in range(3):
                workers.wake_due()
                workers.ring_due()
                desk.drain()
        return len(statements)

    talks = {f"c{number}": desk.customer_wrote(f"c{number}") for number in range(4)}
    desk.drain()
    workers._due_bells = {name: threading.Event() for name in registry.jobs_when_due()}
    one_round()
    idle = one_round()
    desk.toy.script = [Unknown(PROBLEM)] * len(talks)
    messages = [desk.reply("hi", talk, contact=contact) for contact, talk in talks.items()]
    desk.drain()
    assert set(desk.states(*messages)) == {DeliveryState.UNKNOWN}
    one_round()
    # What is known for a moment is read again now and then, so not the same number; each reply would be more.
    assert one_round() < idle + len(talks)
    with clock.travel(policy.ECHO_PATIENCE + timedelta(seconds=1)):
        assert one_round() >= idle + len(talks)


def test_a_sweep_asks_for_both_directions_in_one_statement(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    any_desk.drain()
    workers = Workers(lambda: any_desk.generation, 1, 1)
    woken: list[str] = []
    workers.wake = woken.append  # type: ignore[method-assign]
    workers.wake_due()
    with counted() as statements:
        workers.wake_due()
    assert (len(statements), woken) == (1, [])
    any_desk.reply("hi", talk)
    workers.wake_due()
    assert woken == [wakeups.OUT]
