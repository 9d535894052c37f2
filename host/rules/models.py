"""Tables of rules, their versions, and the people campaigns replied to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity, Conversation
from host.models.users import Workspace


class RuleState(StrEnum):
    """State of a rule."""

    DRAFT = "draft"
    """Inactive: it is still being written."""
    SHADOW = "shadow"
    """Shadow mode: only records what it would have done."""
    LIVE = "live"
    OFF = "off"
    """Turned off."""


class Rule(Base):
    """A rule of a workspace: when an event happens, if the conditions are met, then run the actions."""

    __tablename__ = "rules"
    __writers__ = ("rules",)
    __table_args__ = (
        sa.Index("ix_rules_workspace_id", "workspace_id", "position", "id"),
        # The runs of a deleted rule are kept, so its id must not be reused.
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    position: Mapped[int] = mapped_column(sa.Integer)
    """Its position in the order; ties are broken by id."""
    version: Mapped[int] = mapped_column(sa.Integer)
    """Its current version."""
    state_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When it entered its state."""
    turns: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Number of its public answers, which determines the next of several texts."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class RuleVersion(Base):
    """A version of a rule's definition. Immutable."""

    __tablename__ = "rule_versions"
    __writers__ = ("rules",)

    rule_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Rule.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    body: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """See :class:`host.rules.body.Body`."""
    author: Mapped[str] = mapped_column(sa.String(255))
    """Name of its author at that time."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class PersonOutcome(StrEnum):
    """Outcome of a campaign for a person. The delivery state is in the message itself."""

    ANSWERED = "answered"
    HAD = "had"
    """A private reply had already been sent to them."""
    REFUSED = "refused"
    """Nothing was sent; see ``reason``."""


class CampaignPerson(Base):
    """A person who commented with a campaign's keyword, and the outcome. Holds ids, never their text."""

    __tablename__ = "campaign_people"
    __writers__ = ("rules",)
    __table_args__ = (
        sa.UniqueConstraint("rule_id", "identity_id"),
        sa.Index("ix_campaign_people_newest", "rule_id", "message_id"),
        sa.Index("ix_campaign_people_identity_id", "identity_id"),
        sa.Index("ix_campaign_people_conversation_id", "conversation_id"),
        sa.Index("ix_campaign_people_workspace_id", "workspace_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    rule_id: Mapped[int] = mapped_column(sa.ForeignKey(Rule.id, ondelete="CASCADE"))
    identity_id: Mapped[int] = mapped_column(sa.ForeignKey(ContactIdentity.id, ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    """Conversation of their last comment with the keyword."""
    message_id: Mapped[int] = mapped_column(Id)
    """Their last message with the keyword."""
    messages: Mapped[int] = mapped_column(sa.Integer)
    """Number of their messages with the keyword."""
    outcome: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(Ascii64)
    """Why nothing was sent, or no public answer; a key of :data:`host.automation.words.REASONS`, or the code
    of a refusal."""
    private_id: Mapped[int | None] = mapped_column(Id)
    """Our private reply, a row of ``messages``."""
    public_id: Mapped[int | None] = mapped_column(Id)
    public_number: Mapped[int | None] = mapped_column(sa.SmallInteger)
    """Number of the public answer used, from 1."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When they last wrote it."""
    again_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they wrote it again after getting the reply."""
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they answered the private reply, if they got it."""
