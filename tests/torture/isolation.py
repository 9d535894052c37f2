"""Each customer waits only for themselves: hold a row or freeze a worker, and measure everybody else.

One desk with two workers, with the delays it is delivered with. Customers write at a steady pace, each
message once the one before was taken. For each fault there is a calm time, and then the fault. What counts is
the 99th percentile of the time from a delivery to its message being in the inbox, of the customers the fault
does not concern, and how many times that of the calm time it is.

The machine is shared, and one slow moment makes a 99th percentile. So a fault is played up to :data:`TRIES`
times, until it holds once; a broken build fails each time.
"""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import requests
import sqlalchemy as sa

from demo.processes import free_port
from host.queue.lanes import lane_key
from tests.torture import alerts
from tests.torture.checks import Found, Scene, examine, spooled
from tests.torture.desk import Desk, Stopped
from tests.torture.lanes import Outcome, bring_to_rest
from tests.torture.nemesis import Nemesis
from tests.torture.people import People
from tests.torture.provider import Ledger, Provider
from tests.whole.rig import until
from tests.whole.shops import ADMIN, APP_ID, CAFE, POTTERY, SECOND_APP_ID, STUDIO, Shop, point_webhooks

TOKEN = "metrics-of-the-torture"
HOLDER = "somebody at a prompt"
"""What the connection that holds a row calls itself."""

CUSTOMERS = 20
"""Customers of each shop who write."""
PACE = 2.4
"""Seconds between two messages of one customer, on average: 25 messages a second in all."""
STOPS_EVERY = 8
"""Each so manyth message of a customer is STOP or START, which locks their contact."""
CALM = 20.0
LONG = 28.0
"""Seconds a row is held: long enough for the alert to fire."""
FROZEN = 16.0
"""Seconds a worker is frozen: longer than a lease lasts, and than a transaction may stand still."""
TRIES = 3
HELD_RATIO, FROZEN_RATIO = 1.5, 3.0
LEASED_SECONDS = 10.0
"""How long customers wait at most whose lanes a frozen process had leased."""
READERS_SECONDS = 15.0
"""How long what reads the event log waits at most for a frozen process: its lease, and the next look."""
SETTLED_SECONDS = 60.0
TOLD_SECONDS = 8.0
"""How soon Health names a connection that holds rows for three seconds."""
LOST_SECONDS = 15.0
"""How soon a process that stands still no longer counts as delivering: it reports every five seconds."""
NOT_PLAYED = "not played"
NOISE_MS = 20.0
"""A difference that is smaller is of this test: it looks into the inbox every some milliseconds."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, whom it may delay, and who is told.

    :param after: how many seconds later at most.
    :param ratio: how many times its calm value the p99 of the others may be.
    :param mutant: the function of ``launch.py`` that makes a build which has to fail it.
    :param of: whose fault it is: the ``desk``'s own, of a ``provider``, or of an ``addon``.
    """

    kind: str
    done: str
    delays: str
    told: str
    after: float
    ratio: float
    mutant: str
    of: str = "desk"


_HEALTH = "Health and `lobby_blocking_seconds` name the connection and the table; `LobbyRowsHeld`"
_REPLY = "the agent, at the reply: the provider can't be reached, or isn't accepting replies"
FAULTS = (
    Fault(
        "held conversation", "a session holds a row of `conversations`", "its customer", _HEALTH,
        TOLD_SECONDS, HELD_RATIO, "wait_for_rows",
    ),
    Fault(
        "held lane", "a session holds a row of `lanes`", "its customer", _HEALTH,
        TOLD_SECONDS, HELD_RATIO, "wait_for_lanes",
    ),
    Fault(
        "held contact", "a session holds a row of `contacts`; customers write STOP", "its customer", _HEALTH,
        TOLD_SECONDS, HELD_RATIO, "wait_for_rows",
    ),
    Fault(
        "held account", "a session holds a row of `channel_accounts`", "customers of that account", _HEALTH,
        TOLD_SECONDS, HELD_RATIO, "wait_for_rows",
    ),
    Fault(
        "slow statement", "a session locks a row of `conversations` in a statement that takes long",
        "its customer", _HEALTH, TOLD_SECONDS, HELD_RATIO, "wait_for_rows",
    ),
    Fault(
        "frozen applying", "SIGSTOP of one of two workers, in the transaction that applies events",
        "customers whose lanes it had leased", "the log names the process and its tables; `LobbyDown`",
        LOST_SECONDS, FROZEN_RATIO, "long_leases",
    ),
    Fault(
        "frozen sending", "SIGSTOP of one of two workers, while it calls the provider",
        "customers whose lanes it had leased", "it holds no row; `LobbyDown`",
        LOST_SECONDS, FROZEN_RATIO, "long_leases",
    ),
    Fault(
        "frozen reading", "SIGSTOP of one of two workers, in the transaction of a reader of the event log",
        "customers whose lanes it had leased, and that reader",
        "the log names the process and its tables; `LobbyDown`", LOST_SECONDS, FROZEN_RATIO, "long_leases",
    ),
    Fault(
        "account refused", "the Graph host of one of 40 accounts refuses connections; 42 of its replies wait",
        "customers of that account", _REPLY, 15.0, HELD_RATIO, "left_unconfirmed", "provider",
    ),
    Fault(
        "account unresolved", "the same with a Graph host whose name nobody knows",
        "customers of that account", _REPLY, 15.0, HELD_RATIO, "left_unconfirmed", "provider",
    ),
    Fault(
        "account stalled", "the same with a Graph host that takes connections and never answers",
        "customers of that account", _REPLY, 60.0, HELD_RATIO, "crowded_senders", "provider",
    ),
    Fault(
        "slow condition", "an addon's condition of a rule takes 12 seconds for each message of a customer",
        "that customer's rules", "Health names the addon and its function", 40.0, HELD_RATIO,
        "endless_conditions", "addon",
    ),
    Fault(
        "failing listener", "an addon's listener can't handle any message of a customer",
        "what it hears of that customer", "Health names the listener, and *Addons* lists the events",
        30.0, HELD_RATIO, "tried_for_ever", "addon",
    ),
    Fault(
        "hanging panel", "an addon's panel hangs in C for one customer; agents open others' pages and panels",
        "that panel of that customer", "the panel says so; Health names the addon and its panel",
        20.0, HELD_RATIO, "hung_for_everybody", "addon",
    ),
    Fault(
        "endless job", "an addon's job waits for a program that never ends",
        "nobody; the job is ended with its program", "Health names the addon and its job",
        40.0, HELD_RATIO, "endless_jobs", "addon",
    ),
)  # fmt: skip
KINDS = {fault.kind: fault for fault in FAULTS}
CONTROLS = tuple(dict.fromkeys(fault.mutant for fault in FAULTS))
OWN = [fault.kind for fault in FAULTS if fault.of == "desk"]
TABLES = {
    "conversation": "conversations",
    "lane": "lanes",
    "contact": "contacts",
    "account": "channel_accounts",
}


def table() -> str:
    """Return the table docs/torture.md must hold."""
    rows = [
        f"| {one.kind} | {one.done} | {one.delays} | {one.ratio:g} | {one.told} | {one.after:g} s "
        f"| `{one.mutant}` |"
        for one in FAULTS
    ]
    head = (
        "| fault | what is done | whom it may delay | others, times calm p99 | who is told "
        "| after at most | broken build |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


@dataclass(slots=True)
class Sample:
    """One message: who wrote it and when, and when it was seen in the inbox. Monotonic seconds."""

    writer: tuple[str, str]
    began: float
    answer_ms: float | None = None
    visible: float | None = None

    def ms(self, now: float) -> float:
        """Return how long it took, or for one that is not there yet, has taken."""
        return ((self.visible or now) - self.began) * 1000


@dataclass
class Writers:
    """A thread for each customer, and one that looks which messages are there."""

    desk: Desk
    provider: Provider
    people: Sequence[tuple[Shop, str]]
    seed: int
    pace: float = PACE
    """Seconds between two messages of one customer, on average."""
    addresses: Sequence[str] = ()
    """Where messages are brought, one after the other; empty: where the provider brings all."""
    samples: dict[str, Sample] = field(default_factory=dict)
    spooled: list[tuple[float, str]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    stops: set[str] = field(default_factory=set)
    """Customers whose next message is STOP."""
    says: dict[str, str] = field(default_factory=dict)
    """How the messages of customers begin who write something else than *word*."""

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._gone = threading.Event()
        self._open: set[str] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        works = [lambda one=one: self._write(one) for one in self.people]  # type: ignore[misc]
        for work in (*works, self._look):
            thread = threading.Thread(target=self._guarded, args=(work,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """Let everybody finish; what is written is taken, and seen if it gets there."""
        self._over.set()
        for thread in self._threads[:-1]:
            thread.join(60)
        with suppress(AssertionError):
            until(lambda: not self._open, "everything being there", SETTLED_SECONDS)
        self._gone.set()
        self._threads[-1].join(60)

    @property
    def open(self) -> int:
        """How many messages were written and are not there yet."""
        return len(self._open)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread's failure is reported by the run
            self.trouble.append(repr(error))

    def _write(self, writer: tuple[Shop, str]) -> None:
        shop, customer = writer
        chance = random.Random(f"{self.seed} {customer}")
        lines: dict[str, http.client.HTTPConnection] = {}
        number = chance.randrange(STOPS_EVERY)
        while not self._over.wait(chance.expovariate(1 / self.pace)):
            number += 1
            said = self.says.get(customer, "")
            text = f"{said or 'word'} {number} \U0001f49c"
            if (number % STOPS_EVERY == 0 and not said) or customer in self.stops:
                self.stops.discard(customer)
                text = "STOP" if number // STOPS_EVERY % 2 else "START"
            sample = Sample((shop.igid, customer), time.monotonic())

            def begins(mid: str, sample: Sample = sample) -> None:
                with self._lock:
                    self.samples[mid] = sample
                    self._open.add(mid)
                sample.began = time.monotonic()

            address = self.addresses[number % len(self.addresses)] if self.addresses else ""
            sample.answer_ms = self.provider.deliver(lines, writer, text, begins, address)
        for line in lines.values():
            line.close()

    def _look(self) -> None:
        """See which messages are in the inbox, past any page, and whether the spool is empty."""
        assert self.desk.server is not None
        engine = sa.create_engine(
            self.desk.server.url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )
        query = sa.text(
            "SELECT external_id FROM messages WHERE account_id IN (SELECT id FROM channel_accounts) "
            "AND external_id IN :mids"
        ).bindparams(sa.bindparam("mids", expanding=True))
        spool_at = 0.0
        with engine.connect() as connection:
            while not self._gone.wait(0.01):
                now = time.monotonic()
                with self._lock:
                    mids = list(self._open)
                if mids:
                    there = set(connection.scalars(query, {"mids": mids}))
                    now = time.monotonic()
                    with self._lock:
                        self._open -= there
                    for mid in there:
                        self.samples[mid].visible = now
                if now > spool_at:
                    spool_at = now + 0.2
                    self.spooled += [(now, name) for name in spooled(self.desk)]
        engine.dispose()

    def between(self, begin: float, end: float) -> list[Sample]:
        """Return what was written in a time, and what was written before and not there when it began."""
        with self._lock:
            written = [one for one in self.samples.values() if one.began < end]
        return [one for one in written if one.began >= begin or one.visible is None or one.visible > begin]


def percentile(values: Collection[float], share: float) -> float:
    """Return the value that *share* of *values* do not exceed; 0 of nothing."""
    return sorted(values)[int(len(values) * share)] if values else 0.0


@dataclass
class Told:
    """What an operator is told while a fault lasts.

    :param blocking: by the metric: when, program, connection, tables and seconds.
    :param behind: seconds the readers of the event log were behind at most.
    :param delivering: how many processes deliver: when, and how many.
    """

    blocking: list[tuple[float, str, str, str, float]] = field(default_factory=list)
    behind: float = 0.0
    page: str = ""
    delivering: list[tuple[float, int]] = field(default_factory=list)


_LABELLED = re.compile(r'(\w+)="([^"]*)"')


class Watch:
    """Asks for the metrics every second, and once for the page, while the block runs."""

    def __init__(self, desk: Desk, page_after: float) -> None:
        self.desk = desk
        self.told = Told()
        self._page_after = page_after
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Told:
        self._thread.start()
        return self.told

    def __exit__(self, *rest: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _watch(self) -> None:
        began = time.monotonic()
        person = self.desk.person(ADMIN)
        while not self._over.wait(1.0):
            now = time.monotonic()
            with suppress(requests.RequestException):
                answer = requests.get(
                    f"{self.desk.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
                )
                self._note(now, answer.text)
                if not self.told.page and now > began + self._page_after:
                    self.told.page = person.session.get(f"{self.desk.url}/admin/health", timeout=10).text

    def _note(self, now: float, text: str) -> None:
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith("lobby_blocking_seconds{"):
                labels = dict(_LABELLED.findall(name))
                seen = (labels["program"], labels["connection"], labels["holds"])
                self.told.blocking.append((now, *seen, float(value)))
            elif name.startswith("lobby_record_behind_seconds{"):
                self.told.behind = max(self.told.behind, float(value))
            elif name == "lobby_processes_delivering":
                self.told.delivering.append((now, int(float(value))))


@dataclass
class Tried:
    """What came of one try of a fault."""

    wrong: list[str]
    figures: str


def note_told(tried: Tried, fault: Fault, times: Sequence[float], begin: float) -> None:
    """Add to *tried* how long after *begin* somebody was told, the first of *times*; too late is wrong."""
    after = min(times, default=float("inf")) - begin
    tried.figures += f", told after {after:.1f} s"
    if after > fault.after:
        tried.wrong.append(f"somebody is told after {after:.1f} s, and {fault.after:g} s are allowed")


@dataclass
class Isolation:
    """Plays faults on one desk, and measures whom each delays.

    :param calm: seconds of the calm time before each fault.
    :param held: seconds a row is held.
    """

    desk: Desk
    writers: Writers
    nemesis: Nemesis
    calm: float = CALM
    held: float = LONG
    tries: int = TRIES
    notes: list[str] = field(default_factory=list)

    def play(self, kind: str) -> list[str]:
        """Play *kind* until it holds once; return what was wrong with the last try."""
        for number in range(1, self.tries + 1):
            tried = self._try(KINDS[kind])
            again = f", try {number}" if number > 1 else ""
            self.notes.append(f"{kind}{again}: {tried.figures}")
            print(f"{self.desk.kind}, {self.notes[-1]}", *tried.wrong, sep="\n  ", flush=True)
            if not tried.wrong:
                return []
        return [f"{kind}: {sentence}" for sentence in tried.wrong]

    def _try(self, fault: Fault) -> Tried:
        if not_at_rest := until_there(self.writers):
            return Tried([f"{NOT_PLAYED}: {one}" for one in not_at_rest], NOT_PLAYED)
        time.sleep(2.0)
        calm_from = time.monotonic()
        time.sleep(self.calm)
        calm = self.writers.between(calm_from, time.monotonic())
        with self.nemesis._window(fault.kind):
            return self._cause(fault, calm)

    def _cause(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        """Cause *fault* and measure it."""
        return self._frozen(fault, calm) if fault.kind.startswith("frozen") else self._held(fault, calm)

    # A row that is held

    def _held(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        shop, customer = self.writers.people[0]
        what = fault.kind.removeprefix("held ")
        if what == "account":
            shop = CAFE
        name = TABLES.get(what, "conversations")
        with Watch(self.desk, min(9.0, self.held / 2)) as told:
            begin = time.monotonic()
            with self._holding(name, shop, customer, by_statement=what == "slow statement") as number:
                if what == "contact":
                    self.writers.stops.add(customer)
                time.sleep(self.held)
            end = time.monotonic()
        waited = until_there(self.writers)
        theirs = {
            one for one in self._all() if one[0] == shop.igid and (what == "account" or one[1] == customer)
        }
        tried = self._measured(fault, calm, begin, end, theirs)
        if not any(one.writer in theirs for one in self.writers.between(begin, end)):
            tried.wrong.append("nobody whom it concerns wrote meanwhile")
        tried.wrong += self._named(told, number, name)
        note_told(tried, fault, [one[0] for one in told.blocking if one[2] == str(number)], begin)
        tried.wrong += waited
        return tried

    @contextmanager
    def _holding(self, name: str, shop: Shop, customer: str, *, by_statement: bool) -> Iterator[int]:
        """Hold a row of table *name* from a session of its own; yield the number of its connection."""
        kind = self.desk.kind
        person = (
            "SELECT {column} FROM contact_identities i JOIN channel_accounts a ON a.id = i.account_id "
            f"WHERE a.external_id = '{shop.igid}' AND i.external_id = '{customer}'"
        )
        account = self.desk.value(f"SELECT id FROM channel_accounts WHERE external_id = '{shop.igid}'")
        where = {
            "conversations": f"identity_id = ({person.format(column='i.id')})",
            "contacts": f"id = ({person.format(column='i.contact_id')})",
            "channel_accounts": f"id = {account}",
            "lanes": f"{'`key`' if kind == 'mariadb' else 'key'} = '{lane_key('in', account, customer)}'",
        }[name]
        column = "`key`" if kind == "mariadb" and name == "lanes" else "key" if name == "lanes" else "id"
        # The row is found first: MariaDB locks the rows of a subquery, too.
        value = self.desk.value(f"SELECT {column} FROM {name} WHERE {where}")
        row = f"FROM {name} WHERE {column} = {value!r}"
        statement = f"SELECT {column} {row} FOR UPDATE"
        if by_statement and kind == "mariadb":
            statement = f"SELECT SLEEP({self.held:.0f}) {row} FOR UPDATE"
        elif by_statement:
            statement = (
                f"WITH held AS (SELECT {column} {row} FOR UPDATE) SELECT pg_sleep({self.held:.0f}) FROM held"
            )
        with self.desk.holding(statement, HOLDER, runs=by_statement) as number:
            yield number

    def _named(self, told: Told, number: int, name: str) -> list[str]:
        """Return what was not said about the connection that held a row."""
        wrong = []
        seen = [one for one in told.blocking if one[2] == str(number)]
        # MariaDB names tables only while somebody waits, and programs only with its performance schema.
        postgresql = self.desk.kind == "postgresql"
        if not any(name in one[3] and one[1] == HOLDER for one in seen) if postgresql else not seen:
            wrong.append(f"no metric named connection {number} and {name}; it said {told.blocking[:3]}")
        words = [str(number), HOLDER, name] if postgresql else [str(number)]
        if missing := [word for word in words if word not in told.page]:
            wrong.append(f"Health did not say {missing}")
        rule = next(one for one in alerts.rules() if one["alert"] == "LobbyRowsHeld")
        least = float(rule["expr"].rpartition(">")[2])
        times = [one[0] for one in seen if one[4] > least]
        lasts = times[-1] - times[0] if times else 0.0
        due = min(alerts.milliseconds(rule["for"]) / 1000, self.held - least - 3.0)
        if lasts < due:
            wrong.append(f"LobbyRowsHeld would not have fired: its condition held for {lasts:.0f} s")
        return wrong

    # A worker that is frozen

    def _frozen(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        where = fault.kind.removeprefix("frozen ")
        names = ("worker", "worker2")
        frozen = self.desk.rest_somewhere(names, FROZEN, where)
        if frozen is None:
            return Tried([f"{NOT_PLAYED}: no worker came to {where}"], NOT_PLAYED)
        pid = self.desk.helpers[names.index(frozen)].process.pid
        with Watch(self.desk, FROZEN / 2) as told:
            begin = time.monotonic()
            with Stopped([pid]):
                leased = self._leased()
                replies = self._longest_reply(begin + FROZEN)
            end = time.monotonic()
        waited = until_there(self.writers)
        tried = self._measured(fault, calm, begin, end, leased, LEASED_SECONDS)
        tried.figures += f", replies at most {replies:.1f} s, readers of the event log {told.behind:.1f} s"
        if replies > LEASED_SECONDS:
            tried.wrong.append(f"a reply waited {replies:.1f} s")
        if told.behind > READERS_SECONDS:
            tried.wrong.append(f"readers of the event log were {told.behind:.1f} s behind")
        fewer = [at for at, count in told.delivering if count < len(names)]
        note_told(tried, fault, fewer, begin)
        if where != "sending" and f"lobby worker {pid}" not in self.desk.output:
            named = [one[1:4] for one in told.blocking]
            if self.desk.kind == "postgresql" and not any(str(pid) in one[0] for one in named):
                tried.wrong.append(f"nobody named process {pid}; the metric said {named[:3]}")
        tried.wrong += waited
        return tried

    def _leased(self) -> set[tuple[str, str]]:
        """Return the customers whose lanes the process that was just frozen has: nobody releases those."""

        def now() -> set[tuple[str, str]]:
            key = "`key`" if self.desk.kind == "mariadb" else "key"
            found = self.desk.rows(f"SELECT {key}, owner FROM lanes WHERE owner IS NOT NULL")
            return {(row[0], row[1]) for row in found}

        before = now()
        time.sleep(1.5)
        left = {key for key, _owner in before & now()}
        accounts = {row[1]: row[0] for row in self.desk.rows("SELECT id, external_id FROM channel_accounts")}
        return {
            (igid, customer)
            for igid, customer in self._all()
            if lane_key("in", accounts[igid], customer) in left
        }

    def _longest_reply(self, end: float) -> float:
        """Return for how long at most a reply was on its way, until *end*.

        One behind an unconfirmed reply to the same customer is left out: it waits until that one is found or
        known to be missing, in whatever way it became unconfirmed.
        """
        began: dict[int, float] = {}
        longest = 0.0
        query = (
            "SELECT m.id FROM messages m WHERE m.state IN ('queued', 'sending') AND NOT EXISTS "
            "(SELECT 1 FROM messages b WHERE b.conversation_id = m.conversation_id AND b.id < m.id "
            "AND b.state = 'unknown')"
        )
        while (now := time.monotonic()) < end:
            there = {row[0] for row in self.desk.rows(query)}
            began = {one: began.get(one, now) for one in there}
            longest = max([longest, *(now - since for since in began.values())])
            time.sleep(0.25)
        return longest

    # What it came to

    def _all(self) -> set[tuple[str, str]]:
        return {(shop.igid, customer) for shop, customer in self.writers.people}

    def _measured(
        self,
        fault: Fault,
        calm: Sequence[Sample],
        begin: float,
        end: float,
        theirs: Collection[tuple[str, str]],
        most: float | None = None,
    ) -> Tried:
        """Hold the others' times of a fault against their calm ones.

        :param theirs: the customers it concerns.
        :param most: how many seconds these may wait.
        """
        now, meanwhile = time.monotonic(), self.writers.between(begin, end)
        before = [one.ms(now) for one in calm if one.writer not in theirs]
        others = [one for one in meanwhile if one.writer not in theirs]
        own = [one.ms(now) for one in meanwhile if one.writer in theirs]
        times = [one.ms(now) for one in others]
        was, is_now = percentile(before, 0.99), percentile(times, 0.99)
        answers = percentile([one.answer_ms or 0.0 for one in others], 0.99)
        figures = (
            f"p99 of others {is_now:.0f} ms of {len(others)}, calm {was:.0f} ms of {len(before)}: "
            f"{is_now / was if was else 0:.2f} times (p50 {percentile(times, 0.5):.0f}, calm "
            f"{percentile(before, 0.5):.0f}); answers p99 {answers:.0f} ms; "
            f"customers it concerns: {len(set(theirs))}, waited at most {max(own, default=0) / 1000:.1f} s"
        )
        wrong = []
        if is_now > was * fault.ratio + NOISE_MS:
            wrong.append(f"{figures}; at most {fault.ratio:g} times is allowed")
        if most is not None and max(own, default=0) > most * 1000:
            wrong.append(f"somebody waited {max(own) / 1000:.1f} s, and {most:.0f} s are allowed")
        if kept := {name for at, name in self.writers.spooled if begin <= at < end}:
            wrong.append(f"the spool held {len(kept)} requests")
        return Tried(wrong, figures)


def until_there(writers: Writers) -> list[str]:
    """Wait until everything that was written is there; return what is wrong if it never is."""
    try:
        until(lambda: writers.open < 5, "what was written being there", SETTLED_SECONDS)
    except AssertionError as error:
        return [str(error)]
    return []


def in_order(writers: Writers, desk: Desk) -> list[str]:
    """Return whose messages were not written down in the order in which they were posted."""
    ids = {row[0]: row[1] for row in desk.rows("SELECT external_id, id FROM messages")}
    last: dict[tuple[str, str], int] = {}
    wrong = []
    for mid, one in writers.samples.items():
        if mid in ids:
            if ids[mid] < last.get(one.writer, 0):
                wrong.append(f"out of order: a message of {one.writer[1]} was applied before an earlier one")
            last[one.writer] = ids[mid]
    return wrong


class Stage:
    """Where faults are played: whose customers write, and what else the desk has."""

    pace = 1.2
    """Seconds between two replies of an agent, on average."""
    writes = PACE
    """Seconds between two messages of a customer, on average."""

    def shops(self, desk: Desk) -> Sequence[Shop]:
        """Give *desk*, which does not run yet, what it needs; return whose customers write."""
        return POTTERY, STUDIO, CAFE

    def writers(self, shops: Sequence[Shop]) -> list[tuple[Shop, str]]:
        """Return who writes."""
        return [
            (shop, f"10288{number}{position:011}")
            for number, shop in enumerate(shops)
            for position in range(CUSTOMERS)
        ]

    def player(
        self, desk: Desk, writers: Writers, nemesis: Nemesis, people: People, **times: Any
    ) -> Isolation:
        """Return what plays, once everybody writes and answers."""
        return Isolation(desk, writers, nemesis, **times)


def play(
    desk: Desk,
    name: str,
    kinds: Sequence[str],
    seed: int,
    *,
    mutant: str = "",
    short: bool = False,
    latency: float = 0.0,
    stage: Stage | None = None,
) -> Outcome:
    """Play *kinds* on a furnished *desk*; return what was found.

    :param mutant: what ``launch.py`` does to the desk, which then gets one try each.
    :param short: whether calm times and faults are short, as those of a broken build are.
    :param latency: milliseconds that each round trip to the database takes longer.
    """
    began = time.monotonic()
    stage = stage or Stage()
    desk.workers = 2
    desk.worker_port = free_port()
    desk.settings |= {
        "LOBBY_METRICS_TOKEN": TOKEN,
        "TORTURE_DELAYS": "as delivered",
        "TORTURE_MUTANT": mutant,
    }
    shops = stage.shops(desk)
    desk.start()
    for app in (APP_ID, SECOND_APP_ID):
        desk.control("PATCH", f"apps/{app}", {"retry_seconds": [0.8] * 400, "disable_after": 3600.0})
    point_webhooks(desk)
    people = People(desk, seed, desk.homes, stage.pace)
    people.prepare()
    customers = stage.writers(shops)
    ledger = Ledger(desk.folder / "provider.jsonl")
    nemesis: Nemesis

    def calm() -> bool:
        return nemesis.calm()

    provider = Provider(desk.webhooks, shops, customers, ledger, seed, 0.0, calm, most=0)
    nemesis = Nemesis(desk, provider, seed)
    writers = Writers(desk, provider, customers, seed, stage.writes)
    times = {"calm": 12.0, "held": 16.0} if mutant or short else {}
    if desk.to_database is not None:
        desk.to_database.latency = latency / 2000  # each way
    played = stage.player(desk, writers, nemesis, people, tries=1 if mutant else TRIES, **times)
    writers.begin()
    people.begin()
    wrong: list[str] = []
    try:
        time.sleep(stage.writes * 3)  # everybody is known, and the desk is warm
        for kind in kinds:
            wrong += played.play(kind)
    finally:
        people.end()
        writers.end()
        if desk.to_database is not None:
            desk.to_database.latency = 0.0
    scene = Scene(desk, provider, people, nemesis)
    bring_to_rest(scene, 180.0)
    provider.end()
    ledger.close()
    found = examine(scene)
    for sentence in (*wrong, *writers.trouble):
        found.blame("I12", sentence)
    for sentence in in_order(writers, desk):
        found.blame("I3", sentence)
    return Outcome(
        name,
        seed,
        found,
        provider.figures.taken,
        provider.figures.events,
        provider.figures.redelivered,
        dict(nemesis.counts),
        time.monotonic() - began,
        [*desk.notes, *played.notes],
    )


def verdict(mutant: str, found: Found) -> str:
    """Return which faults a broken build passed; empty: none, as it has to be.

    One that was not played, on a machine too busy to come to rest, has not failed.
    """
    said = " ".join(one for one in found.broken["I12"] if NOT_PLAYED not in one)
    held = [one.kind for one in FAULTS if one.mutant == mutant and f"{one.kind}:" not in said]
    return f"{mutant}: {', '.join(held)} held, so nothing is proved" if held else ""
