"""The shapes of event bodies. Keys may be added, but never removed. A key without a value is omitted.

Ids are always strings; ``from`` and ``to`` are the customer's id at the provider.
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
ChannelId = Annotated[str, Meta(description="The account of the channel.")]
Customer = Annotated[str, Meta(description="The customer's id at the provider.")]


def timestamp(at: datetime) -> str:
    """Return *at* in the time format of events."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base class of all event bodies and their parts."""


class Media(Shape, frozen=True, kw_only=True):
    """A file."""

    url: Annotated[str, Meta(description="URL to download it with an API key of the workspace.")] = ""
    id: Annotated[str, Meta(description="For a sticker that the provider identifies by name.")] = ""


class Attachment(Shape, frozen=True, kw_only=True):
    """One of several files, or a file of a kind without its own key."""

    type: str
    url: str
    name: str = ""


class Content(Shape, frozen=True, kw_only=True):
    """The content of a message. ``type`` is its kind; a file is under the key of that name."""

    type: Annotated[str, Meta(examples=["text", "image"], description="New kinds may be added.")]
    text: str = ""
    image: Media | UnsetType = UNSET
    video: Media | UnsetType = UNSET
    audio: Media | UnsetType = UNSET
    file: Media | UnsetType = UNSET
    sticker: Media | UnsetType = UNSET
    payload: Annotated[str, Meta(description="For a tapped button or quick reply.")] = ""
    quick_replies: list[dict[str, Any]] = []
    template: dict[str, Any] | UnsetType = UNSET
    attachments: Annotated[
        list[Attachment],
        Meta(description="All files, if there are several or one of another kind."),
    ] = []


class Metadata(Shape, frozen=True, kw_only=True):
    """Additional information."""

    mid: Annotated[str, Meta(description="The provider's id of the message.")] = ""
    username: Annotated[str, Meta(description="The customer's username at the provider.")] = ""


class Person(Shape, frozen=True, kw_only=True):
    """Somebody of the team."""

    id: str
    name: str


class Problem(Shape, frozen=True, kw_only=True):
    """The reason why a message was not sent."""

    code: str
    message: str


class Label(Shape, frozen=True, kw_only=True):
    """A label."""

    id: str
    name: Annotated[str, Meta(description="Empty: it has been deleted.")] = ""


class Team(Shape, frozen=True, kw_only=True):
    """A team."""

    id: str
    name: Annotated[str, Meta(description="Empty: it has been deleted.")] = ""


class Test(Shape, frozen=True, kw_only=True):
    """A test event that an owner sent to check the endpoint."""

    id: str
    text: str
    timestamp: Timestamp


class Tombstone(Shape, frozen=True, kw_only=True):
    """The remains of an event whose message was unsent or whose customer was erased: its ids."""

    id: str = ""
    message_id: str = ""
    conversation_id: str = ""
    contact_id: str = ""
    channel_id: str = ""
    channel_type: str = ""
    erased: Literal[True]
