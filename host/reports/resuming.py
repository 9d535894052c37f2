"""Go on after reports were disabled: when that was, and the customers who wait."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, Direction, Message, Origin
from host.models.users import InstallationValue
from host.reports.models import OFF_PERIODS, Span, SpanKind

MOST_PERIODS = 10
"""How many periods are kept: the newest."""
_AT_ONCE = 500
_WAITS = (SpanKind.FIRST, SpanKind.NEXT)


class Windows(Protocol):
    """Reply windows of channels."""

    def __call__(self, account: ChannelAccount, asked_at: datetime) -> datetime | None:
        """Return when the reply window for a question of *asked_at* ends; None: never, or unknown."""


def note_period(session: Session, since: datetime, until: datetime) -> None:
    """Store that reports were disabled from *since* to *until*."""
    periods = [*off_periods(session), (since, until)][-MOST_PERIODS:]
    value = " ".join(f"{int(begin.timestamp())}-{int(end.timestamp())}" for begin, end in periods)
    session.merge(InstallationValue(name=OFF_PERIODS, value=value))


def off_periods(session: Session) -> list[tuple[datetime, datetime]]:
    """Return the periods in which reports were disabled, oldest first, in whole seconds."""
    found = session.get(InstallationValue, OFF_PERIODS)
    return [_read(period) for period in ("" if found is None else found.value).split()]


def _read(period: str) -> tuple[datetime, datetime]:
    begin, end = (datetime.fromtimestamp(int(text), UTC) for text in period.split("-"))
    return begin, end


def resume(session: Session, windows: Windows, off_since: datetime) -> None:
    """Begin the waits of the customers who wait now, and keep those that began before *off_since*.

    Other open spans are dropped: whether they ended meanwhile is unknown. Who was answered meanwhile, and
    waits again, waits from then.
    """
    waiting = Conversation.waiting_since.is_not(None), Conversation.spam_at.is_(None)
    still = sa.select(Conversation.id).where(*waiting, Conversation.waiting_since < off_since)
    session.execute(
        sa.delete(Span)
        .where(Span.ended_at.is_(None), Span.conversation_id.not_in(still))
        .execution_options(synchronize_session=False)
    )
    after = 0
    while rows := session.execute(_waiting(after, off_since, waiting)).all():
        accounts = {
            one.id: one
            for one in session.scalars(
                sa.select(ChannelAccount).where(
                    ChannelAccount.id.in_(db.padded({r.account_id for r in rows}))
                )
            )
        }
        begun = []
        for row in rows:
            account = accounts[row.account_id]
            until = windows(account, row.last_inbound_at or row.waiting_since)
            ends = {"window_until": until, "team_id": row.team_id}
            if row.span_id is not None:
                session.execute(sa.update(Span).where(Span.id == row.span_id).values(**ends))
                continue
            target = account.reply_target
            begun.append(
                {
                    "workspace_id": row.workspace_id,
                    "account_id": row.account_id,
                    "conversation_id": row.id,
                    "kind": SpanKind.FIRST if row.first else SpanKind.NEXT,
                    "started_at": row.waiting_since,
                    "user_id": 0,
                    "answered": False,
                    "target_seconds": None if target is None else target * 60,
                    **ends,
                }
            )
        if begun:
            session.execute(sa.insert(Span), begun)
        after = rows[-1].id


def _waiting(
    after: int, off_since: datetime, waiting: tuple[sa.ColumnElement[bool], ...]
) -> sa.Select[*tuple[Any, ...]]:
    """Select some waiting conversations behind the id *after*, each with its open wait, if it has one."""
    answered = (
        sa.select(sa.literal(1))
        .where(
            Message.conversation_id == Conversation.id,
            Message.direction == Direction.OUTBOUND,
            Message.origin != Origin.SYSTEM,
        )
        .correlate(Conversation)
        .exists()
    )
    # Whether an older conversation was reopened meanwhile is unknown, and so whether its answer is a first.
    first = sa.and_(Conversation.created_at >= off_since, ~answered)
    return (
        sa.select(
            Conversation.id,
            Conversation.workspace_id,
            Conversation.account_id,
            Conversation.team_id,
            Conversation.waiting_since,
            Conversation.last_inbound_at,
            first.label("first"),
            Span.id.label("span_id"),
        )
        .outerjoin(
            Span,
            sa.and_(Span.conversation_id == Conversation.id, Span.ended_at.is_(None), Span.kind.in_(_WAITS)),
        )
        .where(*waiting, Conversation.id > after)
        .order_by(Conversation.id)
        .limit(_AT_ONCE)
    )
