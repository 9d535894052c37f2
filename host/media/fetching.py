"""Fetch the files customers sent, after their message is shown. A failure affects the file, never the
message.

A scheduled job of the workers fetches files whose row in ``attachments`` is due. A file that was claimed but
not finished, because the process died, is due again when its claim expires.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.http import parse_options_header

from host.core import clock, db, storage
from host.core.backports.values import replace
from host.core.cleaning import clean_short
from host.core.ports import AdapterDirectory
from host.core.statements import earliest
from host.events.writing import show
from host.media import pictures, sniff
from host.media.inbound import open_file
from host.media.limits import MAX_BYTES
from host.media.retention import Retention
from host.models.channels import AccountState, ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Attachment, AttachmentState, Message
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef, Located
from host.sdk.errors import FetchError, FileEndedError, ForbiddenAddressError
from host.sdk.http import OpenResponse, TooMuchError
from host.sdk.messages import MessageKind

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Number of files fetched in parallel, so that a slow one does not delay all others."""
MOST = 8
"""Files claimed at a time: even if each takes the maximum time, they are done before their claim expires."""
CLAIM = timedelta(minutes=5)
PARKED = timedelta(hours=1)
AWAY = timedelta(minutes=1)
"""How long a file waits for the store before it is fetched again."""
DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600))
"""Delays between attempts to fetch a file; after the last it stays a link."""
TOTAL_SECONDS = 120.0
GONE = frozenset({403, 404, 410})
"""Status codes that mean that a URL has expired."""
LATER = frozenset({408, 425, 429})

_AWAY: Mapping[str, Any] = {"due_at": None, "storage_key": None}
"""Values of a file that is not stored, even if a process died just before storing it."""

_attachments = Attachment.metadata.tables["attachments"]


class _Due(msgspec.Struct, frozen=True):
    """A file to fetch.

    :param arrived_at: arrival time of its message, from which retention counts.
    :param name: the sender's name for it, if known.
    """

    id: int
    kind: str
    url: str
    account: AccountRef
    arrived_at: datetime
    failures: int
    name: str


def due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(Attachment.due_at, now, Attachment.state == AttachmentState.WAITING)


def fetch_due(directory: AdapterDirectory, *, most: int = MOST) -> int:
    """Fetch up to *most* files that are due; return their number."""
    if storage.away() is not None:
        return 0
    now = clock.now()
    with db.read() as session:
        if session.execute(sa.select(Attachment.id).where(*_is_due(now)).limit(1)).first() is None:
            return 0
    claimed = db.write(_claim, most)
    if claimed:
        with ThreadPoolExecutor(min(AT_ONCE, len(claimed)), "fetch-file") as pool:
            for _ in pool.map(lambda one: _fetch(directory, one), claimed):
                pass
    return len(claimed)


def _is_due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Attachment.state == AttachmentState.WAITING, Attachment.due_at <= now


def oldest_due(session: Session) -> datetime | None:
    """Return since when the longest-waiting file is due, or None if none is."""
    query = sa.select(Attachment.due_at).where(*_is_due(clock.now())).order_by(Attachment.due_at).limit(1)
    return session.scalar(query)


def _claim(session: Session, most: int) -> list[_Due]:
    """Claim files for this process: others do not find them due until the claim expires."""
    now = clock.now()
    rows = session.execute(
        sa.select(Attachment, Message.created_at, ChannelAccount)
        .join(Message, Message.id == Attachment.message_id)
        .join(ChannelAccount, ChannelAccount.id == Message.account_id)
        .where(*_is_due(now))
        .order_by(Attachment.due_at)
        .limit(most)
        .with_for_update(skip_locked=True, of=Attachment)
    ).all()
    claimed = []
    for attachment, arrived_at, account in rows:
        if (
            attachment.url is None
            or account.state == AccountState.DISCONNECTED
            or not Retention.of(account.settings).stores
        ):
            attachment.state, attachment.due_at = AttachmentState.LINKED, None
            continue
        attachment.due_at = now + CLAIM
        claimed.append(
            _Due(
                attachment.id,
                attachment.kind,
                attachment.url,
                account_ref(account),
                arrived_at,
                attachment.failures,
                attachment.name,
            )
        )
    session.flush()
    return claimed


def _fetch(directory: AdapterDirectory, due: _Due) -> None:
    try:
        adapter = directory.adapter(due.account.channel)
        if adapter is None:
            db.write(_set, due.id, {"due_at": clock.now() + PARKED})
            return
        located = adapter.locate(due.account, due.url)
        if isinstance(located, Located):
            due = replace(due, name=due.name or clean_short(located.name, 255) or "")
            db.write(_set, due.id, {"name": due.name})
        else:
            located = Located(located)
        if not located.url:
            raise FileEndedError("it has a name and no file")
        _take(due, located, adapter.inbound_media())
    except FileEndedError:
        db.write(_set, due.id, {**_AWAY, "state": AttachmentState.EXPIRED})
    except ForbiddenAddressError as error:
        log.warning("file %s of channel %s is not fetched: %s", due.id, due.account.channel, error)
        db.write(_set, due.id, {**_AWAY, "state": AttachmentState.OUTSIDE})
    except FetchError as error:
        _try_later(due, str(error), final=isinstance(error, TooMuchError))
    except storage.StoreAwayError as error:
        # The store is unavailable: the file waits as long as needed.
        log.warning("files that customers sent wait for where they are kept: %s", error.words)
        db.write(_set, due.id, {"due_at": clock.now() + AWAY})
    except Exception:
        log.exception("file %s of channel %s could not be fetched", due.id, due.account.channel)
        _try_later(due, "a fault of the desk")


def _take(due: _Due, file: Located, media: InboundMedia) -> None:
    with open_file(file, media.hosts, max_bytes=MAX_BYTES, total_timeout=TOTAL_SECONDS) as answer:
        if answer.status in GONE:
            db.write(_set, due.id, {**_AWAY, "state": AttachmentState.EXPIRED})
            return
        if answer.status != 200:
            final = 400 <= answer.status < 500 and answer.status not in LATER
            _try_later(due, f"the provider answers {answer.status}", final=final)
            return
        _keep(due, answer)


def _keep(due: _Due, answer: OpenResponse) -> None:
    with storage.current().stage(answer, most=MAX_BYTES) as staged:
        with staged.open() as file:
            content_type = sniff.settled(
                file.read(sniff.HEAD), told=answer.headers.get("content-type", ""), kind=due.kind
            )
            size = pictures.measured(file) if content_type.startswith("image/") else None
        if not staged.size:
            _try_later(due, "the provider's file is empty")
            return
        if not sniff.may_be(due.kind, content_type):
            _try_later(due, f"the provider answers with {content_type}")
            return
        # The row first, then the bytes (see host.core.storage); only then is it shown.
        if not db.write(_set, due.id, {"storage_key": staged.key}):
            return
        staged.keep()
        ends_at = Retention.of(due.account.settings).ends_at(due.arrived_at)
        db.write(
            _set,
            due.id,
            {
                "state": AttachmentState.STORED,
                "due_at": ends_at,
                "failures": 0,
                "content_type": content_type,
                "size": staged.size,
                "width": size and size[0],
                "height": size and size[1],
                **_named(due, answer.headers.get("content-disposition", "")),
            },
        )


def _named(due: _Due, disposition: str) -> dict[str, str]:
    """Return a name for an unnamed document: from the provider's response, or its URL."""
    if due.name or due.kind != MessageKind.FILE:
        return {}
    told = parse_options_header(disposition)[1].get("filename") or ""
    in_address = unquote(urlsplit(due.url).path).rpartition("/")[2]
    name = told.replace("\\", "/").rpartition("/")[2] or (in_address if "." in in_address else "")
    shown = "".join(letter for letter in name if letter.isprintable()).strip(" .")
    return {"name": clean_short(shown, 255) or ""} if shown else {}


def _try_later(due: _Due, reason: str, *, final: bool = False) -> None:
    failures = due.failures + 1
    if final or failures > len(DELAYS):
        log.warning("file %s of channel %s stays a link: %s", due.id, due.account.channel, reason)
        db.write(_set, due.id, {**_AWAY, "state": AttachmentState.LINKED, "failures": failures})
        return
    log.info("file %s of channel %s is tried again: %s", due.id, due.account.channel, reason)
    db.write(_set, due.id, {"due_at": clock.now() + DELAYS[failures - 1], "failures": failures})


def _set(session: Session, attachment_id: int, values: Mapping[str, Any]) -> bool:
    """Write the result for a file; return whether it was still waiting."""
    waits = _attachments.c.id == attachment_id, _attachments.c.state == AttachmentState.WAITING
    changed = session.execute(sa.update(_attachments).where(*waits).values(values))
    if not changed.rowcount:  # type: ignore[attr-defined]
        return False
    if "state" in values:
        publish_change(session, attachment_id)
    return True


def publish_change(session: Session, attachment_id: int) -> None:
    """Notify browsers to reload the message of a file."""
    row = session.execute(
        sa.select(Message.id, Message.conversation_id, Message.workspace_id)
        .join(Attachment, Attachment.message_id == Message.id)
        .where(Attachment.id == attachment_id)
    ).one_or_none()
    if row is not None:
        show(session, row.workspace_id, "state", conversation_id=row.conversation_id, message_id=row.id)
