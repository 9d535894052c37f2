"""Notifications to users: in the desk, and by mail if that is set up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.users import User, Workspace


class Notification(Base):
    """One notification to one user. ``sentence`` and ``next_step`` are translated where they are shown."""

    __tablename__ = "notifications"
    __writers__ = ("notifications",)
    __table_args__ = (
        sa.Index("ix_notifications_user_id_read_at", "user_id", "read_at"),
        sa.Index("ix_notifications_mail_due_at", "mail_due_at"),
        sa.Index("ix_notifications_conversation_id", "conversation_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"))
    workspace_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int | None] = mapped_column(Id)
    """The account it is about, for members who only see some accounts."""
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
    """Time to mail it; NULL if it was mailed, is being mailed, or was given up."""
    mail_failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    kind: Mapped[str | None] = mapped_column(sa.String(32))
    """For a notification about a conversation: a name of :class:`host.notifications.rules.Kind`; NULL for an
    account or the desk.
    """
    conversation_id: Mapped[int | None] = mapped_column(Id)
    """The conversation it is about. The contact is stored only there, so no notification names an erased
    customer.
    """
    message_id: Mapped[int | None] = mapped_column(Id)
    """The message it is about, the newest of them."""
    times: Mapped[int] = mapped_column(sa.Integer, default=1, server_default="1")
    """Number of events it represents: further ones are added while it is unread."""
    told_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the newest of them; NULL if there is only one."""
    in_bell: Mapped[bool] = mapped_column(sa.Boolean, default=True, server_default=sa.true())
    """Whether the desk shows it; otherwise it is only mailed."""
    ways: Mapped[str | None] = mapped_column(sa.String(40))
    """Its other ways, names of :class:`host.notifications.rules.Way` separated by commas."""


class NotificationKey(Base):
    """An event of which a person was already notified. One row per event and person."""

    __tablename__ = "notification_keys"
    __writers__ = ("notifications",)

    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    thing: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    notification_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Notification.id, ondelete="CASCADE"), index=True
    )


class NotificationRule(Base):
    """The ways in which a person is notified of one kind of event. Without a row, the defaults."""

    __tablename__ = "notification_rules"
    __writers__ = ("notifications", "users")

    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    kind: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    ways: Mapped[str] = mapped_column(sa.String(40))
    """Names of :class:`host.notifications.rules.Way` separated by commas; empty for no notifications."""


class QuietHours(Base):
    """Hours in which a person is only notified within Lobby."""

    __tablename__ = "quiet_hours"
    __writers__ = ("notifications", "users")

    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    starts: Mapped[int] = mapped_column(sa.Integer)
    """Minutes after midnight; *ends* is on the next day unless it is later."""
    ends: Mapped[int] = mapped_column(sa.Integer)
    days: Mapped[int] = mapped_column(sa.Integer)
    """The days on which they start, as a bit mask: 1 for Monday, 2 for Tuesday, 4, 8, ..."""
    whole_days: Mapped[int] = mapped_column(sa.Integer)
    """The days that are quiet from midnight to midnight."""
    timezone: Mapped[str] = mapped_column(sa.String(64))
    """An IANA time zone name."""
