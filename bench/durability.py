"""Measure what durability costs, and that it holds: nothing answered is lost, whenever the power goes."""

from __future__ import annotations

import os
import random
import selectors
import shutil
import sqlite3
import threading
import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from bench.load import Connection, WrongAnswerError, send_all
from bench.payload import deliveries
from bench.plan import Figure, Plan, SkippedError, medians
from bench.saturation import saturate
from bench.servers import Served, build_shim, product

KILLS = 10
SLOW_KILLS = 4
CLIENTS = 16
SETTLE_SECONDS = 180.0
INBOX = ("contacts", "contact_identities", "conversations", "messages", "reactions", "domain_events")


def f3(plan: Plan) -> list[Figure]:
    """Measure ingest against the same product that does not wait for the disk."""
    cases: list[tuple[str, float, dict[str, str]]] = [("F3", 0.80, {})]
    try:
        slow = {"LD_PRELOAD": str(build_shim(plan.folder)), "BENCH_FSYNC_US": "4000"}
        cases.append(("F3 +4 ms", 0.30, slow))
    except SkippedError as error:
        plan.skip("F3 +4 ms", str(error))
    figures = []
    for name, target, environment in cases:
        ratios, rates = [], []
        for _ in range(plan.rounds):
            full, normal = (
                saturate(
                    product(
                        plan.desk,
                        plan.folder,
                        workers=0,
                        BENCH_SYNCHRONOUS=level,
                        **environment,
                    ),
                    plan.seconds,
                )
                for level in ("FULL", "NORMAL")
            )
            ratios.append(full.rate / normal.rate)
            rates.append((full.rate, normal.rate))
        synced, unsynced = medians(rates)
        figures.append(
            Figure(
                name,
                "deliveries/s ÷ the same with SQLite not waiting for the disk",
                tuple(ratios),
                target,
                True,
                f"{synced:,.0f}/s ÷ {unsynced:,.0f}/s",
                {"full_per_second": synced, "normal_per_second": unsynced},
            )
        )
    return figures


@dataclass(slots=True)
class Crashed:
    """Messages sent while the desk was killed again and again."""

    sent: dict[str, bytes] = field(default_factory=dict)
    """Requests by the id of their message."""
    answered: set[str] = field(default_factory=set)


def f6(plan: Plan) -> list[Figure]:
    """Kill the desk under load again and again; count what was answered and is not there."""
    figures = _killed(plan, "F6", KILLS, {})
    try:
        slow = {"LD_PRELOAD": str(build_shim(plan.folder)), "BENCH_FSYNC_US": "4000"}
    except SkippedError as error:
        plan.skip("F6 +4 ms", str(error))
        return figures
    return figures + _killed(plan, "F6 +4 ms", SLOW_KILLS, slow)


def _killed(plan: Plan, name: str, kills: int, environment: dict[str, str]) -> list[Figure]:
    data = plan.folder / "killed"
    shutil.copytree(plan.desk.data, data)
    desk = replace(plan.desk, data=data, in_place=True)
    crashed = Crashed()
    try:
        for number in range(kills):
            with product(desk, plan.folder, workers=4, **environment) as served:
                _load_until_killed(served, crashed, random.Random(number).uniform(0.6, 1.6))
        with product(desk, plan.folder) as served:
            _settle(served)
            stored = _stored(served.database)
            # What was not answered is sent again by its provider; after that nothing is new any more.
            send_all(served.port, crashed.sent.values(), connections=CLIENTS)
            _settle(served)
            before = _checksum(served.database)
            send_all(served.port, crashed.sent.values(), connections=CLIENTS)
            _settle(served)
            changed = [table for table, now in _checksum(served.database).items() if before[table] != now]
            _check_integrity(served.database)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    acked, missing = len(crashed.answered), len(crashed.answered - stored)
    unanswered = len(stored - crashed.answered)
    detail = f"{kills} times kill -9, {acked:,} answered, {missing} of them missing"
    raw: dict[str, float] = {"kills": kills, "answered": acked, "missing": missing, "unanswered": unanswered}
    what = "answered but missing ÷ answered, killed under load"
    return [
        Figure(f"{name} lost", what, (missing / acked,), 0.0, False, detail, raw),
        Figure(
            f"{name} unanswered",
            "stored but not answered ÷ answered",
            (unanswered / acked,),
            0.01,
            False,
            f"{unanswered} of {acked:,}; sent again, they are known",
        ),
        Figure(
            f"{name} replay",
            f"tables of the inbox changed when everything is sent again ÷ {len(INBOX)}",
            (len(changed) / len(INBOX),),
            0.0,
            False,
            f"{len(crashed.sent):,} deliveries sent twice more; changed: {', '.join(changed) or 'none'}",
        ),
    ]


def _load_until_killed(served: Served, crashed: Crashed, seconds: float) -> None:
    """Keep connections busy until the server is killed after that many seconds."""
    requests, mids = deliveries(served.path, 12_000)
    left = iter(zip(requests, mids, strict=True))
    selector = selectors.DefaultSelector()
    at: dict[Connection, str] = {}

    def send(one: Connection) -> None:
        request, mid = next(left)
        crashed.sent[mid] = request
        at[one] = mid
        one.send(0, request, 0.0)

    timer = threading.Timer(seconds, os.killpg, (served.pid, 9))
    open_ = {Connection(served.port) for _ in range(CLIENTS)}
    for one in open_:
        selector.register(one.socket, selectors.EVENT_READ, one)
        send(one)
    timer.start()
    while open_:
        for key, _ in selector.select(30):
            one = key.data
            try:
                status = one.receive()
                if status is None:
                    continue
                if status != 200:
                    raise WrongAnswerError(f"an answer of {status}")
                crashed.answered.add(at[one])
                send(one)
            except (OSError, WrongAnswerError) as error:
                if isinstance(error, WrongAnswerError) and "closed" not in str(error):
                    raise
                selector.unregister(one.socket)
                one.socket.close()
                open_.discard(one)
    timer.join()


def _settle(served: Served) -> None:
    """Wait until everything taken in is applied."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        if not _rows(served.database, "SELECT 1 FROM lanes WHERE next_at IS NOT NULL LIMIT 1"):
            return
        time.sleep(0.2)
    raise WrongAnswerError("what was taken in is still not applied")


def _stored(database: Path) -> set[str]:
    return {str(mid) for (mid,) in _rows(database, "SELECT external_id FROM messages")}


def _checksum(database: Path) -> dict[str, str]:
    """Return what stands for the rows of each table of the inbox.

    Columns about asking the provider for names are left out: a chore writes them, whatever is delivered.
    """
    found = {}
    for table in INBOX:
        columns = [str(row[1]) for row in _rows(database, f"PRAGMA table_info({table})")]
        kept = ", ".join(name for name in columns if not name.startswith("profile"))
        rows = _rows(database, f"SELECT {kept} FROM {table} ORDER BY 1")
        found[table] = sha256(repr(rows).encode()).hexdigest()
    return found


def _check_integrity(database: Path) -> None:
    found = _rows(database, "PRAGMA integrity_check")
    if found != [("ok",)]:
        raise WrongAnswerError(f"the database is damaged: {found[:3]}")


def _rows(database: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(database, timeout=60)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
