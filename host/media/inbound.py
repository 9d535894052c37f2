"""Plan the handling of a provider's file: already stored, to be fetched, or only passed through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from host.core import clock
from host.media import files, sniff
from host.media.retention import Retention
from host.models.inbox import Attachment, AttachmentState
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef
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
    """Return the initial state of *attachment*.

    :param stored: whether its bytes were included in the message and are stored.
    :param media: the channel's rules for files.
    :param settings: of the account.
    """
    if stored:
        return Plan(AttachmentState.STORED)
    if attachment.url is None or not client_for(media.hosts).allows(attachment.url):
        return Plan(AttachmentState.OUTSIDE)
    if attachment.kind in media.stored and Retention.of(settings).stores:
        return Plan(AttachmentState.WAITING, now)
    return Plan(AttachmentState.LINKED)


def show_with_reply(
    session: Session,
    account: AccountRef,
    message_id: int,
    named: Sequence[InboundAttachment],
    media: InboundMedia,
) -> None:
    """Schedule the look-up of media that a reply of *account* refers to by id."""
    now = clock.now()
    for one in named:
        begins = plan(one, stored=False, media=media, settings=account.settings, now=now)
        row = Attachment(
            workspace_id=account.workspace_id,
            message_id=message_id,
            kind=str(one.kind),
            name=one.name,
            content_type=one.content_type,
            url=one.url,
            state=begins.state,
            due_at=begins.due_at,
        )
        session.add(row)
    session.flush()


def content_type(attachment: InboundAttachment) -> str:
    """Return the content type of *attachment*: as declared, or from its bytes if browsers show the type."""
    told = attachment.content_type
    if attachment.content is None or told.partition(";")[0].strip().lower() not in files.TYPED:
        return told
    return sniff.settled(attachment.content[: sniff.HEAD], told=told, kind=attachment.kind)


@lru_cache(maxsize=64)
def client_for(hosts: frozenset[str]) -> Client:
    """Return the client for fetching from *hosts*; one per set of hosts."""
    return Client(hosts, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
