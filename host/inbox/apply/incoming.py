"""Changes as the delivery workers hand them to the inbox."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from host.core.cleaning import clean_short, external_id
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import InboundChange, MessageBounced, MessageEchoed, MessageReceived, Program

NO_MEDIA = InboundMedia()

FUTURE = timedelta(hours=2)
"""Most time a provider's clock may be ahead of ours before our time is used instead. If our clock is an hour
off, as after a change to summer time, the order of a thread must not change. The reply window counts from our
time at the latest.
"""


class Incoming(NamedTuple):
    """One change of one journalled event. A tuple: made at a quarter of what a frozen dataclass costs.

    :param received_at: when we received it, from the journal.
    :param event_key: stable for the event, however often it is applied.
    :param stored: index of an attachment of the change -> key of its bytes in ``host.core.storage``, for
        those whose bytes came with the message. They are stored before the transaction.
    :param event_id: the journalled event's row.
    :param imported: it was said before the account was here: nobody is notified, and no reply window opens.
    :param delivered: the provider sent it by itself; False: it was read from the provider's history.
    :param media: see :func:`media_of`.
    """

    account: AccountRef
    adapter: ChannelAdapter
    change: InboundChange
    received_at: datetime
    event_key: str
    stored: Mapping[int, str] = MappingProxyType({})
    event_id: int | None = None
    imported: bool = False
    delivered: bool = True
    media: InboundMedia = NO_MEDIA


def media_of(adapter: ChannelAdapter, change: InboundChange) -> InboundMedia:
    """Return where the files of *change* may be. Not in a transaction: an addon takes its time."""
    files = isinstance(change, MessageReceived | MessageEchoed | MessageBounced) and change.attachments
    return adapter.inbound_media() if files else NO_MEDIA


def believable(sent_at: datetime, received_at: datetime) -> datetime:
    """Return the provider's time, or ours if theirs is in the future.

    Otherwise one mail dated 2099 would stay on top of the inbox for ever. An adapter that knows the
    provider's own clock corrects a time that is ahead of that.
    """
    return received_at if sent_at > received_at + FUTURE else sent_at


def message_key(change: MessageReceived, event_key: str) -> str:
    """Return the external id to store for a received message.

    Where the provider gives none, it is made from the event and the message's content: applying the event
    again gives the same id, and two messages of one event get different ones.
    """
    return external_id(change.external_id) if change.external_id else own_key(change, event_key)


def own_key(change: MessageReceived, event_key: str) -> str:
    """Return an external id made of the event and what is in the message."""
    parts = (event_key, change.contact, change.sent_at.isoformat(), str(change.kind), change.text)
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"event:{digest}"


def program(name: str, given: Program | None) -> dict[str, dict[str, str]]:
    """Return what a message's content keeps of a program, as *name*; nothing where none is known."""
    if given is None:
        return {}
    who, id_, called = str(given.who), clean_short(given.id, 64) or "", clean_short(given.name, 64) or ""
    return {name: {"who": who, "id": id_, "name": called}}


def handover_id(event_key: str) -> str:
    """Return the external id of the line that tells of a handover."""
    return external_id(f"handover:{event_key}")
