"""The shapes of events, key for key. They get more keys, each left out where there is nothing to say, and
never lose one.

Ids are strings whatever they look like; ``from`` and ``to`` are the customer's id at the provider.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
        description="In UTC, to the second.",
        examples=["2026-01-15T10:30:00Z"],
    ),
]
ChannelId = Annotated[str, Meta(description="The account the channel is connected by.")]
Customer = Annotated[str, Meta(description="The customer's id at the provider.")]


def timestamp(at: datetime) -> str:
    """Return *at* as every event writes times."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of everything that programs are told."""


class Media(Shape, frozen=True, kw_only=True):
    """A file."""

    url: Annotated[str, Meta(description="Where to get it, with a key of the workspace that may read.")] = ""
    id: Annotated[str, Meta(description="Of a sticker that the provider knows by a name.")] = ""


class Attachment(Shape, frozen=True, kw_only=True):
    """One of several files, or one of a kind that has no key of its own."""

    type: str
    url: str
    name: str = ""


class Content(Shape, frozen=True, kw_only=True):
    """What a message says. ``type`` is its kind; for a file the key of that name holds it."""

    type: Annotated[str, Meta(examples=["text", "image"], description="Kinds may be added.")]
    text: str = ""
    image: Media | UnsetType = UNSET
    video: Media | UnsetType = UNSET
    audio: Media | UnsetType = UNSET
    file: Media | UnsetType = UNSET
    sticker: Media | UnsetType = UNSET
    payload: Annotated[str, Meta(description="Of a tapped button or quick reply.")] = ""
    quick_replies: list[dict[str, Any]] = []
    template: dict[str, Any] | UnsetType = UNSET
    attachments: Annotated[
        list[Attachment],
        Meta(description="Every file, where there is more than one, or one of another kind."),
    ] = []


class Metadata(Shape, frozen=True, kw_only=True):
    """What else is known."""

    mid: Annotated[str, Meta(description="The provider's id of the message.")] = ""
    username: Annotated[str, Meta(description="What the customer is called at the provider.")] = ""


class Person(Shape, frozen=True, kw_only=True):
    """Somebody of the team."""

    id: str
    name: str


class Problem(Shape, frozen=True, kw_only=True):
    """Why a message was not sent."""

    code: str
    message: str


class MessageReceived(Shape, frozen=True, kw_only=True):
    """What a customer wrote."""

    id: str
    channel_id: ChannelId
    channel_type: Annotated[str, Meta(description="The channel.", examples=["email"])]
    direction: Literal["inbound"]
    from_: Customer = msgspec.field(name="from")
    conversation_id: str
    contact_id: str
    content: Content
    timestamp: Timestamp
    metadata: Metadata


class OurMessage(Shape, frozen=True, kw_only=True):
    """What the team wrote, and what became of it."""

    id: str
    channel_id: ChannelId
    channel_type: str
    direction: Literal["outbound"]
    to: Customer
    conversation_id: str
    contact_id: str
    origin: Annotated[str, Meta(description="Who made it: `agent`, `api`, `system` or `provider`.")]
    author: Person | UnsetType = UNSET
    content: Content
    error: Problem | UnsetType = UNSET
    timestamp: Timestamp
    metadata: Metadata


class MessageRead(Shape, frozen=True, kw_only=True):
    """The customer saw it, and all before it."""

    id: str
    channel_id: ChannelId
    channel_type: str
    to: Customer
    conversation_id: str
    contact_id: str
    timestamp: Timestamp
    metadata: Metadata


class MessageEdited(Shape, frozen=True, kw_only=True):
    """What it says now."""

    id: str
    channel_id: ChannelId
    channel_type: str
    direction: Literal["inbound", "outbound"]
    from_: Annotated[str, Meta(description="Of an inbound one.")] = msgspec.field(name="from", default="")
    to: Annotated[str, Meta(description="Of an outbound one.")] = ""
    conversation_id: str
    contact_id: str
    content: Content
    timestamp: Timestamp
    metadata: Metadata


class MessageUnsent(Shape, frozen=True, kw_only=True):
    """Nothing of it is left."""

    id: str
    channel_id: ChannelId
    channel_type: str
    direction: Literal["inbound", "outbound"]
    conversation_id: str
    contact_id: str
    timestamp: Timestamp


class MessageModerated(Shape, frozen=True, kw_only=True):
    """A customer's message that the team hid, showed again or deleted at the provider."""

    id: str
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    conversation_id: str
    contact_id: str
    timestamp: Timestamp
    metadata: Metadata


class MessageReacted(Shape, frozen=True, kw_only=True):
    """A customer's reaction."""

    message_id: str
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    conversation_id: str
    contact_id: str
    reaction: Annotated[str, Meta(description="The provider's word for it.", examples=["love"])] = ""
    emoji: str = ""
    action: Literal["react", "unreact"]
    timestamp: Timestamp


class Label(Shape, frozen=True, kw_only=True):
    """A label."""

    id: str
    name: Annotated[str, Meta(description="Empty: it is gone by now.")] = ""


class Team(Shape, frozen=True, kw_only=True):
    """A team."""

    id: str
    name: Annotated[str, Meta(description="Empty: it is gone by now.")] = ""


class TeamDeleted(Shape, frozen=True, kw_only=True):
    """What looks after no conversation any more."""

    id: str
    timestamp: Timestamp


class Snooze(Shape, frozen=True, kw_only=True):
    """Until when a conversation is put away."""

    kind: Annotated[
        Literal["until", "reply", "fixed"],
        Meta(description="`until` a time or a message, `reply` a message, `fixed` a time whatever comes."),
    ]
    until: Timestamp | UnsetType = UNSET


class LabelDeleted(Shape, frozen=True, kw_only=True):
    """What no conversation has any more."""

    id: str
    into: Annotated[str, Meta(description="The label they have instead; left out: none.")] | UnsetType = UNSET
    timestamp: Timestamp


class Conversation(Shape, frozen=True, kw_only=True):
    """A conversation as it stood when this was made."""

    id: str
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    status: Literal["open", "closed"]
    assignee: Annotated[Person, Meta(description="Left out: nobody.")] | UnsetType = UNSET
    team: Annotated[Team, Meta(description="Left out: none.")] | UnsetType = UNSET
    handled_by: Annotated[
        Literal["nobody", "person", "automation"],
        Meta(description="`person`: what is automatic stays silent."),
    ]
    by: Annotated[Person, Meta(description="Who of the team did it.")] | UnsetType = UNSET
    labels: list[Label] = msgspec.field(default_factory=list)
    label: Annotated[Label, Meta(description="Which was put on or taken off.")] | UnsetType = UNSET
    snooze: Snooze | UnsetType = UNSET
    because: (
        Annotated[Literal["time", "message", "team"], Meta(description="Why it is back.")] | UnsetType
    ) = UNSET
    until: (
        Annotated[Timestamp, Meta(description="By when the customer is to be answered, or can be.")]
        | UnsetType
    ) = UNSET
    previous_id: (
        Annotated[str, Meta(description="The conversation that one that began goes on from.")] | UnsetType
    ) = UNSET
    timestamp: Timestamp


class NoteAdded(Shape, frozen=True, kw_only=True):
    """What the team alone sees."""

    id: str
    channel_id: ChannelId
    channel_type: str
    conversation_id: str
    text: str
    author: Person | UnsetType = UNSET
    timestamp: Timestamp


class ContactChanged(Shape, frozen=True, kw_only=True):
    """A contact that is different now. Ask the API for what it has."""

    id: Annotated[str, Meta(description="The contact's id.")]
    field: (
        Annotated[
            Literal["name", "email", "attribute", "note"], Meta(description="Which detail is different.")
        ]
        | UnsetType
    ) = UNSET
    attribute_id: Annotated[str, Meta(description="Of an attribute, its id.")] | UnsetType = UNSET
    timestamp: Timestamp


class ContactAgreed(Shape, frozen=True, kw_only=True):
    """A contact that takes nothing that is sent by itself from now on, or takes it again."""

    id: Annotated[str, Meta(description="The contact's id.")]
    word: Annotated[
        str,
        Meta(
            description="What the customer wrote; not there where a person or a program noted it.",
            examples=["STOP"],
        ),
    ] = ""
    message_id: Annotated[str, Meta(description="The id of the message that is this word.")] = ""
    timestamp: Timestamp


class ContactMerged(Shape, frozen=True, kw_only=True):
    """Two contacts that became one, or are two again."""

    id: Annotated[str, Meta(description="The contact that stays.")]
    other: Annotated[str, Meta(description="The one that became a part of it, or is one of its own again.")]
    timestamp: Timestamp


class ContactErased(Shape, frozen=True, kw_only=True):
    """Who is no more."""

    id: Annotated[str, Meta(description="The contact's id. Remove what you have of them.")]
    timestamp: Timestamp


class Rule(Shape, frozen=True, kw_only=True):
    """A rule."""

    id: str
    name: Annotated[str, Meta(description="Empty: it is gone by now.")] = ""


class RuleCalled(Shape, frozen=True, kw_only=True):
    """What a rule tells one endpoint. Ask the API for the conversation and the message."""

    rule: Rule
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    message_id: Annotated[
        str, Meta(description="The message the rule was asked about; left out: it was none.")
    ] = ""
    timestamp: Timestamp


class RuleTold(Shape, frozen=True, kw_only=True):
    """Whom a rule tells of a conversation: a member, or those of a team."""

    rule: Rule
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    message_id: Annotated[
        str, Meta(description="The message the rule was asked about; left out: it was none.")
    ] = ""
    person: Annotated[Person, Meta(description="Left out: it tells a team.")] | UnsetType = UNSET
    team: Annotated[Team, Meta(description="Left out: it tells a member.")] | UnsetType = UNSET
    timestamp: Timestamp


class Assistant(Shape, frozen=True, kw_only=True):
    """An assistant."""

    id: str
    name: Annotated[str, Meta(description="Empty: it is gone by now.")] = ""


class AssistantTurn(Shape, frozen=True, kw_only=True):
    """What an assistant made of what a customer said, never the words. Ask the API for the turn."""

    assistant: Assistant
    turn_id: Annotated[str, Meta(description="The id of the turn in the API.")]
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    message_id: Annotated[str, Meta(description="The newest message of the customer that it is about.")] = ""
    reason: Annotated[
        str, Meta(description="Why: a stable word, such as `no_source` or `model_timeout`. Left out: none.")
    ] = ""
    edited: Annotated[
        bool | UnsetType, Meta(description="Of `assistant.taken`: whether somebody changed it first.")
    ] = UNSET
    by: Annotated[Person, Meta(description="Left out: no person did it.")] | UnsetType = UNSET
    timestamp: Timestamp


class AssistantMode(Shape, frozen=True, kw_only=True):
    """What an assistant does on an account from now on."""

    assistant: Assistant
    channel_id: ChannelId
    channel_type: str
    mode: Literal["off", "shadow", "suggest", "answer"]
    before: Literal["off", "shadow", "suggest", "answer"]
    by: Annotated[Person, Meta(description="Left out: a program did it.")] | UnsetType = UNSET
    timestamp: Timestamp


class AssistantState(Shape, frozen=True, kw_only=True):
    """An assistant that was stopped, or goes on."""

    assistant: Assistant
    by: Annotated[Person, Meta(description="Left out: a program did it.")] | UnsetType = UNSET
    timestamp: Timestamp


class Account(Shape, frozen=True, kw_only=True):
    """An account of a channel."""

    channel_id: ChannelId
    channel_type: str
    name: str
    handle: str
    timestamp: Timestamp


class Test(Shape, frozen=True, kw_only=True):
    """What an owner sent to see whether it arrives."""

    id: str
    text: str
    timestamp: Timestamp


class Tombstone(Shape, frozen=True, kw_only=True):
    """What is left of an event whose message was taken back, or whose customer was erased: its ids."""

    id: str = ""
    message_id: str = ""
    conversation_id: str = ""
    contact_id: str = ""
    channel_id: str = ""
    channel_type: str = ""
    erased: Literal[True]
