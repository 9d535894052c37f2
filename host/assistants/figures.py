"""Figures of an assistant: turns by day, usage of its limits, and the most expensive conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants.models import AssistantTurn, Mode, TurnOutcome, TurnState
from host.core import clock
from host.models.users import Workspace

DAYS = 30
"""Days shown, including today."""
WEEK = timedelta(days=7)

Accounts = frozenset[int] | None
"""Ids of the accounts a person may see; None for all."""

_SHOWN = frozenset({TurnState.READY, TurnState.SENT, TurnState.DISMISSED})
"""States of a suggestion that a person has seen."""
_IN_SHADOW = frozenset({TurnState.READY, TurnState.HANDED_OVER, TurnState.DISCARDED})
"""States of a turn in shadow mode."""


@dataclass(frozen=True, slots=True)
class TurnCounts:
    """Number of turns by outcome.

    :param suggested: shown to a person. They were *taken* unchanged, *edited*, *dismissed*, replaced by
        another text (*written*), or *used*: sent by a program.
    :param shadow: answered in shadow mode.
    :param answered: sent automatically.
    :param right: turns rated right by a person; *wrong* likewise.
    :param tokens: tokens sent and received.
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

    def __add__(self, other: TurnCounts) -> TurnCounts:
        return TurnCounts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(TurnCounts)))


class Spent(msgspec.Struct, frozen=True):
    """Usage counted against a limit.

    :param money: in millionths of the model's currency.
    """

    turns: int = 0
    tokens: int = 0
    money: int = 0


class WorkspaceUsage(msgspec.Struct, frozen=True):
    """Usage of all assistants of a workspace today and this month, in its time zone."""

    today: Spent = Spent()
    month: Spent = Spent()


class Dearest(msgspec.Struct, frozen=True):
    """The most expensive conversation."""

    conversation_id: int
    spent: Spent


def zone_of(session: Session, workspace_id: int) -> ZoneInfo:
    """Return the time zone of a workspace, or UTC if this machine doesn't know it."""
    name = session.scalar(sa.select(Workspace.timezone).where(Workspace.id == workspace_id))
    return clock.zone(name if name in clock.zones() else "UTC")


def days(now: datetime, zone: ZoneInfo, count: int = DAYS) -> list[tuple[date, datetime]]:
    """Return the last *count* days in *zone*, oldest first, each with its start."""
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
) -> list[tuple[date, TurnCounts]]:
    """Return an assistant's figures for each of the last days, oldest first. One statement.

    A turn counts on the day on which it began.
    """
    them = days(now, zone, count)
    turns = AssistantTurn
    # Days are found by their start times, because databases know other time zones than Python does.
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
    found = [TurnCounts()] * len(them)
    for at, state, mode, outcome, right, number, tokens, cost in session.execute(query):
        # Some databases return sums as decimals.
        found[at] += _counts(state, mode, outcome, right, number, int(tokens), int(cost))
    return [(one, counts) for (one, _begins), counts in zip(them, found, strict=True)]


def _counts(
    state: str, mode: str, outcome: str | None, right: bool | None, number: int, tokens: int, cost: int
) -> TurnCounts:
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
    return TurnCounts(**values)


def total(found: Sequence[tuple[date, TurnCounts]]) -> TurnCounts:
    """Return the sum of several days."""
    return sum((one for _day, one in found), TurnCounts())


def use(session: Session, workspace_id: int, now: datetime, zone: ZoneInfo) -> WorkspaceUsage:
    """Return the usage of all assistants of a workspace today and this month. One statement.

    A turn counts from its start; while it is running, it counts with its maximum cost.
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
    return WorkspaceUsage(Spent(number, some, cost), Spent(numbers, all_, costs))


def _thought() -> sa.ColumnElement[int]:
    """Return 1 for a turn that counts towards limits, otherwise 0."""
    reason = AssistantTurn.reason
    thought = sa.and_(AssistantTurn.fence > 0, sa.or_(reason.is_(None), reason.not_like("limit_%")))
    return sa.case((thought, 1), else_=0)


def dearest(
    session: Session, assistant_id: int, since: datetime, *, accounts: Accounts = None
) -> Dearest | None:
    """Return the most expensive conversation since then, or None. One statement."""
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
    """Return the number of turns since then, by assistant and account. One statement."""
    turns = AssistantTurn
    query = (
        sa.select(turns.assistant_id, turns.account_id, sa.func.count())
        .where(turns.workspace_id == workspace_id, turns.created_at >= since)
        .group_by(turns.assistant_id, turns.account_id)
    )
    return {(row[0], row[1]): row[2] for row in session.execute(query)}


def _seen(accounts: Accounts) -> Any:
    return sa.true() if accounts is None else AssistantTurn.account_id.in_(accounts)
