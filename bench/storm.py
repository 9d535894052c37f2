"""A storm on one account: what the customers of another one notice of ten thousand events within a second."""

from __future__ import annotations

import statistics
import threading
import time

from bench import live
from bench.load import Connection, Result, WrongAnswerError, open_loop
from bench.payload import batches, deliveries
from bench.plan import Figure, Plan
from bench.servers import Desk, Served, on_last_core, product

EVENTS, EACH = 10_000, 1_000
RATE = 50.0
SECONDS = 6.0
WATCHERS = 5


def storm(plan: Plan) -> list[Figure]:
    """Measure DM to screen of an account at 50 messages a second, alone and beside the storm."""
    ratios, details = [], []
    for _ in range(plan.rounds):
        with product(plan.desk, plan.folder) as served:
            quiet = measure(plan.desk, served, stormy=False)
        with product(plan.desk, plan.folder) as served:
            beside = measure(plan.desk, served, stormy=True)
        ratios.append(beside / quiet)
        details.append((beside, quiet))
    during, before = (statistics.median(one) for one in zip(*details, strict=True))
    detail = f"p99 {during:.0f} ms beside the storm, {before:.0f} ms without"
    what = "p99 webhook to screen beside 10,000 events of another account within a second ÷ without"
    return [
        Figure("storm", what, tuple(ratios), 5.0, False, detail),
        Figure("storm, seconds", "the same p99 in seconds", (during / 1000,), 1.0, False, detail),
    ]


def measure(desk: Desk, served: Served, *, stormy: bool) -> float:
    """Return the 99th percentile in milliseconds from when a message was due to when a browser had it."""
    return Result(SECONDS, delays(desk, served, stormy=stormy)).percentile(0.99)


def delays(desk: Desk, served: Served, *, stormy: bool) -> list[float]:
    """Return for each message and browser the time from when it was due to when the browser had it."""
    requests, mids = deliveries(served.path, int(RATE * (SECONDS + 5)))
    large = batches(served.path, EVENTS, EACH)
    due_at: list[float] = []
    with on_last_core():
        watchers = [live.watch(served, desk.workspace, cookie) for cookie in desk.cookies[:WATCHERS]]
        listener = live.Listener(watchers, threading.Event())
        listener.start()
        blowing = Blowing(served.port, large if stormy else [])
        blowing.start()
        open_loop(served.port, iter(requests), rate=RATE, seconds=SECONDS, due_at=due_at)
        blowing.finish()
        listener.finish(len(due_at))
    found = live.ids(served)
    return [
        one.seen[found[mid]] - due
        for mid, due in zip(mids, due_at, strict=False)
        for one in watchers
        if due >= due_at[0] + 1.0
    ]


class Blowing(threading.Thread):
    """Sends the storm a second after its start, a tenth of it each tenth of a second."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.requests = requests
        self.trouble: list[BaseException] = []

    def run(self) -> None:
        time.sleep(1.0)
        senders = []
        for request in self.requests:
            senders.append(threading.Thread(target=self._send, args=(request,), daemon=True))
            senders[-1].start()
            time.sleep(1.0 / len(self.requests))
        for sender in senders:
            sender.join()

    def _send(self, request: bytes) -> None:
        try:
            one = Connection(self.port)
            with one.socket:
                one.socket.settimeout(60)
                one.send(0, request, 0.0)
                while (status := one.receive()) is None:
                    pass
            if status != 200:
                raise WrongAnswerError(f"the storm was answered with {status}")
        except (OSError, WrongAnswerError) as error:
            self.trouble.append(error)

    def finish(self) -> None:
        """Wait until all of it was answered."""
        self.join()
        if self.trouble:
            raise self.trouble[0]
