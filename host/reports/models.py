"""Report data: how long customers waited, and sums by the hour, also per team."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, UTCDateTime
from host.models.users import Workspace

OFF_PERIODS = "reports.off_periods"
"""Name of the installation value with the periods in which reports were disabled."""
AUTOMATION, CAMPAIGN = -1, -2
"""In place of a person's id: what automation did, apart from campaigns, and what campaigns did."""


class SpanKind(StrEnum):
    """The kind of a measured span."""

    FIRST = "first"
    """From a customer's message to the first answer after the conversation began or was reopened."""
    NEXT = "next"
    """The same for every later answer."""
    RESOLVE = "resolve"
    """From the beginning, or the reopening, to the closing."""


class SpanEnd(StrEnum):
    """The event that ended a span."""

    ANSWERED = "answered"
    CLOSED = "closed"


class Span(Base):
    """One span of time in a conversation. Written once from the event log; later events never change it."""

    __tablename__ = "spans"
    __writers__ = ("reports",)
    __table_args__ = (
        sa.Index("ix_spans_open", "conversation_id", "ended_at"),
        sa.Index(
            "ix_spans_ended",
            "workspace_id",
            "kind",
            "ended_by",
            "hour",
            "account_id",
            "user_id",
            "seconds",
        ),
        sa.Index("ix_spans_started", "workspace_id", "kind", "started_at"),
        sa.Index(
            "ix_spans_target",
            *("workspace_id", "ended_by", "hour", "kind"),
            *("target_seconds", "seconds", "account_id", "user_id"),
            sqlite_where=sa.text("target_seconds IS NOT NULL"),
            postgresql_where=sa.text("target_seconds IS NOT NULL"),
        ),
        sa.Index(
            "ix_spans_window",
            "workspace_id",
            "window_until",
            "ended_at",
            "started_at",
            "account_id",
            "user_id",
        ),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(Id)
    conversation_id: Mapped[int] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(sa.String(16))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """NULL while it is open."""
    hour: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The hour of ``ended_at``, as in :class:`ReportHour`: spans that ended in it are read in one row."""
    ended_by: Mapped[str | None] = mapped_column(sa.String(16))
    """A :class:`SpanEnd`. A wait that a closing ended has no counted time: nobody was answered."""
    user_id: Mapped[int] = mapped_column(Id, default=0)
    """Person who ended it; 0: no member of the team, or :data:`AUTOMATION` or :data:`CAMPAIGN`."""
    seconds: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Duration; NULL while it is open."""
    answered: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """For a resolution span: whether the customer has had an answer in it."""
    window_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """For a wait: end of the channel's reply window; NULL: unlimited."""
    target_seconds: Mapped[int | None] = mapped_column(sa.BigInteger)
    """For a wait: response target of the account when it began; NULL: none."""
    team_id: Mapped[int | None] = mapped_column(Id)
    """The team assigned when it ended, or currently while it is open; NULL: none."""


class ReportHour(Base):
    """Sums of one hour of UTC for one account and one member of the team."""

    __tablename__ = "report_hours"
    __writers__ = ("reports",)

    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Workspace.id, ondelete="CASCADE"), primary_key=True
    )
    hour: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    account_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    """0: no member of the team, or :data:`AUTOMATION` or :data:`CAMPAIGN`."""
    received: Mapped[int] = mapped_column(sa.Integer)
    sent: Mapped[int] = mapped_column(sa.Integer)
    failed: Mapped[int] = mapped_column(sa.Integer)
    created: Mapped[int] = mapped_column(sa.Integer)
    reopened: Mapped[int] = mapped_column(sa.Integer)
    closed: Mapped[int] = mapped_column(sa.Integer)
    first_count: Mapped[int] = mapped_column(sa.Integer)
    first_seconds: Mapped[int] = mapped_column(sa.BigInteger)
    next_count: Mapped[int] = mapped_column(sa.Integer)
    next_seconds: Mapped[int] = mapped_column(sa.BigInteger)
    resolve_count: Mapped[int] = mapped_column(sa.Integer)
    resolve_seconds: Mapped[int] = mapped_column(sa.BigInteger)


class ReportTeamHour(Base):
    """Sums of one hour of UTC for the conversations of one team, on one account, by one member.

    They are included in :class:`ReportHour`, which also covers conversations without a team.
    """

    __tablename__ = "report_team_hours"
    __writers__ = ("reports",)

    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Workspace.id, ondelete="CASCADE"), primary_key=True
    )
    hour: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    team_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    """The team assigned at that time."""
    account_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    """0: no member of the team, or :data:`AUTOMATION` or :data:`CAMPAIGN`."""
    received: Mapped[int] = mapped_column(sa.Integer)
    sent: Mapped[int] = mapped_column(sa.Integer)
    created: Mapped[int] = mapped_column(sa.Integer)
    reopened: Mapped[int] = mapped_column(sa.Integer)
    closed: Mapped[int] = mapped_column(sa.Integer)
