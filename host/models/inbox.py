"""Contacts, conversations and messages of all channels."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from host.core import clock
from host.core.cleaning import LONGEST_NAME, clean_file_name
from host.core.db import Ascii64, Base, ChannelKey, ExternalId, Id, JsonDict, LongText, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.users import User, Workspace


class ConversationStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Handler(StrEnum):
    """The handler of a conversation: automation is silent while a person handles it."""

    NOBODY = "nobody"
    """Unanswered since it began or was closed."""
    PERSON = "person"
    """A person answered, took it, or should: automation is silent until it is closed or returned to
    automation.
    """
    AUTOMATION = "automation"
    """Automation answered. A person's message takes over."""


class SnoozeKind(StrEnum):
    """Events that end a snooze, besides a person."""

    UNTIL = "until"
    """A time, or a message from the customer, whichever comes first."""
    REPLY = "reply"
    """A message from the customer."""
    FIXED = "fixed"
    """A time, even if the customer writes before."""


class Snooze(NamedTuple):
    """A snooze.

    :param until: time it ends automatically; None only with :attr:`SnoozeKind.REPLY`.
    """

    kind: SnoozeKind
    until: datetime | None = None


CAMPAIGN_KEY = "campaign-"
"""How :attr:`Message.reply_key` of a campaign's messages begins."""
CLAIMED_BY = "claimed_by"
"""Key in the content of a customer's tap: slug of the addon that claims it, so that nothing else reacts."""


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"
    """Seen by the team only: notes and activity lines."""


class InternalKind(StrEnum):
    """The kinds of messages of direction internal."""

    NOTE = "note"
    ACTIVITY = "activity"
    """An action on the conversation, named by ``content["what"]``."""
    FORWARD = "forward"
    """Messages of the conversation forwarded to another address. It has a delivery state, and its text is the
    note above them; ``content`` has ``to``, ``subject``, ``messages`` (their ids) and ``files``.
    """


class Origin(StrEnum):
    """The origin of a message."""

    CUSTOMER = "customer"
    AGENT = "agent"
    PROVIDER = "provider"
    """The team, in the provider's app; known from an echo."""
    API = "api"
    """A program with a key of the workspace; ``content["by"]`` of notes and activity lines names the key."""
    SYSTEM = "system"


class DeliveryState(StrEnum):
    """The delivery state of an outbound message. Inbound messages have none."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    """The provider accepted it."""
    DELIVERED = "delivered"
    """The provider reported that it reached the customer; only some channels do."""
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The provider has neither confirmed nor refused it."""
    CANCELLED = "cancelled"
    """Cancelled while it waited, before any part was passed to the provider."""


ARRIVED = frozenset({DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ})
"""The states of messages that the provider has accepted."""
ERASED = "erased"
"""``last_kind`` of a conversation with nothing left to show."""


class Contact(Base):
    """A person who writes to a workspace."""

    __tablename__ = "contacts"
    __writers__ = ("delivery", "inbox")
    __table_args__ = (
        sa.Index("ix_contacts_newest", "workspace_id", "merged_into_id", "id"),
        sa.Index("ix_contacts_merged_into_id", "merged_into_id"),
        sa.Index("ix_contacts_opted_out", "workspace_id", "opted_out_at"),
        sa.Index("ix_contacts_blocked", "workspace_id", "blocked_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    name: Mapped[str | None] = mapped_column(sa.String(255))
    email: Mapped[str | None] = mapped_column(sa.String(254))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    merged_into_id: Mapped[int | None] = mapped_column(Id)
    """The contact this one was finally merged into; NULL if not merged."""
    opted_out_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the opt-out from automated messages; NULL if not opted out."""
    opted_out_by: Mapped[int | None] = mapped_column(Id)
    """The member who recorded it, if any."""
    opted_out_source: Mapped[str | None] = mapped_column(sa.String(255))
    """Its source: a member's words, or the customer's opt-out word, see
    :mod:`host.inbox.apply.opt_out_words`.
    """
    blocked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time the team blocked them, so that their new conversations are spam; NULL if not blocked."""

    @property
    def accepts_automatic(self) -> bool:
        """Whether automated messages may be sent to them: neither opted out nor blocked.

        The only place that decides it. A person may still answer within an open window.
        """
        return self.opted_out_at is None and self.blocked_at is None


class ContactIdentity(Base):
    """A contact's id on one channel account, always stored as text."""

    __tablename__ = "contact_identities"
    __writers__ = ("delivery", "inbox.apply", "inbox.contacts", "inbox.outreach", "media.pages")
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.Index("ix_contact_identities_profile_due_at", "profile_due_at"),
        sa.Index("ix_contact_identities_phone", "workspace_id", "phone_key"),
        sa.Index("ix_contact_identities_verified_email", "workspace_id", "verified_email"),
        sa.Index("ix_contact_identities_same_as_id", "same_as_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey(Contact.id, ondelete="CASCADE"), index=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    username: Mapped[str | None] = mapped_column(sa.String(255))
    name: Mapped[str | None] = mapped_column(sa.String(255))
    profile: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    profile_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When to fetch the profile from the provider next; NULL: never."""
    profile_failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    profile_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the profile was last fetched."""
    picture_url: Mapped[str | None] = mapped_column(LongText)
    """Address of their picture at the provider, until it expires; browsers never get it."""
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of our newest message the customer is known to have seen."""
    seen_early: Mapped[list[str] | None] = mapped_column(JsonDict)
    """External ids of sent messages that were seen before they were stored here; the newest few."""
    unreachable_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time the provider last refused messages to this person; NULL if it doesn't. Reset by a later message
    from or to them.
    """
    unreachable_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time at which that ends automatically; NULL if it doesn't. Only used with ``unreachable_since``."""
    unreachable: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """The reason, like a message's ``error``. Only used with ``unreachable_since``."""
    erased_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When an owner last erased this customer; earlier messages are not imported again."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    blocked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time the provider confirmed the block; NULL if it was not requested, or the provider doesn't block
    them.
    """
    phone: Mapped[str | None] = mapped_column(Ascii64)
    """Their phone number with its country code, as digits, which the provider verified."""
    phone_key: Mapped[str | None] = mapped_column(Ascii64)
    """Its last digits, see :func:`host.inbox.apply.phone_numbers.key`."""
    verified_email: Mapped[str | None] = mapped_column(sa.String(254))
    """Their verified email address, in lower case."""
    same_as_id: Mapped[int | None] = mapped_column(Id)
    """The identity this is a further id of, on the same account and of the same contact: it has their
    conversations, and its id is sent to. NULL: this is that identity. See :mod:`host.inbox.apply.ids`."""
    id_kind: Mapped[str | None] = mapped_column(sa.String(16))
    """The :class:`IdKind` that the provider told; NULL: none."""
    id_named_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The provider's time at which it was first said to be this person's."""


OF_PERSON = sa.func.coalesce(ContactIdentity.same_as_id, ContactIdentity.id)
"""The identity that has the conversations of whoever an id means."""


class IdKind(StrEnum):
    """How long an external id means the same person."""

    LASTING = "lasting"
    """Always."""
    PASSING = "passing"
    """Until the provider says that it is somebody else's, such as a phone number."""
    FORMER = "former"
    """Until it was replaced; an older event may still name it."""
    REPLACED = "replaced"
    """Always, like a lasting one, but the provider names the person by another id now."""


LASTING_KINDS = frozenset({IdKind.LASTING, IdKind.REPLACED})
"""Kinds of ids that never mean anybody else."""
PAST_KINDS = frozenset({IdKind.FORMER, IdKind.REPLACED})
"""Kinds of ids that the provider no longer uses for the person: *former* in the API and in exports."""


def _having(column: str, name: str, *columns: str) -> sa.Index:
    """Return an index of the rows whose *column* is not NULL.

    The others have no entry, where the database can do that: a new message writes one into each index.
    """
    having = sa.text(f"{column} IS NOT NULL")
    return sa.Index(name, *columns, postgresql_where=having, sqlite_where=having)


def _of_person(name: str, column: str) -> sa.Index:
    """Return an index on a person's rows, so that deleting a person does not read every row."""
    return _having(column, name, column)


class Conversation(Base):
    """The conversation of one contact with the team on one account.

    ``channel`` starts as an ENUM of the host's own channels and becomes VARCHAR when an addon is activated.
    ``unread_count`` is the team's number of messages that no member has seen. A member's unread count follows
    from ``arrived_count``, ``read_count`` and their :class:`ConversationRead`.
    """

    __tablename__ = "conversations"
    __writers__ = ("inbox", "users")
    __table_args__ = (
        sa.Index("ix_conversations_list", "workspace_id", "status", "last_message_at", "id"),
        sa.Index("ix_conversations_channel", "workspace_id", "status", "channel", "last_message_at", "id"),
        _having(
            "assignee_id",
            "ix_conversations_assignee",
            *("workspace_id", "status", "assignee_id", "last_message_at", "id"),
        ),
        _having("snoozed_until", "ix_conversations_snoozed", "snoozed_until"),
        _having("woken_at", "ix_conversations_woken", "workspace_id", "woken_at", "id"),
        _having(
            "waiting_since",
            "ix_conversations_waiting",
            *("workspace_id", "status", "waiting_since", "id"),
        ),
        sa.Index(
            "ix_conversations_tally",
            *("workspace_id", "status", "channel", "assignee_id", "waiting_since", "failed_count"),
            # Last, so that counting only reads the index and the list has no reason to choose it.
            *("arrived_count", "read_count", "spam_at", "snooze_kind"),
        ),
        _having(
            "team_id",
            "ix_conversations_team",
            *("workspace_id", "status", "team_id", "last_message_at", "id"),
            # After the columns that the list reads, so that the counts of teams only need the index.
            *("waiting_since", "assignee_id", "account_id", "spam_at", "snooze_kind"),
        ),
        sa.Index("ix_conversations_account", "account_id", "status", "last_message_at", "id"),
        sa.Index("ix_conversations_identity", "identity_id", "id"),
        sa.Index("ix_conversations_contact", "contact_id", "last_message_at"),
        _of_person("ix_conversations_assigned", "assignee_id"),
        _of_person("ix_conversations_last_author", "last_author_id"),
        _having("scheduled_at", "ix_conversations_scheduled", "workspace_id", "scheduled_at"),
        _having("post_id", "ix_conversations_post", "post_id", "status", "last_message_at", "id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(ChannelKey, server_default="email")
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey(Contact.id, ondelete="CASCADE"))
    identity_id: Mapped[int] = mapped_column(sa.ForeignKey(ContactIdentity.id, ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(sa.String(16))
    subject: Mapped[str | None] = mapped_column(sa.String(500))
    assignee_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    unread_count: Mapped[int] = mapped_column(sa.Integer, default=0)
    arrived_count: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Number of messages ever received from the customer, without those of the provider's history."""
    read_count: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Number of those that count as read by everyone: set when the conversation was last answered or closed.
    """
    waiting_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the customer's first message since the team's last answer; NULL if they don't wait."""
    failed_count: Mapped[int] = mapped_column(sa.Integer, default=0)
    last_message_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_preview: Mapped[str] = mapped_column(sa.String(200))
    last_direction: Mapped[str] = mapped_column(sa.String(16))
    last_kind: Mapped[str] = mapped_column(sa.String(32))
    last_author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    """The member who wrote the last message, if one did."""
    last_inbound_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Provider's time of the last message that opens a reply window; the start of the time in a ReplyPolicy.
    """
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    snooze_kind: Mapped[str | None] = mapped_column(sa.String(16))
    """A name of :class:`SnoozeKind`; NULL: it is not snoozed."""
    snoozed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    woken_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time a snooze ended without any action since: the list sorts by it, and marks it as back."""
    handled_by: Mapped[str] = mapped_column(sa.String(16), server_default="nobody")
    responder: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """The other program that answers here, see :mod:`host.inbox.apply.responders`; NULL: never was one."""
    spam_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time the team marked it as spam; NULL if it didn't. Its messages stay, and more may come."""
    team_id: Mapped[int | None] = mapped_column(Id)
    """The assigned team, a row of ``teams``; NULL if none. A member may be assigned too."""
    post_id: Mapped[int | None] = mapped_column(Id)
    """The post it is about, a row of ``posts``; NULL if none."""
    scheduled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of its next scheduled reply; NULL if there is none."""
    due_told_for: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The ``waiting_since`` for which people were notified that the answer is due; NULL if not yet."""
    window_told_for: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The ``last_inbound_at`` for which people were notified that the reply window closes; NULL if not yet.
    """

    @property
    def snooze(self) -> Snooze | None:
        """Its snooze, or None."""
        return None if self.snooze_kind is None else Snooze(SnoozeKind(self.snooze_kind), self.snoozed_until)

    @property
    def spam(self) -> bool:
        """Whether the team marked it as spam."""
        return self.spam_at is not None


class ConversationLink(Base):
    """A link from a conversation to its continuation on another account; each has at most one either way."""

    __tablename__ = "conversation_links"
    __writers__ = ("inbox",)
    __table_args__ = (sa.UniqueConstraint("after_id"), Base.__table_args__)

    before_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    after_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ConversationRead(Base):
    """How far a member has read a conversation. Without a row, as far as ``read_count``."""

    __tablename__ = "conversation_reads"
    __writers__ = ("inbox",)

    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), primary_key=True, index=True
    )
    seen_count: Mapped[int] = mapped_column(sa.Integer)
    """Number of the conversation's ``arrived_count`` messages they have read."""
    marked: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Whether they marked it as unread themselves."""


class PresenceState(StrEnum):
    """The activity of a member in a conversation."""

    VIEWING = "viewing"
    TYPING = "typing"


class Presence(Base):
    """A member who has a conversation open, as reported by their browser."""

    __tablename__ = "presences"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.Index("ix_presences_workspace_id_until", "workspace_id", "until"),
        Base.__table_args__,
    )

    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), primary_key=True, index=True
    )
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(sa.String(16))
    until: Mapped[datetime] = mapped_column(UTCDateTime)


class Message(Base):
    """One message at the provider, a note, or an activity line.

    A reply may become several rows with the same ``reply_key`` and ``position`` 0, 1, ...; each has its own
    external id and delivery state.
    """

    __tablename__ = "messages"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.UniqueConstraint("conversation_id", "reply_key", "position"),
        sa.Index("ix_messages_thread", "conversation_id", "sent_at", "id"),
        _of_person("ix_messages_author", "author_id"),
        _of_person("ix_messages_writer", "writer_id"),
        sa.Index(
            "ix_messages_reply_to",
            *("account_id", "reply_to", "sent_at", "id"),
            postgresql_where=sa.text("reply_to IS NOT NULL"),
            sqlite_where=sa.text("reply_to IS NOT NULL"),
        ),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey(Conversation.id, ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str | None] = mapped_column(ExternalId)
    direction: Mapped[str] = mapped_column(sa.String(16))
    origin: Mapped[str] = mapped_column(sa.String(16))
    kind: Mapped[str] = mapped_column(sa.String(32))
    text: Mapped[str] = mapped_column(LongText)
    content: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """Data of its kind beyond the text; see docs/messages.md."""
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    writer_id: Mapped[int | None] = mapped_column(Id)
    """The identity that wrote it, for a participant in another customer's conversation; NULL for its
    customer, or the team.
    """
    reply_key: Mapped[str | None] = mapped_column(Ascii64)
    position: Mapped[int] = mapped_column(sa.Integer, default=0)
    state: Mapped[str | None] = mapped_column(sa.String(16))
    error: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """For a failed or unknown message: code, sentence, cause, next_step, raw (the provider's message)."""
    sent_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """The provider's time; for our own messages the time they were written."""
    reply_to: Mapped[str | None] = mapped_column(ExternalId)
    """External id of the message it quotes, on the same account; that one need not be stored."""
    edited_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    edit_count: Mapped[int] = mapped_column(sa.Integer, default=0)
    unsent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time it was unsent; its content is then deleted."""
    erased_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When an owner erased its customer; ``unsent_at`` is set too, because the content is gone."""
    imported_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was read from the provider's history; NULL once the message itself was delivered."""
    hidden_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the team hid it on the desk's pages; its content stays, here and at the provider."""
    sources: Mapped[list[int] | None] = mapped_column(JsonDict)
    """Ids of the received events with its content, so that it can be removed there, too."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AttachmentState(StrEnum):
    """The location of a file's bytes."""

    STORED = "stored"
    """In the desk's storage."""
    LINKED = "linked"
    """At the provider; passed through to the viewer, never stored."""
    WAITING = "waiting"
    """At the provider; to be fetched at ``due_at``."""
    EXPIRED = "expired"
    """Deleted: the provider reported that its address has expired."""
    OUTSIDE = "outside"
    """At an address the desk doesn't fetch from; shown as a link at most."""


class FileName(TypeDecorator[str]):
    """A file's name as it is shown. Names stored before they were cleaned are cleaned when they are read."""

    impl = sa.String(LONGEST_NAME)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else clean_file_name(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else clean_file_name(value)


class Attachment(Base):
    """A file of a message: stored here (``storage_key``) or linked at the provider (``url``)."""

    __tablename__ = "attachments"
    __writers__ = ("inbox", "media")
    __table_args__ = (
        sa.Index("ix_attachments_due_at", "due_at"),
        sa.Index("ix_attachments_storage_key", "storage_key"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    message_id: Mapped[int] = mapped_column(sa.ForeignKey(Message.id, ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    name: Mapped[str] = mapped_column(FileName)
    content_type: Mapped[str] = mapped_column(sa.String(127))
    """The type found in the bytes, once they are stored; before, the declared type, or empty."""
    size: Mapped[int | None] = mapped_column(sa.BigInteger)
    width: Mapped[int | None] = mapped_column(sa.Integer)
    height: Mapped[int | None] = mapped_column(sa.Integer)
    url: Mapped[str | None] = mapped_column(LongText)
    storage_key: Mapped[str | None] = mapped_column(Ascii64)
    state: Mapped[str] = mapped_column(sa.String(16), default=AttachmentState.OUTSIDE)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When to fetch a waiting file, or to remove a stored one; NULL: never."""
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    role: Mapped[str | None] = mapped_column(sa.String(16))
    """Its role in the message, a name of :class:`host.sdk.messages.AttachmentRole`; NULL for a file."""
    content_id: Mapped[str | None] = mapped_column(sa.String(255))
    """The name of an inline picture in the formatted form of its message."""


def is_sent_along() -> sa.ColumnElement[bool]:
    """Return the condition that an attachment is a file of its message, not its formatted form."""
    return Attachment.__table__.c.role.is_distinct_from("formatted")


class Actor(StrEnum):
    """The side a reaction is from."""

    CUSTOMER = "customer"
    TEAM = "team"


class Reaction(Base):
    """The one reaction of a side to a message. A removed one stays as a row, to recognise outdated events.

    ``message_id`` is NULL until its message arrives.
    """

    __tablename__ = "reactions"
    __writers__ = ("delivery", "inbox", "queue")
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id", "actor"),
        sa.Index("ix_reactions_next_at", "next_at"),
        _of_person("ix_reactions_author", "author_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Conversation.id, ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    message_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Message.id, ondelete="CASCADE"), index=True)
    actor: Mapped[str] = mapped_column(sa.String(16))
    emoji: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(32))
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    state: Mapped[str | None] = mapped_column(sa.String(16))
    """For the team's reaction: queued, sent or failed."""
    error: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When to send it to the provider; NULL: never."""


class MarkKind(StrEnum):
    """The kind of a mark's annotation."""

    EDIT = "edit"
    UNSEND = "unsend"
    REACTION = "reaction"
    """Its reactions are rows in ``reactions``."""


REPORT_MARK = "report:"
"""Prefix of the kind of a mark that is a delivery report. ``number`` is 1 if the channel tells when a message
was delivered, and ``text`` the error as JSON."""


class Mark(Base):
    """An annotation or a delivery report that arrived before its message, to be applied when that arrives."""

    __tablename__ = "message_marks"
    __writers__ = ("inbox",)
    __table_args__ = (sa.UniqueConstraint("account_id", "external_id", "kind"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    identity_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ContactIdentity.id, ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    kind: Mapped[str] = mapped_column(sa.String(16))
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    number: Mapped[int] = mapped_column(sa.Integer, default=0)
    text: Mapped[str] = mapped_column(LongText)
    sources: Mapped[list[int] | None] = mapped_column(JsonDict)


class Placed(Protocol):
    """A conversation with who has it and where it is put."""

    @property
    def assignee_id(self) -> Any: ...

    @property
    def team_id(self) -> Any: ...

    @property
    def status(self) -> Any: ...

    @property
    def spam_at(self) -> Any: ...

    @property
    def snooze(self) -> Snooze | None: ...


def state_mark(conversation: Placed) -> str:
    """Return who has *conversation* and where it is put, as a page notes it in its forms."""
    snooze = conversation.snooze
    put = (
        ""
        if snooze is None
        else f"{snooze.kind}{'' if snooze.until is None else clock.to_text(snooze.until)}"
    )
    return "|".join(
        (
            f"{conversation.assignee_id or ''}/{conversation.team_id or ''}",
            f"{conversation.status}/{put}/{'' if conversation.spam_at is None else 'spam'}",
        )
    )
