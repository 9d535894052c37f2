"""Uploaded files, and files to remove."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, ExternalId, Id, UTCDateTime
from host.models.users import User, Workspace


class Upload(Base):
    """A file uploaded to be sent. If it is not sent, it is deleted after a day.

    ``content_type`` is detected from its bytes; ``kind`` follows from it.
    """

    __tablename__ = "uploads"
    __writers__ = ("media",)
    __table_args__ = (
        sa.Index("ix_uploads_created_at", "created_at"),
        sa.Index("ix_uploads_storage_key", "storage_key"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    """Its unguessable public name."""
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"), index=True)
    """The member who uploaded it; NULL for a program."""
    kind: Mapped[str] = mapped_column(sa.String(32))
    name: Mapped[str] = mapped_column(sa.String(255))
    content_type: Mapped[str] = mapped_column(sa.String(127))
    size: Mapped[int] = mapped_column(sa.BigInteger)
    width: Mapped[int | None] = mapped_column(sa.Integer)
    height: Mapped[int | None] = mapped_column(sa.Integer)
    storage_key: Mapped[str] = mapped_column(Ascii64)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    attached_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time it became a file of a message; it belongs to one message only."""


class PictureSender(Base):
    """A sender whose remote pictures are shown by default in the workspace, as a member decided."""

    __tablename__ = "picture_senders"
    __writers__ = ("media",)
    __table_args__ = (sa.UniqueConstraint("workspace_id", "sender"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    sender: Mapped[str] = mapped_column(ExternalId)
    """The sender's address in the channel."""
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class FileRemoval(Base):
    """A file to delete if no row names it. Written with the deletion of its row, handled later."""

    __tablename__ = "file_removals"
    __writers__ = ("media",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    storage_key: Mapped[str] = mapped_column(Ascii64)
