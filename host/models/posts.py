"""Posts with customers' comments, and the state of those comments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, ExternalId, Id, JsonDict, LongText, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, Message
from host.models.users import User, Workspace


class Post(Base):
    """A post at the provider that customers comment on."""

    __tablename__ = "posts"
    __writers__ = ("delivery", "inbox", "media")
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.Index("ix_posts_workspace_id", "workspace_id", "id"),
        sa.Index("ix_posts_due_at", "due_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    kind: Mapped[str] = mapped_column(sa.String(16))
    """A name of :class:`host.sdk.messages.PostKind`."""
    text: Mapped[str] = mapped_column(LongText)
    url: Mapped[str] = mapped_column(LongText)
    picture_url: Mapped[str | None] = mapped_column(LongText)
    """Address of its picture at the provider, until it expires; browsers never get it."""
    owner: Mapped[str] = mapped_column(sa.String(255))
    """Handle of its owner; empty for the account."""
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time a broadcast ended."""
    gone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time the provider first reported it as deleted."""
    fetched_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time to ask the provider about it next; NULL for never."""
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PrivateReply(Base):
    """The private reply to a customer's message, of which there is at most one.

    ``message_id`` is our message. Another one replaces it only if it definitely failed or was cancelled.
    """

    __tablename__ = "private_replies"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.Index("ix_private_replies_message_id", "message_id"),
        sa.Index("ix_private_replies_attempted", "account_id", "attempted_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    """The external id of the message that is answered."""
    message_id: Mapped[int] = mapped_column(sa.ForeignKey(Message.id, ondelete="CASCADE"))
    attempted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was last passed to the provider; NULL: not yet."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class MessageModeration(Base):
    """The team's moderation of a customer's message at the provider."""

    __tablename__ = "message_moderations"
    __writers__ = ("delivery", "inbox")
    __table_args__ = (
        sa.Index("ix_message_moderations_next_at", "next_at"),
        sa.Index("ix_message_moderations_conversation_id", "conversation_id"),
        sa.Index("ix_message_moderations_author_id", "author_id"),
        Base.__table_args__,
    )

    message_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Message.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), index=True)
    wanted: Mapped[str] = mapped_column(sa.String(16))
    """A name of :class:`host.sdk.channel.Moderated`."""
    stood: Mapped[str] = mapped_column(sa.String(16))
    """The state the provider confirmed."""
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    author: Mapped[str] = mapped_column(sa.String(255))
    """The rule or API key that did it; empty for the message's author, or a deleted person."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    state: Mapped[str] = mapped_column(sa.String(16))
    """Queued, sent or failed."""
    error: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time to ask the provider; NULL for never."""


class LookUp(Base):
    """An event whose content only the provider has; deleted once that is stored."""

    __tablename__ = "look_ups"
    __writers__ = ("delivery",)
    __table_args__ = (
        sa.UniqueConstraint("event_id", "number"),
        sa.Index("ix_look_ups_due_at", "due_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), index=True)
    event_id: Mapped[int] = mapped_column(Id)
    """The received event."""
    number: Mapped[int] = mapped_column(sa.Integer)
    """Its number among the event's look-ups."""
    what: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
