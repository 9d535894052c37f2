"""Tables of sequences, their versions and runs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.inbox import Contact, Conversation
from host.models.users import Workspace


class SequenceState(StrEnum):
    """State of a sequence."""

    DRAFT = "draft"
    """Never published."""
    LIVE = "live"
    OFF = "off"
    """Turned off: nothing starts. Runs go on unless they were ended with it."""


class WaitsFor(StrEnum):
    """The thing that a run waits for."""

    NOTHING = "nothing"
    """Nothing: the run goes on as soon as a worker is free."""
    ANSWER = "answer"
    """An answer to its question."""
    MESSAGE = "message"
    """Any message of the customer."""
    TIME = "time"
    CALL = "call"
    """The answer of a program. ``due_at`` is when it is asked, or asked again if nobody noted its answer."""
    PERSON = "person"
    """A person, who writes with the customer: the run is paused."""


ENDED_BY_TEAM = "ended_by_team"
"""Reason that a run has while it runs, if it is to be ended."""

FEATURE_OFF = "sequences_off"
"""Reason of a run that ended because an admin turned off sequences."""

MOVED = "moved"
"""Reason that a run has while it runs, if it is to enter its step, which is of another version."""


class Sequence(Base):
    """A sequence of a workspace: steps that follow a customer's message."""

    __tablename__ = "sequences"
    __writers__ = ("sequences",)
    __table_args__ = (
        sa.Index("ix_sequences_workspace_id", "workspace_id", "position", "id"),
        # Buttons in customers' hands name runs, and events name sequences: ids are never used again.
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    position: Mapped[int] = mapped_column(sa.Integer)
    """Its priority: the first of several that a message would start is started. Ties are broken by id."""
    version: Mapped[int] = mapped_column(sa.Integer)
    """Its newest version; a draft if it is not the live one."""
    live_version: Mapped[int | None] = mapped_column(sa.Integer)
    """The published version; None: it was never published."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SequenceSecret(Base):
    """The secret that signs a sequence's calls of programs, sealed with its uuid."""

    __tablename__ = "sequence_secrets"
    __writers__ = ("sequences",)
    __table_args__ = (sa.Index("ix_sequence_secrets_workspace_id", "workspace_id"), Base.__table_args__)

    sequence_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Sequence.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    uuid: Mapped[str] = mapped_column(Ascii64)
    secret: Mapped[str] = mapped_column(sa.Text)


class SequenceVersion(Base):
    """A version of a sequence's definition. Immutable once it was published; runs end on their version."""

    __tablename__ = "sequence_versions"
    __writers__ = ("sequences",)

    sequence_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Sequence.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    body: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """See :class:`host.sequences.body.Body`."""
    author: Mapped[str] = mapped_column(sa.String(255))
    """Name of its author at that time."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class SequenceRun(Base):
    """A contact's way through a sequence.

    A step is done in the write that moves the run, so none is done twice or lost, whatever is killed.
    """

    __tablename__ = "sequence_runs"
    __writers__ = ("sequences",)
    __table_args__ = (
        # A contact is in one sequence at a time. The column is null once the run ended.
        sa.UniqueConstraint("active_contact_id", name="uq_sequence_runs_active"),
        sa.UniqueConstraint("sequence_id", "root_id", name="uq_sequence_runs_root"),
        sa.Index("ix_sequence_runs_due", "due_at", "id"),
        sa.Index("ix_sequence_runs_conversation", "conversation_id", "id"),
        sa.Index("ix_sequence_runs_contact_id", "contact_id"),
        sa.Index("ix_sequence_runs_workspace_id", "workspace_id"),
        sa.Index("ix_sequence_runs_step", "sequence_id", "version", "step"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    sequence_id: Mapped[int] = mapped_column(sa.ForeignKey(Sequence.id, ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(sa.Integer)
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey(Contact.id, ondelete="CASCADE"))
    active_contact_id: Mapped[int | None] = mapped_column(Id)
    """The contact while it runs, otherwise null."""
    started_by: Mapped[str] = mapped_column(sa.String(16))
    """``words``, ``tap``, ``ref``, ``first``, ``story``, ``rule``, ``campaign`` or ``api``."""
    waits_for: Mapped[str] = mapped_column(sa.String(16))
    step: Mapped[str] = mapped_column(Ascii64)
    """The step it is at, or ended at."""
    number: Mapped[int] = mapped_column(sa.Integer)
    """How many steps it entered: the number of its row in ``sequence_visits``, and a part of the keys of what
    it sends."""
    tries: Mapped[int] = mapped_column(sa.SmallInteger)
    """How often the question was asked again, or the program."""
    message_id: Mapped[int | None] = mapped_column(Id)
    """The last message of the customer it went on with. Older ones and itself are no answer."""
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it goes on by itself; null: not by itself, or it ended."""
    attempts: Mapped[int] = mapped_column(sa.SmallInteger)
    """How often going on failed in a row."""
    cause_id: Mapped[int] = mapped_column(Id)
    """The event that started it; it may be deleted."""
    root_id: Mapped[int] = mapped_column(Id)
    """The first event of that chain."""
    depth: Mapped[int] = mapped_column(sa.SmallInteger)
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    moved_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When it entered its step."""
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    outcome: Mapped[str | None] = mapped_column(sa.String(16))
    """Null while it runs; then ``done``, ``people``, ``stopped`` or ``failed``."""
    reason: Mapped[str | None] = mapped_column(Ascii64)
    """Why it was stopped: a key of :data:`host.automation.words.REASONS`, or the code of a refusal."""

    def end(self, outcome: str, reason: str | None, now: datetime) -> None:
        """Note that the run ended, in a write that holds its row."""
        self.outcome, self.reason, self.ended_at = outcome, reason, now
        self.active_contact_id, self.due_at, self.waits_for = None, None, WaitsFor.NOTHING


class SequenceVisit(Base):
    """A step that a run entered. Holds ids, never texts."""

    __tablename__ = "sequence_visits"
    __writers__ = ("sequences",)

    run_id: Mapped[int] = mapped_column(
        sa.ForeignKey(SequenceRun.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    step: Mapped[str] = mapped_column(Ascii64)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    way: Mapped[str | None] = mapped_column(sa.String(16))
    """The way out it took, a kind of :func:`host.sequences.body.ways_out`; null: none yet, or it ended."""
    refused: Mapped[str | None] = mapped_column(Ascii64)
    """Why its action was not done; null: it was."""
    message_id: Mapped[int | None] = mapped_column(Id)
    """Our message that it sent."""


class SequenceAnswer(Base):
    """An answer that a run keeps for its texts and branches."""

    __tablename__ = "sequence_answers"
    __writers__ = ("sequences",)
    __table_args__ = (sa.Index("ix_sequence_answers_message_id", "message_id"), Base.__table_args__)

    run_id: Mapped[int] = mapped_column(
        sa.ForeignKey(SequenceRun.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    value: Mapped[str] = mapped_column(LongText)
    message_id: Mapped[int | None] = mapped_column(Id)
    """The customer's message it comes from. If that is unsent or erased, it goes, too."""
