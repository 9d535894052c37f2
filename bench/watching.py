"""Measure what open browsers cost: notifying them, and merely being there."""

from __future__ import annotations

import json
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.live import watch
from bench.load import WrongAnswerError
from bench.plan import Figure, Plan, medians
from bench.processes import cpu_seconds, family, memory_mb
from bench.saturation import saturate_served
from bench.servers import Desk, Served, on_last_core, product, start
from demo.processes import clean_environment, free_port

BROWSERS = 1000
RATE = 20.0
"""Changes a second: each is told by itself, not together with the next."""
SETTLE_SECONDS = 60.0


def f11(plan: Plan) -> list[Figure]:
    """Measure deliveries per second of processor against asyncio, and what idle browsers take from ingest."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    desk = _watched(plan)
    fan_out, idle = [], []
    for _ in range(plan.rounds):
        fan_out.append((_floor(plan), _told(plan, desk)))
        idle.append(_idle(plan, desk))
    least, most = medians(fan_out)
    without, beside, each_kb = medians(idle)
    return [
        Figure(
            "F11",
            f"one change to {BROWSERS:,} browsers, deliveries per second of processor ÷ asyncio",
            tuple(mine / floor for floor, mine in fan_out),
            0.5,
            True,
            f"{most:,.0f} ÷ {least:,.0f} a second and core",
            {"browsers_per_core": most, "browser_kb": each_kb},
        ),
        Figure(
            "F11 idle",
            f"ingest beside {BROWSERS:,} browsers of another workspace ÷ without",
            tuple(with_them / alone for alone, with_them, _ in idle),
            0.95,
            True,
            f"{beside:,.0f}/s ÷ {without:,.0f}/s; {each_kb:.1f} KB of memory for each browser",
        ),
    ]


def _watched(plan: Plan) -> Desk:
    """Return the desk with a workspace of people who watch, and whom nobody writes to."""
    data = plan.folder / "watched"
    shutil.copytree(plan.desk.data, data)
    done = subprocess.run(
        [sys.executable, "-m", "bench.watchers", str(data), str(BROWSERS)],
        check=True,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    made = json.loads(done.stdout.splitlines()[-1])
    return Desk(data, made["workspace"], tuple(made["cookies"]))


@contextmanager
def _browsers(served: Served, desk: Desk, count: int) -> Iterator[list[socket.socket]]:
    opened = [watch(served, desk.workspace, cookie).connection for cookie in desk.cookies[:count]]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


def _floor(plan: Plan) -> float:
    port = free_port()
    program = start(
        "floor", [sys.executable, "-m", "bench.floors.live", str(port)], clean_environment(), "is ready"
    )
    try:
        nobody = Desk(plan.folder, 0, ("",) * BROWSERS)
        return _tell(Served(port, "/", plan.folder, program.process.pid), nobody, plan.seconds)
    finally:
        program.stop()


def _told(plan: Plan, desk: Desk) -> float:
    with product(desk, plan.folder) as served:
        return _tell(served, desk, plan.seconds)


def _tell(served: Served, desk: Desk, seconds: float) -> float:
    """Return how many deliveries a second of processor the server makes; every one is counted."""
    count = BROWSERS
    say = f"GET /bench/say/{desk.workspace} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    # Ours is the last: a server may give up on a connection without a request while others are opened.
    with on_last_core(), _browsers(served, desk, count) as browsers, _connected(served.port) as control:
        selector = selectors.DefaultSelector()
        for one in browsers:
            selector.register(one, selectors.EVENT_READ)
        selector.register(control, selectors.EVENT_READ)
        before = cpu_seconds(family(served.pid))
        began = time.perf_counter()
        said = told = 0
        while True:
            now = time.perf_counter()
            if now - began < seconds and now >= began + said / RATE:
                control.sendall(say)
                said += 1
            if now - began >= seconds and told >= said * count:
                break
            if now - began > seconds + SETTLE_SECONDS:
                raise WrongAnswerError(f"{told} of {said * count} deliveries came")
            for key, _ in selector.select(0.005):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 16)
                if not data:
                    raise WrongAnswerError("the server ended a connection")
                told += data.count(b"event: conversation")
        used = cpu_seconds(family(served.pid)) - before
    if told != said * count:
        raise WrongAnswerError(f"{told} deliveries of {said * count}")
    return told / used


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        yield connection


def _idle(plan: Plan, desk: Desk) -> tuple[float, float, float]:
    """Return ingest a second without and with browsers that watch another workspace, and KB for each."""
    with product(desk, plan.folder) as served:
        alone = saturate_served(served, plan.seconds)
    with product(desk, plan.folder) as served:
        with _browsers(served, desk, 10):
            before = memory_mb(served.pid)
        with _browsers(served, desk, BROWSERS):
            each_kb = (memory_mb(served.pid) - before) * 1024 / BROWSERS
            beside = saturate_served(served, plan.seconds)
    return alone.rate, beside.rate, each_kb
