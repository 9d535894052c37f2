"""The addon's table."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from host.sdk.db import Ascii64, Id, LongText, UTCDateTime, addon_model_base, host_table

Base = addon_model_base("satisfaction")


class Outcome(StrEnum):
    """Outcome of a closing, if it is not a reason of docs/sdk/desk.md why a reply was refused."""

    ASKING = "asking"
    """The question is about to be sent. A row stays at this only if the process ended meanwhile."""
    ASKED = "asked"
    WAITING = "waiting"
    """The closing can be undone until ``asked_at``: the customer is asked then, if it was not."""
    OFF = "off"
    """*Ask customers* was turned off before the customer could be asked."""
    RECENTLY = "asked_recently"
    REOPENED = "reopened"
    """The conversation was open again before the customer could be asked."""
    LATE = "late"
    """The listener was held up for too long."""


class SatisfactionAnswer(Base):  # type: ignore[misc, valid-type]
    """A closing of a conversation: whether the customer was asked, and their answer.

    The contact is the one of that time. After a merge the conversation has another, so read it there.
    """

    __tablename__ = "satisfaction_answers"
    __table_args__ = (
        sa.UniqueConstraint("event_id"),
        sa.Index("ix_satisfaction_answers_report", "workspace_id", "asked_at"),
        sa.Index("ix_satisfaction_answers_conversation_id", "conversation_id"),
        sa.Index("ix_satisfaction_answers_contact_id", "contact_id"),
        sa.Index("ix_satisfaction_answers_outcome", "outcome", "asked_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(
        Id, ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE")
    )
    conversation_id: Mapped[int] = mapped_column(
        Id, ForeignKey(host_table("conversations").c.id, ondelete="CASCADE")
    )
    contact_id: Mapped[int] = mapped_column(Id, ForeignKey(host_table("contacts").c.id, ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(Ascii64)
    outcome: Mapped[str] = mapped_column(Ascii64)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    score: Mapped[int | None] = mapped_column(sa.SmallInteger)
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    comment: Mapped[str | None] = mapped_column(LongText)
    comment_message_id: Mapped[int | None] = mapped_column(Id)
