"""Bulk actions: one change of many conversations, made in portions, and what each conversation was before."""

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
    """How far a bulk action is."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """By somebody; what was changed until then stays."""
    UNDOING = "undoing"
    UNDONE = "undone"


class BulkItemState(StrEnum):
    """What became of one conversation of a bulk action."""

    WAITING = "waiting"
    CHANGED = "changed"
    SAME = "same"
    """It was as it should be already."""
    SKIPPED = "skipped"
    """It could not be changed: it is gone, or the person it should go to may not answer there."""
    RESTORED = "restored"
    KEPT = "kept"
    """It changed since, so undoing left it alone."""


class BulkAction(Base):
    """One change of the conversations in :class:`BulkItem`. Whoever does a portion has the row locked."""

    __tablename__ = "bulk_actions"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_bulk_actions_state", "state", "id"),
        sa.Index("ix_bulk_actions_workspace_id", "workspace_id", "id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    """Who asked for it; NULL: a program, see *key_name*."""
    key_name: Mapped[str | None] = mapped_column(sa.String(120))
    action: Mapped[str] = mapped_column(sa.String(16))
    """A key of :data:`host.inbox.bulk.ACTIONS`."""
    argument: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    state: Mapped[str] = mapped_column(sa.String(16))
    total: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class BulkItem(Base):
    """A conversation of a bulk action: all of them are written when it begins, and none comes in later."""

    __tablename__ = "bulk_items"
    __writers__ = ("inbox",)
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
    """What the action changed of it, as it was; NULL: nothing."""
    after: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """The same as the action left it: what is another by now is not put back."""
