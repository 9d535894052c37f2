"""Measure what an event costs on PostgreSQL, and what a desk costs that nobody uses.

Two serving processes and two workers with a broker; statements are counted by ``pg_stat_statements`` on a
PostgreSQL of the figure's own, because the extension has to be loaded when a server starts.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench.cpu import APPLIED_SECONDS, worker
from bench.lanes import BROKERS
from bench.load import Result, WrongAnswerError, open_loop
from bench.payload import deliveries
from bench.plan import Figure, Plan, SkippedError, medians
from bench.processes import cpu_seconds, family
from bench.servers import Desk, on_last_core, prepare, product
from demo.processes import free_port
from host.events.reading import NUMBERING
from host.events.retention import SCREENS
from host.queue.activity import QUIET_SECONDS

RATES = (50.0, 300.0)
SERVING, DELIVERING = 2, 2
SETTLING_SECONDS = QUIET_SECONDS + 5.0
IDLE_SECONDS = 10.0
PATH = "/addons/instagram/webhook"

TARGETS = {
    "statements 50/s": 25.0,
    "statements 300/s": 10.0,
    "idle begin/s": 10.0,
    "idle worker": 1.0,
    "idle postgresql": 1.0,
}

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Used:
    """Statements, processor seconds and bytes up to a moment, or between two.

    :param bounds: the statements that only begin or end a transaction.
    :param log: bytes of the write-ahead log; *size*: of the database.
    """

    at: float
    statements: int
    begins: int
    bounds: int
    database: float
    delivering: float
    serving: float
    log: float
    size: float

    def since(self, other: Used) -> Used:
        return Used(*(getattr(self, name) - getattr(other, name) for name in self.__slots__))


class Cluster:
    """A PostgreSQL of the figure's own, which counts statements."""

    def __init__(self, folder: Path) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not programs:
            raise SkippedError("PostgreSQL's programs are not on this machine")
        self._files = folder / "files"
        self.port = free_port()
        # It refuses to run as root.
        as_root = os.geteuid() == 0
        other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if as_root else []
        if as_root:
            shutil.chown(folder, "postgres")
        make = [*other, str(programs[-1] / "initdb"), "-D", str(self._files), "-U", "postgres", "-A", "trust"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd="/")
        loaded = ["-c", "shared_preload_libraries=pg_stat_statements", "-c", "max_connections=300"]
        self._process = subprocess.Popen(
            [
                *other,
                str(programs[-1] / "postgres"),
                "-D",
                self._files,
                "-p",
                str(self.port),
                "-k",
                "",
                *loaded,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        self._engine = sa.create_engine(
            self.url("postgres"), poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT"
        )
        self._wait()
        self.run("CREATE EXTENSION pg_stat_statements")

    def url(self, name: str) -> str:
        """Return the address of the database *name*."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.run("SELECT 1")
            except sa.exc.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def run(self, statement: str) -> None:
        """Execute *statement*."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def counted(self, database: str) -> Mapping[str, int]:
        """Return how often each statement has run in *database*."""
        query = (
            "SELECT query, sum(calls) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
            " WHERE d.datname = %s GROUP BY query"
        )
        with self._engine.connect() as connection:
            return {text: int(calls) for text, calls in connection.exec_driver_sql(query, (database,))}

    def written(self, database: str) -> tuple[float, float]:
        """Return the bytes of the write-ahead log up to now, and of *database*."""
        query = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), pg_database_size(%s)"
        with self._engine.connect() as connection:
            log, size = connection.exec_driver_sql(query, (database,)).one()
        return float(log), float(size)

    def cpu_seconds(self) -> float:
        """Return the processor seconds of all its processes."""
        return cpu_seconds(family(self._process.pid))

    def close(self) -> None:
        """Stop it at once."""
        self._engine.dispose()
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a server that counts statements.

    :raises SkippedError: if PostgreSQL is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="lobby-bench-") as folder:
        running = Cluster(Path(folder))
        try:
            yield running
        finally:
            running.close()


class Running:
    """The processes of a desk, and what they have used.

    :param profile: a folder for the statements of each measurement, or None.
    """

    def __init__(self, own: Cluster, database: str, ports: list[int], serving: list[int], working: list[int]):
        self._own, self._database = own, database
        self.ports = ports
        self._serving, self._working = serving, working
        self._profile: dict[str, int] = {}

    def used(self) -> Used:
        """Return what was used up to now."""
        found = self._own.counted(self._database)
        self._profile = dict(found)
        words = {text: text.split()[0].upper() for text in found}
        begins = sum(calls for text, calls in found.items() if words[text] == "BEGIN")
        bounds = sum(calls for text, calls in found.items() if words[text] in {"BEGIN", "COMMIT", "ROLLBACK"})
        return Used(
            time.monotonic(),
            sum(found.values()),
            begins,
            bounds,
            self._own.cpu_seconds(),
            sum(cpu_seconds(family(pid)) for pid in self._working),
            sum(cpu_seconds(family(pid)) for pid in self._serving),
            *self._own.written(self._database),
        )

    def most_frequent(self, before: Mapping[str, int], most: int = 40) -> list[tuple[int, str]]:
        """Return the statements that ran most often since the counts *before*."""
        grown = [(calls - before.get(text, 0), text) for text, calls in self._profile.items()]
        return sorted((one for one in grown if one[0] > 0), reverse=True)[:most]

    @property
    def profile(self) -> dict[str, int]:
        return dict(self._profile)

    def do(self, statement: str) -> None:
        """Execute *statement* in the database of the desk."""
        engine = sa.create_engine(self._own.url(self._database), poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def number(self, query: str) -> float:
        """Return the number *query* finds."""
        engine = sa.create_engine(self._own.url(self._database), poolclass=sa.pool.NullPool)
        try:
            with engine.connect() as connection:
                return float(connection.exec_driver_sql(query).scalar_one())
        finally:
            engine.dispose()


@contextmanager
def running(plan: Plan, own: Cluster, desk: Desk, broker: str) -> Iterator[Running]:
    """Run *desk*, prepared from its checkout, with two serving processes and two workers."""
    name = f"lobby_bench_{next(_numbers)}"
    own.run(f"CREATE DATABASE {name}")
    made = prepare(plan.folder, people=1, name=f"{name}-desk", url=own.url(name), tree=desk.tree)
    with ExitStack() as stack:
        settings = {"LOBBY_BROKER_URL": broker, "LOBBY_SENDERS": "0"}
        served = [
            stack.enter_context(product(made, plan.folder, workers=0, **settings)) for _ in range(SERVING)
        ]
        data = served[0].database.parent
        working = [
            stack.enter_context(worker(made, data, LOBBY_BROKER_URL=broker)) for _ in range(DELIVERING)
        ]
        yield Running(own, name, [one.port for one in served], [one.pid for one in served], working)


def measure(plan: Plan, own: Cluster, desk: Desk, broker: str) -> dict[str, float]:
    """Return what an event costs at each rate, and what a desk costs without any."""
    found: dict[str, float] = {}
    with running(plan, own, desk, broker) as desk_running:
        # There is no provider to catch up with, and each failure would count as use.
        desk_running.do("DELETE FROM catch_ups")
        time.sleep(SETTLING_SECONDS)
        before = desk_running.used()
        profile = desk_running.profile
        time.sleep(IDLE_SECONDS)
        idle = desk_running.used().since(before)
        _tell(desk, "idle", desk_running.most_frequent(profile), idle.at)
        found["idle statements/s"] = idle.statements / idle.at
        found["idle begin/s"] = idle.begins / idle.at
        found["idle worker"] = idle.delivering / idle.at / DELIVERING * 100
        found["idle web"] = idle.serving / idle.at / SERVING * 100
        found["idle postgresql"] = idle.database / idle.at * 100
        for rate in RATES:
            found |= _at(plan, desk, desk_running, rate, seconds=max(4.0, 2 * plan.seconds))
    return found


def _at(plan: Plan, desk: Desk, one: Running, rate: float, seconds: float) -> dict[str, float]:
    messages = one.number("SELECT count(*) FROM messages")
    # The first events of each process compile statements.
    messages += _send(one.ports, rate, 2.0).answered
    _applied(one, messages)
    before = one.used()
    profile = one.profile
    newest = int(one.number("SELECT coalesce(max(id), 0) FROM inbound_events"))
    with _watched(one) as behind:
        load = _send(one.ports, rate, seconds)
        sent = load.answered
        _applied(one, messages + sent)
        time.sleep(0.5)  # what reads the event log follows
    used = one.used().since(before)
    _tell(desk, f"{rate:.0f}/s", one.most_frequent(profile), sent)
    delay = (
        "SELECT extract(epoch FROM percentile_cont(0.99) WITHIN GROUP (ORDER BY applied_at - received_at))"
        f" FROM inbound_events WHERE id > {newest}"
    )
    words = f"{rate:.0f}/s"
    return {
        f"statements {words}": used.statements / sent,
        f"begin, commit {words}": used.bounds / sent,
        f"postgresql ms {words}": used.database / sent * 1000,
        f"workers ms {words}": used.delivering / sent * 1000,
        f"webs ms {words}": used.serving / sent * 1000,
        f"log kB {words}": used.log / sent / 1000,
        f"database kB {words}": used.size / sent / 1000,
        f"answer p99 ms {words}": load.p99_ms,
        f"in the inbox p99 ms {words}": one.number(delay) * 1000,
        f"readers behind s {words}": max(behind),
    }


@contextmanager
def _watched(one: Running) -> Iterator[list[float]]:
    """Note each half second the age of the oldest event that a consumer has not read, in seconds."""
    query = (
        "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - unread.at)), 0)"
        " FROM consumers c CROSS JOIN LATERAL (SELECT at FROM domain_events d"
        " WHERE (d.place, d.id) > (c.place, c.event_id) AND d.kind IS NOT NULL"
        " ORDER BY d.place, d.id LIMIT 1) unread"
        f" WHERE c.name NOT IN ('{NUMBERING}', '{SCREENS}')"
    )
    seen: list[float] = [0.0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            seen.append(one.number(query))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def _tell(desk: Desk, words: str, statements: list[tuple[int, str]], by: float) -> None:
    """Keep the statements that ran most often, for somebody who looks for what to save."""
    folder = os.environ.get("BENCH_PROFILE")
    if not folder:
        return
    name = f"{Path(desk.tree.root).name}-{words.replace('/', 'p')}.txt"
    lines = [f"{calls / by:8.2f}  {' '.join(text.split())[:400]}" for calls, text in statements]
    (Path(folder) / name).write_text("\n".join(lines) + "\n")


@dataclass(frozen=True, slots=True)
class Load:
    """How many events were answered, and within which time 99 of 100, in milliseconds."""

    answered: int
    p99_ms: float


def _send(ports: list[int], rate: float, seconds: float) -> Load:
    """Send events to all serving processes at once."""
    results: list[Result] = []

    def send(port: int, requests: list[bytes]) -> None:
        each = rate / len(ports)
        results.append(open_loop(port, iter(requests), rate=each, seconds=seconds, warm_up=0.0))

    with on_last_core():
        count = int(rate / len(ports) * (seconds + 2) * 1.3) + 50
        threads = [threading.Thread(target=send, args=(port, deliveries(PATH, count)[0])) for port in ports]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if len(results) < len(ports):
        raise WrongAnswerError("a serving process did not answer")
    answered = sum(sum(one.statuses.values()) for one in results)
    together = Result(seconds, [took for one in results for took in one.latencies])
    return Load(answered, together.percentile(0.99))


def _applied(one: Running, messages: float) -> None:
    deadline = time.monotonic() + APPLIED_SECONDS
    while (found := one.number("SELECT count(*) FROM messages")) < messages:
        if time.monotonic() > deadline:
            raise WrongAnswerError(f"{found:.0f} of {messages:.0f} messages were applied")
        time.sleep(0.1)


def events_pg(plan: Plan) -> list[Figure]:
    """Measure statements and processor time per event, and of an idle desk."""
    rounds = []
    with cluster() as own:
        for _ in range(plan.rounds):
            rounds.append(measure(plan, own, plan.desk, BROKERS["rabbitmq"]))
    figures = []
    for key in rounds[0]:
        values = tuple(one[key] for one in rounds)
        (middle,) = medians([(value,) for value in values])
        target = TARGETS.get(key)
        words = f"{key}: PostgreSQL, {SERVING} serving processes, {DELIVERING} workers, a broker"
        figures.append(
            Figure(f"events_pg {key}", words, values, target, False, f"{middle:.2f}", {key: middle})
        )
    return figures
