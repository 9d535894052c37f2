"""Drafts of people."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, LongText, UTCDateTime
from host.models.inbox import Conversation
from host.models.media import Upload
from host.models.users import User, Workspace


class KeptDraft(Base):
    """A person's drafts in a conversation: replies, notes, and their files and other data.

    The row stays when the draft is empty, so that its version shows a device with an old copy that the copy
    is out of date.
    """

    __tablename__ = "kept_drafts"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_kept_drafts_conversation_id", "conversation_id"),
        sa.Index("ix_kept_drafts_workspace_id", "workspace_id"),
        sa.Index("ix_kept_drafts_saved_at", "saved_at"),
        Base.__table_args__,
    )

    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    conversation_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(sa.BigInteger)
    """Increases with each change. It starts at random, so that versions of a deleted row don't match a new
    one."""
    content: Mapped[str] = mapped_column(LongText)
    """JSON, see :class:`host.inbox.kept_drafts.content.Content`; empty for an empty draft."""
    saved_at: Mapped[datetime] = mapped_column(UTCDateTime)


class KeptDraftFile(Base):
    """An upload that a draft names, kept as long as the draft."""

    __tablename__ = "kept_draft_files"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["user_id", "conversation_id"],
            ["kept_drafts.user_id", "kept_drafts.conversation_id"],
            ondelete="CASCADE",
        ),
        sa.Index("ix_kept_draft_files_upload_id", "upload_id"),
        Base.__table_args__,
    )

    user_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    conversation_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    upload_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Upload.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
