"""Mentions: who is named in which note, and whether they have seen it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, UTCDateTime
from host.models.inbox import Conversation, Message
from host.models.users import User


class Mention(Base):
    """A member who is named in a note, or whose team is. It goes with what the note says."""

    __tablename__ = "mentions"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_mentions_user", "user_id", "conversation_id", "seen_at"),
        Base.__table_args__,
    )

    message_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Message.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    conversation_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they first looked at the conversation after that; NULL: they have not."""
    team_id: Mapped[int | None] = mapped_column(Id)
    """The team of theirs that is named, and may be gone by now; NULL: they are named themselves."""
