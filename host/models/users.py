"""Users, their logins, workspaces and who belongs to which."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, UTCDateTime


class Role(StrEnum):
    """What a member may do in a workspace. Admin is not a role but a property of a user."""

    OWNER = "owner"
    AGENT = "agent"


class User(Base):
    """A person of the team."""

    __tablename__ = "users"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    is_admin: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    theme: Mapped[str] = mapped_column(sa.String(8), default="auto")
    locale: Mapped[str | None] = mapped_column(sa.String(16))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class LoginSession(Base):
    """One signed-in browser. The cookie holds the token, the row its SHA-256, so a dump gives no access."""

    __tablename__ = "login_sessions"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When the password was typed last in this browser."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    remote: Mapped[str] = mapped_column(sa.String(64))


class Workspace(Base):
    """A team with its own inbox, contacts and channel accounts."""

    __tablename__ = "workspaces"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Membership(Base):
    """A user in a workspace."""

    __tablename__ = "memberships"
    __writers__ = ("users",)

    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Workspace.id, ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(sa.String(16))


class Invitation(Base):
    """A link that lets a person join a workspace, once."""

    __tablename__ = "invitations"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(sa.String(254))
    role: Mapped[str] = mapped_column(sa.String(16))
    invited_by: Mapped[int] = mapped_column(sa.ForeignKey(User.id))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AuditEntry(Base):
    """An action on the installation or a workspace, and who did it. Never holds a secret."""

    __tablename__ = "audit_entries"
    __writers__ = ("users",)
    __table_args__ = (sa.Index("ix_audit_entries_workspace_id_id", "workspace_id", "id"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    workspace_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(sa.String(64))
    subject: Mapped[str] = mapped_column(sa.String(255))
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    remote: Mapped[str] = mapped_column(sa.String(64))


class InstallationValue(Base):
    """A fact about the installation as a whole, such as the hash of the set-up token."""

    __tablename__ = "installation_values"
    __writers__ = ("addons", "delivery", "queue", "users")

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    value: Mapped[str] = mapped_column(sa.String(255))


class Counter(Base):
    """A number every process watches: ``generation`` (which addons run), ``accounts`` (who is connected)."""

    __tablename__ = "counters"
    __writers__ = ("counters",)

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)
