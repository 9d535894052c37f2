"""Pictures of people, passed through from the provider: browsers are never sent there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import Response
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host import clock, db
from host.channels.models import ChannelAccount
from host.delivery import policy
from host.errors import NotFoundError
from host.inbox.models import ContactIdentity
from host.media import files, passing, sniff
from host.media.blueprint import bp
from host.sdk.errors import FetchError
from host.sdk.messages import MessageKind
from host.web import generation, workspace_view

KEPT = timedelta(minutes=10)
"""How long a picture is remembered, in memory and by a browser: a list shows fifty of them at a time."""
SILENT = timedelta(minutes=1)
"""How long a provider that did not answer is left alone about a picture."""
AT_ONCE = 8
WAIT_SECONDS = 1.0
TOTAL_SECONDS = 10.0
MOST_BYTES = 512 * 1024
"""Of one picture."""
MOST = 200
"""Pictures that are remembered."""


@dataclass(frozen=True, slots=True)
class _Picture:
    content: bytes
    content_type: str
    until: datetime


_lock = threading.Lock()
_places = threading.BoundedSemaphore(AT_ONCE)
_remembered: OrderedDict[str, _Picture] = OrderedDict()


@bp.get("/w/<int:workspace_id>/media/people/<int:identity_id>")
@workspace_view()
def person(workspace_id: int, identity_id: int) -> ResponseReturnValue:
    """Show the picture of somebody who wrote to the workspace."""
    with db.read() as session:
        row = session.execute(
            sa.select(ContactIdentity.picture_url, ChannelAccount.channel)
            .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
            .where(ContactIdentity.id == identity_id, ContactIdentity.workspace_id == workspace_id)
        ).one_or_none()
    adapter = None if row is None else generation().directory.adapter(row.channel)
    if row is None or row.picture_url is None or adapter is None:
        raise NotFoundError()
    picture = _recall(row.picture_url)
    if picture is None:
        try:
            picture = _fetch(row.picture_url, adapter.inbound_media().hosts)
        except passing.FileGoneError:
            db.write(_end, identity_id, row.picture_url)
            raise
    if not picture.content:
        raise NotFoundError()
    response = Response(picture.content)
    files.harmless(response, content_type=picture.content_type, name="picture", download=False)
    response.headers["Cache-Control"] = f"private, max-age={int(KEPT.total_seconds())}"
    return response


def _recall(url: str) -> _Picture | None:
    with _lock:
        found = _remembered.get(url)
        if found is None or found.until <= clock.now():
            return None
        _remembered.move_to_end(url)
        return found


def _fetch(url: str, hosts: frozenset[str]) -> _Picture:
    """Return a picture from the provider, remembered for a while; an empty one for anything but a picture.

    :raises LobbyError: if the provider has none, or does not hand it out.
    """
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise passing.SilentError()
    try:
        content = _read(url, hosts)
    except passing.SilentError:
        # So that a list of fifty people does not wait for a provider fifty times.
        _remember(url, _Picture(b"", "", clock.now() + SILENT))
        raise
    finally:
        _places.release()
    content_type = sniff.content_type(content[: sniff.HEAD])
    if sniff.kind_of(content_type) is not MessageKind.IMAGE:
        content, content_type = b"", ""
    return _remember(url, _Picture(content, content_type, clock.now() + KEPT))


def _read(url: str, hosts: frozenset[str]) -> bytes:
    content = b""
    try:
        with passing.open_at_provider(
            url, hosts, max_bytes=MOST_BYTES, total_timeout=TOTAL_SECONDS
        ) as answer:
            while chunk := answer.read():
                content += chunk
    except FetchError:
        raise passing.SilentError() from None
    return content


def _remember(url: str, picture: _Picture) -> _Picture:
    with _lock:
        _remembered[url] = picture
        while len(_remembered) > MOST:
            _remembered.popitem(last=False)
    return picture


def forget_pictures() -> None:
    """Remember nothing; for tests."""
    with _lock:
        _remembered.clear()


def _end(session: Session, identity_id: int, url: str) -> None:
    """Note that the address of a picture has ended, and have the profile asked for again before long."""
    identity = session.get(ContactIdentity, identity_id, with_for_update=True)
    if identity is None or identity.picture_url != url:
        return
    identity.picture_url = None
    now = clock.now()
    if identity.profile_due_at is None:
        told = identity.profile_at or now
        identity.profile_due_at = max(now, told + policy.PICTURE_FRESH)
