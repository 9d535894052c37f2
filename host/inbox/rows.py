"""The rows a batch works on, as plain mutable values: read once, changed in memory, written once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef
from host.sdk.messages import InboundAttachment

Key = tuple[int, str]
"""Account id and an external id."""


@dataclass(slots=True)
class Thread:
    """A conversation."""

    person: Person
    channel: str
    status: str
    last_message_at: datetime
    last_direction: str
    last_kind: str
    id: int | None = None
    subject: str | None = None
    closed_at: datetime | None = None
    last_inbound_at: datetime | None = None
    last_preview: str = ""
    last_author_id: int | None = None
    unread: int = 0
    """How many to add to ``unread_count``."""
    changed: bool = False
    last: Fresh | None = None
    """The message of this batch that the list shows, where one of them is the last."""


@dataclass(slots=True)
class Person:
    """A contact identity and its contact."""

    account: AccountRef
    external_id: str
    id: int | None = None
    contact_id: int | None = None
    username: str | None = None
    name: str | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    seen_at: datetime | None = None
    seen_early: list[str] = field(default_factory=list)
    unreachable_since: datetime | None = None
    profile_at: datetime | None = None
    erased_at: datetime | None = None
    wrote: bool = False
    newest: Thread | None = None
    identity_changed: bool = False
    contact_changed: bool = False
    seen_raised: bool = False


@dataclass(slots=True)
class Known:
    """A message that was there before the batch.

    :param position: when it went out, to compare with what the customer has seen: for our own messages the
        time of the attempt, else the provider's time.
    """

    id: int
    conversation_id: int
    direction: str
    origin: str
    state: str | None
    sent_at: datetime
    position: datetime
    unsent: bool = False
    imported: bool = False
    """Whether all that is known of it is from the provider's history."""
    person: Person | None = None
    """Whose it is, where that was found out another way than by its conversation."""


@dataclass(slots=True)
class Fresh:
    """A message to insert."""

    thread: Thread
    account: AccountRef
    external_id: str
    direction: str
    origin: str
    kind: str
    text: str
    content: dict[str, Any]
    sent_at: datetime
    state: str | None = None
    attachments: tuple[InboundAttachment, ...] = ()
    stored: dict[int, str] = field(default_factory=dict)
    media: InboundMedia = field(default_factory=InboundMedia)
    """What the channel says about the files its messages link to."""
    reply_to: str | None = None
    edited_at: datetime | None = None
    edit_count: int = 0
    unsent_at: datetime | None = None
    imported_at: datetime | None = None
    erased_at: datetime | None = None
    sources: list[int] = field(default_factory=list)
    """Ids of the journalled events that hold what it says."""
    late: bool = False
    """Whether the conversation had a later message already."""


@dataclass(slots=True)
class Forgotten:
    """What must not be kept of messages that were taken back.

    :param events: ids of journalled events.
    :param keys: more of them, by channel, account id and dedupe key.
    :param files: keys of ``host.storage``.
    :param messages: external ids of the messages.
    """

    events: set[int] = field(default_factory=set)
    keys: set[tuple[str, int, str]] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
