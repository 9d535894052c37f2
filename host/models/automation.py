"""What the desk says and does by itself: the settings of each account, and a row for each thing to do."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity, Conversation
from host.models.teams import Team
from host.models.users import Workspace


class AccountAutomation(Base):
    """What an account says and does by itself. Without a row it is nothing."""

    __tablename__ = "account_automations"
    __writers__ = ("automation",)
    __table_args__ = (
        sa.Index("ix_account_automations_workspace_id", "workspace_id"),
        sa.Index("ix_account_automations_team_id", "team_id"),
        Base.__table_args__,
    )

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(sa.Integer)
    """Grows with each change; a run names the one it was made by."""
    greets: Mapped[bool] = mapped_column(sa.Boolean)
    greeting: Mapped[str] = mapped_column(LongText)
    silence_days: Mapped[int] = mapped_column(sa.Integer)
    """After how many days without a word a customer is greeted again."""
    greets_on: Mapped[list[str]] = mapped_column(JsonDict)
    """What a customer has to send for it, names of :class:`host.automation.deciding.Sent`."""
    tells_away: Mapped[bool] = mapped_column(sa.Boolean)
    away: Mapped[str] = mapped_column(LongText)
    routes: Mapped[bool] = mapped_column(sa.Boolean)
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Team.id, ondelete="SET NULL"))
    """Who gets new conversations; its hours are those of the account."""
    to_person: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether one of the team gets it, or it waits with the team."""
    to_last: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether a customer who returns goes to who wrote with them last."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class RuleState(StrEnum):
    """What a rule does when something happens."""

    DRAFT = "draft"
    """Nothing: it is being written."""
    SHADOW = "shadow"
    """It notes what it would have done."""
    LIVE = "live"
    OFF = "off"
    """Nothing any more."""


class Rule(Base):
    """A rule of a workspace: when something happens, if it is so, then something is done."""

    __tablename__ = "rules"
    __writers__ = ("automation",)
    __table_args__ = (
        sa.Index("ix_rules_workspace_id", "workspace_id", "position", "id"),
        # The runs of a rule that is gone are kept: no other rule may get its id.
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    position: Mapped[int] = mapped_column(sa.Integer)
    """Its place in the order; equal ones by id."""
    version: Mapped[int] = mapped_column(sa.Integer)
    """Which of its versions holds."""
    state_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Since when it is in this state."""
    turns: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """How often it answered publicly: which of several texts is next."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class RuleVersion(Base):
    """What a rule says, or said before. It never changes."""

    __tablename__ = "rule_versions"
    __writers__ = ("automation",)

    rule_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Rule.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    body: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """See :class:`host.automation.rules.body.Body`."""
    author: Mapped[str] = mapped_column(sa.String(255))
    """The name of who wrote it, as it was then."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class PersonOutcome(StrEnum):
    """What a campaign did for a person; how its message fares says the message."""

    ANSWERED = "answered"
    HAD = "had"
    """Somebody had answered them privately already."""
    REFUSED = "refused"
    """Nothing was sent; ``reason`` says why."""


class CampaignPerson(Base):
    """Somebody who wrote the word of a campaign, and what they got. Holds ids, never what they wrote."""

    __tablename__ = "campaign_people"
    __writers__ = ("automation",)
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
    """Where they wrote the word last."""
    message_id: Mapped[int] = mapped_column(Id)
    """The last message in which they did."""
    messages: Mapped[int] = mapped_column(sa.Integer)
    """In how many they did."""
    outcome: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(Ascii64)
    """Why nothing was sent, or no public answer; a key of :data:`host.automation.words.REASONS`, or the code
    of a refusal."""
    private_id: Mapped[int | None] = mapped_column(Id)
    """Our private reply, a row of ``messages``."""
    public_id: Mapped[int | None] = mapped_column(Id)
    public_number: Mapped[int | None] = mapped_column(sa.SmallInteger)
    """Which of the public answers it was, from 1."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When they wrote it last."""
    again_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they wrote it once more after they had got the reply."""
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they answered the private reply, where they got it."""


class RunState(StrEnum):
    """How far a run is."""

    DUE = "due"
    """To be done at ``due_at``."""
    WAITING = "waiting"
    """With its team, until somebody of it is on duty."""
    DONE = "done"
    SKIPPED = "skipped"
    """Not done; ``reason`` says why."""
    FAILED = "failed"
    """Tried several times, and given up."""


class AutomationRun(Base):
    """One thing to do because of one event, and what became of it.

    There is one of a kind for what began a chain of events, so that nothing is done twice and nothing goes
    round in circles. Holds ids and small facts, never what somebody wrote.
    """

    __tablename__ = "automation_runs"
    __writers__ = ("automation",)
    __table_args__ = (
        sa.UniqueConstraint("root_id", "kind", "automation_id", name="uq_automation_runs_once"),
        sa.Index("ix_automation_runs_due", "state", "due_at", "id"),
        sa.Index("ix_automation_runs_team", "team_id", "state", "id"),
        sa.Index("ix_automation_runs_conversation", "conversation_id", "outcome", "id"),
        sa.Index("ix_automation_runs_automation", "kind", "automation_id", "done_at"),
        sa.Index("ix_automation_runs_workspace_id", "workspace_id", "id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    """What made it, a name of :class:`host.automation.deciding.RunKind`."""
    automation_id: Mapped[int] = mapped_column(Id)
    """Which of its kind: of an account's settings, the id of the account."""
    automation_version: Mapped[int] = mapped_column(sa.Integer)
    """The version there was when the event was read; what is done follows the newest."""
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    message_id: Mapped[int | None] = mapped_column(Id)
    """The customer's message it is about."""
    cause_id: Mapped[int] = mapped_column(Id)
    """The event it is because of; it may be gone."""
    root_id: Mapped[int] = mapped_column(Id)
    """The first event of that chain."""
    depth: Mapped[int] = mapped_column(sa.SmallInteger)
    state: Mapped[str] = mapped_column(sa.String(16))
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    outcome: Mapped[str | None] = mapped_column(sa.String(16))
    """What was done: ``greeting``, ``away``, ``person`` or ``team``."""
    reason: Mapped[str | None] = mapped_column(Ascii64)
    """Why, a key of :data:`host.automation.words.REASONS`."""
    facts: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """What was known when it was decided."""
    sent_id: Mapped[int | None] = mapped_column(Id)
    """The last message it sent."""
    team_id: Mapped[int | None] = mapped_column(Id)
    """Of one that waits: with which team."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
