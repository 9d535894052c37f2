"""Prove that each thing a rule does is there once: events and drawn rules, under kills.

    python -m tests.rules.proof --events 100000 --kills 200 --seed 1 --url postgresql+psycopg://...

That takes long; :mod:`tests.rules.test_proof` runs a short one. The database has to be migrated and
empty; without an address it is an SQLite file made for this. The processes that read the record and do what
is due are killed again and again, with no warning. What is to be there is told by a few lines that share
nothing with the desk: see :meth:`Drawn.does`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import deciding, running
from host.automation.consuming import Automating
from host.channels.directory import Directory
from host.core import clock, db, migrations, secrets
from host.core.secrets import Keyring
from host.events import consuming, reading
from host.events.consuming import Consumers, _make_rows
from host.events.kinds.conversations import (
    CONVERSATION_CLOSED,
    CONVERSATION_LABELLED,
    CONVERSATION_UNLABELLED,
    OfLabel,
)
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.kinds.rules import RULE_CALLED, OfRule
from host.events.models import Consumer, DomainEvent
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.models.automation import AutomationRun, RunState
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import ContactIdentity, Conversation, Direction, InternalKind, Message, Origin
from host.models.users import Workspace
from host.process import features as _features  # noqa: F401 - says which there are
from host.rules import actions as rule_actions
from host.rules import body, evaluation
from host.rules import rules as rule_cases
from host.rules.models import RuleState
from host.sdk import strictjson
from host.sdk.channel import ReplyContext, ReplyPolicy
from host.sdk.messages import MessageReceived
from host.users.actor import DESK, UnitOfWork
from host.webhooks import endpoints
from host.webhooks.endpoints import EndpointSettings
from tests.delivery.desk import ToyAdapter
from tests.helpers import do, work

KEYS = {"k1": bytes(range(32))}
RULES = 20
TALKS = 200
"""Conversations that the messages are spread over."""
ALONE = 0.1
"""The share of messages that begin a conversation of their own, which a rule closes."""
WORDS = tuple(f"word{number}" for number in range(45))
END = "finished"
SECONDS_EACH = 0.01
"""About how long an event takes, to spread the kills over the whole."""


class Adapter(ToyAdapter):
    """A channel on which nobody but the desk writes: whoever asks as a person is wrong."""

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        assert not context.by_person
        return super().reply_policy(context)


def directory() -> Directory:
    return Directory([Adapter()])


# What is drawn


@dataclass(frozen=True, slots=True)
class Text:
    """A message of a customer, numbered from 1."""

    number: int
    contact: str
    words: tuple[str, ...]

    @property
    def speaks(self) -> bool:
        """Whether something automatic may still be said there, see :func:`close_windows`."""
        return not self.contact.endswith(("8", "9"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A rule, as it is drawn and as it is expected to act.

    :param actions: ``say``, ``note``, ``label`` (put on and taken off), ``webhook`` or ``close``.
    """

    words: tuple[str, ...]
    has: str
    actions: tuple[str, ...]
    once: bool = False
    stops: bool = False
    live: bool = True

    def matches(self, text: Text) -> bool:
        found = sum(word in text.words for word in self.words)
        return {"any": found > 0, "all": found == len(self.words), "none": found == 0}[self.has]

    def does(self, text: Text) -> Iterator[str]:
        """Yield each thing that is to be there because of a message it matches."""
        for action in self.actions:
            if action == "label":
                yield from ("labelled", "unlabelled")
            elif action != "say" or text.speaks:
                yield action


def draw_rules(seed: int) -> list[Drawn]:
    chance = random.Random(f"rules {seed}")
    found = [
        Drawn(
            words=tuple(chance.sample(WORDS, chance.randint(1, 2))),
            has=chance.choice(("any", "any", "any", "all")),
            actions=tuple(chance.sample(("say", "note", "label", "webhook"), chance.randint(1, 3))),
            once=chance.random() < 0.15,
            stops=chance.random() < 0.1,
            live=chance.random() < 0.9,
        )
        for _ in range(RULES - 1)
    ]
    found[-1] = Drawn(WORDS[:20], "none", ("note",))
    return [*found, Drawn((END,), "any", ("close",))]


def draw_texts(seed: int, count: int) -> list[Text]:
    chance = random.Random(f"texts {seed}")
    found = []
    for number in range(1, count + 1):
        if chance.random() < ALONE:
            found.append(Text(number, f"alone-{number}-0", (END,)))
        else:
            words = chance.sample(WORDS, chance.randint(1, 4))
            found.append(Text(number, f"talk-{chance.randrange(TALKS)}", tuple(words)))
    return found


Effect = tuple[int | str, int, str]
"""The number of the message, or the customer where a rule acts once; the place of the rule; what it did."""


def expected(rules: Sequence[Drawn], texts: Iterable[Text]) -> set[Effect]:
    """Return all that has to be there, each once."""
    found: set[Effect] = set()
    for text in texts:
        for place, rule in enumerate(rules):
            if not rule.matches(text):
                continue
            if rule.live:
                began: int | str = text.contact if rule.once else text.number
                found |= {(began, place, what) for what in rule.does(text)}
                if rule.stops:
                    break
    return found


# The desk


@dataclass(frozen=True, slots=True)
class Place:
    """Ids of the desk, each by the place of its rule."""

    account: ChannelAccount
    rules: Sequence[int]
    labels: Sequence[int]


def prepare(rules: Sequence[Drawn]) -> Place:
    """Make an account with its rules."""
    workspace_id, account = db.write(_account)
    db.write(_make_rows, [Automating(directory)])
    told = EndpointSettings("https://program.example/hook", [RULE_CALLED])
    endpoint, _ = do(endpoints.create, workspace_id, told, {RULE_CALLED})
    return db.write(_rules, workspace_id, account, rules, endpoint.id)


def _account(session: Session) -> tuple[int, ChannelAccount]:
    now = clock.now()
    workspace = Workspace(name="Proof", created_at=now)
    session.add(workspace)
    session.flush()
    account = ChannelAccount(
        uuid=uuid.uuid4().hex,
        workspace_id=workspace.id,
        channel="email",
        external_id="proof",
        claim="email:proof",
        name="Proof",
        handle="proof",
        way="pasted",
        state=AccountState.CONNECTED,
        settings={"people": True},
        created_at=now,
        connected_at=now,
    )
    session.add(account)
    session.flush()
    return workspace.id, account


def _rules(
    session: Session, workspace_id: int, account: ChannelAccount, rules: Sequence[Drawn], endpoint: int
) -> Place:
    here: dict[str, Any] = {"workspace_id": workspace_id, "now": clock.now()}
    tags = [
        labels.create(work(session, workspace_id), name=f"Label {place}", tone=LabelTone.GREY).id
        for place in range(len(rules))
    ]
    what = rule_cases.there(session, workspace_id, directory())
    ids = []
    for place, rule in enumerate(rules):
        wanted: dict[str, list[dict[str, Any]]] = {
            "say": [{"do": "say", "text": f"Said by rule {place}."}],
            "note": [{"do": "note", "text": f"Noted by rule {place}."}],
            "label": [{"do": "label", "label": tags[place]}, {"do": "unlabel", "label": tags[place]}],
            "webhook": [{"do": "webhook", "endpoint": endpoint}],
            "close": [{"do": "close"}],
        }
        given = body.given(
            {
                "when": MESSAGE_RECEIVED,
                "conditions": [
                    {"if": "by", "actor": "customer"},
                    {"if": "words", "words": list(rule.words), "has": rule.has},
                ],
                "actions": [one for action in rule.actions for one in wanted[action]],
                "stops": rule.stops,
                "once": "conversation" if rule.once else "",
            }
        )
        state = RuleState.LIVE if rule.live else RuleState.SHADOW
        made = rule_cases.create(
            UnitOfWork(session, actor=DESK, **here), name=f"Rule {place}", body=given, what=what, state=state
        )
        ids.append(made.id)
    return Place(account, ids, tags)


CHUNK = 200


def happen(place: Place, texts: Sequence[Text]) -> None:
    """Let the customers write."""
    adapter = Adapter()
    for begin in range(0, len(texts), CHUNK):
        now = clock.now()
        changes = [
            MessageReceived(text.contact, f"{text.number}", now, text=" ".join(text.words))
            for text in texts[begin : begin + CHUNK]
        ]
        items = [Incoming(ref(place.account), adapter, one, now, uuid.uuid4().hex) for one in changes]
        db.write(apply_changes, items)


def close_windows(session: Session) -> None:
    """Let a tenth of the conversations be for people only, and the window of a tenth be closed."""
    for end, ago in (("8", timedelta(hours=25)), ("9", timedelta(days=3))):
        theirs = sa.select(ContactIdentity.id).where(ContactIdentity.external_id.like(f"%{end}"))
        mine = sa.update(Conversation).where(Conversation.identity_id.in_(theirs))
        session.execute(mine.values(last_inbound_at=clock.now() - ago))


def serve(url: str) -> None:
    """Read the record and do what is due, until killed.

    A lease ends soon, and no customer has too much done for them: those bounds have tests of their own.
    """
    db.connect(url)
    secrets.use(Keyring(KEYS))
    consuming.LEASE = timedelta(seconds=2)  # type: ignore[misc]
    evaluation.MOST_PER_HOUR = rule_actions.BUDGET = deciding.BUDGET = 10**9  # type: ignore[misc, attr-defined]
    Consumers([Automating(directory)]).start()
    print("serving", flush=True)
    while True:
        if not running.run_due(directory()):
            time.sleep(0.02)


@contextmanager
def worker(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.rules.proof", "--serve", "--url", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# The proof


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it.

    :param missing: things that should have been done and were not; *doubled*: that were more than once;
        *wrong*: that no rule asked for, among them what is said where nothing may be.
    :param by_person: messages that are not the desk's own.
    """

    events: int
    things: int
    missing: int
    doubled: int
    wrong: int
    by_person: int
    kills: int
    seconds: float

    @property
    def proven(self) -> bool:
        return self.things > 0 and not (self.missing or self.doubled or self.wrong or self.by_person)

    def __str__(self) -> str:
        return (
            f"{self.events} events, {self.things} things to do, {self.kills} kills, {self.seconds:.0f} s: "
            f"{self.missing} missing, {self.doubled} doubled, {self.wrong} wrong, "
            f"{self.by_person} by a person"
        )


def prove(url: str, *, events: int, kills: int, seed: int, limit: float) -> Found:
    """Let *events* happen, and have them done under *kills*; return what came of it.

    :param limit: seconds after which it is given up.
    """
    began = time.monotonic()
    rules, texts = draw_rules(seed), draw_texts(seed, events)
    place = prepare(rules)
    happen(place, texts)
    db.write(close_windows)
    chance, killed = random.Random(f"kills {seed}"), 0
    side_by_side = 1 if db.current().is_sqlite else 2
    while time.monotonic() - began < limit:
        with ExitStack() as stack:
            processes = [stack.enter_context(worker(url)) for _ in range(side_by_side)]
            for process in processes:
                assert process.stdout is not None
                process.stdout.readline()
            if killed == kills:
                while not _is_done() and time.monotonic() - began < limit:
                    assert all(process.poll() is None for process in processes)
                    time.sleep(0.2)
                break
            time.sleep(chance.uniform(0, 2 * events * SECONDS_EACH / (kills + 1) / side_by_side))
            killed += 1
    there = effects(place, rules)
    wanted = expected(rules, texts)
    with db.read() as session:
        by_person = session.scalar(
            sa.select(sa.func.count()).where(
                Message.direction == Direction.OUTBOUND,
                sa.or_(Message.origin != Origin.SYSTEM, Message.author_id.is_not(None)),
            )
        )
    return Found(
        events,
        len(wanted),
        len(wanted - there.keys()),
        sum(count > 1 for count in there.values()),
        len(there.keys() - wanted),
        by_person or 0,
        killed,
        time.monotonic() - began,
    )


def _is_done() -> bool:
    with db.read() as session:
        due = session.scalar(sa.select(AutomationRun.id).where(AutomationRun.state == RunState.DUE).limit(1))
        at = session.execute(
            sa.select(Consumer.place, Consumer.event_id).where(Consumer.name == Automating.name)
        ).one()
        last = session.scalar(
            sa.select(sa.func.max(DomainEvent.id)).where(DomainEvent.kind == MESSAGE_RECEIVED)
        )
        return due is None and reading.Position(*at) >= (reading.place_of(session, last or 0) or 0, last or 0)


def effects(place: Place, rules: Sequence[Drawn]) -> Counter[Effect]:
    """Return what is there because of which message and rule, and how often."""
    by_rule = {id_: at for at, id_ in enumerate(place.rules)}
    by_label = {id_: at for at, id_ in enumerate(place.labels)}
    found: Counter[Effect] = Counter()
    with db.read() as session:
        arrived = sa.select(Message.id, Message.external_id, ContactIdentity.external_id).join(
            Conversation, Conversation.id == Message.conversation_id
        )
        arrived = arrived.join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        texts = {
            id_: (int(number), contact)
            for id_, number, contact in session.execute(arrived.where(Message.direction == Direction.INBOUND))
        }

        def note(message_id: int, at: int, what: str) -> None:
            number, contact = texts[message_id]
            found[contact if rules[at].once else number, at, what] += 1

        passes = sa.select(AutomationRun.id, AutomationRun.message_id)
        began = dict(session.execute(passes).all())
        written = sa.select(Message.reply_key, Message.direction).where(
            sa.or_(Message.direction == Direction.OUTBOUND, Message.kind == InternalKind.NOTE)
        )
        for key, direction in session.execute(written):
            _, rule, run, _ = key.split("-")
            what = "say" if direction == Direction.OUTBOUND else "note"
            note(began[int(run)], by_rule[int(rule)], what)
        roots = sa.select(DomainEvent.id, DomainEvent.message_id).where(DomainEvent.kind == MESSAGE_RECEIVED)
        root = dict(session.execute(roots).all())
        done = sa.select(DomainEvent.kind, DomainEvent.root_id, DomainEvent.data).where(
            DomainEvent.cause_id.is_not(None), DomainEvent.kind.is_not(None)
        )
        for kind, root_id, data in session.execute(done):
            if kind == RULE_CALLED:
                note(root[root_id], by_rule[strictjson.decode(data, OfRule).rule], "webhook")
            elif kind in {CONVERSATION_LABELLED, CONVERSATION_UNLABELLED}:
                at = by_label[strictjson.decode(data, OfLabel).label]
                note(root[root_id], at, kind.partition(".")[2])
            elif kind == CONVERSATION_CLOSED:
                note(root[root_id], len(rules) - 1, "close")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="default: an SQLite file that is gone afterwards")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=12 * 3600.0)
    given = parser.parse_args()
    if given.serve:
        serve(given.url)
        return
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{folder}/proof.sqlite3"
        if not given.url:
            migrations.upgrade_host(url)
        db.connect(url)
        secrets.use(Keyring(KEYS))
        found = prove(url, events=given.events, kills=given.kills, seed=given.seed, limit=given.limit)
        print(found)
    sys.exit(0 if found.proven else 1)


if __name__ == "__main__":
    main()
