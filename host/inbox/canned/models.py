"""Tables of canned replies with their files, and of macros."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, UTCDateTime
from host.inbox.teams.models import Team
from host.models.users import User, Workspace


class CannedReply(Base):
    """A saved reply of a member, of a team, or shared with the workspace."""

    __tablename__ = "canned_replies"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_canned_replies_workspace_id", "workspace_id", "shortcut_key"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Team.id, ondelete="SET NULL"), index=True)
    """The team that owns it. If the team is deleted, the reply becomes shared."""
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    """The member who owns it. Without a member and a team, it is shared with the workspace."""
    shortcut: Mapped[str] = mapped_column(sa.String(64))
    shortcut_key: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of the folded shortcut, as with label names."""
    title: Mapped[str] = mapped_column(sa.String(120))
    texts: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """By language, see :data:`host.inbox.canned.replies.ANY`."""
    uses: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Number of replies sent with it."""
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class CannedFile(Base):
    """A file of a canned reply. Each sent reply gets its own upload of the same bytes."""

    __tablename__ = "canned_files"
    __writers__ = ("inbox",)
    __table_args__ = (sa.Index("ix_canned_files_storage_key", "storage_key"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    canned_id: Mapped[int] = mapped_column(sa.ForeignKey(CannedReply.id, ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    name: Mapped[str] = mapped_column(sa.String(255))
    content_type: Mapped[str] = mapped_column(sa.String(127))
    size: Mapped[int] = mapped_column(sa.BigInteger)
    width: Mapped[int | None] = mapped_column(sa.Integer)
    height: Mapped[int | None] = mapped_column(sa.Integer)
    storage_key: Mapped[str] = mapped_column(Ascii64)


class Macro(Base):
    """Several actions on a conversation with one click: personal, or shared with the workspace."""

    __tablename__ = "macros"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_macros_workspace_id", "workspace_id", "owner_id"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    """The member who owns it; NULL if it is shared with the workspace."""
    name: Mapped[str] = mapped_column(sa.String(64))
    steps: Mapped[list[Any]] = mapped_column(JsonDict)
    """In order, see :mod:`host.inbox.canned.macros`."""
    uses: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
