"""Pages of the inbox: whether they take longer the more there is."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.load import Result, WrongAnswerError
from bench.plan import Figure, Plan, medians
from bench.processes import cpu_seconds, family
from bench.seed import PER_CONVERSATION, seed
from bench.servers import Desk, Served, on_last_core, product

FEW = 10_000
TARGET = 2.0


def f12(plan: Plan) -> list[Figure]:
    """Measure pages of a full inbox against those of a small one, both served at once, asked in turn."""
    few, many = (
        filled(plan.desk, plan.folder / "few", FEW),
        filled(plan.desk, plan.folder / "many", plan.messages),
    )
    try:
        with (
            product(few, plan.folder, workers=0) as small,
            product(many, plan.folder, workers=0) as large,
        ):
            return _measure(plan, small, large)
    finally:
        shutil.rmtree(few.data)
        shutil.rmtree(many.data)


def filled(desk: Desk, data: Path, messages: int) -> Desk:
    """Return a copy of *desk* in *data* with as many messages, to be served in place."""
    shutil.copytree(desk.data, data)
    seed(data / "lobby.sqlite3", desk.workspace, messages)
    return replace(desk, data=data, in_place=True)


def pages(workspace: int) -> dict[str, tuple[float, Callable[[int], str]]]:
    """Return a target and the address of the n-th request of each kind of page."""
    inbox = f"/w/{workspace}/inbox"
    conversations = FEW // PER_CONVERSATION
    return {
        "inbox": (TARGET, lambda n: inbox),
        "taken by me": (TARGET, lambda n: f"{inbox}?view=mine"),
        "thread": (TARGET, lambda n: f"{inbox}/{n * 37 % conversations + 1}"),
    }


def _measure(plan: Plan, small: Served, large: Served) -> list[Figure]:
    cookie = plan.desk.cookies[0]
    asked = 100 if plan.quick else 300
    figures = []
    for name, (target, address) in pages(plan.desk.workspace).items():
        ratios, details = [], []
        for served in (small, large):
            ask(served, cookie, address, 20)
        for _ in range(plan.rounds):
            little, much = Result(1.0), Result(1.0)
            cpu = cpu_seconds(family(large.pid))
            for _ in range(10):  # in turn, so that whatever else the machine does hits both
                little.latencies += ask(small, cookie, address, asked // 10)
                much.latencies += ask(large, cookie, address, asked // 10)
            ratios.append(much.percentile(0.99) / little.percentile(0.99))
            details.append(
                (
                    much.percentile(0.5),
                    much.percentile(0.99),
                    little.percentile(0.5),
                    little.percentile(0.99),
                    (cpu_seconds(family(large.pid)) - cpu) / len(much.latencies) * 1000,
                )
            )
        p50, p99, few50, few99, worked = medians(details)
        figures.append(
            Figure(
                f"F12 {name}",
                f"p99 of the page at {plan.messages:,} messages ÷ at {FEW:,}, over HTTP",
                tuple(ratios),
                target,
                False,
                f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; at {FEW:,}: {few50:.1f} ms, {few99:.1f} ms; "
                f"{worked:.1f} ms of processor",
                {
                    "p50_ms": p50,
                    "p99_ms": p99,
                    "few_p50_ms": few50,
                    "few_p99_ms": few99,
                    "cpu_ms": worked,
                },
            )
        )
    return figures


def ask(served: Served, cookie: str, address: Callable[[int], str], times: int) -> list[float]:
    """Return the seconds each of so many requests took."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        with on_last_core():
            for number in range(times):
                began = time.perf_counter()
                connection.request("GET", address(number), headers={"Cookie": cookie})
                answer = connection.getresponse()
                body = answer.read()
                took.append(time.perf_counter() - began)
                if answer.status != 200 or b"Customer " not in body:
                    raise WrongAnswerError(f"{address(number)}: {answer.status}, {len(body)} bytes")
    finally:
        connection.close()
    return took
