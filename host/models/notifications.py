"""Notifications to users: in the desk, and by mail where that is set up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, JsonDict, LongText, UTCDateTime
from host.models.users import User, Workspace


class Notification(Base):
    """One notification to one user. ``sentence`` and ``next_step`` are translated where they are shown."""

    __tablename__ = "notifications"
    __writers__ = ("notifications",)
    __table_args__ = (
        sa.Index("ix_notifications_user_id_read_at", "user_id", "read_at"),
        sa.Index("ix_notifications_mail_due_at", "mail_due_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"))
    workspace_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int | None] = mapped_column(Id)
    """The account it is about, for members who see some accounts only."""
    tone: Mapped[str] = mapped_column(sa.String(8))
    """``warn`` or ``bad``."""
    title: Mapped[str] = mapped_column(sa.String(255))
    """A name, such as an account's; not translated."""
    sentence: Mapped[str] = mapped_column(LongText)
    next_step: Mapped[str] = mapped_column(LongText)
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """The values for ``%(name)s`` in the sentences."""
    path: Mapped[str] = mapped_column(sa.String(255))
    """The page it links to: an address of this desk, beginning with a slash."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    mail_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When to mail it; NULL: it was mailed, is being mailed, or was given up."""
    mail_failures: Mapped[int] = mapped_column(sa.Integer, default=0)
