"""What an assistant did, in figures: by day, against its limits, and what cost most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.assistants import AssistantTurn, Mode, TurnOutcome, TurnState
from host.models.users import Workspace

DAYS = 30
"""So many days are shown, today counted."""
WEEK = timedelta(days=7)

Accounts = frozenset[int] | None
"""The accounts whose turns somebody sees; None: all."""

_SHOWN = frozenset({TurnState.READY, TurnState.SENT, TurnState.DISMISSED})
"""States of a suggestion that a person saw."""
_IN_SHADOW = frozenset({TurnState.READY, TurnState.HANDED_OVER, TurnState.DISCARDED})
"""States of what was thought in shadow."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of turns.

    :param suggested: shown to a person. Of these *taken* as they stood, *edited*, *written*: somebody wrote
        something else, *dismissed*, and *used*: a program sent it.
    :param shadow: thought in shadow, with an answer.
    :param answered: sent by itself.
    :param right: turns somebody called right; *wrong* likewise.
    :param tokens: sent and answered with.
    :param cost: in millionths of the model's currency.
    """

    suggested: int = 0
    taken: int = 0
    edited: int = 0
    written: int = 0
    dismissed: int = 0
    used: int = 0
    answered: int = 0
    shadow: int = 0
    handed_over: int = 0
    failed: int = 0
    right: int = 0
    wrong: int = 0
    tokens: int = 0
    cost: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Counts)))


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used of a limit.

    :param money: in millionths of the model's currency.
    """

    turns: int = 0
    tokens: int = 0
    money: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """What all assistants of a workspace used today and this month, in its time zone."""

    today: Spent = Spent()
    month: Spent = Spent()


@dataclass(frozen=True, slots=True)
class Dearest:
    """The conversation that cost most."""

    conversation_id: int
    spent: Spent


def zone_of(session: Session, workspace_id: int) -> ZoneInfo:
    """Return the time zone of a workspace; UTC where it has none that this machine knows."""
    name = session.scalar(sa.select(Workspace.timezone).where(Workspace.id == workspace_id))
    return clock.zone(name if name in clock.zones() else "UTC")


def days(now: datetime, zone: ZoneInfo, count: int = DAYS) -> list[tuple[date, datetime]]:
    """Return the last *count* days in *zone*, the oldest first, each with when it began."""
    today = now.astimezone(zone).date()
    dates = [today - timedelta(days=back) for back in reversed(range(count))]
    return [(one, _midnight(one, zone)) for one in dates]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def by_day(
    session: Session,
    assistant_id: int,
    now: datetime,
    zone: ZoneInfo,
    *,
    accounts: Accounts = None,
    count: int = DAYS,
) -> list[tuple[date, Counts]]:
    """Return what an assistant did on each of the last days, the oldest first. One statement.

    A turn counts on the day on which it began.
    """
    them = days(now, zone, count)
    turns = AssistantTurn
    # Which day it is, is found by when days begin: databases know other time zones than we do.
    before = [(turns.created_at < begins, at) for at, (_day, begins) in enumerate(them[1:])]
    day = sa.case(*before, else_=len(them) - 1) if before else sa.literal(0)
    each = (
        sa.select(
            day.label("day"),
            turns.state,
            turns.mode,
            turns.outcome,
            turns.right,
            (turns.tokens_in + turns.tokens_out).label("tokens"),
            turns.cost,
        )
        .where(turns.assistant_id == assistant_id, turns.created_at >= them[0][1], _seen(accounts))
        .subquery()
    )
    groups = (each.c.day, each.c.state, each.c.mode, each.c.outcome, each.c.right)
    query = sa.select(
        *groups, sa.func.count(), sa.func.sum(each.c.tokens), sa.func.sum(each.c.cost)
    ).group_by(*groups)
    found = [Counts()] * len(them)
    for at, state, mode, outcome, right, number, tokens, cost in session.execute(query):
        # Sums are decimals on some databases.
        found[at] += _counts(state, mode, outcome, right, number, int(tokens), int(cost))
    return [(one, counts) for (one, _begins), counts in zip(them, found, strict=True)]


def _counts(
    state: str, mode: str, outcome: str | None, right: bool | None, number: int, tokens: int, cost: int
) -> Counts:
    is_shadow = mode == Mode.SHADOW
    shown = mode == Mode.SUGGEST and (state in _SHOWN or outcome is not None)
    values: dict[str, int] = {
        "suggested": number if shown else 0,
        "answered": number if state == TurnState.SENT and outcome is None else 0,
        "shadow": number if is_shadow and state in _IN_SHADOW else 0,
        "handed_over": number if state == TurnState.HANDED_OVER and not is_shadow else 0,
        "failed": number if state == TurnState.FAILED else 0,
        "right": number if right else 0,
        "wrong": number if right is False else 0,
        "tokens": tokens,
        "cost": cost,
    }
    if outcome in set(TurnOutcome):
        values[str(outcome)] = number
    return Counts(**values)


def total(found: Sequence[tuple[date, Counts]]) -> Counts:
    """Return what days add up to."""
    return sum((one for _day, one in found), Counts())


def use(session: Session, workspace_id: int, now: datetime, zone: ZoneInfo) -> Use:
    """Return what all assistants of a workspace used today and this month. One statement.

    A turn counts once it began to think; while it thinks, its cost is the most it may be.
    """
    today = now.astimezone(zone).date()
    day, month = _midnight(today, zone), _midnight(today.replace(day=1), zone)
    turns = AssistantTurn
    is_today = sa.case((turns.created_at >= day, 1), else_=0)
    tokens = turns.tokens_in + turns.tokens_out
    sums = [turns.cost, tokens, _thought()]
    query = sa.select(
        *(sa.func.coalesce(sa.func.sum(one * is_today), 0) for one in sums),
        *(sa.func.coalesce(sa.func.sum(one), 0) for one in sums),
    ).where(turns.workspace_id == workspace_id, turns.created_at >= month)
    cost, some, number, costs, all_, numbers = (int(one) for one in session.execute(query).one())
    return Use(Spent(number, some, cost), Spent(numbers, all_, costs))


def _thought() -> sa.ColumnElement[int]:
    """Return 1 for a turn that was thought about, as limits count them, else 0."""
    reason = AssistantTurn.reason
    thought = sa.and_(AssistantTurn.fence > 0, sa.or_(reason.is_(None), reason.not_like("limit_%")))
    return sa.case((thought, 1), else_=0)


def dearest(
    session: Session, assistant_id: int, since: datetime, *, accounts: Accounts = None
) -> Dearest | None:
    """Return the conversation that cost most since then; None: there is none. One statement."""
    turns = AssistantTurn
    cost, tokens = sa.func.sum(turns.cost), sa.func.sum(turns.tokens_in + turns.tokens_out)
    number = sa.func.sum(_thought())
    query = (
        sa.select(turns.conversation_id, number, tokens, cost)
        .where(turns.assistant_id == assistant_id, turns.created_at >= since, _seen(accounts))
        .group_by(turns.conversation_id)
        .having(number > 0)
        .order_by(cost.desc(), tokens.desc(), number.desc(), turns.conversation_id)
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else Dearest(row[0], Spent(int(row[1]), int(row[2]), int(row[3])))


def asked(session: Session, workspace_id: int, since: datetime) -> Mapping[tuple[int, int], int]:
    """Return how often assistants were asked since then, by assistant and account. One statement."""
    turns = AssistantTurn
    query = (
        sa.select(turns.assistant_id, turns.account_id, sa.func.count())
        .where(turns.workspace_id == workspace_id, turns.created_at >= since)
        .group_by(turns.assistant_id, turns.account_id)
    )
    return {(row[0], row[1]): row[2] for row in session.execute(query)}


def _seen(accounts: Accounts) -> Any:
    return sa.true() if accounts is None else AssistantTurn.account_id.in_(accounts)
