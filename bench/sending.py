"""Sending under a limit: how much of it is used, whether it is ever passed, and who else suffers.

`lobby run` sends to a Graph API that takes 50 ms, and of a twentieth of the messages refuses, breaks or
forgets the first try (:mod:`bench.provider`). What counts is in that one's ledger.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import pace
from bench.plan import Figure, Plan, medians
from bench.servers import Desk, on_last_core, product
from demo.processes import Program, clean_environment, free_port

BUSY, OTHER = "17841400000000101", "17841400000000102"
LIMIT = 100
SHARED_LIMIT = 40
"""Load of each of two accounts, which together must not need more than the machine has."""
WARM_UP = 3.0
LEAST_SECONDS = 12.0
SENDERS = 64
"""A try that is never answered holds its thread for twenty seconds."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One message as it came."""

    at: float
    account: str
    customer: str
    text: str
    taken: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A ledger, from when the warm-up was over."""

    lines: list[LedgerEntry]
    seconds: float

    def rate(self, account: str) -> float:
        """Return the messages that came a second; however they ended."""
        began = self.lines[0].at + WARM_UP
        ends = began + self.seconds
        return (
            sum(1 for one in self.lines if one.account == account and began <= one.at < ends) / self.seconds
        )

    def most_in_a_second(self, account: str) -> int:
        """Return how many came within any one second, the warm-up included."""
        times = sorted(one.at for one in self.lines if one.account == account)
        return max((bisect_left(times, at + 1) - number for number, at in enumerate(times)), default=0)

    def duplicates(self) -> int:
        """Return how often a message was taken that had been taken before."""
        taken = [(one.account, one.text) for one in self.lines if one.taken]
        return len(taken) - len(set(taken))

    def out_of_order(self) -> int:
        """Return how often a customer got a message after one that was written later."""
        wrong, last = 0, defaultdict[tuple[str, str], int](int)
        for one in self.lines:
            if one.taken:
                number, key = int(one.text.split()[1]), (one.account, one.customer)
                wrong += number < last[key]
                last[key] = max(last[key], number)
        return wrong


def f10(plan: Plan) -> list[Figure]:
    """Measure the limiter: its use, its edge, and an account beside one that is refused altogether."""
    seconds = max(plan.seconds, LEAST_SECONDS)
    (steady, slower), (both_steady, _) = (pace.steady(plan, most) for most in (LIMIT, SHARED_LIMIT))
    limit, shared = int(steady), int(both_steady)
    used, edge, beside, wrong, rates = [], [], [], [], []
    for _ in range(plan.rounds):
        alone = _run(plan, seconds, limit, (BUSY,))
        used.append(alone.rate(BUSY) / limit)
        edge.append(alone.most_in_a_second(BUSY) / limit)
        both = _run(plan, seconds, shared, (BUSY, OTHER))
        refused = _run(plan, seconds, shared, (BUSY, OTHER), limited=BUSY)
        beside.append(refused.rate(OTHER) / both.rate(OTHER))
        runs = (alone, both, refused)
        wrong.append(float(sum(run.duplicates() + run.out_of_order() for run in runs)))
        rates.append((alone.rate(BUSY), both.rate(OTHER), refused.rate(OTHER), refused.rate(BUSY)))
    rate, well, next_to, tried = medians(rates)
    faults = "50 ms a call, 5 % of the first tries refused, broken or never answered"
    rate_of = f"{next_to:.1f}/s and {well:.1f}/s of {shared}/s; {tried:.2f}/s tried of the other"
    return [
        Figure(
            "F10 used",
            "messages a second ÷ the limit",
            tuple(used),
            0.97,
            True,
            f"{slower}{rate:.1f}/s of {limit}/s; {faults}",
            {"sends_per_second": rate},
        ),
        Figure(
            "F10 edge",
            "most messages within any second ÷ the limit",
            tuple(edge),
            1.0,
            False,
            "as the provider saw them come",
        ),
        Figure(
            "F10 beside",
            "an account's rate while another gets only 429 ÷ beside a well one",
            tuple(beside),
            0.95,
            True,
            rate_of,
        ),
        Figure(
            "F10 wrong",
            "messages out of order or taken twice",
            tuple(wrong),
            0.0,
            False,
            "all runs together",
        ),
    ]


def _run(plan: Plan, seconds: float, limit: int, accounts: tuple[str, ...], *, limited: str = "") -> Run:
    data, ledger = plan.folder / "sending", plan.folder / "sent.tsv"
    shutil.copytree(plan.desk.data, data)
    desk = Desk(data, plan.desk.workspace, plan.desk.cookies, in_place=True)
    customers = int(limit * (seconds + WARM_UP + 5) / 2)
    fill = ["bench.fill_outbox", str(data), str(customers), "3", ",".join(accounts)]
    subprocess.run([sys.executable, "-m", *fill], check=True, env=clean_environment())
    port = free_port()
    settings: dict[str, Any] = {
        "LOBBY_SENDERS": str(SENDERS),
        "LOBBY_ALLOW_HOSTS": f"127.0.0.1:{port}",
        "LOBBY_LOG_LEVEL": "ERROR",
        "LOBBY_ADDON_INSTAGRAM_GRAPH_INSTAGRAM_URL": f"http://127.0.0.1:{port}",
        "LOBBY_ADDON_INSTAGRAM_SENDS_PER_SECOND": str(limit),
    }
    try:
        with provider(port, ledger, limited), product(desk, plan.folder, workers=1, **settings):
            ends = time.monotonic() + 120
            while time.monotonic() < ends:
                lines = _read(ledger)
                if lines and time.time() > lines[0].at + WARM_UP + seconds:
                    break
                time.sleep(0.5)
        return Run(_read(ledger), seconds)
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def provider(port: int, ledger: Path, limited: str = "", **more: str) -> Iterator[None]:
    """Run a provider on *port* that keeps a ledger.

    :param limited: ids of the accounts that it limits altogether, separated by commas.
    :param more: other variables of its environment.
    """
    ledger.unlink(missing_ok=True)
    environment = {**clean_environment(), "PROVIDER_LIMITED": limited, "PYTHONUNBUFFERED": "1", **more}
    with on_last_core():
        program = Program.start(
            "provider", [sys.executable, "-m", "bench.provider", str(port), str(ledger)], environment
        )
    try:
        program.wait_for("the provider is ready")
        yield
    finally:
        program.stop()


def _read(ledger: Path) -> list[LedgerEntry]:
    if not ledger.exists():
        return []
    found = []
    for line in ledger.read_text().splitlines():
        fields = line.split("\t")
        if len(fields) == 5:
            found.append(LedgerEntry(float(fields[0]), fields[1], fields[2], fields[3], fields[4] == "1"))
    return found
