"""Prove that a search is as quick in a large desk as in a small one, whatever word is looked for.

    python -m tests.search.proof --sizes 10000 1000000 --url postgresql+psycopg://...

    python -m tests.search.proof --cost --url postgresql+psycopg://...

The second says how much longer receiving messages takes while search reads behind it in the same
process, which is more than a desk with a worker of its own pays.

A million takes half an hour to an hour to fill; :mod:`tests.search.test_proof` runs a short one. The database
has to be migrated and empty. It says how long each kind of query takes, and how many bytes a message costs.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.events.consuming import Consumers
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, Direction, Message
from host.models.users import Workspace
from host.process import features as _features  # noqa: F401 - says which there are
from host.search import postings
from host.search.documents import Indexing, refresh_messages
from host.search.finding import finder
from host.search.finding.filters import understood
from host.search.finding.finder import PATIENCE_SECONDS, FoundMessages
from host.search.finding.query import read_query
from tests.inbox import toys

WORDS = 20_000
WORKSPACES = 10
"""The first has half of all messages."""
CHUNK = 500
START = datetime(2026, 1, 1, tzinfo=UTC)
MORE = 0.05
"""Seconds by which the last window of a search may overrun."""

QUERIES = {
    "rare": "w19990",
    "medium": "w300",
    "common": "w0",
    "in every message": "mug",
    "common and rare": "w0 w19990",
    "two common": "w0 w1",
    "two that never meet": "even odd",
    "phrase": '"even mug"',
    "beginning": "w19*",
    "common in an account that is silent": "mug account:silent",
    "common without a common one": "mug -even",
    "nobody wrote it": "nobodywrotethis",
    "only a filter": "is:open",
}


@dataclass
class Timing:
    """How long a kind of query took, in milliseconds, and how many it found."""

    half: float
    worst: float
    found: int
    stopped: bool


@dataclass
class Measured:
    """What one size of desk cost."""

    messages: int
    timings: dict[str, Timing]
    bytes_each: int
    fill_seconds: float


_cumulated = list(itertools.accumulate(1 / (rank + 2) for rank in range(WORDS)))


def text(rng: random.Random, number: int) -> str:
    """Return twelve words of which few are frequent, as in any language."""
    some = [f"w{bisect.bisect_left(_cumulated, rng.random() * _cumulated[-1])}" for _ in range(10)]
    return " ".join([*some, "odd" if number % 2 else "even", "mug"])


def _insert(session: Session, model: type[Any], **values: Any) -> int:
    row = model(**values)
    session.add(row)
    session.flush()
    return cast(int, row.id)


def _prepare(session: Session) -> list[tuple[int, int, list[int]]]:
    """Make workspaces; return of each its id, its account's, and the ids of its conversations."""
    made = []
    for number in range(WORKSPACES):
        workspace = _insert(session, Workspace, name=f"Shop {number}", created_at=START)
        accounts = [
            _insert(
                session,
                ChannelAccount,
                uuid=f"00000000-0000-4000-8000-{number:06}{place:06}",
                workspace_id=workspace,
                channel="email",
                external_id=f"{name}-{number}",
                name=name,
                handle=name,
                way="",
                settings={},
                state=AccountState.CONNECTED,
                created_at=START,
                connected_at=START,
            )
            for place, name in enumerate(("busy", "silent"))
        ]
        conversations = []
        for talk in range(50):
            contact = _insert(session, Contact, workspace_id=workspace, name=f"c{talk}", created_at=START)
            identity = _insert(
                session,
                ContactIdentity,
                workspace_id=workspace,
                contact_id=contact,
                account_id=accounts[0],
                external_id=f"c{talk}",
                profile={},
                created_at=START,
            )
            conversations.append(
                _insert(
                    session,
                    Conversation,
                    workspace_id=workspace,
                    channel="email",
                    account_id=accounts[0],
                    contact_id=contact,
                    identity_id=identity,
                    status="open",
                    last_message_at=START,
                    last_preview="",
                    last_direction="inbound",
                    last_kind="text",
                    created_at=START,
                )
            )
        made.append((workspace, accounts[0], conversations))
    return made


def fill(places: Sequence[tuple[int, int, list[int]]], begin: int, end: int, rng: random.Random) -> None:
    """Write messages *begin* to *end* and make them findable, as the consumer does."""
    table = cast(sa.Table, Message.__table__)
    for at in range(begin, end, CHUNK):
        rows = []
        for number in range(at, min(end, at + CHUNK)):
            workspace, account, conversations = places[0 if number % 2 else rng.randrange(len(places))]
            sent = START + timedelta(seconds=number * 5)
            rows.append(
                {
                    "workspace_id": workspace,
                    "conversation_id": rng.choice(conversations),
                    "account_id": account,
                    "external_id": f"m{number}",
                    "direction": Direction.INBOUND,
                    "origin": "customer",
                    "kind": "text",
                    "text": text(rng, number),
                    "content": {},
                    "position": 0,
                    "edit_count": 0,
                    "sent_at": sent,
                    "created_at": sent,
                }
            )

        def write(session: Session, rows: list[dict[str, Any]] = rows) -> None:
            connection = session.connection()
            connection.execute(sa.insert(table), rows)
            names = [row["external_id"] for row in rows]
            ids = connection.execute(sa.select(table.c.id).where(table.c.external_id.in_(names))).scalars()
            refresh_messages(session, set(ids))

        db.write(write)


def search(workspace: int, asked: str) -> tuple[float, FoundMessages]:
    """Return how many milliseconds a search took, and what it found."""
    begin = time.perf_counter()
    with db.read() as session:
        wanted = understood(session, workspace, None, read_query(asked))
        found = finder.find(session, workspace, None, wanted)
    return (time.perf_counter() - begin) * 1000, found


def measure(workspace: int, rounds: int) -> dict[str, Timing]:
    """Return how long each kind of query takes."""
    timings = {}
    for name, asked in QUERIES.items():
        search(workspace, asked)
        took = []
        for _ in range(rounds):
            each, found = search(workspace, asked)
            took.append(each)
        took.sort()
        timings[name] = Timing(
            round(took[len(took) // 2], 2),
            round(took[min(len(took) - 1, int(len(took) * 0.99))], 2),
            len(found.hits),
            found.stopped,
        )
    return timings


def size_of() -> int:
    """Return how many bytes the tables of search take."""
    database = db.current()
    names = ("search_postings", "search_documents", "ix_search_documents_workspace_id")
    listed = ", ".join(f"'{name}'" for name in names)
    if database.is_sqlite:
        query = f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({listed})"
    elif database.dialect == "postgresql":
        query = (
            "SELECT pg_total_relation_size('search_postings'::regclass)"
            " + pg_total_relation_size('search_documents'::regclass)"
        )
    else:
        query = (
            "SELECT sum(data_length + index_length) FROM information_schema.tables"
            f" WHERE table_schema = database() AND table_name IN ({listed})"
        )
    with db.read() as session:
        try:
            return int(session.connection().exec_driver_sql(query).scalar() or 0)
        except sa.exc.OperationalError:  # an SQLite without the table of pages
            return Path(str(database.url.database)).stat().st_size


def prove(url: str, sizes: Sequence[int], *, rounds: int = 100, seed: int = 1) -> list[Measured]:
    """Fill a desk to each of *sizes* and measure there."""
    if not db.is_connected(url):
        db.connect(url)
    rng = random.Random(seed)
    places = db.write(_prepare)
    found, before, spent = [], 0, 0.0
    for size in sizes:
        begin = time.perf_counter()
        fill(places, before, size, rng)
        spent += time.perf_counter() - begin
        before = size
        if db.current().dialect == "postgresql":
            with db.current().write_engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))
        elif not db.current().is_sqlite:
            with db.current().write_engine.connect() as connection:
                connection.execute(sa.text("ANALYZE TABLE search_postings, search_documents"))
        timings = measure(places[0][0], rounds)
        found.append(Measured(size, timings, size_of() // size, round(spent, 1)))
    return found


COST_TURNS, COST_BATCHES, COST_BATCH = 10, 10, 20


def cost(url: str) -> float:
    """Return how many times as long receiving takes while what was received is made findable.

    Turns with and without take each other's place, so that the machine is the same to both.
    """
    if not db.is_connected(url):
        db.connect(url)
    workspace = toys.make_workspace()
    account = toys.make_account(workspace)
    rng = random.Random(2)
    numbers = itertools.count()
    took: dict[bool, list[float]] = {True: [], False: []}

    def receive() -> str:
        begun = [next(numbers) for _ in range(COST_BATCH)]
        said = [f"{text(rng, n)} marker{n}" for n in begun]
        toys.apply(
            account,
            *(toys.received(one, at=n, contact=f"c{n % 50}") for n, one in zip(begun, said, strict=True)),
        )
        return f"marker{begun[-1]}"

    def wait_for(marker: str) -> None:
        while not search(workspace, marker)[1].hits:
            time.sleep(0.05)

    receive()
    for turn in range(COST_TURNS):
        reading = Consumers([Indexing()])
        reading.start()
        wait_for(receive())
        if turn % 2:
            reading.stop()
        begin = time.perf_counter()
        for _ in range(COST_BATCHES):
            receive()
        took[turn % 2 == 0].append(time.perf_counter() - begin)
        reading.stop()
    return statistics.median(took[True]) / statistics.median(took[False])


def table(found: Sequence[Measured]) -> str:
    """Return what was measured, for people."""
    lines = ["| query | " + " | ".join(f"{one.messages:,}: half, p99, found" for one in found) + " |"]
    lines.append("|---" * (len(found) + 1) + "|")
    for name in QUERIES:
        cells = []
        for one in found:
            timing = one.timings[name]
            went_on = ", goes on" if timing.stopped else ""
            cells.append(f"{timing.half} ms, {timing.worst} ms, {timing.found}{went_on}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("| bytes a message | " + " | ".join(str(one.bytes_each) for one in found) + " |")
    lines.append("| seconds to fill | " + " | ".join(str(one.fill_seconds) for one in found) + " |")
    return "\n".join(lines)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument(
        "--cost", action="store_true", help="measure what search costs receiving, and nothing else"
    )
    arguments = parser.parse_args()
    if arguments.cost:
        print(f"Receiving takes {cost(arguments.url):.3f} times as long while search reads behind it.")
        return
    print(table(prove(arguments.url, arguments.sizes, rounds=arguments.rounds)))
    print(f"A search stops after {PATIENCE_SECONDS} s; postings: {postings.POSTINGS.name}")


if __name__ == "__main__":
    _main()
