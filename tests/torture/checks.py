"""The invariants, each held against ledgers the desk never saw. ``docs/torture.md`` says what each means."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.counters import INSTALLATION
from tests.torture import brokers
from tests.torture.desk import Desk
from tests.torture.nemesis import Nemesis
from tests.torture.people import People
from tests.torture.provider import Provider
from tests.whole.canaries import Hunt
from tests.whole.history import ARRIVED, Row, check, read_ledger
from tests.whole.rig import PASSWORD
from tests.whole.shops import APP_SECRET, CAFE, POTTERY, SECOND_APP_SECRET, STUDIO
from tests.whole.torture import milliseconds, read_rows

Entries = Sequence[Mapping[str, Any]]

MAY_BE_SLOW = 0.02
"""Share of answers outside faults that may take a provider's whole patience: the machine is shared."""
CROSSED = re.compile("another", re.I)

# What history.check blames, by the invariant it breaks.
WHICH = (
    ("I1", re.compile(r"^(lost|doubled|never answered)")),
    ("I2", re.compile(r"^made up|^doubled or made up|which no agent's reply says")),
    ("I3", re.compile(r"^out of order|conversations on")),
    ("I5", re.compile(r".")),
)


@dataclass
class Found:
    """What broke, by invariant, and the figures of one lane."""

    broken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    figures: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0

    def blame(self, invariant: str, sentence: str) -> None:
        self.broken[invariant].append(sentence)

    @property
    def red(self) -> bool:
        return any(self.broken.values())


@dataclass(frozen=True)
class Scene:
    """All that took part in one lane."""

    desk: Desk
    provider: Provider
    people: People
    nemesis: Nemesis


def examine(scene: Scene) -> Found:
    """Hold a desk that has come to rest against what really happened."""
    found = Found()
    ours = read_ledger(scene.provider.ledger.path)
    theirs = read_ledger(scene.desk.ledger)
    rows = read_rows(scene.desk)
    _history(scene, [*ours, *(one for one in theirs if one.get("what") != "read")], rows, found)
    _journal(scene.desk, found)
    _times(ours, rows, found)
    _seen(scene, theirs, rows, found)
    _at_rest(scene.desk, ours, found)
    _sound(scene.desk, rows, found)
    _answers(scene, ours, theirs, found)
    _secrets(scene.desk, found)
    _signals(scene, found)
    for sentence in (*scene.provider.trouble, *scene.people.trouble, *scene.nemesis.trouble):
        found.blame("I8", sentence)
    return found


def _history(scene: Scene, entries: Entries, rows: Sequence[Row], found: Found) -> None:
    """I1, I2, I3 and I5, by the checker the longer tests use."""
    verdict = check(entries, rows, scene.people.accepted)
    for problem in verdict.problems:
        found.blame(next(name for name, words in WHICH if words.search(problem)), problem)
        found.lost += problem.startswith("lost") or " 0 times" in problem
        found.doubled += problem.startswith("doubled") or "never said that it was not" in problem
    found.figures |= verdict.figures
    ambiguous = sum(bool(one.get("fault")) for one in entries if one["kind"] in {"call", "send"})
    twice = verdict.figures["sent twice, flagged"]
    if twice > ambiguous:
        found.blame("I5", f"{twice} replies were sent twice, and only {ambiguous} answers were unclear")


def _journal(desk: Desk, found: Found) -> None:
    """I1 in the journal: no event is there twice, whatever the inbox made of it."""
    query = (
        "SELECT account_key, dedupe_key, COUNT(*) AS n FROM inbound_events "
        "GROUP BY channel, account_key, dedupe_key HAVING COUNT(*) > 1"
    )
    for row in desk.rows(query):
        found.doubled += 1
        found.blame("I1", f"doubled: event {row['dedupe_key'][:12]} is in the journal {row['n']} times")
    for row in desk.rows("SELECT kind, reason FROM inbound_events WHERE state = 'dead'"):
        if not CROSSED.search(row["reason"] or ""):
            found.blame("I6", f"a dead letter: {row['kind']}, {row['reason']}")


def _times(ours: Entries, rows: Sequence[Row], found: Found) -> None:
    """I3: what is shown is the provider's time, and with it the order people wrote in."""
    sent = {one["mid"]: one["sent"] for one in ours if one["kind"] == "dm"}
    for row in rows:
        if row.external_id in sent and row.sent_at_ms != sent[row.external_id]:
            found.blame("I3", f"{row.text!r} is shown at another time than it was written")


def _seen(scene: Scene, theirs: Entries, rows: Sequence[Row], found: Found) -> None:
    """I4: a customer has seen what they looked at last and all before it, and nothing after it."""
    answered = {
        mid
        for one in theirs
        if one["kind"] == "webhook" and one.get("status") == 200 and "read" in one.get("events", ())
        for mid in one["mids"]
    }
    # What we sent stands where its attempt began: a mark the provider set before that cannot cover it.
    begun = {
        row["message_id"]: milliseconds(row["attempted_at"])
        for row in scene.desk.rows("SELECT message_id, attempted_at FROM outbox")
        if row["attempted_at"] is not None
    }
    place = {row.external_id: begun.get(row.id, row.sent_at_ms) for row in rows if row.external_id}
    query = "SELECT external_id, seen_at FROM contact_identities WHERE seen_at IS NOT NULL"
    marks = {row["external_id"]: milliseconds(row["seen_at"]) for row in scene.desk.rows(query)}
    looked = 0
    for customer, mids in scene.people.seen.items():
        latest = max((place[mid] for mid in mids if mid in place and mid in answered), default=None)
        looked += len(mids)
        if latest is not None and marks.get(customer, 0) != latest:
            found.blame("I4", f"{customer} has seen until {latest}, and the desk says {marks.get(customer)}")
    for row in rows:
        if row.direction != "outbound" or row.state not in ARRIVED or row.origin != "agent":
            continue
        seen = place.get(row.external_id, 0) <= marks.get(row.customer, 0)
        if seen != (row.state == "read"):
            found.blame("I4", f"{row.text!r} says {row.state}, and the customer's mark says otherwise")
    found.figures["looks at messages"] = looked


def _at_rest(desk: Desk, ours: Entries, found: Found) -> None:
    """I6: nothing is left half done."""
    for words, query in (
        ("events wait", "SELECT COUNT(*) FROM inbound_events WHERE state = 'pending'"),
        ("outbox entries are open", "SELECT COUNT(*) FROM outbox WHERE open"),
        ("messages are on their way", "SELECT COUNT(*) FROM messages WHERE state IN ('queued', 'sending')"),
        ("an addon is half switched", "SELECT COUNT(*) FROM addons WHERE operation IS NOT NULL"),
    ):
        if count := desk.value(query):
            found.blame("I6", f"{words}: {count}")
    if left := spooled(desk):
        found.blame("I6", f"the spool still holds {left[:5]}")
    crossed = {one["mid"] for one in ours if one["kind"] == "crossed"}
    dead = desk.value("SELECT COUNT(*) FROM inbound_events WHERE state = 'dead'")
    if dead > len(crossed):
        found.blame("I6", f"{dead} dead letters, and only {len(crossed)} events were of another's app")
    found.figures["another app's, kept out"] = dead
    if desk.broker is not None:
        number = desk.value(f"SELECT value FROM counters WHERE name = '{INSTALLATION}'")
        if not brokers.wakes(desk.broker, f"{number:012x}"):
            found.blame("I6", f"nobody takes what is put into {desk.broker.name}")


def spooled(desk: Desk) -> list[str]:
    """Return the requests the spool still has to bring; not what nobody finished writing."""
    spools = desk.data / "spool", desk.folder / "second" / "spool"
    return sorted(path.name for one in spools for path in one.glob("*") if path.suffix != ".partial")


BEHIND_MS = 3_600_000
"""How far the lanes set a clock back at most."""


def _sound(desk: Desk, rows: Sequence[Row], found: Found) -> None:
    """I7: the files are whole, keys point somewhere, and what is counted is what is there."""
    for sentence in _SOUND[desk.kind](desk):
        found.blame("I7", sentence)
    received = Counter(row.conversation for row in rows if row.direction == "inbound")
    replied = {row.conversation for row in rows if row.direction == "outbound"}
    failed = Counter(row.conversation for row in rows if row.state == "failed")
    latest: dict[int, int] = defaultdict(int)
    for row in rows:
        if row.direction == "inbound":
            latest[row.conversation] = max(latest[row.conversation], row.sent_at_ms)
    # What was read from the provider's history is nobody's news: it counts for nothing.
    query = "SELECT DISTINCT conversation_id FROM messages WHERE imported_at IS NOT NULL"
    imported = {row[0] for row in desk.rows(query)}
    query = "SELECT id, unread_count, failed_count, last_inbound_at FROM conversations"
    for one in desk.rows(query):
        if one["id"] in imported:
            continue
        number, unread = one["id"], one["unread_count"]
        if unread != received[number] if number not in replied else unread > received[number]:
            found.blame("I7", f"conversation {number} counts {unread} unread of {received[number]}")
        if one["failed_count"] != failed[number]:
            found.blame("I7", f"conversation {number} counts {one['failed_count']} failed")
        told = milliseconds(one["last_inbound_at"]) if one["last_inbound_at"] else 0
        # Where our clock was behind, the reply window counts from that: it may end earlier, never later.
        if not latest[number] - BEHIND_MS <= told <= latest[number]:
            found.blame("I7", f"conversation {number} says another time of the last message")


def _sqlite_sound(desk: Desk) -> Iterable[str]:
    if (said := desk.value("PRAGMA integrity_check")) != "ok":
        yield f"the file is damaged: {said}"
    if desk.rows("PRAGMA foreign_key_check"):
        yield "a foreign key points nowhere"


def _postgresql_sound(desk: Desk) -> Iterable[str]:
    desk.rows("SELECT 1")
    import sqlalchemy as sa

    assert desk.server is not None
    engine = sa.create_engine(desk.server.url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    indexes = (
        "SELECT c.oid::regclass FROM pg_class c JOIN pg_am a ON a.oid = c.relam "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind = 'i' AND a.amname = 'btree' AND n.nspname = 'public'"
    )
    try:
        with engine.connect() as connection:
            try:
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS amcheck")
            except sa.exc.DBAPIError:
                return  # not every package brings it
            for (name,) in connection.exec_driver_sql(indexes).all():
                try:
                    connection.exec_driver_sql(f"SELECT bt_index_check('{name}', true)")
                except sa.exc.DBAPIError as error:
                    yield f"the index {name} is damaged: {error.orig}"
    finally:
        engine.dispose()


def _mariadb_sound(desk: Desk) -> Iterable[str]:
    names = ", ".join(f"`{row[0]}`" for row in desk.rows("SHOW TABLES"))
    for row in desk.rows(f"CHECK TABLE {names}"):
        if row["Msg_text"] != "OK" and row["Msg_type"] != "note":
            yield f"{row['Table']}: {row['Msg_text']}"


_SOUND: dict[str, Callable[[Desk], Iterable[str]]] = {
    "sqlite": _sqlite_sound,
    "postgresql": _postgresql_sound,
    "mariadb": _mariadb_sound,
}


def _answers(scene: Scene, ours: Entries, theirs: Entries, found: Found) -> None:
    """I8: outside faults a provider is answered in time and never told off, and never gives up on us."""
    calm = [one for one in ours if one["kind"] == "webhook" and one["calm"] and one["signature"] == "right"]
    late = [one for one in calm if one["status"] is None]
    if len(late) > max(3, MAY_BE_SLOW * len(calm)):
        found.blame("I8", f"{len(late)} of {len(calm)} deliveries outside faults were not answered in 5 s")
    for status, count in Counter(one["status"] for one in calm).items():
        if status not in {200, None}:
            found.blame("I8", f"{count} deliveries outside faults were answered {status}")
    for one in theirs:
        if one["kind"] in {"webhooks_disabled", "webhook_given_up"}:
            found.blame("I8", f"the provider gave up on the desk: {one}")
    times = sorted(scene.provider.figures.slow)
    found.figures["answers outside faults"] = len(times)
    found.figures["their p99, ms"] = round(times[int(len(times) * 0.99)]) if times else 0


def _secrets(desk: Desk, found: Found) -> None:
    """I9: no secret is in anything the desk said."""
    keys = {
        f"the {name} of {shop.page}": value
        for shop in (POTTERY, STUDIO, CAFE)
        for name, value in (("token", shop.token), ("verify token", shop.verify_token))
    }
    keys |= {"an app's secret": APP_SECRET, "the other app's": SECOND_APP_SECRET, "a password": PASSWORD}
    for path in (desk.data / "secret.keys", desk.data / "session.key"):
        if path.is_file():
            for number, line in enumerate(path.read_text().split()):
                value = line.rpartition(":")[2]
                if len(value) > 20:
                    keys[f"{path.name}, {number}"] = value
    hunt = Hunt(keys)
    hunt.look("the log", desk.output)
    for path in desk.data.rglob("*.log"):
        hunt.look(path.name, path.read_bytes())
    for place in sorted(set(hunt.seen)):
        found.blame("I9", place)
    found.figures["bytes of log"] = len(desk.output)


# What an operator sees of each kind of fault. Some leave it to chance whether anybody was hit: those may be
# silent if nothing failed, and are not listed.
LOGGED = {
    "kill database": r"OperationalError|does not answer|answers again|connection|ERROR|WARNING",
    "stop database": r"did not commit within|goes to the spool|does not answer|ERROR|WARNING",
    "database stalled": r"did not commit within|goes to the spool|does not answer|ERROR|WARNING",
    "database refused": r"does not answer|answers again|connection|ERROR|WARNING",
    "database reset": r"could not be committed|does not answer|connection|ERROR|WARNING",
    "disk full": r"could not be committed|neither the database nor the spool|full|No space",
    "kill worker": r"lobby worker running",
    "worker asleep": r"OperationalError|InternalError|connection|ERROR|WARNING",
    "worker frozen": r"OperationalError|InternalError|connection|ERROR|WARNING",
    "clock of web": r"the clock was set back",
    "clock of worker": r"the clock was set back",
    "clocks apart": r"the clock was set back",
    "commit cut before": r"ERROR|WARNING",
    "commit cut after": r"ERROR|WARNING",
    "statement fails": r"ERROR|WARNING",
}


def _signals(scene: Scene, found: Found) -> None:
    """I11: whatever was played, somebody who looks can see that it was."""
    counts, output = scene.nemesis.counts, scene.desk.output
    for reason in ("deadlock", "lock"):
        undone = f"metric = 'undone' AND label = '{reason}' AND minute = 0"
        number = scene.desk.value(f"SELECT SUM(count) FROM health_minutes WHERE {undone}")
        found.figures[f"writes undone, {reason}"] = int(number or 0)
    for kind, words in LOGGED.items():
        if counts[kind] and not re.search(words, output):
            found.blame("I11", f"{kind} was played {counts[kind]} times and left nothing in the log")
    slow = isinstance(scene.desk.broker, brokers.Rabbitmq)  # Redis is back before anybody asks it again
    if counts["kill broker"] and slow and not re.search(r"the broker does not answer", output):
        found.blame("I11", "the broker was killed, and nobody said that it does not answer")
    ends = ("kill web", "kill web at a 200", "kill everything", "restart")
    lives = sum(counts[kind] for kind in ends)
    if scene.desk.started < lives + 1:
        found.blame("I11", f"{lives} ends of the web process, and {scene.desk.started} starts were announced")
    forged = sum(
        one["kind"] == "webhook" and one["signature"] == "wrong" and one["status"] == 401
        for one in read_ledger(scene.provider.ledger.path)
    )
    noted = scene.desk.value("SELECT COALESCE(SUM(count), 0) FROM refused_deliveries")
    if forged and not noted:
        found.blame("I11", f"{forged} forged deliveries were refused and none was counted")
    found.figures["forged, refused"] = forged


def resources(numbers: Sequence[int]) -> dict[str, int]:
    """Return threads, open files and memory (KB) of *numbers* together."""
    seen = {"threads": 0, "files": 0, "memory": 0}
    for number in numbers:
        try:
            status = Path(f"/proc/{number}/status").read_text()
            seen["threads"] += int(re.search(r"Threads:\s+(\d+)", status)[1])  # type: ignore[index]
            seen["memory"] += int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]
            seen["files"] += len(list(Path(f"/proc/{number}/fd").iterdir()))
        except (OSError, TypeError):
            continue
    return seen
