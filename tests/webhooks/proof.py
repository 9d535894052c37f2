"""Prove that nothing is lost, doubled or turned round: events to endpoints some of which fail, under kills.

    python -m tests.webhooks.proof --events 1000000 --kills 200 --url postgresql+psycopg://...

A million takes hours; :mod:`tests.webhooks.test_proof` runs a short one. The database has to be migrated and
empty. The desk's process reads the record and sends; it is killed again and again, with no warning.

    python -m tests.webhooks.proof --rate 100 --seconds 60 --url ...

tells instead how long events take from their commit to a program, and whether one that hangs costs others
anything. Nothing fails and nobody is killed meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, guard, secrets
from host.core.secrets import Keyring
from host.events import consuming
from host.events.consuming import Consumers, _make_rows
from host.events.kinds.conversations import CONVERSATION_ASSIGNED, OfAssignment
from host.events.writing import Happened, record_all
from host.inbox.apply.changes import Incoming, apply_changes
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Conversation
from host.models.users import Workspace
from host.process import features as _features  # noqa: F401 - says which there are
from host.queue import lanes
from host.sdk.messages import MessageReceived
from host.webhooks import endpoints, policy, sending
from host.webhooks.consumer import Webhooks
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.models import HookDelivery, HookState
from host.webhooks.sending import Senders
from tests.delivery.desk import ToyAdapter, ToyDirectory
from tests.helpers import do

KEYS = {"k1": bytes(range(32))}
ENDPOINTS = 5
"""One of them, the last, fails."""
TALKS = 40
"""Conversations of each."""
FAILS = 0.2
CHUNK = 500


def directory() -> ToyDirectory:
    return ToyDirectory({"email": ToyAdapter()})


# What is told


@dataclass
class Ledger:
    """What the programs took, as they saw it."""

    taken: dict[str, list[tuple[int, str, int]]] = field(default_factory=dict)
    """By endpoint: conversation, id and number of each event, in the order they came."""
    at: dict[int, float] = field(default_factory=dict)
    """When each event first came, by its number."""
    hanging: bool = False
    """Whether what would fail does not answer instead."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    seed: random.Random = field(default_factory=lambda: random.Random(7))

    def note(self, path: str, id_: str, body: bytes) -> None:
        data = json.loads(body)["data"]
        with self.lock:
            mine = self.taken.setdefault(path, [])
            number = int(data["assignee"]["id"])
            mine.append((int(data["id"]), id_, number))
            self.at.setdefault(number, time.monotonic())

    def count(self) -> int:
        with self.lock:
            return sum(len(one) for one in self.taken.values())

    def distinct(self) -> int:
        """Return how many events came, those that came twice counted once."""
        with self.lock:
            return len(self.at)


@contextmanager
def programs(ledger: Ledger) -> Iterator[int]:
    """Serve every endpoint; yield the port. What ends in ``/4`` fails in every way there is, or hangs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path.endswith("/4"):
                if ledger.hanging:
                    time.sleep(policy.SECONDS)
                    self.close_connection = True
                    return
                with ledger.lock:
                    failing = ledger.seed.random() < FAILS
                    how = ledger.seed.choice((500, 503, 429, 301, 0))
                if failing:
                    if how == 0:
                        hard = struct.pack("ii", 1, 0)
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
                        self.connection.close()
                        return
                    self.send_response(how)
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return
            ledger.note(self.path, self.headers["webhook-id"], body)
            self.send_response(204)
            self.end_headers()

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


# The desk


def prepare(port: int) -> Sequence[tuple[int, int, int]]:
    """Make an account with conversations for each endpoint; return where events may happen."""
    guard.allow([f"127.0.0.1:{port}"])
    workspace_id = db.write(_workspace)
    db.write(_make_rows, [Webhooks(directory, lambda: "https://desk.example")])
    places = []
    for number in range(ENDPOINTS):
        account = db.write(_account, workspace_id, number)
        for talk in range(TALKS):
            at = clock.now()
            change = MessageReceived(f"{number}-{talk}", uuid.uuid4().hex, at, text="hello")
            db.write(apply_changes, [Incoming(ref(account), ToyAdapter(), change, at, uuid.uuid4().hex)])
        wanted = EndpointSettings(f"http://127.0.0.1:{port}/{number}", [CONVERSATION_ASSIGNED], [account.id])
        do(endpoints.create, workspace_id, wanted, {CONVERSATION_ASSIGNED})
        with db.read() as session:
            mine = sa.select(Conversation.id).where(Conversation.account_id == account.id)
            places += [(workspace_id, account.id, id_) for id_ in session.scalars(mine)]
    return places


def _workspace(session: Session) -> int:
    row = Workspace(name="Proof", created_at=clock.now())
    session.add(row)
    session.flush()
    return row.id


def _account(session: Session, workspace_id: int, number: int) -> ChannelAccount:
    now = clock.now()
    row = ChannelAccount(
        uuid=uuid.uuid4().hex,
        workspace_id=workspace_id,
        channel="email",
        external_id=str(number),
        claim=f"email:{number}",
        name="Proof",
        handle=str(number),
        way="pasted",
        state=AccountState.CONNECTED,
        settings={},
        created_at=now,
        connected_at=now,
    )
    session.add(row)
    session.flush()
    return row


def happen(places: Sequence[tuple[int, int, int]], count: int, seed: int) -> None:
    """Record *count* events, numbered from 1, in conversations chosen at random."""
    chance = random.Random(seed)
    for begin in range(1, count + 1, CHUNK):
        numbers = range(begin, min(begin + CHUNK, count + 1))
        db.write(record_all, [one_of(chance.choice(places), number) for number in numbers])


def one_of(place: tuple[int, int, int], number: int) -> Happened:
    """Return event *number*, which happens at *place*."""
    workspace_id, account_id, conversation_id = place
    return Happened(
        workspace_id,
        CONVERSATION_ASSIGNED,
        account_id=account_id,
        conversation_id=conversation_id,
        facts=OfAssignment(assignee=number),
    )


def serve(url: str, port: int) -> None:
    """Read the record and send, until killed. Delays are short: the schedule has tests of its own."""
    db.connect(url)
    secrets.use(Keyring(KEYS))
    guard.allow([f"127.0.0.1:{port}"])
    policy.DELAYS = tuple(timedelta(seconds=0.2) for _ in range(60))  # type: ignore[misc]
    policy.TRIES = 61  # type: ignore[misc]
    policy.REST_SECONDS = 0.05  # type: ignore[misc]
    sending.SWEEP_SECONDS = 0.05  # type: ignore[misc]
    if db.current().is_sqlite:
        db.write(lanes.void_leases)
    Consumers([Webhooks(directory, lambda: "https://desk.example")]).start()
    Senders().start()
    print("serving", flush=True)
    for line in sys.stdin:
        # A reader that is not woken hears of what happens here after a minute.
        consuming.LOOK_SECONDS = consuming.SQLITE_LOOK_SECONDS = 60.0  # type: ignore[misc]
        consuming.QUIET_LOOK_SECONDS = 60.0  # type: ignore[misc]
        print(json.dumps(_happen_evenly(**json.loads(line))), flush=True)


def _happen_evenly(
    places: Sequence[Sequence[Sequence[int]]], rate: float, seconds: float, first: int, seed: int
) -> list[tuple[int, float]]:
    """Record *rate* events a second at the first of *places*, and as many beside them at each other.

    Return number and time of the commit of each at the first. The clock is that of every process here.
    """
    chance, began = random.Random(seed), time.monotonic()
    committed = []
    for step in range(round(rate * seconds)):
        time.sleep(max(0.0, began + step / rate - time.monotonic()))
        number = first + step * len(places)
        where = [tuple(chance.choice(some)) for some in places]
        db.write(record_all, [one_of(place, number + at) for at, place in enumerate(where)])  # type: ignore[arg-type]
        committed.append((number, time.monotonic()))
    return committed


@contextmanager
def desk(url: str, port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.webhooks.proof", "--serve", str(port), "--url", url]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# The proof


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it."""

    events: int
    lost: int
    doubled: int
    inversions: int
    kills: int
    seconds: float

    def __str__(self) -> str:
        share = 100 * self.doubled / max(1, self.events)
        return (
            f"{self.events} events, {self.kills} kills, {self.seconds:.0f} s: {self.lost} lost, "
            f"{self.doubled} doubled ({share:.2f} %), {self.inversions} inversions"
        )


def prove(url: str, *, events: int, kills: int, seed: int, limit: float) -> Found:
    """Send *events* under *kills*; return what came of it.

    :param limit: seconds after which it is given up, and what is missing counts as lost.
    """
    ledger, began = Ledger(), time.monotonic()
    with programs(ledger) as port:
        places = prepare(port)
        happen(places, events, seed)
        killed = 0
        while time.monotonic() - began < limit:
            with desk(url, port) as process:
                assert process.stdout is not None
                process.stdout.readline()
                target = events * (killed + 1) // (kills + 1) if killed < kills else None
                while process.poll() is None and time.monotonic() - began < limit:
                    if target is not None and ledger.count() >= target:
                        killed += 1
                        break
                    if target is None and ledger.distinct() >= events and not _waiting():
                        break
                    time.sleep(0.05)
                if target is None:
                    break
    return _judged(ledger, events, killed, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long events took from their commit to a program that is well, in seconds."""

    count: int
    p50: float
    p99: float
    missing: int

    def __str__(self) -> str:
        p50, p99 = self.p50 * 1000, self.p99 * 1000
        return f"{self.count} events: p50 {p50:.0f} ms, p99 {p99:.0f} ms, {self.missing} missing"


def pace(url: str, *, rate: float, seconds: float, seed: int) -> tuple[Pace, Pace]:
    """Have *rate* events a second happen; return how long they took, and how long beside one that hangs.

    As many happen for one other endpoint, which is well at first.
    """
    ledger = Ledger()
    with programs(ledger) as port:
        places = prepare(port)
        well, other, ill = places[: -2 * TALKS], places[-2 * TALKS : -TALKS], places[-TALKS:]
        with desk(url, port) as process:
            assert process.stdout is not None
            process.stdout.readline()
            asked = {"rate": rate, "seconds": seconds, "seed": seed}
            alone = _paced(ledger, process, {**asked, "places": [well, other], "first": 1})
            ledger.hanging = True
            later = 1 + max(ledger.at, default=0)
            return alone, _paced(ledger, process, {**asked, "places": [well, ill], "first": later})


def _paced(ledger: Ledger, process: subprocess.Popen[str], asked: dict[str, Any]) -> Pace:
    """Have the desk's process, where the events happen as they would, do what is *asked*."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{json.dumps(asked)}\n")
    process.stdin.flush()
    committed = dict(json.loads(process.stdout.readline()))
    until = time.monotonic() + 30
    while not committed.keys() <= ledger.at.keys() and time.monotonic() < until:
        time.sleep(0.05)
    took = sorted(ledger.at[number] - at for number, at in committed.items() if number in ledger.at)
    if not took:
        return Pace(0, 0.0, 0.0, len(committed))
    return Pace(len(took), took[len(took) // 2], took[len(took) * 99 // 100], len(committed) - len(took))


def _waiting() -> bool:
    with db.read() as session:
        waits = sa.select(HookDelivery.id).where(HookDelivery.state == HookState.WAITING).limit(1)
        made = session.scalar(sa.select(sa.func.count()).select_from(HookDelivery))
        return session.execute(waits).first() is not None or not made


def _judged(ledger: Ledger, events: int, kills: int, seconds: float) -> Found:
    numbers: set[int] = set()
    doubled = inversions = 0
    for taken in ledger.taken.values():
        ids: Counter[str] = Counter()
        by_number: dict[int, str] = {}
        newest: dict[int, int] = {}
        for conversation_id, id_, number in taken:
            ids[id_] += 1
            assert by_number.setdefault(number, id_) == id_, "an event has one id however often it is sent"
            if ids[id_] > 1:
                doubled += 1
                continue
            numbers.add(number)
            inversions += number < newest.get(conversation_id, 0)
            newest[conversation_id] = max(number, newest.get(conversation_id, 0))
    return Found(events, events - len(numbers), doubled, inversions, kills, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--serve", type=int)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, help="events a second, to tell how long they take")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--limit", type=float, default=12 * 3600.0)
    given = parser.parse_args()
    if given.serve:
        serve(given.url, given.serve)
        return
    db.connect(given.url)
    secrets.use(Keyring(KEYS))
    if given.rate:
        alone, beside = pace(given.url, rate=given.rate, seconds=given.seconds, seed=given.seed)
        print(f"alone: {alone}\nbeside one that hangs: {beside}")
        print(f"p50 alone / beside: {alone.p50 / beside.p50:.2f}")
        return
    print(prove(given.url, events=given.events, kills=given.kills, seed=given.seed, limit=given.limit))


if __name__ == "__main__":
    main()
