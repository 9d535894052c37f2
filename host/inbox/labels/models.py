"""Labels of a workspace, and those of each conversation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, UTCDateTime
from host.models.inbox import Conversation
from host.models.users import Workspace


class LabelTone(StrEnum):
    """The palette of labels. ``labels.css`` has background and text colours of each, light and dark."""

    GREY = "grey"
    BLUE = "blue"
    TEAL = "teal"
    GREEN = "green"
    AMBER = "amber"
    ORANGE = "orange"
    RED = "red"
    PINK = "pink"
    VIOLET = "violet"


class Label(Base):
    """A name with a colour that conversations of a workspace can have."""

    __tablename__ = "labels"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name_key"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    name_key: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of the folded name, see :func:`host.inbox.names.name_key`: "Order" and "ORDER" are the same
    label, independent of the database's collation."""
    tone: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ConversationLabel(Base):
    """A label of a conversation. Written while the conversation is locked."""

    __tablename__ = "conversation_labels"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_conversation_labels_label", "label_id", "conversation_id"),
        Base.__table_args__,
    )

    conversation_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    label_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Label.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime] = mapped_column(UTCDateTime)


NAMES = sa.select(Label.id, Label.name)
"""Names of the labels that events name by id."""
