"""Show a file of a message: a stored one from the store, a linked one from the provider."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from flask import Response, request
from sqlalchemy.orm import Session

from host.core import db, storage
from host.core.errors import NotFoundError
from host.core.ports import AdapterDirectory
from host.media import files, passthrough, picture_size
from host.media.fetching import publish_change
from host.models.channels import ChannelAccount, ref
from host.models.inbox import Attachment, AttachmentState, Message
from host.sdk.channel import AccountRef
from host.web.message_kinds import look_of

_attachments = Attachment.metadata.tables["attachments"]


class _File(msgspec.Struct, frozen=True):
    id: int
    kind: str
    name: str
    content_type: str
    state: str
    url: str | None
    storage_key: str | None
    account: AccountRef


def view(
    workspace_id: int, attachment_id: int, *, directory: AdapterDirectory, download: bool = False
) -> Response:
    """Return a response with an attachment of the workspace, or with the requested range of it.

    No database session is open while bytes are sent. If the URL at the provider has expired, this is stored.

    :raises NotFoundError: if there is no such attachment in the workspace, or no adapter for it.
    :raises host.media.passthrough.NotFetchedError: if it is on a host that is not allowed.
    :raises host.media.passthrough.FileGoneError: if the file no longer exists anywhere.
    :raises host.media.picture_size.TooLargeToShowError: if it is a picture too large for browsers to show.
    """
    with db.read() as session:
        file = _load(session, workspace_id, attachment_id)
    if file is None:
        raise NotFoundError()
    name = file.name or str(look_of(file.kind).label)
    if file.state == AttachmentState.STORED and file.storage_key is not None:
        try:
            stored = storage.open_stored(file.storage_key)
        except storage.NotStoredError:
            raise NotFoundError() from None
        # Only read for types that a browser would decode.
        if not download and file.content_type.startswith("image/"):
            try:
                picture_size.check(stored)
            except (picture_size.TooLargeToShowError, storage.StoreAwayError):
                stored.close()
                raise
        return files.send(
            stored, content_type=file.content_type, name=name, key=file.storage_key, download=download
        )
    if file.state == AttachmentState.EXPIRED:
        raise passthrough.FileGoneError()
    adapter = directory.adapter(file.account.channel)
    if file.state == AttachmentState.OUTSIDE:
        raise passthrough.NotFetchedError()
    if file.url is None or adapter is None:
        raise NotFoundError()
    try:
        response = passthrough.pass_on(
            passthrough.locate(adapter.locate, file.account, file.url),
            adapter.inbound_media().hosts,
            kind=file.kind,
            name=name,
            part=request.headers.get("Range"),
            download=download,
        )
    except passthrough.FileGoneError:
        db.write(_expire, file.id)
        raise
    found = response.headers["Content-Type"]
    if not file.content_type and found in files.TYPED:
        db.write(_learn, file.id, found)
    return response


def _load(session: Session, workspace_id: int, attachment_id: int) -> _File | None:
    row = session.execute(
        sa.select(
            Attachment.id,
            Attachment.kind,
            Attachment.name,
            Attachment.content_type,
            Attachment.state,
            Attachment.url,
            Attachment.storage_key,
            ChannelAccount,
        )
        .join(Message, Message.id == Attachment.message_id)
        .join(ChannelAccount, ChannelAccount.id == Message.account_id)
        .where(Attachment.id == attachment_id, Attachment.workspace_id == workspace_id)
    ).one_or_none()
    return None if row is None else _File(*row[:-1], ref(row[-1]))


def _learn(session: Session, attachment_id: int, content_type: str) -> None:
    """Store the content type of a linked file, so that a video is shown as one the next time."""
    unknown = _attachments.c.id == attachment_id, _attachments.c.content_type == ""
    changed = session.execute(sa.update(_attachments).where(*unknown).values(content_type=content_type))
    if changed.rowcount:  # type: ignore[attr-defined]
        publish_change(session, attachment_id)


def _expire(session: Session, attachment_id: int) -> None:
    at_provider = _attachments.c.state.in_([AttachmentState.LINKED, AttachmentState.WAITING])
    changed = session.execute(
        sa.update(_attachments)
        .where(_attachments.c.id == attachment_id, at_provider)
        .values(state=AttachmentState.EXPIRED, due_at=None, storage_key=None)
    )
    if changed.rowcount:  # type: ignore[attr-defined]
        publish_change(session, attachment_id)
