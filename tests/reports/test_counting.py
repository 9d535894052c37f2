"""Spans and sums equal a recount by hand of the same conversations, however the record is read."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events import reading
from host.events.kinds.messages import MESSAGE_SENT
from host.events.models import ActorKind, Consumer, DomainEvent
from host.events.reading import BEGINNING
from host.models.channels import ChannelAccount
from host.reports import counting
from host.reports.counting import SUMS, TEAM_SUMS, Counting, hour_of
from host.reports.models import ReportHour, ReportTeamHour, Span
from tests.inbox import toys

START = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
"""The evening before clocks in Europe go forward."""
WINDOW = timedelta(hours=24)
COUNTED = int(os.environ.get("COUNTED_CONVERSATIONS") or 0)
"""Conversations of the long run; 0: fewer on servers, which take longer."""


@dataclass
class Told:
    """One thing that happened in a conversation."""

    kind: str
    at: datetime
    actor: str = ""
    user: int = 0
    written: datetime | None = None
    """When a message was written, where that is not when it was known here."""
    team: tuple[int, int] = (0, 0)
    """Which team has the conversation from then on, and which had it before."""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def who(self) -> int:
        """In whose place it counts: the person, 0, -1 for automation and -2 for a campaign."""
        if self.actor in {"system", "addon"} and self.kind != "message.received":
            return -2 if self.facts.get("campaign") or self.facts.get("program") == "campaign" else -1
        return self.user if self.actor == "user" else 0

    @property
    def occurred(self) -> datetime:
        return self.written or self.at


@dataclass
class Talk:
    """What happened in one conversation, in the order of the record."""

    id: int
    account: int
    told: list[Told] = field(default_factory=list)


def random_talk(rng: random.Random, number: int) -> Talk:
    """Return a conversation in which people write, answer, close and open in no particular order."""
    talk = Talk(number, rng.choice([1, 2]))
    at = START + timedelta(seconds=rng.randrange(86_400 * 3))
    is_open, known = True, rng.random() < 0.9
    if known:
        talk.told.append(Told("conversation.created", at))
    for _ in range(rng.randrange(1, 14)):
        at += timedelta(seconds=rng.choice([0, 1, 60, 3600, 90_000]) * rng.random())
        what = rng.random()
        if not is_open:
            talk.told.append(Told("conversation.reopened", at))
            is_open = True
        if what < 0.45:
            talk.told.append(Told("message.received", at, "customer"))
        elif what < 0.8:
            late = timedelta(seconds=rng.choice([0, 0, 5, 600]))
            actor = rng.choice(["user", "user", "provider", "key", "system"])
            user = rng.choice([1, 2]) if actor == "user" else 0
            facts = {"campaign": actor == "system" and rng.random() < 0.5}
            facts["copied"] = actor == "provider" and rng.random() < 0.3
            talk.told.append(Told("message.sent", at, actor, user, at - late, facts=facts))
        elif what < 0.85:
            talk.told.append(Told("message.failed", at, "user", 1))
        else:
            actor = rng.choice(["user", "user", "system", "addon", "key"])
            user = rng.choice([1, 2]) if actor == "user" else 0
            facts = {"program": rng.choice(["", "campaign", "sequence"]) if actor == "system" else ""}
            talk.told.append(Told("conversation.closed", at, actor, user, facts=facts))
            is_open = False
    return talk


def write(session: Session, workspace: int, talks: Sequence[Talk], rng: random.Random) -> None:
    """Write the conversations into the record, mixed, each in its order."""
    left = [(talk, list(talk.told)) for talk in talks]
    rows = []
    while left:
        at = rng.randrange(len(left))
        talk, told = left[at]
        one = told.pop(0)
        if not told:
            left.pop(at)
        rows.append(
            {
                "workspace_id": workspace,
                "kind": one.kind,
                "account_id": talk.account,
                "conversation_id": talk.id,
                "actor_kind": one.actor or None,
                "actor_id": one.user or None,
                "occurred_at": one.written,
                "at": one.at,
                "depth": 0,
                "data": json.dumps(
                    {"team": one.team[0], "before": one.team[1]} if any(one.team) else one.facts
                ),
            }
        )
    for start in range(0, len(rows), 400):
        session.execute(sa.insert(DomainEvent), rows[start : start + 400])


def consume_all(counting_: Counting, rng: random.Random, sizes: Sequence[int] = (1, 3, 50, 500)) -> None:
    """Read the record as a worker does, in batches of any size."""

    def step(session: Session) -> bool:
        row = session.get_one(Consumer, "reports")
        position = reading.Position(row.place, row.event_id)
        batch = reading.after(session, position, rng.choice(sizes))
        counting_.consume(session, batch.events)
        row.place, row.event_id = batch.end
        return batch.more or bool(batch.events)

    while True:
        while db.write(reading.number):
            pass
        if not db.write(step):
            return


def by_hand(talks: Sequence[Talk]) -> tuple[dict[Any, Counter[str]], list[tuple[Any, ...]]]:
    """Return the sums, and the spans that ended, by looking at each conversation as a whole."""
    sums: dict[Any, Counter[str]] = {}
    spans: list[tuple[Any, ...]] = []
    names = {
        "message.received": "received",
        "message.sent": "sent",
        "message.failed": "failed",
        "conversation.created": "created",
        "conversation.reopened": "reopened",
        "conversation.closed": "closed",
    }

    def add(at: datetime, talk: Talk, user: int, **values: int) -> None:
        sums.setdefault((hour_of(at), talk.account, user), Counter()).update(values)

    def ended(talk: Talk, kind: str, start: datetime, end: datetime, user: int) -> None:
        seconds = int((end - start).total_seconds())
        spans.append((talk.id, kind, start, end, user, seconds))
        add(end, talk, user, **{f"{kind}_count": 1, f"{kind}_seconds": seconds})

    for talk in talks:
        for one in talk.told:
            if not one.facts.get("copied"):
                add(one.occurred, talk, one.who, **{names[one.kind]: 1})
        # Cut into stretches, each from a beginning (or the start of the record) to a closing.
        stretches: list[list[Told]] = [[]]
        for one in talk.told:
            before = stretches[-1]
            if one.kind == "conversation.reopened" and before and before[-1].kind == "conversation.closed":
                stretches.append([])
            stretches[-1].append(one)
        for stretch in stretches:
            begins = stretch[0].kind in {"conversation.created", "conversation.reopened"}
            closings = [one for one in stretch if one.kind == "conversation.closed"]
            if begins and closings:
                end = max(closings[0].occurred, stretch[0].occurred)
                ended(talk, "resolve", stretch[0].occurred, end, closings[0].who)
            answered_before = not begins
            asked: datetime | None = None
            for one in stretch:
                if one.kind == "message.received" and asked is None:
                    asked, kind = one.occurred, "next" if answered_before else "first"
                elif one.kind == "message.sent" and one.actor != "system" and not one.facts.get("copied"):
                    if asked is not None and one.occurred < asked:
                        continue
                    answered_before = True
                    if asked is not None:
                        ended(talk, kind, asked, one.occurred, one.who)
                        asked = None
                elif one.kind == "conversation.closed":
                    asked = None
    return sums, spans


@pytest.fixture
def workspace(any_database: db.Database) -> int:
    workspace = toys.make_workspace()

    first = {"place": BEGINNING.place, "event_id": BEGINNING.event_id}
    db.write(lambda session: session.add(Consumer(name="reports", **first, moved_at=clock.now())))
    return workspace


def window(_account: ChannelAccount, asked_at: datetime) -> datetime:
    return asked_at + WINDOW


def stored(workspace: int) -> tuple[dict[Any, Counter[str]], list[tuple[Any, ...]]]:
    with db.read() as session:
        hours = session.scalars(sa.select(ReportHour).where(ReportHour.workspace_id == workspace)).all()
        spans = session.scalars(sa.select(Span).where(Span.ended_at.is_not(None))).all()
    return (
        {
            (row.hour, row.account_id, row.user_id): Counter(
                {name: value for name in SUMS if (value := getattr(row, name))}
            )
            for row in hours
        },
        [
            (one.conversation_id, one.kind, one.started_at, one.ended_at, one.user_id, one.seconds)
            for one in spans
            if one.kind == "resolve" or one.ended_by == "answered"
        ],
    )


def check(workspace: int, talks: Sequence[Talk]) -> None:
    sums, spans = by_hand(talks)
    found_sums, found_spans = stored(workspace)
    assert sorted(found_spans) == sorted(spans)
    wanted = {key: Counter({n: v for n, v in row.items() if v}) for key, row in sums.items()}
    assert found_sums == {key: row for key, row in wanted.items() if row}


def play(workspace: int, seed: int, number: int) -> list[Talk]:
    rng = random.Random(seed)
    talks = [random_talk(rng, n + 1) for n in range(number)]
    db.write(write, workspace, talks, rng)
    consume_all(Counting(window), rng)
    return talks


@pytest.mark.parametrize("seed", range(3))
def test_spans_and_sums_equal_a_recount(workspace: int, seed: int) -> None:
    check(workspace, play(workspace, seed, 60))


@pytest.mark.slow
def test_so_they_do_over_many_conversations(workspace: int) -> None:
    many = COUNTED or (2_000 if db.current().dialect == "sqlite" else 500)
    check(workspace, play(workspace, 17, many))


def test_sums_that_are_built_anew_are_equal(workspace: int) -> None:
    talks = play(workspace, 5, 60)
    before = stored(workspace)
    db.write(lambda session: session.execute(sa.update(ReportHour).values(received=999)) and None)
    assert stored(workspace) != before
    db.write(counting.rebuild, workspace)
    assert stored(workspace) == before
    check(workspace, talks)


def with_teams(rng: random.Random, talk: Talk) -> Talk:
    """Have the conversation go from team to team."""
    told, has = [], rng.choice([0, 0, 1])
    for one in talk.told:
        told.append(one)
        if rng.random() < 0.3:
            goes_to = rng.choice([team for team in (0, 1, 2) if team != has])
            told.append(Told("conversation.team_assigned", one.at, team=(goes_to, has)))
            has = goes_to
    return Talk(talk.id, talk.account, told)


def of_teams(talks: Sequence[Talk]) -> tuple[dict[Any, Counter[str]], list[tuple[Any, ...]]]:
    """Return the sums of teams, and the teams of the spans that ended, by looking at each conversation."""
    sums: dict[Any, Counter[str]] = {}
    spans = []
    for talk in talks:
        moves = [one for one in talk.told if one.kind == "conversation.team_assigned"]
        plain = [one for one in talk.told if one not in moves]
        has, ends = moves[0].team[1] if moves else 0, {}
        for one in talk.told:
            has = one.team[0] if one in moves else has
            ends[id(one)] = has
            if one not in moves and has and one.kind != "message.failed":
                key = hour_of(one.occurred), has, talk.account, one.who
                for name in by_hand([Talk(talk.id, talk.account, [one])])[0].values():
                    sums.setdefault(key, Counter()).update(n for n in name if n in TEAM_SUMS)
        for span in by_hand([Talk(talk.id, talk.account, plain)])[1]:
            kinds = {"resolve": "conversation.closed"}
            kind, end = kinds.get(span[1], "message.sent"), span[3]
            ended = [ends[id(one)] for one in plain if one.kind == kind and one.occurred == end]
            spans.append((*span[:4], ended))
    return sums, spans


def test_what_is_of_a_team_is_of_that_which_had_the_conversation_then(workspace: int) -> None:
    rng = random.Random(3)
    talks = [with_teams(rng, random_talk(rng, number + 1)) for number in range(60)]
    db.write(write, workspace, talks, rng)
    consume_all(Counting(window), rng, sizes=[10_000])
    sums, spans = of_teams(talks)

    def found() -> dict[Any, Counter[str]]:
        return {
            (one.hour, one.team_id, one.account_id, one.user_id): Counter(
                {name: value for name in TEAM_SUMS if (value := getattr(one, name))}
            )
            for one in toys.everything_of(ReportTeamHour)
        }

    assert found() == sums
    assert len({key[1] for key in sums}) == 2
    ended = {
        (one.conversation_id, one.kind, one.started_at, one.ended_at): one.team_id or 0
        for one in toys.everything(Span)
        if one.ended_at is not None
    }
    assert spans
    assert all(ended[span[:4]] in span[4] for span in spans)
    db.write(lambda session: session.execute(sa.update(ReportTeamHour).values(sent=999)) and None)
    db.write(counting.rebuild, workspace)
    assert found() == sums, "and so it is when it is built anew"


def test_the_window_is_that_of_the_last_question(workspace: int) -> None:
    rng = random.Random(1)
    later = START + timedelta(hours=5)
    account = toys.make_account(workspace).id
    talk = Talk(1, account, [Told("message.received", START), Told("message.received", later)])
    db.write(write, workspace, [talk], rng)
    consume_all(Counting(window), rng)
    (span,) = toys.everything(Span)
    assert (span.started_at, span.window_until, span.ended_at) == (START, later + WINDOW, None)


def test_what_the_desk_says_by_itself_is_no_answer(workspace: int) -> None:
    rng = random.Random(1)
    at = START + timedelta(minutes=1)
    talk = Talk(1, 1, [Told("message.received", START), Told("message.sent", at, ActorKind.SYSTEM)])
    db.write(write, workspace, [talk], rng)
    consume_all(Counting(window), rng)
    (span,) = toys.everything(Span)
    assert span.ended_at is None
    assert MESSAGE_SENT in {row.kind for row in toys.everything(DomainEvent)}
