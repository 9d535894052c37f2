"""Saved views: named filters of conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, JsonDict, UTCDateTime
from host.models.users import User, Workspace


class SavedView(Base):
    """A named filter: of one member, or shared with the workspace."""

    __tablename__ = "saved_views"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_saved_views_workspace_id", "workspace_id", "owner_id", "position"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    """The member who owns it; NULL if it is shared with the workspace."""
    name: Mapped[str] = mapped_column(sa.String(64))
    condition: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """The filter's fields that matter, see :mod:`host.inbox.saved_views`."""
    position: Mapped[int] = mapped_column(sa.Integer)
    """Its position in the list; equal positions are sorted by id."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
