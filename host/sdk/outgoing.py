"""Outgoing events: the names and data that a channel adds to the host's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from host.sdk._account import AccountRef
from host.sdk.messages import MessageKind


@dataclass(frozen=True, slots=True)
class ToldFile:
    """A file of a message.

    :param url: address where a program with a key of the workspace can download it; never the provider's.
    """

    kind: MessageKind | str
    url: str


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """The message an event is about.

    :param id: the desk's public id.
    :param external_id: the provider's id; None if it gave none.
    :param content: the content that :meth:`~host.sdk.channel.ChannelAdapter.parse` returned besides the text.
    """

    id: str
    external_id: str | None
    kind: MessageKind | str
    sent_at: datetime
    text: str = field(default="", repr=False)
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    files: tuple[ToldFile, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldReaction:
    """A reaction that a customer added to a message, or removed.

    :param name: the provider's name for it; empty if it was removed and the provider named none.
    """

    name: str
    emoji: str
    removed: bool


@dataclass(frozen=True, slots=True)
class ToldConversation:
    """The current state of an event's conversation.

    :param status: ``open`` or ``closed``.
    :param labels: names of its labels, in the team's order.
    :param snoozed: whether it is snoozed until a time or until the customer writes.
    :param snoozed_until: that time; None: it is not snoozed, or only until the customer writes.
    :param spam: whether the team marked it as spam.
    """

    status: str
    labels: tuple[str, ...] = ()
    snoozed: bool = False
    snoozed_until: datetime | None = None
    spam: bool = False


@dataclass(frozen=True, slots=True)
class DeskEvent:
    """An event of the desk.

    :param kind: its name: ``message.received``, ``message.reacted``, ``message.completed``.
    :param contact: the customer's external id.
    :param username: the customer's user name at the provider, if known.
    """

    kind: str
    account: AccountRef
    contact: str
    at: datetime
    username: str | None = None
    reaction: ToldReaction | None = None
    conversation: ToldConversation | None = None


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event under the channel's own name.

    :param name: starts with the channel's key and a dot, as in ``toy.wave``, or with that of the channel it
        is attached to.
    :param data: plain JSON, keys in camelCase. The host adds ``channelId``, ``from`` and ``timestamp``.
    :param replaces: whether it includes everything in the host's own event, which is then not sent to
        endpoints that get this one.
    :param later: whether it is sent with a later event of the same message, ``message.completed``; now it can
        only replace the host's own event.
    """

    name: str
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    replaces: bool = True
    later: bool = False


@dataclass(frozen=True, slots=True)
class OutgoingKind:
    """A name that :meth:`~host.sdk.channel.ChannelAdapter.outgoing` uses.

    :param about: a sentence about when it is sent, marked with :func:`host.sdk.i18n.noop`.
    :param sample: an example of ``data``, without the fields that the host adds.
    """

    name: str
    about: str
    sample: Mapping[str, Any] = field(default_factory=dict)
