"""Plan what happens with a received file: kept already, to be fetched, or only passed through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from host.media import files, sniff
from host.media.retention import Retention
from host.models.inbox import AttachmentState
from host.sdk.capabilities import InboundMedia
from host.sdk.http import Client
from host.sdk.messages import InboundAttachment

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0


class Plan(NamedTuple):
    state: AttachmentState
    due_at: datetime | None = None


def plan(
    attachment: InboundAttachment,
    *,
    stored: bool,
    media: InboundMedia,
    settings: Mapping[str, Any],
    now: datetime,
) -> Plan:
    """Return the state in which *attachment* starts.

    :param stored: whether its bytes came with the message and are stored.
    :param media: the channel's declaration.
    :param settings: the account's.
    """
    if stored:
        return Plan(AttachmentState.STORED)
    if attachment.url is None or not client_for(media.hosts).allows(attachment.url):
        return Plan(AttachmentState.OUTSIDE)
    if attachment.kind in media.stored and Retention.of(settings).stores:
        return Plan(AttachmentState.WAITING, now)
    return Plan(AttachmentState.LINKED)


def content_type(attachment: InboundAttachment) -> str:
    """Return the type of *attachment*: as declared, or from its bytes if a browser would show that type."""
    told = attachment.content_type
    if attachment.content is None or told.partition(";")[0].strip().lower() not in files.TYPED:
        return told
    return sniff.settled(attachment.content[: sniff.HEAD], told=told, kind=attachment.kind)


@lru_cache(maxsize=64)
def client_for(hosts: frozenset[str]) -> Client:
    """Return the client for fetching from *hosts*; one for each set of hosts."""
    return Client(hosts, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
