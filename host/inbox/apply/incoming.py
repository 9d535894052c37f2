"""Changes as the delivery workers hand them to the inbox."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from host.core.cleaning import external_id
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import InboundChange, MessageReceived

FUTURE = timedelta(hours=2)
"""How far a provider's time may be ahead of ours before ours is used instead. A clock of ours that is an hour
wrong, as after a change to summer time, must not change the order of a thread."""


class Incoming(NamedTuple):
    """One change of one journalled event. A tuple: made at a quarter of what a frozen dataclass costs.

    :param received_at: when we received it, from the journal.
    :param event_key: stable for the event, however often it is applied.
    :param stored: index of an attachment of the change -> key of its bytes in ``host.core.storage``, for
        those whose bytes came with the message. They are stored before the transaction.
    :param event_id: the journalled event's row.
    :param imported: it was read from the provider's history: nobody is notified, and no reply window opens.
    """

    account: AccountRef
    adapter: ChannelAdapter
    change: InboundChange
    received_at: datetime
    event_key: str
    stored: Mapping[int, str] = MappingProxyType({})
    event_id: int | None = None
    imported: bool = False


def believable(sent_at: datetime, received_at: datetime) -> datetime:
    """Return the provider's time, or ours where theirs lies in the future.

    Otherwise one mail dated 2099 would stay on top of the inbox for ever.
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


def handover_id(event_key: str) -> str:
    """Return the external id of the line that tells of a handover."""
    return external_id(f"handover:{event_key}")
