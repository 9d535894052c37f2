"""Automation of accounts: their settings, and a row for each run."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.inbox.teams.models import Team
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation
from host.models.users import Workspace


class AccountAutomation(Base):
    """Automation settings of an account. Without a row it has none."""

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
    """Increases with each change; a run names the version it was created by."""
    greets: Mapped[bool] = mapped_column(sa.Boolean)
    greeting: Mapped[str] = mapped_column(LongText)
    silence_days: Mapped[int] = mapped_column(sa.Integer)
    """Days without a message after which a customer is greeted again."""
    greets_on: Mapped[list[str]] = mapped_column(JsonDict)
    """Messages that trigger it, names of :class:`host.automation.deciding.Sent`."""
    tells_away: Mapped[bool] = mapped_column(sa.Boolean)
    away: Mapped[str] = mapped_column(LongText)
    routes: Mapped[bool] = mapped_column(sa.Boolean)
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Team.id, ondelete="SET NULL"))
    """The team that gets new conversations; its working hours are those of the account."""
    to_person: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether a member of the team gets it, or it waits with the team."""
    to_last: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether a returning customer goes to the member who last wrote with them."""
    has_buttons: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false(), default=False)
    """Whether taps on its ice breakers and menu items are answered or counted: it has rows of
    :class:`ButtonAnswer`."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ButtonAnswer(Base):
    """An ice breaker or menu item of an account that sends a payload, with the answer to a tap on it."""

    __tablename__ = "button_answers"
    __writers__ = ("automation",)
    __table_args__ = (
        sa.UniqueConstraint("account_id", "list_name", "digest", name="uq_button_answers_payload"),
        sa.Index("ix_button_answers_workspace_id", "workspace_id"),
        sa.Index("ix_button_answers_team_id", "team_id"),
        # An id is never used again: a tap that waits belongs to the button it was made on.
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    list_name: Mapped[str] = mapped_column(sa.String(16))
    """``ice_breakers`` or ``menu``."""
    digest: Mapped[str] = mapped_column(Ascii64)
    """Digest of the payload, see :func:`host.channels.button_payloads.digest`."""
    text: Mapped[str] = mapped_column(LongText)
    """The text that is sent; empty: none."""
    quick_replies: Mapped[list[str]] = mapped_column(JsonDict)
    """Titles of the quick replies below the text."""
    link_title: Mapped[str] = mapped_column(sa.String(64))
    link: Mapped[str] = mapped_column(LongText)
    """The address that a button below the text opens; empty: none."""
    hands_over: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether the conversation goes to a team. Without ``team_id``, that team was deleted."""
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Team.id, ondelete="SET NULL"))


class RunState(StrEnum):
    """The state of a run."""

    DUE = "due"
    """Scheduled for ``due_at``."""
    WAITING = "waiting"
    """Waiting with its team until a member is on duty."""
    DONE = "done"
    SKIPPED = "skipped"
    """Not done; ``reason`` says why."""
    FAILED = "failed"
    """Given up after several tries."""


class AutomationRun(Base):
    """An automated action caused by an event, and its result.

    There is at most one of a kind for the first event of a chain, so that nothing is done twice and there are
    no loops. It stores ids and small facts, never messages.
    """

    __tablename__ = "automation_runs"
    __writers__ = ("automation", "rules", "sequences")
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
    """The kind of automation that created it, a name of :class:`host.automation.deciding.RunKind`."""
    automation_id: Mapped[int] = mapped_column(Id)
    """The automation of its kind: for an account's settings, the id of the account."""
    automation_version: Mapped[int] = mapped_column(sa.Integer)
    """The version when the event was read; the newest one is executed."""
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    message_id: Mapped[int | None] = mapped_column(Id)
    """The customer's message that caused it."""
    cause_id: Mapped[int] = mapped_column(Id)
    """The event that caused it; it may be deleted."""
    root_id: Mapped[int] = mapped_column(Id)
    """The first event of that chain."""
    depth: Mapped[int] = mapped_column(sa.SmallInteger)
    state: Mapped[str] = mapped_column(sa.String(16))
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    outcome: Mapped[str | None] = mapped_column(sa.String(16))
    """The action: ``greeting``, ``away``, ``answer``, ``person`` or ``team``."""
    reason: Mapped[str | None] = mapped_column(Ascii64)
    """The reason, a key of :data:`host.automation.words.REASONS`."""
    facts: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """The facts the decision was based on."""
    sent_id: Mapped[int | None] = mapped_column(Id)
    """The last message it sent."""
    team_id: Mapped[int | None] = mapped_column(Id)
    """The team it waits for, if waiting."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
