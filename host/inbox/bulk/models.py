"""Tables of bulk actions, with the earlier values of each conversation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, JsonDict, UTCDateTime
from host.models.inbox import Conversation
from host.models.users import User, Workspace


class BulkState(StrEnum):
    """The state of a bulk action."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """Stopped by a person; changes made until then stay."""
    UNDOING = "undoing"
    UNDONE = "undone"


class BulkItemState(StrEnum):
    """The result for one conversation of a bulk action."""

    WAITING = "waiting"
    CHANGED = "changed"
    SAME = "same"
    """Unchanged, because it already had the wanted values."""
    SKIPPED = "skipped"
    """Skipped, because it was deleted or the new assignee may not answer there."""
    LOST = "lost"
    """Left alone, because somebody else changed it since a page showed it."""
    RESTORED = "restored"
    KEPT = "kept"
    """Not undone, because somebody changed it since."""


class BulkAction(Base):
    """One change of the conversations in :class:`BulkItem`. A worker locks the row during a batch."""

    __tablename__ = "bulk_actions"
    __writers__ = ("inbox.bulk",)
    __table_args__ = (
        sa.Index("ix_bulk_actions_state", "state", "id"),
        sa.Index("ix_bulk_actions_workspace_id", "workspace_id", "id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    """The member who started it; NULL for a program, see *key_name*."""
    key_name: Mapped[str | None] = mapped_column(sa.String(120))
    action: Mapped[str] = mapped_column(sa.String(16))
    """A key of :data:`host.inbox.bulk.actions.ACTIONS`."""
    argument: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    state: Mapped[str] = mapped_column(sa.String(16))
    total: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class BulkItem(Base):
    """A conversation of a bulk action: all are stored when it begins, and none is added later."""

    __tablename__ = "bulk_items"
    __writers__ = ("inbox.bulk",)
    __table_args__ = (
        sa.Index("ix_bulk_items_state", "bulk_id", "state", "conversation_id"),
        Base.__table_args__,
    )

    bulk_id: Mapped[int] = mapped_column(
        sa.ForeignKey(BulkAction.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    conversation_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    state: Mapped[str] = mapped_column(sa.String(16))
    before: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """The changed fields before the action; NULL if nothing changed. While it waits, how a page showed it."""
    after: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """The same fields after the action: undo skips the conversation if they differ by then. If it was lost,
    the activity line."""
