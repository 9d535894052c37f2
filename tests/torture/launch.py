"""``lobby`` with short patience, and where the environment names one, with a fault built in on purpose.

``TORTURE_SIGNS`` names a folder: what the nemesis writes there goes wrong in this process.

``TORTURE_DELAYS``, if set, leaves the delays as they are delivered. ``TORTURE_JOB_SECONDS`` is how long a job
of an addon may take, in place of ten minutes.

``TORTURE_MUTANT`` names one of the functions below. Each takes away one thing a promise rests on; the torture
that stays green on it proves nothing. Nothing of this is in the product: a desk started by ``lobby`` has no
such switch.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def acknowledge_first() -> None:
    """Answer, and write the request down a little later in a thread."""
    from host.queue.journal import Journal, JournalUnavailableError

    ingest = Journal.ingest

    def later(self: Journal, **given: Any) -> None:
        def work() -> None:
            time.sleep(random.uniform(0.5, 2.0))
            with suppress(JournalUnavailableError):
                ingest(self, **given)

        threading.Thread(target=work, daemon=True).start()

    async def later_too(self: Journal, **given: Any) -> None:
        later(self, **given)

    Journal.ingest = later  # type: ignore[method-assign]
    Journal.ingest_soon = later_too  # type: ignore[method-assign]


def no_unique_key() -> None:
    """Write down what comes without asking whether it came before; the key is taken from the table, too."""
    from host.queue import journal_rows

    prepare = journal_rows.Statements.__init__

    def plain(self: journal_rows.Statements, dialect: str) -> None:
        prepare(self, dialect)
        self.event.text._tail = ""
        self._find = lambda _cursor, _events: {}  # type: ignore[method-assign]

    journal_rows.Statements.__init__ = plain  # type: ignore[method-assign]


def retry_all() -> None:
    """Take what nobody knows for what was not sent."""
    from host.delivery import outbound, results
    from host.sdk.channel import NotSent, Unknown

    record = outbound._record

    def hasty(session: Any, lease: Any, head: Any, result: object, *rest: Any) -> Any:
        if isinstance(result, Unknown):
            result = NotSent(result.problem)
        return record(session, lease, head, result, *rest)

    def interrupted(session: Any, lease: Any, head: Any) -> bool:
        from host.delivery import agent_messages

        return results.not_sent(session, lease, head, NotSent(agent_messages.INTERRUPTED)) is not None

    outbound._record = hasty
    results.interrupted = interrupted


def no_sync() -> None:
    """Let SQLite leave the syncing to the system, which a power cut does not wait for."""
    from sqlalchemy import event

    from host.core import db

    make = db._sqlite_engine

    def careless(*arguments: Any, **named: Any) -> Any:
        engine = make(*arguments, **named)

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA synchronous=OFF")

        return engine

    db._sqlite_engine = careless


def wait_for_rows() -> None:
    """Wait for whatever row somebody holds, as any program does."""
    from host.delivery import inbound
    from host.queue import policy

    apply_changes = inbound.apply_changes

    def patiently(session: Any, items: Any, *, waits: bool = True) -> Any:
        return apply_changes(session, items)

    inbound.apply_changes = patiently
    policy.LOCK_PATIENCE = policy.LONE_PATIENCE = 30.0


def wait_for_lanes() -> None:
    """Wait for a lane somebody holds when events are to wake it."""
    from host.queue import lane_waking

    for name in ("_WAKE_POSTGRESQL", "_LOCK_MARIADB"):
        setattr(lane_waking, name, getattr(lane_waking, name).replace(" SKIP LOCKED", ""))


def long_leases() -> None:
    """Let those who froze keep what they had for a minute."""
    from host.core import db
    from host.events import consuming
    from host.queue import policy

    policy.LEASE = consuming.LEASE = timedelta(seconds=60)
    db.IDLE_SECONDS = 60


def wait_for_no_spool() -> None:
    """Apply what comes although an older event of the same customer is still in a spool."""
    from host.queue.order.spooled_lanes import SpooledLanes

    SpooledLanes._hold = lambda *_: None  # type: ignore[method-assign]


def left_unconfirmed() -> None:
    """Take a reply for unconfirmed although no byte of its request left."""
    from host.delivery import outbound
    from host.sdk.channel import NotSent, Unknown

    record = outbound._record

    def unclear(session: Any, lease: Any, head: Any, result: object, allowed: Any, departure: Any) -> Any:
        if isinstance(result, NotSent) and departure.unreachable:
            result = Unknown(result.problem)
        return record(session, lease, head, result, allowed, departure)

    outbound._record = unclear


def crowded_senders() -> None:
    """Let an account have all senders of a process, also while its provider does not answer.

    Nor does one reply at a time go ahead of the others, however often its provider failed.
    """
    from host.delivery import worker
    from host.queue import policy, send_limiter

    worker._Claimer._crowded = lambda _self: {}  # type: ignore[method-assign]
    send_limiter.FAILING_SENDERS = 1000
    policy.FAILURES_IN_A_ROW = 10**6


def endless_conditions() -> None:
    """Wait for what an addon's function returns, however long it takes."""
    from host.channels import timeouts

    timeouts.within = lambda _seconds, _name, use, _customer=None: use()


def tried_for_ever() -> None:
    """Pass an event that a listener cannot handle again and again, before any other."""
    from host.events import consuming

    consuming.TRIES = 10**6


def hung_for_everybody() -> None:
    """Take a function that hangs for one customer for one that hangs for all of them."""
    from host.channels import timeouts

    within = timeouts.within
    timeouts.within = lambda seconds, name, use, _customer=None: within(seconds, name, use)


def endless_jobs() -> None:
    """Let an addon's job take as long as it likes."""
    from host.core import call_budget

    call_budget.JOB_SECONDS = float("inf")


MUTANTS = (
    acknowledge_first, no_unique_key, retry_all, no_sync, wait_for_rows, wait_for_lanes, long_leases,
    wait_for_no_spool, left_unconfirmed, crowded_senders, endless_conditions, tried_for_ever,
    hung_for_everybody, endless_jobs,
)  # fmt: skip


def watched() -> None:
    """Have the times shortened that stand between something going wrong and the metrics that say so."""
    from host.health import current_state, heartbeat, process_state

    heartbeat.EVERY_SECONDS, heartbeat.REST_SECONDS = 0.6, 0.2
    current_state.ALIVE = timedelta(seconds=2)
    process_state.PATIENCE_SECONDS, process_state.FRESH_SECONDS = 1.0, 0.5


class Signs:
    """A folder in which the nemesis says what goes wrong, and this process what it does."""

    READ_EVERY = 0.05
    FAILS = 0.1
    OFTEN = ("housekeeping", "files")

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._known: dict[str, tuple[float, str]] = {}

    def says(self, name: str) -> str:
        read_at, text = self._known.get(name, (float("-inf"), ""))
        now = time.monotonic()
        if now - read_at > self.READ_EVERY:
            with suppress(OSError):
                text = (self._folder / name).read_text()
            self._known[name] = now, text
        return text

    def wrap_clock(self) -> None:
        """Have the wall's clock be as wrong as the sign says; before anybody took the function it is."""
        from host.core import clock

        right, seconds = clock.now, time.time

        def offset() -> float:
            return float(self.says("clock") or 0.0)

        def now() -> datetime:
            return right() + timedelta(seconds=offset())

        clock.now = now
        time.time = lambda: seconds() + offset()

    def wrap_work(self) -> None:
        """Have one thread sleep where the sign says so.

        ``applying``: in the transaction that applies events, with its rows locked. ``sending``: after an
        attempt was written down, before the provider is called. ``reading``: in the transaction of a reader
        of the event log.
        """
        from host.delivery import outbound
        from host.events import consuming
        from host.queue import lanes

        held, departs, consume = lanes.held, outbound.watch_departure, consuming._Reader._consume
        turn = threading.Lock()
        rested = ""

        def rest(where: str) -> None:
            nonlocal rested
            sign = self.says("rest")
            if sign and sign != rested and sign.split()[2] == where and turn.acquire(blocking=False):
                try:
                    rested = sign
                    (self._folder / "resting").touch()
                    time.sleep(float(sign.split()[0]))
                finally:
                    turn.release()

        def slowly(session: Any, leases: Any, *more: Any) -> set[str]:
            ours = held(session, leases, *more)
            rest("applying")
            return ours

        def departure() -> Any:
            rest("sending")
            return departs()

        def read(self: Any, session: Any, events: Any, position: Any, waiting: Any = ()) -> Any:
            done = consume(self, session, events, position, waiting)
            if events and done is not None:
                rest("reading")
            return done

        lanes.held = slowly
        outbound.watch_departure = departure  # type: ignore[assignment]
        consuming._Reader._consume = read  # type: ignore[method-assign]

    def wrap_calls(self) -> None:
        """Have what is asked of one Page go where the sign says: a host of its own, which may be away."""
        from host.sdk.http import Client

        once = Client._once

        def apart(self_: Any, method: str, url: str, **more: Any) -> Any:
            page, _, address = self.says("apart").partition(" ")
            if page and f"/{page}/" in url:
                url = urlsplit(url)._replace(netloc=address).geturl()
            return once(self_, method, url, **more)

        Client._once = apart  # type: ignore[method-assign]

    def wrap_jobs(self) -> None:
        """Tell when a job begins, and have the rare ones come often."""
        import host.process.features  # noqa: F401 - says which features there are
        from host.features import registry

        def told(run: Callable[[Any], object]) -> Callable[[Any], object]:
            def job(directory: Any) -> object:
                (self._folder / "chore").touch()
                return run(directory)

            return job

        jobs = [
            (name, told(run), 0.5) if name in self.OFTEN else (name, run, every)
            for name, run, every in registry.jobs()
        ]
        registry.jobs = lambda: jobs

    def wrap_sqlite(self) -> None:
        """Have statements fail, COMMITs not take place, and COMMITs take place that nobody is told of."""
        from sqlalchemy import event

        from host.core import db
        from host.queue.journal import Journal

        make, write_down = db._sqlite_engine, Journal._commit

        def broken() -> Exception:
            return sqlite3.OperationalError("disk I/O error")

        def fails(how: str) -> bool:
            return self.says("fails") == how and random.random() < self.FAILS

        def faulty(*arguments: Any, **named: Any) -> Any:
            engine = make(*arguments, **named)
            commit = engine.dialect.do_commit

            def do_commit(connection: Any) -> None:
                if fails("before"):
                    connection.rollback()
                    raise broken()
                commit(connection)
                if fails("after"):
                    raise broken()

            engine.dialect.do_commit = do_commit

            @event.listens_for(engine, "before_cursor_execute")
            def _execute(*_: Any) -> None:
                if fails("statement") and not named.get("readonly"):
                    raise broken()

            return engine

        def committed(self: Journal, cursor: Any) -> None:
            if fails("before"):
                cursor.execute("ROLLBACK")
                raise broken()
            write_down(self, cursor)
            if fails("after"):
                raise broken()

        db._sqlite_engine = faulty
        Journal._commit = committed  # type: ignore[method-assign]


if __name__ == "__main__":
    if folder := os.environ.pop("TORTURE_SIGNS", ""):
        signs = Signs(Path(folder))
        if os.environ.pop("TORTURE_FAULTY", ""):
            signs.wrap_clock()
            signs.wrap_jobs()
            signs.wrap_sqlite()
        signs.wrap_work()
        signs.wrap_calls()

    if os.environ.pop("TORTURE_DELAYS", ""):
        from host.cli.commands import main
    else:
        from tests.whole.quick_desk import main

    if os.environ.pop("TORTURE_WATCHED", ""):
        watched()
    if seconds := os.environ.pop("TORTURE_JOB_SECONDS", ""):
        from host.core import call_budget

        call_budget.JOB_SECONDS = float(seconds)
    if mutant := os.environ.pop("TORTURE_MUTANT", ""):
        {one.__name__: one for one in MUTANTS}[mutant]()
    main()
