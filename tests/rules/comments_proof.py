"""Prove that a campaign answers everybody once: a flood of comments below a post, under kills.

    python -m tests.rules.comments_proof --comments 10000 --seconds 600 --kills 40 --url postgresql+psycopg://...

That takes twenty minutes; :mod:`tests.rules.test_comments_proof` runs a short one. The database has to
be migrated and empty; without an address it is an SQLite file made for this. People comment once or several
times; comments are delivered twice, edited and deleted. The processes that take them in, do what the
campaign says and send it are killed with no warning, and a comment that was not acknowledged is delivered
once more, as providers do. What was sent is counted at the provider's side, which keeps each call in a file.

Before the flood, and in its first half, which nobody is killed in, somebody writes directly once in a while.
How long each takes until it is in the inbox says whether the flood slows what stands beside it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.consuming import Automating
from host.channels.directory import Directory
from host.core import clock, db, migrations, secrets, storage
from host.core.secrets import Keyring
from host.delivery.worker import Workers
from host.events import consuming
from host.events.consuming import Consumers, _make_rows
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.models.automation import AutomationRun, RunState
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import DeliveryState, Message
from host.models.queue import EventState, InboundEvent, OutboxEntry
from host.models.users import Workspace
from host.process import features as _features  # noqa: F401 - says which there are
from host.queue import journal_rows, policy
from host.rules import body, people, rules
from host.rules.models import RuleState
from host.rules.people import Got, Person
from host.sdk import messages as told
from host.sdk.channel import (
    Absent,
    Capabilities,
    Found,
    ModerateRequest,
    PrivateContext,
    PrivateReplyLimits,
    ProviderProblem,
    ReactRequest,
    Rejected,
    ReplyContext,
    ReplyPolicy,
    ReplyState,
    SearchRequest,
    SearchResult,
    SendLimit,
    SendRequest,
    SendResult,
    Sent,
    Threading,
)
from host.sdk.messages import InboundChange, MessageEdited, MessageReceived, MessageUnsent
from host.sdk.webhooks import Envelope
from host.users.actor import DESK, UnitOfWork
from tests.delivery.desk import ToyAdapter

KEYS = {"k1": bytes(range(32))}
REFUSES = ProviderProblem("refuses", "They take no messages from people they do not follow.")
EVERY = 0.25
"""Seconds between two direct messages."""
PUBLIC = ("You have a letter", "Look into your messages", "Sent")


class Provider(ToyAdapter):
    """Below posts and beside them; keeps each call it takes in a file, in the write that answers it."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit_bytes=1000,
        threading=Threading.POST,
        public=True,
        reply_quote=True,
        private_replies=PrivateReplyLimits(1000, per_hour=750),
    )

    def __init__(self, file: str = "", amount: int = 750, seconds: int = 3600) -> None:
        super().__init__()
        self.file, self.amount, self.seconds = file, amount, seconds

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        data = json.loads(envelope.body)
        at = datetime.fromtimestamp(data["at"], UTC)
        if data["kind"] == "edit":
            return [MessageEdited(data["from"], data["about"], at, data["text"])]
        if data["kind"] == "delete":
            return [MessageUnsent(data["from"], data["about"], at)]
        post = told.Post("post", text="Tide mugs") if data["kind"] == "comment" else None
        return [
            MessageReceived(
                data["from"],
                data["mid"],
                at,
                text=data["text"],
                opens_window=post is None,
                post=post,
                contact_username=data["from"],
            )
        ]

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        return ReplyPolicy(ReplyState.OPEN)

    def private_policy(self, context: PrivateContext) -> ReplyPolicy:
        return ReplyPolicy(ReplyState.OPEN, context.sent_at + timedelta(days=7))

    def limits(
        self, request: SendRequest | ReactRequest | ModerateRequest | SearchRequest
    ) -> Sequence[SendLimit]:
        if not isinstance(request, SendRequest) or not request.part.private:
            return ()
        sentence = "The provider takes no more private replies for now."
        return (SendLimit(f"private {request.account.id}", self.amount, self.seconds, sentence),)

    def send(self, request: SendRequest) -> SendResult:
        refused = request.part.private and request.recipient.endswith("7")
        row = (
            time.time(),
            request.part.private,
            request.recipient,
            request.part.reply_to,
            request.message_key,
            refused,
        )
        with closing(sqlite3.connect(self.file, timeout=30)) as file, file:
            said = file.execute("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?)", row).lastrowid
        return Rejected(REFUSES) if refused else Sent(f"sent-{said}")

    def search(self, request: SearchRequest) -> SearchResult:
        query = "SELECT rowid FROM calls WHERE key = ? AND NOT refused"
        with closing(sqlite3.connect(self.file, timeout=30)) as file:
            found = file.execute(query, (request.message_key,)).fetchone()
        return Absent() if found is None else Found(f"sent-{found[0]}")


# What is drawn


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the provider delivers: a comment, what becomes of one, or a direct message."""

    kind: str
    mid: str
    contact: str
    text: str = ""
    about: str = ""

    @property
    def has_word(self) -> bool:
        words = self.text.lower().replace("!", " ").split()
        return self.kind == "comment" and "tide" in words

    def line(self, account_id: int) -> str:
        data = {"kind": self.kind, "mid": self.mid, "from": self.contact, "text": self.text}
        return json.dumps({**data, "about": self.about, "at": time.time(), "account": account_id})


def draw(seed: int, count: int) -> list[Delivery]:
    """Return *count* comments, and in between what becomes of some of them."""
    chance = random.Random(f"comments {seed}")
    found: list[Delivery] = []
    for number in range(count):
        contact = f"person-{chance.randrange(round(count / 1.5))}"
        word = chance.choice(("TIDE", "tide please", "I want tide!", "Tide 🌊"))
        text = word if chance.random() < 0.95 else chance.choice(("tides", "how much?", "lovely"))
        one = Delivery("comment", f"c{number}", contact, text)
        found.append(one)
        if chance.random() < 0.05:
            found.append(one)
        if chance.random() < 0.05:
            found.append(Delivery("edit", f"e{number}", contact, f"{text} now", one.mid))
        if chance.random() < 0.05:
            found.append(Delivery("delete", f"d{number}", contact, about=one.mid))
    return found


# The desk


@dataclass(frozen=True, slots=True)
class Place:
    workspace_id: int
    direct_id: int
    wall_id: int
    rule_id: int


def prepare() -> Place:
    place = db.write(_place)
    db.write(_make_rows, [Automating(lambda: Directory([Provider()]))])
    return place


def _place(session: Session) -> Place:
    now = clock.now()
    workspace = Workspace(name="Proof", created_at=now)
    session.add(workspace)
    session.flush()
    direct, wall = (
        ChannelAccount(
            uuid=uuid.uuid4().hex,
            workspace_id=workspace.id,
            channel="email",
            external_id=name,
            claim=f"email:{name}",
            name=name,
            handle=name,
            way="pasted",
            state=AccountState.CONNECTED,
            settings={},
            created_at=now,
            connected_at=now,
        )
        for name in ("direct", "wall")
    )
    session.add_all([direct, wall])
    session.flush()
    direct.beside_id, wall.beside_id = wall.id, direct.id
    session.flush()
    given = body.given(
        {
            "when": MESSAGE_RECEIVED,
            "conditions": [{"if": "post"}, {"if": "words", "words": ["tide"]}],
            "actions": [
                {"do": "privately", "text": "Here is the link"},
                {"do": "publicly", "texts": list(PUBLIC)},
            ],
            "once": "contact",
            "campaign": {},
        }
    )
    what = rules.there(session, workspace.id, Directory([Provider()]))
    rule = rules.create(
        UnitOfWork(session, workspace.id, DESK, now),
        name="Tide",
        body=given,
        what=what,
        state=RuleState.LIVE,
    )
    return Place(workspace.id, direct.id, wall.id, rule.id)


def serve(url: str, file: str, amount: int, seconds: int) -> None:
    """Take in what stands on each line, and do all that is due because of it, until killed.

    Leases and looks after a kill are short here: how long they are has tests of its own.
    """
    db.connect(url)
    secrets.use(Keyring(KEYS))
    storage.use(storage.FolderStore(Path(file).parent / "files"))
    short = timedelta(seconds=2)
    policy.LEASE, policy.RENEW_AFTER, policy.RENEW_SECONDS = short, short / 3, 0.5  # type: ignore[misc]
    policy.ECHO_PATIENCE = policy.READING_GAP = timedelta(seconds=1)  # type: ignore[misc]
    consuming.LEASE = short  # type: ignore[misc]
    directory = Directory([Provider(file, amount, seconds)])
    generation: Any = SimpleNamespace(number=1, directory=directory)
    Consumers([Automating(lambda: directory)]).start()
    Workers(lambda: generation, 2, 2).start()
    print("serving", flush=True)
    for line in sys.stdin:
        data = json.loads(line)
        key = f"{data['kind']}:{data['mid']}"
        envelope = Envelope(data["account"], data["from"], key, data["kind"], line.encode())
        db.write(journal_rows.write, source="proof", channel="email", envelopes=[envelope])
        print(key, flush=True)
    time.sleep(3600)


class Desk:
    """The processes of the desk. What one of them did not acknowledge is delivered to another."""

    def __init__(self, command: Sequence[str], number: int) -> None:
        self._command, self._number = command, number
        self._processes: list[subprocess.Popen[str]] = []
        self._listening: list[threading.Thread] = []
        self._open: dict[str, str] = {}
        self._lock = threading.Lock()
        self._turn = 0
        self.start()

    def start(self) -> None:
        for _ in range(self._number):
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
            )
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "serving"
            listening = threading.Thread(target=self._listen, args=(process,), daemon=True)
            listening.start()
            self._listening.append(listening)
            self._processes.append(process)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._lock:
                self._open.pop(line.strip(), None)

    def deliver(self, one: Delivery, account_id: int) -> None:
        line = one.line(account_id)
        with self._lock:
            self._open[f"{one.kind}:{one.mid}"] = line
        self._send(line)

    def _send(self, line: str) -> None:
        self._turn += 1
        process = self._processes[self._turn % len(self._processes)]
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def kill(self) -> None:
        """Kill every process, start others, and deliver what was not acknowledged."""
        self.stop()
        self.start()
        self.again()

    def again(self) -> None:
        with self._lock:
            lines = list(self._open.values())
        for line in lines:
            self._send(line)

    @property
    def all_taken(self) -> bool:
        with self._lock:
            return not self._open

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for listening in self._listening:
            listening.join()
        for process in self._processes:
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
        self._processes, self._listening = [], []


class Watch:
    """Writes directly once in a while, and measures how long that takes until it is in the inbox."""

    def __init__(self, desk: Desk, account_id: int) -> None:
        self._desk, self._account_id, self._number = desk, account_id, 0
        self._waiting: dict[str, float] = {}
        self._due = 0.0
        self.seconds: list[float] = []

    def tick(self) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due, self._number = now + EVERY, self._number + 1
            mid = f"direct-{self._number}"
            self._waiting[mid] = now
            self._desk.deliver(
                Delivery("message", mid, f"friend-{self._number % 50}", "Hello"), self._account_id
            )
        self.look()

    def look(self) -> None:
        if not self._waiting:
            return
        with db.read() as session:
            query = sa.select(Message.external_id).where(
                Message.account_id == self._account_id, Message.external_id.in_(list(self._waiting))
            )
            for mid in session.scalars(query):
                self.seconds.append(time.monotonic() - self._waiting.pop(mid))

    def finish(self) -> None:
        end = time.monotonic() + 30
        while self._waiting and time.monotonic() < end:
            self.look()
            time.sleep(0.004)
        self.seconds += [time.monotonic() - at for at in self._waiting.values()]


# The proof


@dataclass(frozen=True, slots=True)
class Proven:
    """What came of it.

    :param twice: people with two private replies; *comments_twice*: comments with two answers of a kind.
    :param over: how many private replies more than the limit were sent within its time.
    :param unsaid: people who wrote the word, and of whom the campaign does not say what they got.
    :param wrong: people of whom it says what is not so at the provider.
    :param turns: how often each public answer was given.
    :param quiet: median seconds of a direct message before the flood, *flood* in it.
    """

    comments: int
    people: int
    got: Counter[str]
    twice: int
    comments_twice: int
    over: int
    unsaid: int
    wrong: int
    turns: Counter[int]
    quiet: float
    flood: float
    quiet_late: float
    flood_late: float
    kills: int
    done: bool
    seconds: float

    @property
    def proven(self) -> bool:
        bad = self.twice + self.comments_twice + self.over + self.unsaid + self.wrong
        return self.done and self.people > 0 and not bad

    @property
    def ratio(self) -> float:
        return self.flood / self.quiet

    def __str__(self) -> str:
        got = ", ".join(f"{number} {what}" for what, number in sorted(self.got.items()))
        return (
            f"{self.comments} comments of {self.people} people, {self.kills} kills, {self.seconds:.0f} s"
            f"{'' if self.done else ', NOT DONE'}: {got}; {self.twice} people answered twice, "
            f"{self.comments_twice} comments answered twice, {self.over} over the limit, "
            f"{self.unsaid} unsaid, {self.wrong} wrong, public answers "
            f"{dict(sorted(self.turns.items()))}; direct messages: "
            f"median {self.quiet * 1000:.0f} ms before, {self.flood * 1000:.0f} ms in the flood, "
            f"ratio {self.ratio:.2f}; p95 {self.quiet_late * 1000:.0f} and {self.flood_late * 1000:.0f} ms"
        )


def prove(
    url: str,
    folder: Path,
    *,
    comments: int,
    seconds: float,
    kills: int,
    seed: int,
    amount: int,
    window: int,
    quiet: float,
    limit: float,
) -> Proven:
    """Let *comments* come within *seconds*, the second half under *kills*; return what came of it.

    :param amount: private replies that the provider takes within *window* seconds.
    :param quiet: seconds before the flood in which direct messages are measured alone.
    :param limit: seconds after which it is given up.
    """
    began = time.monotonic()
    file = str(folder / "provider.sqlite3")
    with closing(sqlite3.connect(file)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE calls (at REAL, private INT, recipient, about, key, refused INT)")
        made.execute("CREATE INDEX calls_key ON calls (key)")
    place = prepare()
    deliveries = draw(seed, comments)
    command = [sys.executable, "-m", "tests.rules.comments_proof", "--serve", "--url", url]
    command += ["--file", file, "--amount", str(amount), "--window", str(window)]
    desk = Desk(command, 1 if db.current().is_sqlite else 2)
    try:
        before, beside = Watch(desk, place.direct_id), Watch(desk, place.direct_id)
        beside._number = 100_000
        end = time.monotonic() + quiet
        while time.monotonic() < end:
            before.tick()
            time.sleep(0.004)
        before.finish()
        half = len(deliveries) // 2
        _flood(desk, place, deliveries[:half], seconds / 2, beside)
        beside.finish()
        chance = random.Random(f"kills {seed}")
        at = sorted(chance.sample(range(half, len(deliveries)), kills))
        pieces = [half, *at, len(deliveries)]
        for first, last in itertools.pairwise(pieces):
            if first != half:
                desk.kill()
            share = (last - first) / max(1, len(deliveries) - half)
            _flood(desk, place, deliveries[first:last], share * seconds / 2, None)
        done = _wait(desk, began + limit)
    finally:
        desk.stop()
    return _found(file, place, deliveries, before, beside, amount, window, kills, done, began)


def _flood(
    desk: Desk, place: Place, deliveries: Sequence[Delivery], seconds: float, beside: Watch | None
) -> None:
    began = time.monotonic()
    for number, one in enumerate(deliveries):
        due = began + number * seconds / len(deliveries)
        while True:
            if beside is not None:
                beside.tick()
            left = due - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, 0.004))
        desk.deliver(one, place.wall_id)


def _wait(desk: Desk, until: float) -> bool:
    """Wait until nothing is left to do; return whether that came."""
    still = 0
    while time.monotonic() < until:
        still = still + 1 if desk.all_taken and not _is_open() else 0
        if still == 5:
            return True
        time.sleep(0.5)
    return False


def _is_open() -> bool:
    left = [
        sa.select(InboundEvent.id).where(InboundEvent.state == EventState.PENDING),
        sa.select(AutomationRun.id).where(AutomationRun.state == RunState.DUE),
        # One of which it cannot be found out whether it was sent is not open any more: a person decides.
        sa.select(OutboxEntry.id).where(OutboxEntry.open),
    ]
    with db.read() as session:
        return any(session.scalar(one.limit(1)) is not None for one in left)


def _found(
    file: str,
    place: Place,
    deliveries: Sequence[Delivery],
    before: Watch,
    beside: Watch,
    amount: int,
    window: int,
    kills: int,
    done: bool,
    began: float,
) -> Proven:
    with closing(sqlite3.connect(file)) as calls:
        asked = "SELECT at, private, recipient, about, refused FROM calls ORDER BY at"
        rows = calls.execute(asked).fetchall()
    went = [row for row in rows if not row[4]]
    private = Counter(row[2] for row in went if row[1])
    answers = Counter((row[3], row[1]) for row in went)
    deleted = {one.about for one in deliveries if one.kind == "delete"}
    said = {one.mid: one.contact for one in deliveries if one.has_word}
    wrote = {contact for mid, contact in said.items() if mid not in deleted}
    with db.read() as session:
        listed = {one.handle: one for one in _all(session, place.rule_id)}
        turns = Counter(one.number for one in listed.values() if one.number)
    times = [row[0] for row in rows if row[1]]
    # A call is counted before it is made, and kept by the provider a moment later.
    over = [
        sum(at <= other < at + window - 0.5 for other in times[number : number + amount + 50]) - amount
        for number, at in enumerate(times)
    ]
    return Proven(
        comments=sum(one.kind == "comment" for one in deliveries),
        people=len(wrote),
        got=Counter(str(one.got) for one in listed.values()),
        twice=sum(number > 1 for number in private.values()),
        comments_twice=sum(number > 1 for number in answers.values()),
        over=max([0, *over]),
        unsaid=len(wrote - listed.keys()),
        wrong=sum(_is_wrong(one, private[name], wrote) for name, one in listed.items()),
        turns=turns,
        quiet=statistics.median(before.seconds),
        flood=statistics.median(beside.seconds),
        quiet_late=_late(before.seconds),
        flood_late=_late(beside.seconds),
        kills=kills,
        done=done,
        seconds=time.monotonic() - began,
    )


def _all(session: Session, rule_id: int) -> Iterator[Person]:
    at: int | None = None
    while found := people.listing(session, rule_id, before=at, limit=500):
        yield from found
        at = found[-1].id


def _is_wrong(one: Person, private: int, wrote: set[str]) -> bool:
    """Tell whether the list says of a person what is not so at the provider, or refuses without a reason."""
    if one.got in {Got.GOT, Got.HAD}:
        return private != 1
    if one.got is Got.WAITS:
        return one.state != DeliveryState.UNKNOWN or private > 1
    if private:
        return True
    if one.handle in wrote and not one.handle.endswith("7"):
        return one.reason not in {"taken_back", "changed"}
    return not (one.reason or one.error)


def _late(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="default: an SQLite file that is gone afterwards")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--file", default="")
    parser.add_argument("--comments", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--amount", type=int, default=750)
    parser.add_argument("--window", type=int, default=60, help="seconds that stand for the provider's hour")
    parser.add_argument("--quiet", type=float, default=60.0)
    parser.add_argument("--limit", type=float, default=3600.0)
    given = parser.parse_args()
    if given.serve:
        serve(given.url, given.file, given.amount, given.window)
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = given.url or f"sqlite:///{folder}/proof.sqlite3"
        if not given.url:
            migrations.upgrade_host(url)
        db.connect(url)
        secrets.use(Keyring(KEYS))
        found = prove(
            url,
            folder,
            comments=given.comments,
            seconds=given.seconds,
            kills=given.kills,
            seed=given.seed,
            amount=given.amount,
            window=given.window,
            quiet=given.quiet,
            limit=given.limit,
        )
        print(found)
    sys.exit(0 if found.proven else 1)


if __name__ == "__main__":
    main()
