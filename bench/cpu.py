"""Measure what an event costs each process, from the provider's request to the inbox, on each database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.databases import KINDS, backends, count, desk_on
from bench.load import WrongAnswerError, open_loop
from bench.payload import deliveries
from bench.plan import Figure, Plan, SkippedError, medians
from bench.processes import cpu_seconds, family
from bench.processing import floor as processing_floor
from bench.servers import Desk, Served, floor, on_last_core, product, settings_for, start

RATE = 200.0
APPLIED_SECONDS = 120.0


def per_event(plan: Plan) -> list[Figure]:
    """Measure processor seconds per event at a steady rate, with one worker and with two."""
    figures = []
    for kind in KINDS:
        try:
            with desk_on(kind, plan.desk, plan.folder) as desk:
                for workers in (1, 2):
                    figures.append(_figure(plan, kind, desk, workers))
        except SkippedError as error:
            plan.skip(f"cpu {kind}", str(error))
    return figures


def _figure(plan: Plan, kind: str, desk: Desk, workers: int) -> Figure:
    ratios, rounds = [], []
    for _ in range(plan.rounds):
        least = _least(plan)
        used = whole(plan, desk, workers)
        ratios.append(sum(used) / least)
        rounds.append((*used, least))
    web, delivering, database, least = medians(rounds)
    parts = [f"serving {web:,.0f} µs"]
    if kind != "sqlite":
        parts.append(f"workers {delivering:,.0f} µs")
    if kind == "postgresql":
        parts.append(f"PostgreSQL {database:,.0f} µs")
    return Figure(
        f"cpu {kind} {workers}",
        f"processor time per event with {workers} of the workers, at {RATE:.0f}/s ÷ floors of F1 and F8",
        tuple(ratios),
        None,
        False,
        f"{', '.join(parts)}; floors {least:,.0f} µs",
        {"serving_us": web, "workers_us": delivering, "database_us": database, "floor_us": least},
    )


def _least(plan: Plan) -> float:
    """Return the microseconds the floors of taking in and of applying take for an event."""
    with floor(plan.folder) as served:
        taking_in, number = _steady(plan, served)
    return taking_in / number * 1e6 + processing_floor(plan.folder, 4000)["cpu"] / 4000 * 1e6


def whole(plan: Plan, desk: Desk, workers: int) -> tuple[float, float, float]:
    """Return the microseconds per event of the serving process, of the workers, of the database server."""
    with ExitStack() as stack:
        # On SQLite workers are threads of the serving process, elsewhere processes of their own.
        inside = workers if not desk.url else 0
        served = stack.enter_context(product(desk, plan.folder, workers=inside))
        helping: list[int] = []
        for _ in range(0 if inside else workers):
            helping.append(stack.enter_context(worker(desk, served.database.parent)))
        query = "SELECT count(*) FROM messages"
        before = count(desk, served.database.parent, query)
        workers_before = [cpu_seconds(family(pid)) for pid in helping]
        database = {pid: cpu_seconds([pid]) for pid in backends(desk)}
        web, number = _steady(
            plan, served, lambda sent: _applied(desk, served.database.parent, before + sent)
        )
        delivering = sum(
            cpu_seconds(family(pid)) - was for pid, was in zip(helping, workers_before, strict=True)
        )
        behind = sum(cpu_seconds([pid]) - database.get(pid, 0.0) for pid in backends(desk))
    return web / number * 1e6, delivering / number * 1e6, behind / number * 1e6


def _steady(
    plan: Plan, served: Served, until: Callable[[int], None] = lambda sent: None
) -> tuple[float, int]:
    """Return the seconds of processor *served* took for the deliveries it got, and how many those were."""
    seconds = 2 * plan.seconds
    requests, _ = deliveries(served.path, int(RATE * (seconds + 3)))
    before = cpu_seconds(family(served.pid))
    with on_last_core():
        result = open_loop(served.port, iter(requests), rate=RATE, seconds=seconds)
    sent = sum(result.statuses.values())
    until(sent)
    return cpu_seconds(family(served.pid)) - before, sent


@contextmanager
def worker(desk: Desk, data: Path, **environment: str) -> Iterator[int]:
    """Run `lobby worker` on the first core; yield its process."""
    settings = settings_for(desk, data, workers=4) | environment
    command = desk.tree.command("host.cli", "worker")
    program = start("worker", command, settings, "lobby worker running", folder=desk.tree.root)
    try:
        yield program.process.pid
    finally:
        program.stop()


def _applied(desk: Desk, data: Path, messages: int) -> None:
    deadline = time.monotonic() + APPLIED_SECONDS
    while (found := count(desk, data, "SELECT count(*) FROM messages")) < messages:
        if time.monotonic() > deadline:
            raise WrongAnswerError(f"{found} of {messages} messages were applied")
        time.sleep(0.2)
