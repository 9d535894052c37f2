"""The key of this desk for push services, devices that get pushes, and pushes to send."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, UTCDateTime
from host.models.notifications import Notification
from host.models.users import LoginSession, User


class PushKey(Base):
    """The VAPID key pair of this desk: one row, created with the first device."""

    __tablename__ = "push_keys"
    __writers__ = ("push",)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    public: Mapped[str] = mapped_column(sa.String(120))
    """The uncompressed point in base64url, as browsers want it."""
    private: Mapped[str] = mapped_column(sa.Text)
    """PEM, sealed."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PushDevice(Base):
    """A browser of a person that gets their pushes."""

    __tablename__ = "push_devices"
    __writers__ = ("push", "users")

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    session_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey(LoginSession.id, ondelete="SET NULL"), index=True
    )
    """The session in which it was last seen; NULL after that session expired. Signing out ends the device."""
    key_id: Mapped[int] = mapped_column(sa.ForeignKey(PushKey.id, ondelete="CASCADE"), index=True)
    """The key pair it was subscribed with: a push service accepts pushes from no other."""
    endpoint: Mapped[str] = mapped_column(sa.Text)
    """The address at its push service."""
    endpoint_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    host: Mapped[str] = mapped_column(sa.String(255))
    """The host of *endpoint*."""
    p256dh: Mapped[str] = mapped_column(sa.String(120))
    """Its public key in base64url."""
    auth: Mapped[str] = mapped_column(sa.Text)
    """Its authentication secret in base64url, sealed."""
    name: Mapped[str] = mapped_column(sa.String(255))
    """The browser and system, for its person."""
    content: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """Whether its person wants names and text in pushes."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Last time Lobby was open on it."""
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Last time its push service accepted a push."""


class PushDelivery(Base):
    """A notification to push to a device. The row is deleted when that is done."""

    __tablename__ = "push_deliveries"
    __writers__ = ("push", "notifications")
    __table_args__ = (
        sa.UniqueConstraint(
            "device_id", "notification_id", name="uq_push_deliveries_device_id_notification_id"
        ),
        sa.Index("ix_push_deliveries_due_at", "due_at"),
        sa.Index("ix_push_deliveries_notification_id", "notification_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    device_id: Mapped[int] = mapped_column(sa.ForeignKey(PushDevice.id, ondelete="CASCADE"))
    notification_id: Mapped[int] = mapped_column(sa.ForeignKey(Notification.id, ondelete="CASCADE"))
    wanted: Mapped[int] = mapped_column(sa.Integer, default=1)
    """Increased when an event joins the notification, so that one being sent is sent again."""
    tries: Mapped[int] = mapped_column(sa.Integer, default=0)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
