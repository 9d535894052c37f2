"""Mentions of members in notes, and whether they have seen them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, UTCDateTime
from host.models.inbox import Conversation, Message
from host.models.users import User


class Mention(Base):
    """A mention of a member or their team in a note. It is deleted with the note's content."""

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
    """Time they first opened the conversation after that; NULL if they have not."""
    team_id: Mapped[int | None] = mapped_column(Id)
    """The mentioned team, which may have been deleted; NULL if the member is mentioned directly."""
