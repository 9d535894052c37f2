"""Assistants: what each says, knows and may do, and a row for each time one thought about an answer."""

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
    """A language model that assistants may ask. Its key is sealed with its uuid."""

    __tablename__ = "language_models"
    __writers__ = ("automation",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(64))
    speaks: Mapped[str] = mapped_column(sa.String(16))
    """How it is spoken to, a name of :class:`host.automation.assistants.values.Speaks`."""
    address: Mapped[str] = mapped_column(sa.Text)
    """Where its interface begins, without a slash at the end."""
    model: Mapped[str] = mapped_column(sa.String(200))
    key: Mapped[str | None] = mapped_column(sa.Text)
    """NULL: it asks for none."""
    price_in: Mapped[int] = mapped_column(sa.BigInteger)
    """What a million tokens that are sent cost, in millionths; 0: nothing."""
    price_out: Mapped[int] = mapped_column(sa.BigInteger)
    """The same of tokens it answers with."""
    currency: Mapped[str] = mapped_column(sa.String(3))
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When somebody tried it last."""
    problem: Mapped[str | None] = mapped_column(Ascii64)
    """What went wrong then, a key of the reasons; NULL: nothing did."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Assistant(Base):
    """Something that answers customers from what it was given to know."""

    __tablename__ = "assistants"
    __writers__ = ("automation",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(64))
    version: Mapped[int] = mapped_column(sa.Integer)
    """Which of its versions holds."""
    model_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey(LanguageModel.id, ondelete="SET NULL"), index=True
    )
    """NULL: it asks none, and offers topics."""
    stopped_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When somebody stopped it at once; NULL: nobody did."""
    knowledge_version: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Grows whenever what it knows changes."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AssistantVersion(Base):
    """What an assistant is told to be, or was. It never changes: a turn names the one it was made by."""

    __tablename__ = "assistant_versions"
    __writers__ = ("automation",)

    assistant_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Assistant.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    body: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """See :class:`host.automation.assistants.values.Body`."""
    author: Mapped[str] = mapped_column(sa.String(255))
    """The name of who wrote it, as it was then."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class Mode(StrEnum):
    """What an assistant does on an account."""

    OFF = "off"
    SHADOW = "shadow"
    """It thinks, shows nobody, and what it would have said is set beside what a person answers."""
    SUGGEST = "suggest"
    """It shows people what it would answer."""
    ANSWER = "answer"
    """It answers by itself."""


class AssistantAccount(Base):
    """An account an assistant looks after. An account has one at most."""

    __tablename__ = "assistant_accounts"
    __writers__ = ("automation",)
    __table_args__ = (sa.Index("ix_assistant_accounts_workspace_id", "workspace_id"), Base.__table_args__)

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    mode: Mapped[str] = mapped_column(sa.String(16))
    answers_on: Mapped[list[str]] = mapped_column(JsonDict)
    """What a customer has to send for it, names of :class:`host.automation.deciding.Sent`."""
    needed: Mapped[int] = mapped_column(sa.Integer)
    """How many suggestions have to be taken as they stand before it may answer by itself."""
    opened_by: Mapped[str | None] = mapped_column(sa.String(255))
    """The name of who let it answer before that; NULL: nobody did."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class EntryKind(StrEnum):
    """Where something an assistant knows comes from."""

    PASTED = "pasted"
    FILE = "file"
    """Markdown, plain text or PDF."""
    PAGE = "page"
    """A page of the web."""
    PAST = "past"
    """Answers the team gave."""


class EntryState(StrEnum):
    """Whether an entry is used."""

    READY = "ready"
    WAITING = "waiting"
    """It is still to be read."""
    FAILED = "failed"
    """It could not be read; what it said before is used no more."""
    GONE = "gone"
    """The page is not there any more."""


class KnowledgeEntry(Base):
    """Something an assistant knows: its words, and questions it answers."""

    __tablename__ = "knowledge_entries"
    __writers__ = ("automation",)
    __table_args__ = (
        sa.Index("ix_knowledge_entries_assistant_id", "assistant_id", "id"),
        sa.Index("ix_knowledge_entries_due_at", "due_at"),
        sa.Index("ix_knowledge_entries_workspace_id", "workspace_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    title: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(LongText)
    questions: Mapped[list[str]] = mapped_column(JsonDict)
    """How customers ask for it."""
    origin: Mapped[str | None] = mapped_column(LongText)
    """The address of its page, the name of its file, or of who wrote it."""
    state: Mapped[str] = mapped_column(sa.String(16))
    problem: Mapped[str | None] = mapped_column(Ascii64)
    """Why it could not be read, a key of the reasons."""
    digest: Mapped[str | None] = mapped_column(Ascii64)
    """SHA-256 of what was read, so that the same is not cut up again."""
    checked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When its words were last written or found to be the same at their origin: its age counts from it."""
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When its page is read next; NULL: it has none."""
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class KnowledgePassage(Base):
    """A part of an entry, small enough to be given to a model."""

    __tablename__ = "knowledge_passages"
    __writers__ = ("automation",)
    __table_args__ = (
        sa.Index("ix_knowledge_passages_assistant_id", "assistant_id", "id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"))
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey(KnowledgeEntry.id, ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(sa.Integer)
    place: Mapped[str] = mapped_column(sa.String(64))
    """Where in the entry it stands, such as its page; empty: that says nothing."""
    text: Mapped[str] = mapped_column(LongText)


class TurnState(StrEnum):
    """How far a turn is."""

    WAITING = "waiting"
    """Until the customer pauses, at ``due_at``."""
    THINKING = "thinking"
    READY = "ready"
    """A person is to decide about it."""
    SENT = "sent"
    DISMISSED = "dismissed"
    """A person decided against it."""
    DISCARDED = "discarded"
    """Something else came first; ``reason`` says what."""
    HANDED_OVER = "handed_over"
    """It knows no answer; ``reason`` says why."""
    FAILED = "failed"
    """It was tried, and ``reason`` says what went wrong."""


class TurnOutcome(StrEnum):
    """What a person made of a suggestion."""

    TAKEN = "taken"
    """Sent as it stood."""
    USED = "used"
    """A program sent it as it stood: nobody says that it was good."""
    EDITED = "edited"
    WRITTEN = "written"
    """They wrote something else."""
    DISMISSED = "dismissed"


class AssistantTurn(Base):
    """One thing a customer said, and what an assistant made of it.

    There is one for the newest message at most, so nothing is answered twice. Holds what the assistant said
    and not what the customer did: that goes with their messages.
    """

    __tablename__ = "assistant_turns"
    __writers__ = ("automation", "inbox")
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
    """The newest message of the customer that it answers."""
    messages: Mapped[int] = mapped_column(sa.Integer)
    """How many of theirs it read since the last answer."""
    mode: Mapped[str] = mapped_column(sa.String(16))
    """The :class:`Mode` there was when it began."""
    state: Mapped[str] = mapped_column(sa.String(16))
    first_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When the first of those messages was seen."""
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    fence: Mapped[int] = mapped_column(sa.Integer)
    """Grows with each try: who holds an older number writes nothing."""
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    """How often it was tried since somebody last asked for it."""
    text: Mapped[str] = mapped_column(LongText)
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """What it rests on, see :class:`host.automation.assistants.values.Cited`."""
    offers: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """The topics it offers, see :class:`host.automation.assistants.values.Topic`."""
    model: Mapped[str | None] = mapped_column(sa.String(200))
    tokens_in: Mapped[int] = mapped_column(sa.Integer)
    tokens_out: Mapped[int] = mapped_column(sa.Integer)
    cost: Mapped[int] = mapped_column(sa.BigInteger)
    """In millionths of the model's currency; while it thinks, the most it may cost."""
    took_ms: Mapped[int] = mapped_column(sa.Integer)
    reason: Mapped[str | None] = mapped_column(Ascii64)
    """A key of :data:`host.automation.assistants.words.REASONS`."""
    outcome: Mapped[str | None] = mapped_column(sa.String(16))
    """A name of :class:`TurnOutcome`; NULL: nobody decided."""
    right: Mapped[bool | None] = mapped_column(sa.Boolean)
    """What somebody thinks of it; NULL: nobody said."""
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"), index=True)
    sent_id: Mapped[int | None] = mapped_column(Id)
    """The first message that was sent of it."""
    answered_id: Mapped[int | None] = mapped_column(Id)
    """The first message a person wrote instead, by themselves; it may be gone."""
    cause_id: Mapped[int] = mapped_column(Id, default=0)
    """The event it is because of; it may be gone."""
    root_id: Mapped[int] = mapped_column(Id, default=0)
    """The first event of that chain."""
    depth: Mapped[int] = mapped_column(sa.SmallInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AssistantTool(Base):
    """Another program an assistant may ask. Its secret is sealed with its uuid."""

    __tablename__ = "assistant_tools"
    __writers__ = ("automation",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Ascii64)
    """What the model calls it: lower-case letters, digits and underscores."""
    title: Mapped[str] = mapped_column(sa.String(64))
    about: Mapped[str] = mapped_column(sa.Text)
    """When it is to be used, in words for the model."""
    url: Mapped[str] = mapped_column(sa.Text)
    parameters: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """The JSON schema of what the model fills in."""
    header: Mapped[str] = mapped_column(Ascii64)
    """The header that carries the secret."""
    secret: Mapped[str | None] = mapped_column(sa.Text)
    effect: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class CallState(StrEnum):
    """How far the use of a tool is."""

    BEGUN = "begun"
    """It may have been done: nobody knows if nothing else is noted."""
    DONE = "done"
    FAILED = "failed"
    ASKED = "asked"
    """A person is to say whether it may be done."""
    ALLOWED = "allowed"
    """A person said yes; it is to be done."""
    REFUSED = "refused"


class AssistantCall(Base):
    """The use of one tool in a turn."""

    __tablename__ = "assistant_calls"
    __writers__ = ("automation", "inbox")
    __table_args__ = (sa.UniqueConstraint("turn_id", "number"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    turn_id: Mapped[int] = mapped_column(sa.ForeignKey(AssistantTurn.id, ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(sa.Integer)
    tool: Mapped[str] = mapped_column(Ascii64)
    arguments: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    state: Mapped[str] = mapped_column(sa.String(16))
    result: Mapped[str] = mapped_column(LongText)
    key: Mapped[str] = mapped_column(Ascii64)
    """Goes along with each try, so that the other program does it once."""
    took_ms: Mapped[int] = mapped_column(sa.Integer)
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class AssistantCase(Base):
    """A question with what a good answer to it is like: due to be tried with each version."""

    __tablename__ = "assistant_cases"
    __writers__ = ("automation", "inbox")
    __table_args__ = (
        sa.Index("ix_assistant_cases_conversation_id", "conversation_id"),
        sa.Index("ix_assistant_cases_workspace_id", "workspace_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int | None] = mapped_column(Id)
    """Where the question was asked: what is erased there is erased here."""
    question: Mapped[str] = mapped_column(LongText)
    hands_over: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether a person is to answer it."""
    says: Mapped[list[str]] = mapped_column(JsonDict)
    """Words a good answer has."""
    never_says: Mapped[list[str]] = mapped_column(JsonDict)
    tried_version: Mapped[int | None] = mapped_column(sa.Integer)
    """The version it was tried with last; NULL: with none."""
    passed: Mapped[bool | None] = mapped_column(sa.Boolean)
    answer: Mapped[str] = mapped_column(LongText)
    """What that version said."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class DismissedAnswer(Base):
    """An answer of the team that an assistant is not to be offered as an entry: somebody said so, for good.

    Nothing of its words is here. What a customer has erased may be a part of them.
    """

    __tablename__ = "dismissed_answers"
    __writers__ = ("automation",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    assistant_id: Mapped[int] = mapped_column(sa.ForeignKey(Assistant.id, ondelete="CASCADE"), index=True)
    sketch: Mapped[list[int]] = mapped_column(JsonDict)
    """A number of 16 bits for each of its words. Many words have the same: it is compared, and not read."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
