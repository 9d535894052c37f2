"""``python -m bench.scaling [--write]``: what more accounts take, worked out from the measured figures.

The model (:mod:`bench.model`) is fed by what docs/performance.json holds, and first asked for what was
measured too and not fed to it; docs/scaling.md shows how far off it is there, and what it says of desks
nobody has measured.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass, replace
from typing import Any

from bench.model import Costs, Desk, percentile
from bench.report import KEPT, ROOT

PAGE = ROOT / "docs" / "scaling.md"
CONNECTIONS = 32  # of the closed loop the figures come from
USUAL_BATCH = CONNECTIONS / 2

USUAL_SYNC_MS = 0.15
"""Assumed time of a disk's sync where a figure was kept without it."""

EVENTS_A_DAY = 50
"""Events of an account on a day: messages in both directions, what was seen, reactions."""
PEAK = 0.12 * 3 / 3600
"""The share of a day's events in the busiest second: an eighth of it in one hour, and bursts of three."""
ACCOUNTS_A_BROWSER = 10
PAGE_EVERY_SECONDS = 20.0
MOST_BUSY = 0.6
"""How busy a core may be at the peak."""
CELL = 20_000
"""Accounts of one partition."""
RAW_DAYS = 30
"""How long the journal keeps what providers sent; see host.users.data_retention.RAW_DEFAULT."""

Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """Results for one machine, in seconds and bytes.

    :param server: costs on PostgreSQL, with the same disk.
    :param database: seconds of PostgreSQL's own processes for an event.
    :param page: seconds of a core for a page of a full inbox.
    """

    sqlite: Costs
    server: Costs
    database: float
    page: float
    bytes_each: float


@dataclass(frozen=True, slots=True)
class Check:
    """One point that was measured and that the model was asked for."""

    what: str
    measured: float
    model: float

    @property
    def off(self) -> float:
        return self.model / self.measured - 1


def measured(run: Run) -> Measured:
    """Take the model's costs out of the figures of *run*."""
    alone, applying = _raw(run, "F4 +0 ms"), _raw(run, "F8")
    server, page = _raw(run, "cpu postgresql 1"), _raw(run, "F12 inbox")
    each = 1 / alone["shared_per_second"]
    commit = max(1 / alone["single_per_second"] - each, 0.0)
    sqlite = Costs(
        request=max(each - commit / USUAL_BATCH, each / 2),
        commit=commit,
        apply=applying["cpu_us_per_event"] / 1e6,
        sync=(_entry(run, "F4 +0 ms")["fsync_ms"] or USUAL_SYNC_MS) / 1000,
    )
    return Measured(
        sqlite=sqlite,
        # At the steady rate of that figure few deliveries shared a commit, so this is on the safe side.
        server=replace(
            sqlite, request=server["serving_us"] / 1e6, apply=server["workers_us"] / 1e6, commit=0.0
        ),
        database=server["database_us"] / 1e6,
        page=page["cpu_ms"] / 1000,
        bytes_each=applying["bytes_per_event"],
    )


def checks(run: Run) -> list[Check]:
    """Ask the model for what was measured and not fed to it."""
    costs = measured(run).sqlite
    found = []
    for delay in (1, 4):
        raw = _raw(run, f"F4 +{delay} ms")
        slower = replace(costs, sync=costs.sync + delay / 1000)
        for name, batch in (("shared", costs.batch), ("single", 1)):
            desk = Desk(replace(slower, batch=batch))
            desk.applying = False
            rate = desk.closed(CONNECTIONS, 4.0).rate
            words = "shared commits" if name == "shared" else "a commit each"
            found.append(
                Check(f"deliveries/s, {words}, disk {delay} ms slower", raw[f"{name}_per_second"], rate)
            )
    rate = Desk(costs).closed(CONNECTIONS, 4.0).rate
    raw = _applying(run)["raw"]
    found.append(Check("deliveries/s while they are applied", raw["per_second"], rate))
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """A desk to be worked out."""

    name: str
    accounts: int
    servers: int
    workers: int | None
    """Processes that apply; None: threads of the one server, on SQLite."""

    @property
    def peak(self) -> float:
        """Events in the busiest second."""
        return self.accounts * EVENTS_A_DAY * PEAK


CASES = (
    Case("SQLite, one process", 100, 1, None),
    Case("SQLite, one process", 10_000, 1, None),
    Case("PostgreSQL, 2 servers, 2 workers", 10_000, 2, 2),
    Case("one of 50 cells: PostgreSQL, 2 servers, 2 workers", CELL, 2, 2),
    Case("one cell that has lost a server and a worker", CELL, 1, 1),
    Case("unpartitioned: SQLite, one process", 1_000_000, 1, None),
)


def sizes(run: Run) -> str:
    """Return the table of what each number of accounts needs."""
    costs = measured(run)
    head = "| at the peak | 100 accounts | 10,000 accounts | 1,000,000 accounts |\n|---|---|---|---|\n"
    columns = []
    for accounts in (100, 10_000, 1_000_000):
        peak = accounts * EVENTS_A_DAY * PEAK
        browsers = accounts / ACCOUNTS_A_BROWSER
        day = accounts * EVENTS_A_DAY * costs.bytes_each / 1e9
        columns.append(
            (
                f"{peak:,.1f}",
                _cores(peak * costs.server.request),
                _cores(peak * costs.server.apply),
                _cores(peak * costs.database),
                f"{browsers / PAGE_EVERY_SECONDS:,.1f}",
                _cores(browsers / PAGE_EVERY_SECONDS * costs.page),
                f"{browsers:,.0f}",
                _bytes(day),
                _bytes(day * RAW_DAYS),
                f"{max(1, math.ceil(accounts / CELL)):,}",
            )
        )
    names = (
        "events/s",
        "cores receiving",
        "cores applying",
        "cores of PostgreSQL",
        "pages/s",
        "cores for pages",
        "open browsers",
        "database grows, a day",
        f"database after {RAW_DAYS} days",
        f"partitions of {CELL:,}",
    )
    rows = [
        f"| {name} | {' | '.join(row)} |\n"
        for name, row in zip(names, zip(*columns, strict=True), strict=True)
    ]
    return head + "".join(rows)


def simulated(run: Run) -> str:
    """Return the table of what the model shows for each case."""
    costs = measured(run)
    text = (
        "| desk | accounts | events/s | answered p50, p99 | in the inbox p99 | busiest core |\n"
        "|---|---|---|---|---|---|\n"
    )
    for case in CASES:
        each = costs.sqlite if case.workers is None else costs.server
        seconds = max(5.0, min(600.0, 2000 / case.peak))
        outcome = Desk(each, servers=case.servers, workers=case.workers).open(case.peak, seconds)
        if outcome.busy > 0.99:
            cells = "falls behind", "never", "all of it"
        else:
            usual, tail = (percentile(outcome.answered, share) * 1e3 for share in (0.5, 0.99))
            cells = (
                f"{usual:.1f} ms, {tail:.1f} ms",
                f"{percentile(outcome.applied, 0.99) * 1e3:.1f} ms",
                f"{outcome.busy:.1%}",
            )
        text += f"| {case.name} | {case.accounts:,} | {case.peak:,.1f} | {' | '.join(cells)} |\n"
    return text


def checked(run: Run) -> str:
    """Return the table of the model beside what was measured."""
    text = "| point | measured | model | off by |\n|---|---|---|---|\n"
    for one in checks(run):
        text += f"| {one.what} | {one.measured:,.0f} | {one.model:,.0f} | {one.off:+.0%} |\n"
    return text


TABLES = {"sizes": sizes, "simulated": simulated, "checked": checked}


def quoted(page: str, run: Run) -> str:
    """Return *page* with its tables made from *run*."""
    for name, table in TABLES.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->\n)", re.DOTALL)
        text = table(run)
        page = marks.sub(lambda match, text=text: f"{match[1]}\n{text}\n{match[2]}", page)  # type: ignore[misc]
    return page


def _cores(busy: float) -> str:
    return f"{busy / MOST_BUSY:,.2f}" if busy < 1 else f"{math.ceil(busy / MOST_BUSY):,}"


def _bytes(gigabytes: float) -> str:
    if gigabytes < 1:
        return f"{gigabytes * 1000:,.0f} MB"
    return f"{gigabytes:,.0f} GB" if gigabytes < 1000 else f"{gigabytes / 1000:,.1f} TB"


def _entry(run: Run, key: str) -> dict[str, Any]:
    for one in run["figures"]:
        if one["key"] == key:
            found: dict[str, Any] = one
            return found
    raise KeyError(f"{key} was not measured: python -m bench {key.split(maxsplit=1)[0]} --write")


def _applying(run: Run) -> dict[str, Any]:
    """Return the line of F1 with deliveries applied meanwhile, on the server that is the default."""
    for one in run["figures"]:
        if re.fullmatch(r"F1 \w+, delivering", one["key"]):  # the default's lines stand first
            found: dict[str, Any] = one
            return found
    raise KeyError("F1 was not measured: python -m bench F1 --write")


def _raw(run: Run, key: str) -> dict[str, float]:
    found: dict[str, float] = _entry(run, key)["raw"]
    return found


def write(run: Run) -> None:
    """Make the tables of docs/scaling.md anew from *run*."""
    PAGE.write_text(quoted(PAGE.read_text(), run))


def main() -> int:
    run = json.loads(KEPT.read_text())
    print("\n".join(table(run) for table in TABLES.values()))
    if "--write" in sys.argv[1:]:
        write(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
