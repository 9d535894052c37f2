"""Plan the handling of a provider's file: already stored, to be fetched, or only passed through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from host.core import clock
from host.media import files, sniff
from host.media.retention import Retention
from host.models.inbox import Attachment, AttachmentState
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef, Located
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.http import Client, OpenResponse
from host.sdk.messages import InboundAttachment

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
REDIRECTS = 3
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class UndeclaredHostError(ForbiddenAddressError):
    """The addon gave headers with a file on a host that its channel does not declare."""


class UnsendableHeaderError(FetchError):
    """The addon gave a header that cannot be sent. The message names neither it nor its value."""


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


def open_file(
    file: Located,
    hosts: frozenset[str],
    *,
    part: str | None = None,
    max_bytes: int,
    total_timeout: float,
) -> OpenResponse:
    """Request *file* from the provider, with its headers if it is on one of *hosts*; close the response.

    :param part: a ``Range`` header.
    :raises UndeclaredHostError: if it has headers and is elsewhere, even on a host the operator allows.
    :raises UnsendableHeaderError: if one of its headers cannot be sent.
    :raises FetchError: as :meth:`host.sdk.http.Client.open`.
    """
    client = client_for(hosts)
    headers = {}
    if file.headers:
        if not client.lists(file.url):
            host = _host(file.url)
            raise UndeclaredHostError(
                f"the addon gave headers for {host}, which is not among the hosts of inbound_media()"
            )
        headers = _checked(file.headers)
    if part is not None:
        headers = {name: value for name, value in headers.items() if name.lower() != "range"} | {
            "Range": part
        }
    return client.open(
        file.url, headers=headers, max_bytes=max_bytes, follow=REDIRECTS, total_timeout=total_timeout
    )


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not (
            isinstance(name, str)
            and isinstance(value, str)
            and _NAME.fullmatch(name)
            and _VALUE.fullmatch(value)
        ):
            raise UnsendableHeaderError("the addon gave a header that cannot be sent")
    return dict(headers)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"


@lru_cache(maxsize=64)
def client_for(hosts: frozenset[str]) -> Client:
    """Return the client for fetching from *hosts*; one per set of hosts."""
    return Client(hosts, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
