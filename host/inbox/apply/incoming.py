"""Changes in the form in which delivery workers pass them to the inbox."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from host.core.cleaning import clean_short, external_id
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import InboundChange, MessageBounced, MessageEchoed, MessageReceived, Program

log = logging.getLogger(__name__)

NO_MEDIA = InboundMedia()

FUTURE = timedelta(hours=2)
"""How far a provider's clock may be ahead of ours before our time is used instead.

The order of a thread must not change if our clock is an hour off, as after a change to summer time. The reply
window counts from our time at the latest.
"""


REPORTED_WITHIN = timedelta(days=7)
"""Maximum age of a message that a report which names none is about; servers try for five days."""
MOST_FITTING = 20
"""Number of newest messages of ours read for such a report."""


class Incoming(NamedTuple):
    """One change of one journalled event. A tuple, because it is four times cheaper than a frozen dataclass.

    :param received_at: when we received it, from the journal.
    :param event_key: stable for the event, however often it is applied.
    :param stored: index of an attachment of the change -> key of its bytes in ``host.core.storage``, for
        attachments that were included in the message. They are stored before the transaction.
    :param event_id: the journalled event's row.
    :param imported: whether it is from before the account was connected: it notifies nobody. The reply
        window counts from a recent one.
    :param delivered: True if the provider sent it; False if it was read from the provider's history.
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
    """Return the channel's rules for the files of *change*. Addons may be slow: not inside a transaction."""
    files = isinstance(change, MessageReceived | MessageEchoed | MessageBounced) and change.attachments
    return adapter.inbound_media() if files else NO_MEDIA


def believable(sent_at: datetime, received_at: datetime) -> datetime:
    """Return the provider's time, or ours if theirs is in the future.

    Otherwise a mail dated 2099 would stay on top of the inbox forever. An adapter that knows the provider's
    clock corrects a time that is ahead of it.
    """
    return received_at if sent_at > received_at + FUTURE else sent_at


def other_ids(adapter: ChannelAdapter, contact: str) -> list[str]:
    """Return the other ids that the provider may have for *contact*; none if the adapter raises."""
    try:
        return [external_id(one) for one in adapter.other_ids(contact)]
    except Exception:
        log.exception("the adapter of %s cannot tell how else it writes an id", adapter.label)
        return []


def reported_at(item: Incoming, change: MessageBounced) -> datetime:
    """Return when a report came: by our clock, or by the provider's for history."""
    return believable(change.at, item.received_at) if item.imported else item.received_at


def message_key(change: MessageReceived, event_key: str) -> str:
    """Return the external id to store for a received message.

    If the provider gives none, it is derived from the event and the message's content: applying the event
    again gives the same id, and two messages of one event get different ids.
    """
    return external_id(change.external_id) if change.external_id else own_key(change, event_key)


def own_key(change: MessageReceived, event_key: str) -> str:
    """Return an external id derived from the event and the message's content."""
    parts = (event_key, change.contact, change.sent_at.isoformat(), str(change.kind), change.text)
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"event:{digest}"


def program(name: str, given: Program | None) -> dict[str, dict[str, str]]:
    """Return the content that stores a program as *name*; empty without a program."""
    if given is None:
        return {}
    who, id_, called = str(given.who), clean_short(given.id, 64) or "", clean_short(given.name, 64) or ""
    return {name: {"who": who, "id": id_, "name": called}}


def not_sent_id(name: str) -> str:
    """Return the external id of the line about another program's message *name*, which did not arrive."""
    return external_id(f"not-sent:{name}")


def identified_id(event_key: str) -> str:
    """Return the external id of the activity line about a new id of a person."""
    return external_id(f"identified:{event_key}")


def handover_id(event_key: str) -> str:
    """Return the external id of the activity line about a handover."""
    return external_id(f"handover:{event_key}")
