"""The life of a process: its start, what it holds at rest, and how it follows an addon being switched on."""

from __future__ import annotations

import http.client
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.databases import desk_on
from bench.load import WrongAnswerError
from bench.plan import Figure, Plan, SkippedError, medians
from bench.processes import memory_mb
from bench.processing import run
from bench.servers import THREADS, Desk, product, settings_for, start
from demo.processes import clean_environment, free_port

BUSY = 100.0
"""Requests a second the generation check's share is told for."""
READS = 5.0
"""How often a second a process reads the counter; see host.counters.REFRESH_SECONDS."""
PROCESSES = 3
REST_SECONDS = 3.0
START_TARGET = 1.9
"""Half of the 2.1 s it took where this floor takes 0.57 (the one it had before took 0.23 there)."""
MEMORY_MB = 120
"""Memory of a desk at rest. Reported without a limit, because it says little about the machine."""
ACTIVE = 405  # what a method nobody knows gets where the addon runs


def check(plan: Plan) -> list[Figure]:
    """Measure looking for another generation against the least request of the same application."""
    ratios, details = [], []
    for _ in range(plan.rounds):
        data = plan.folder / "checked"
        shutil.copytree(plan.desk.data, data)
        try:
            found = run(["bench.checked", str(plan.seconds / 2)], settings_for(plan.desk, data, workers=0))
        finally:
            shutil.rmtree(data)
        cost = found["memory_us"] + found["read_us"] * READS / BUSY
        ratios.append(cost / found["request_us"])
        details.append((found["memory_us"], found["read_us"], found["request_us"]))
    memory, read, request = medians(details)
    return [
        Figure(
            "check",
            f"looking for another generation, at {BUSY:.0f} requests/s ÷ the least request",
            tuple(ratios),
            0.10,
            False,
            f"{memory:.1f} µs from memory, {read:.0f} µs read every 200 ms; request {request:.0f} µs",
            {"memory_us": memory, "read_us": read, "request_us": request},
        )
    ]


def activation(plan: Plan) -> list[Figure]:
    """Measure how long after pressing Activate the last process serves the addon."""
    figures = []
    for kind, processes in (("sqlite", 1), ("postgresql", PROCESSES)):
        try:
            with desk_on(kind, plan.desk, plan.folder) as desk:
                figures.append(_activation(plan, kind, desk, processes))
        except SkippedError as error:
            plan.skip(f"activation {kind}", str(error))
    return figures


def _activation(plan: Plan, kind: str, desk: Desk, processes: int) -> Figure:
    with ExitStack() as stack:
        served = [stack.enter_context(product(desk, plan.folder, workers=0)) for _ in range(processes)]
        polls = [stack.enter_context(_polled(one.port, one.path)) for one in served]
        data = served[0].database.parent
        program = start(
            "switching",
            [sys.executable, "-m", "bench.switching", str(plan.rounds)],
            settings_for(desk, data, workers=0),
            "SWITCHED",
        )
        program.process.wait(120)
        lines = [line.split()[1:] for line in program.lines if line.startswith("SWITCHED")]
    ratios, details = [], []
    for began, done in ((float(a), float(b)) for a, b in lines):
        ends = [poll.first_after(began) for poll in polls]
        ratios.append((max(ends) - began) / (done - began))
        details.append((done - began, min(ends) - began, max(ends) - began))
    alone, first, last = medians(details)
    return Figure(
        f"activation {kind}",
        f"from pressing Activate until the last of {processes} processes serves the addon ÷ the activation",
        tuple(ratios),
        2.0,
        False,
        f"activation {alone:.2f} s, first process {first:.2f} s, last {last:.2f} s",
        {"activation_s": alone, "first_s": first, "last_s": last, "processes": processes},
    )


class _Poll(threading.Thread):
    """Asks one process again and again, and notes when what it answers changed to the addon's own."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(daemon=True)
        self.port, self.path = port, path
        self.became: list[float] = []
        self.done = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        before = ACTIVE
        while not self.done.wait(0.005):
            connection.request("PUT", self.path)
            answer = connection.getresponse()
            answer.read()
            if answer.status == ACTIVE != before:
                self.became.append(time.monotonic())
            before = answer.status
        connection.close()

    def first_after(self, moment: float) -> float:
        for at in self.became:
            if at >= moment:
                return at
        raise WrongAnswerError("a process never served the addon again")


@contextmanager
def _polled(port: int, path: str) -> Iterator[_Poll]:
    poll = _Poll(port, path)
    poll.start()
    try:
        yield poll
    finally:
        time.sleep(1.0)
        poll.done.set()
        poll.join()


def start_and_rest(plan: Plan) -> list[Figure]:
    """Measure the time to the first page and the memory at rest, against the least Flask application."""
    rounds = []
    for _ in range(max(plan.rounds, 2)):
        rounds.append((*_product_starts(plan), *_floor_starts()))
    took, held, least_took, least_held = medians(rounds)
    detail = {"start_s": took, "memory_mb": held, "floor_start_s": least_took, "floor_memory_mb": least_held}
    return [
        Figure(
            "start",
            "from `lobby run` to the first page ÷ Flask with one page on the same server",
            tuple(one[0] / one[2] for one in rounds),
            START_TARGET,
            False,
            f"{took:.2f} s; Flask {least_took:.2f} s",
            detail,
        ),
        Figure(
            "memory",
            f"memory at rest, {THREADS} threads, addon active ÷ Flask with one page on the same server",
            tuple(one[1] / one[3] for one in rounds),
            None,
            False,
            f"{held:.0f} MB, where {MEMORY_MB} are wanted; Flask {least_held:.0f} MB",
            detail,
        ),
    ]


def _product_starts(plan: Plan) -> tuple[float, float]:
    data = plan.folder / "started"
    shutil.copytree(plan.desk.data, data)
    port = free_port()
    try:
        return _starts(
            [sys.executable, "-m", "host.cli", "run"],
            settings_for(plan.desk, data, workers=4, port=port),
            "lobby listening on",
            port,
        )
    finally:
        shutil.rmtree(data)


def _floor_starts() -> tuple[float, float]:
    port = free_port()
    command = [sys.executable, "-u", "-m", "bench.floors.page", str(port), str(THREADS)]
    return _starts(command, clean_environment(), "the floor is ready", port)


def _starts(command: list[str], settings: dict[str, str], listening: str, port: int) -> tuple[float, float]:
    """Return the seconds until the first page was there, and the MB the processes hold some seconds later."""
    began = time.perf_counter()
    program = start("starting", command, settings, listening)
    try:
        page = _first_page(port)
        took = time.perf_counter() - began
        if b"Sign in" not in page:
            raise WrongAnswerError("the first page is not the one to sign in on")
        time.sleep(REST_SECONDS)
        return took, memory_mb(program.process.pid)
    finally:
        program.stop()


def _first_page(port: int) -> bytes:
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/login")
            return connection.getresponse().read()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        finally:
            connection.close()
