"""Tables of assistants: their versions, accounts, knowledge and tools, and a row for each turn."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation
from host.models.users import User, Workspace


class LanguageModel(Base):
    """A language model that assistants can use. Its key is sealed with its uuid."""

    __tablename__ = "language_models"
    __writers__ = ("assistants",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(64))
    speaks: Mapped[str] = mapped_column(sa.String(16))
    """Its protocol, a name of :class:`host.assistants.values.Speaks`."""
    address: Mapped[str] = mapped_column(sa.Text)
    """Base URL of its API, without a trailing slash."""
    model: Mapped[str] = mapped_column(sa.String(200))
    key: Mapped[str | None] = mapped_column(sa.Text)
    """NULL if it needs none."""
    price_in: Mapped[int] = mapped_column(sa.BigInteger)
    """Price of a million input tokens, in millionths; 0 if free."""
    price_out: Mapped[int] = mapped_column(sa.BigInteger)
    """Price of a million output tokens, likewise."""
    currency: Mapped[str] = mapped_column(sa.String(3))
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the last trial."""
    problem: Mapped[str | None] = mapped_column(Ascii64)
    """Error of the last trial, a key of the reasons; NULL if it succeeded."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Assistant(Base):
    """An assistant that answers customers from its knowledge."""

    __tablename__ = "assistants"
    __writers__ = ("assistants",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(64))
    version: Mapped[int] = mapped_column(sa.Integer)
    """Number of its current version."""
    model_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey(LanguageModel.id, ondelete="SET NULL"), index=True
    )
    """NULL: it has no model, and offers topics."""
    lost_model: Mapped[str | None] = mapped_column(sa.String(64))
    """Name of its model that was deleted, until another, or none, is chosen; NULL: none was."""
    stopped_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time at which it was stopped; NULL if it is running."""
    knowledge_version: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Increases whenever its knowledge changes."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AssistantVersion(Base):
    """A version of an assistant's content. It never changes, because turns refer to it."""

    __tablename__ = "assistant_versions"
    __writers__ = ("assistants",)

    assistant_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Assistant.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    body: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """See :class:`host.assistants.values.Body`."""
    author: Mapped[str] = mapped_column(sa.String(255))
    """Name of its author at that time."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class Mode(StrEnum):
    """The mode of an assistant on an account."""

    OFF = "off"
    SHADOW = "shadow"
    """Thinks without showing its answer, which is later shown next to the person's answer."""
    SUGGEST = "suggest"
    """Suggests its answer to people."""
    ANSWER = "answer"
    """Answers automatically."""


class AssistantAccount(Base):
    """An account of an assistant. An account has at most one assistant."""

    __tablename__ = "assistant_accounts"
    __writers__ = ("assistants",)
    __table_args__ = (sa.Index("ix_assistant_accounts_workspace_id", "workspace_id"), Base.__table_args__)

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    mode: Mapped[str] = mapped_column(sa.String(16))
    answers_on: Mapped[list[str]] = mapped_column(JsonDict)
    """Kinds of messages it answers, names of :class:`host.automation.deciding.Sent`."""
    needed: Mapped[int] = mapped_column(sa.Integer)
    """Suggestions that must be accepted unchanged before it may answer automatically."""
    opened_by: Mapped[str | None] = mapped_column(sa.String(255))
    """Name of the person who let it answer before that; NULL if nobody did."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class EntryKind(StrEnum):
    """The origin of an entry."""

    PASTED = "pasted"
    FILE = "file"
    """Markdown, plain text or PDF."""
    PAGE = "page"
    """A page of the web."""
    PAST = "past"
    """Past answers of the team."""


class EntryState(StrEnum):
    """Whether an entry is used."""

    READY = "ready"
    WAITING = "waiting"
    """Not yet read."""
    FAILED = "failed"
    """Could not be read; its earlier text is no longer used."""
    GONE = "gone"
    """The page no longer exists."""


class KnowledgeEntry(Base):
    """An entry of an assistant's knowledge: its text, and questions it answers."""

    __tablename__ = "knowledge_entries"
    __writers__ = ("assistants",)
    __table_args__ = (
        sa.Index("ix_knowledge_entries_assistant_id", "assistant_id", "id"),
        sa.Index("ix_knowledge_entries_due_at", "due_at"),
        sa.Index("ix_knowledge_entries_workspace_id", "workspace_id"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    title: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(LongText)
    questions: Mapped[list[str]] = mapped_column(JsonDict)
    """Example questions of customers."""
    origin: Mapped[str | None] = mapped_column(LongText)
    """The address of its page, the name of its file, or the name of its author."""
    state: Mapped[str] = mapped_column(sa.String(16))
    problem: Mapped[str | None] = mapped_column(Ascii64)
    """Why it could not be read, a key of the reasons."""
    digest: Mapped[str | None] = mapped_column(Ascii64)
    """SHA-256 of the text, to detect that it is unchanged."""
    checked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Time its text was last written or confirmed; its age counts from here."""
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time at which its page is read next; NULL if it has no page."""
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class KnowledgePassage(Base):
    """A part of an entry, small enough for a model."""

    __tablename__ = "knowledge_passages"
    __writers__ = ("assistants",)
    __table_args__ = (
        sa.Index("ix_knowledge_passages_assistant_id", "assistant_id", "id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"))
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey(KnowledgeEntry.id, ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(sa.Integer)
    place: Mapped[str] = mapped_column(sa.String(64))
    """Position in the entry, such as its page; empty if unknown."""
    text: Mapped[str] = mapped_column(LongText)


class TurnState(StrEnum):
    """The state of a turn."""

    WAITING = "waiting"
    """Waiting for the customer to pause, until ``due_at``."""
    THINKING = "thinking"
    READY = "ready"
    """Waiting for a person's decision."""
    SENT = "sent"
    DISMISSED = "dismissed"
    """Dismissed by a person."""
    DISCARDED = "discarded"
    """Overtaken by something else, named in ``reason``."""
    HANDED_OVER = "handed_over"
    """Handed to a person without an answer; ``reason`` says why."""
    FAILED = "failed"
    """Failed; ``reason`` names the error."""


class TurnOutcome(StrEnum):
    """A person's reaction to a suggestion."""

    TAKEN = "taken"
    """Sent unchanged."""
    USED = "used"
    """Sent unchanged by a program, so no person confirmed that it was good."""
    EDITED = "edited"
    WRITTEN = "written"
    """Replaced by another text."""
    DISMISSED = "dismissed"


class AssistantTurn(Base):
    """A customer's message, and the assistant's answer to it.

    There is at most one for the newest message, so nothing is answered twice. It stores the assistant's text
    but not the customer's, which is deleted with their messages.
    """

    __tablename__ = "assistant_turns"
    __writers__ = ("assistants",)
    __table_args__ = (
        sa.UniqueConstraint("conversation_id", "message_id"),
        sa.Index("ix_assistant_turns_due", "state", "due_at", "id"),
        sa.Index("ix_assistant_turns_workspace", "workspace_id", "created_at"),
        sa.Index("ix_assistant_turns_assistant", "assistant_id", "created_at"),
        sa.Index("ix_assistant_turns_account", "account_id", "outcome"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(sa.Integer)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    message_id: Mapped[int] = mapped_column(Id)
    """The customer's newest message that it answers."""
    messages: Mapped[int] = mapped_column(sa.Integer)
    """Number of the customer's messages since the last answer."""
    mode: Mapped[str] = mapped_column(sa.String(16))
    """The :class:`Mode` when it began."""
    state: Mapped[str] = mapped_column(sa.String(16))
    first_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Time the first of those messages was received."""
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    fence: Mapped[int] = mapped_column(sa.Integer)
    """Fencing token, increased with each try: a holder of an older one writes nothing."""
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Number of tries since it was last requested."""
    text: Mapped[str] = mapped_column(LongText)
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """Sources of its answer, see :class:`host.assistants.values.Cited`."""
    offers: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """The topics it offers, see :class:`host.assistants.values.Topic`."""
    model: Mapped[str | None] = mapped_column(sa.String(200))
    tokens_in: Mapped[int] = mapped_column(sa.Integer)
    tokens_out: Mapped[int] = mapped_column(sa.Integer)
    cost: Mapped[int] = mapped_column(sa.BigInteger)
    """In millionths of the model's currency; while it is running, its maximum cost."""
    took_ms: Mapped[int] = mapped_column(sa.Integer)
    reason: Mapped[str | None] = mapped_column(Ascii64)
    """A key of :data:`host.assistants.words.REASONS`."""
    outcome: Mapped[str | None] = mapped_column(sa.String(16))
    """A name of :class:`TurnOutcome`; NULL if nobody has decided."""
    right: Mapped[bool | None] = mapped_column(sa.Boolean)
    """A person's rating; NULL if not rated."""
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"), index=True)
    sent_id: Mapped[int | None] = mapped_column(Id)
    """The first message sent from it."""
    answered_id: Mapped[int | None] = mapped_column(Id)
    """The first message a person wrote instead; it may be deleted."""
    cause_id: Mapped[int] = mapped_column(Id, default=0)
    """The event that caused it; it may be deleted."""
    root_id: Mapped[int] = mapped_column(Id, default=0)
    """The first event of that chain."""
    depth: Mapped[int] = mapped_column(sa.SmallInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AssistantTool(Base):
    """Another program that an assistant can call. Its secret is sealed with its uuid."""

    __tablename__ = "assistant_tools"
    __writers__ = ("assistants",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Ascii64)
    """Its name for the model: lower-case letters, digits and underscores."""
    title: Mapped[str] = mapped_column(sa.String(64))
    about: Mapped[str] = mapped_column(sa.Text)
    """Instructions for the model on when to use it."""
    url: Mapped[str] = mapped_column(sa.Text)
    parameters: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """JSON schema of the arguments the model fills in."""
    header: Mapped[str] = mapped_column(Ascii64)
    """Name of the header with the secret."""
    secret: Mapped[str | None] = mapped_column(sa.Text)
    effect: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class CallState(StrEnum):
    """The state of a tool call."""

    BEGUN = "begun"
    """Started. Without a later state, it is unknown whether it was done."""
    DONE = "done"
    FAILED = "failed"
    ASKED = "asked"
    """Waiting for a person's approval."""
    ALLOWED = "allowed"
    """Approved by a person, but not yet done."""
    REFUSED = "refused"


class AssistantCall(Base):
    """A tool call of a turn."""

    __tablename__ = "assistant_calls"
    __writers__ = ("assistants",)
    __table_args__ = (sa.UniqueConstraint("turn_id", "number"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    turn_id: Mapped[int] = mapped_column(sa.ForeignKey(AssistantTurn.id, ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(sa.Integer)
    tool: Mapped[str] = mapped_column(Ascii64)
    arguments: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    state: Mapped[str] = mapped_column(sa.String(16))
    result: Mapped[str] = mapped_column(LongText)
    key: Mapped[str] = mapped_column(Ascii64)
    """Idempotency key, sent with each try so that the other program acts only once."""
    took_ms: Mapped[int] = mapped_column(sa.Integer)
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class AssistantCase(Base):
    """A question with a description of a good answer, to be tried with each version."""

    __tablename__ = "assistant_cases"
    __writers__ = ("assistants",)
    __table_args__ = (
        sa.Index("ix_assistant_cases_conversation_id", "conversation_id"),
        sa.Index("ix_assistant_cases_workspace_id", "workspace_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int | None] = mapped_column(Id)
    """The conversation of the question; erasing it also deletes the case."""
    question: Mapped[str] = mapped_column(LongText)
    hands_over: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether a person should answer it."""
    says: Mapped[list[str]] = mapped_column(JsonDict)
    """Words a good answer contains."""
    never_says: Mapped[list[str]] = mapped_column(JsonDict)
    tried_version: Mapped[int | None] = mapped_column(sa.Integer)
    """The version it was last tried with; NULL if never."""
    passed: Mapped[bool | None] = mapped_column(sa.Boolean)
    answer: Mapped[str] = mapped_column(LongText)
    """The answer of that version."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class DismissedAnswer(Base):
    """An answer of the team that is no longer suggested to an assistant as an entry.

    Its text is not stored, because it may contain data a customer has erased.
    """

    __tablename__ = "dismissed_answers"
    __writers__ = ("assistants",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    sketch: Mapped[list[int]] = mapped_column(JsonDict)
    """A 16-bit number for each of its words. Many words share a number, so it can be compared but not read.
    """
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
