"""Lanes on each database: one that is blocked in the way, several workers, wake-ups through a broker."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pika
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench.lanes_worker import bare_actor
from bench.plan import Figure, Plan
from demo.processes import clean_environment
from host import counters
from host.core import clock, db, migrations
from host.models.channels import ChannelAccount
from host.models.queue import InboundEvent, Lane
from host.models.users import Workspace
from host.queue import announcing
from host.queue.lanes import lane_key
from host.queue.wakeups import IN

SERVERS = {
    "sqlite": "",
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/",
    "mariadb": "mariadb+pymysql://root@127.0.0.1:3306/",
}
BROKERS = {
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672/%2F",
    "redis": "redis://127.0.0.1:6379/0",
}
LANES, EACH, BLOCKED = 1000, 20, 20_000
PROCESSES = 4
MOST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """How long *items* took, and how many were applied before one that came earlier in their lane."""

    items: int
    seconds: float
    inversions: int = 0

    @property
    def rate(self) -> float:
        return self.items / self.seconds


def f9(plan: Plan) -> list[Figure]:
    """Measure what one blocked lane costs the others, and what more workers gain."""
    figures = []
    for kind, target in (("sqlite", 0.8), ("postgresql", 0.8), ("mariadb", 0.5)):
        processes = 1 if kind == "sqlite" else PROCESSES
        isolated, gained, rates, inversions = [], [], [], 0
        with _desk(kind, plan.folder) as url:
            if not url:
                plan.skip(f"F9 {kind}", "no such server answers")
                continue
            for _ in range(plan.rounds):
                even = _drained(url, processes)
                hot = _drained(url, processes, blocked=BLOCKED)
                isolated.append(hot.rate / even.rate)
                inversions += even.inversions + hot.inversions
                rates.append((hot.rate, even.rate))
                if processes > 1:
                    gained.append(even.rate / _drained(url, 1).rate)
        low, high = (statistics.median(one) for one in zip(*rates, strict=True))
        figures.append(
            Figure(
                f"F9 {kind}",
                f"items/s beside one blocked lane of {BLOCKED:,} ÷ without it, {processes} workers",
                tuple(isolated) if not inversions else (0.0,),
                target,
                True,
                f"{low:,.0f}/s ÷ {high:,.0f}/s, {inversions} inversions",
            )
        )
        if gained:
            what = f"items/s of {processes} workers ÷ of one"
            figures.append(Figure(f"F9 {kind}, workers", what, tuple(gained), 1.0, True, f"{high:,.0f}/s"))
    return figures


def f13(plan: Plan) -> list[Figure]:
    """Measure what arrives through lanes and one wake-up against messages of the broker that do nothing."""
    figures = []
    for kind, broker in BROKERS.items():
        ratios, rates = [], []
        with _desk("postgresql", plan.folder) as url:
            if not url or not _answers(broker):
                plan.skip(f"F13 {kind}", "PostgreSQL or the broker does not answer")
                continue
            for _ in range(plan.rounds):
                least = _bare(broker)
                woken = _woken(url, broker)
                ratios.append(woken.rate / least.rate)
                rates.append((woken.rate, least.rate))
        ours, bare = (statistics.median(one) for one in zip(*rates, strict=True))
        figures.append(
            Figure(
                f"F13 {kind}",
                "items/s through PostgreSQL's lanes, woken by the broker ÷ messages of it that do nothing",
                tuple(ratios),
                1.0,
                True,
                f"{ours:,.0f}/s ÷ {bare:,.0f}/s, 2 processes of 8 threads",
            )
        )
    return figures


# What is measured


def _drained(url: str, processes: int, *, blocked: int = 0) -> Run:
    """Let *processes* apply what waits in many lanes, where one that cannot move may be in front."""
    _fill(blocked)
    with _processes(processes, "drain", url) as started:
        began = time.monotonic()
        _go(started)
        return _applied(began, blocked, started)


def _woken(url: str, broker: str) -> Run:
    """Let two processes that never look by themselves be woken once."""
    db.write(_empty)
    client = announcing.connect(broker)
    client.waiting(IN)
    with _processes(2, "woken", url, broker) as started:
        _go(started)
        time.sleep(1.0)  # both listen by now; they have looked once, so there was nothing to find
        _fill(0)
        began = time.monotonic()
        client.publish(IN)
        found = _applied(began, 0, started)
    client.close()
    _forget(broker, f"lobby-{counters.installation():012x}-{IN}")
    return found


def _bare(broker: str) -> Run:
    """Let two processes take as many messages that say nothing."""
    queue = f"bench-{uuid.uuid4().hex[:8]}"
    actor = bare_actor(broker, queue)
    for _ in range(LANES * EACH):
        actor.send()
    with _processes(2, "bare", broker, queue) as started:
        began = time.monotonic()
        _go(started)
        _until(lambda: _waiting(actor.broker, queue) == 0)
        found = _stop(started)
    actor.broker.close()
    _forget(broker, queue)
    assert sum(one["items"] for one in found) == LANES * EACH, found
    return Run(LANES * EACH, max(one["ended"] for one in found) - began)


def _applied(began: float, blocked: int, started: Sequence[Process]) -> Run:
    def waiting() -> int:
        with db.read() as session:
            return session.scalar(sa.select(sa.func.count()).where(InboundEvent.state == "pending")) or 0

    _until(lambda: waiting() <= blocked)
    ended = time.monotonic()
    seen: dict[str, list[tuple[int, int]]] = {}
    for one in _stop(started):
        for at, lane, number in one["order"]:
            seen.setdefault(lane, []).append((at, number))
    orders = [[number for _, number in sorted(one)] for one in seen.values()]
    wrong = sum(1 for one in orders for before, after in pairwise(one) if after <= before)
    assert sum(map(len, orders)) == LANES * EACH, "something was applied twice, or not at all"
    return Run(LANES * EACH, ended - began, wrong)


def _fill(blocked: int) -> None:
    """Put events into lanes; *blocked* of them into one in front that somebody else holds for ever."""
    now = clock.now() - timedelta(minutes=1)

    def lane(contact: str, **more: Any) -> dict[str, Any]:
        empty = {"lease_until": None, "owner": None, "fence": 0}
        return {
            "key": lane_key(IN, 1, contact),
            "direction": IN,
            "account_id": 1,
            "next_at": now,
            **empty,
            **more,
        }

    def event(key: str, number: int) -> dict[str, Any]:
        named = {"dedupe_key": uuid.uuid4().hex, "kind": str(number), "lane": key, "body": b"x" * 300}
        return {**_EVENT, **named, "received_at": now}

    rows = [lane(f"c{number}") for number in range(LANES)]
    events = [event(row["key"], number) for number in range(EACH) for row in rows]
    if blocked:
        # More arrived while it is held, so it is due and nobody may have it: the worst place it can be in.
        hot = lane("hot", lease_until=now + timedelta(days=1), owner="somebody", fence=1)
        hot["next_at"] -= timedelta(hours=1)
        rows.insert(0, hot)
        events = [event(hot["key"], number) for number in range(blocked)] + events

    def use_case(session: Session) -> None:
        _empty(session)
        for start in range(0, len(rows), 1000):
            session.execute(sa.insert(Lane), rows[start : start + 1000])
        for start in range(0, len(events), 1000):
            session.execute(sa.insert(InboundEvent), events[start : start + 1000])

    db.write(use_case)


def _empty(session: Session) -> None:
    session.execute(sa.delete(InboundEvent))
    session.execute(sa.delete(Lane))


_EVENT = {
    "request_id": 1,
    "channel": "bench",
    "account_id": 1,
    "account_key": "1",
    "state": "pending",
    "attempts": 0,
}


# Databases, brokers, processes


@contextmanager
def _desk(kind: str, folder: Path) -> Iterator[str]:
    """Yield the address of a database with one account, or nothing where no server answers."""
    name = f"lobby_bench_{uuid.uuid4().hex[:8]}"
    if kind == "sqlite":
        url = f"sqlite:///{folder / name}.sqlite3"
    else:
        url = SERVERS[kind] + name
        if not _execute(kind, f"CREATE DATABASE {name}"):
            yield ""
            return
    try:
        migrations.upgrade_host(url)
        db.connect(url, pool_size=8)
        counters.reset()
        db.write(_account)
        yield url
    finally:
        db.current().dispose()
        if kind != "sqlite":
            _execute(kind, f"DROP DATABASE {name}{' WITH (FORCE)' if kind == 'postgresql' else ''}")


def _execute(kind: str, statement: str) -> bool:
    engine = sa.create_engine(
        SERVERS[kind] + ("postgres" if kind == "postgresql" else "mysql"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True


def _account(session: Session) -> None:
    now = clock.now()
    workspace = Workspace(name="Bench", created_at=now)
    session.add(workspace)
    session.flush()
    session.add(
        ChannelAccount(
            id=1,
            uuid=uuid.uuid4().hex,
            workspace_id=workspace.id,
            channel="bench",
            external_id="1",
            claim="bench:1",
            name="Bench",
            handle="bench",
            way="pasted",
            state="connected",
            settings={},
            created_at=now,
            connected_at=now,
        )
    )


def _answers(broker: str) -> bool:
    client = announcing.connect(broker)
    try:
        client.keep_alive()
    except Exception:  # noqa: BLE001 - each client has errors of its own
        return False
    finally:
        client.close()
    return True


def _waiting(broker: Any, queue: str) -> int:
    if hasattr(broker, "get_queue_message_counts"):
        return int(broker.get_queue_message_counts(queue)[0])
    return int(broker.do_qsize(queue))


def _forget(broker: str, queue: str) -> None:
    if not broker.startswith("amqp"):
        return
    connection = pika.BlockingConnection(pika.URLParameters(broker))
    for ending in ("", ".DQ", ".XQ"):
        connection.channel().queue_delete(queue + ending)
    connection.close()


Process = subprocess.Popen[str]


@contextmanager
def _processes(count: int, *arguments: str) -> Iterator[list[Process]]:
    command = [sys.executable, "-u", "-m", "bench.lanes_worker", *arguments]
    started = [
        subprocess.Popen(
            command, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    try:
        for one in started:
            _hear(one)
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def _hear(process: Process) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "a process of the bench has ended"
    return line


def _go(started: Sequence[Process]) -> None:
    for one in started:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()


def _stop(started: Sequence[Process]) -> list[dict[str, Any]]:
    _go(started)
    return [json.loads(_hear(one)) for one in started]


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the bench waits for something that does not happen")
        time.sleep(0.02)
