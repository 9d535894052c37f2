"""Accept files to send: detect their type, check that they are complete, and store them until they are
sent."""

from __future__ import annotations

import io
import logging
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.core.cleaning import clean_short
from host.core.errors import TooManyError, UnavailableError
from host.media import limits, pictures, sniff, transcode, video_metadata
from host.media.limits import MAX_BYTES, FileRefusedError
from host.models.inbox import Attachment, AttachmentState
from host.models.media import Upload as UploadRow
from host.sdk.capabilities import MediaLimits
from host.sdk.messages import MessageKind, OutgoingFile

log = logging.getLogger(__name__)

KEPT = timedelta(days=1)
"""How long an unsent file is kept."""
MOST_WAITING = 200
"""Maximum number of unsent files per person."""
MOST_WAITING_BYTES = 1024 * 1024 * 1024

Allowed = Mapping[MessageKind, MediaLimits]
"""File types and limits a channel allows: ``Capabilities.media``."""


class Upload(msgspec.Struct, frozen=True):
    """An uploaded file.

    :param id: its public id.
    :param content_type: as detected from its bytes.
    :param size: in bytes, after removing metadata.
    :param width: and *height*: displayed size of a picture in pixels; otherwise None.
    """

    id: str
    workspace_id: int
    kind: MessageKind
    name: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    storage_key: str
    created_at: datetime

    @classmethod
    def of(cls, row: UploadRow) -> Upload:
        return cls(
            id=row.uuid,
            workspace_id=row.workspace_id,
            kind=MessageKind(row.kind),
            name=row.name,
            content_type=row.content_type,
            size=row.size,
            width=row.width,
            height=row.height,
            storage_key=row.storage_key,
            created_at=row.created_at,
        )


def keep_upload(
    stream: storage.Readable,
    name: str,
    *,
    workspace_id: int,
    user_id: int | None,
    media: Allowed | None = None,
) -> Upload:
    """Store the file in *stream* for a day, to be sent. Do not call it inside a transaction.

    Its type is detected from its bytes. A picture is decoded once to check that it is complete, and loses all
    metadata but its orientation; a video loses its metadata, such as the place. Audio of a type the channel
    does not accept is converted if possible.

    :param name: the sender's name for it, only displayed.
    :param user_id: the uploading person; None for a program.
    :param media: the limits of its channel, see :class:`~host.sdk.capabilities.Capabilities`; None allows
        anything.
    :raises FileRefusedError: codes ``empty``, ``too_large``, ``broken_picture``, ``too_many_pixels``,
        ``picture_type``, and those of :func:`host.media.limits.check` and
        :func:`host.media.transcode.converted`.
    :raises UnavailableError: if it cannot be written.
    :raises TooManyError: if the person has too many unsent files.
    """
    if user_id is not None:
        _check_quota(user_id)
    head = stream.read(sniff.HEAD)
    if not head:
        raise FileRefusedError(
            "empty",
            _l("The file is empty."),
            next_step=lazy_pgettext("file", "Choose another one."),
            status=400,
        )
    content_type = sniff.content_type(head)
    if content_type in sniff.WHOLE:
        head += stream.read(MAX_BYTES + 1 - len(head))
        content_type = sniff.content_type(head)
    kind = sniff.kind_of(content_type)
    most = MAX_BYTES if media is None or kind not in media else min(MAX_BYTES, media[kind].max_bytes)
    joined: storage.Readable = _Joined(head, stream)
    types = frozenset() if media is None or kind not in media else media[kind].content_types
    if kind is MessageKind.AUDIO and types and content_type not in types:
        with transcode.converted(joined, content_type, types) as (file, made):
            return _keep(file, workspace_id, user_id, kind, transcode.renamed(name, made), made, most)
    limits.check(kind, content_type, 0, media, name=clean_name(name))
    width = height = None
    if kind is MessageKind.IMAGE:
        picture = _picture(joined, content_type)
        joined, width, height = io.BytesIO(picture.content), picture.width, picture.height
    elif content_type.startswith("image/"):
        # The metadata of these types cannot be parsed here, so it cannot be removed.
        raise FileRefusedError(
            "picture_type",
            _l(
                "Pictures of this type can contain the location they were taken at, which Lobby cannot "
                "remove."
            ),
            next_step=_l("Save it as JPEG or PNG and try again."),
        )
    elif content_type in video_metadata.TYPES:
        joined = video_metadata.CleanedVideo(joined)
    return _keep(joined, workspace_id, user_id, kind, name, content_type, most, width, height)


def _keep(
    content: storage.Readable,
    workspace_id: int,
    user_id: int | None,
    kind: MessageKind,
    name: str,
    content_type: str,
    most: int,
    width: int | None = None,
    height: int | None = None,
) -> Upload:
    try:
        staged = storage.current().stage(content, most=most)
    except storage.TooLargeError as error:
        raise limits.too_large(error.most) from None
    except storage.StoreAwayError as error:
        log.error("a file could not be stored: %s", error.words)
        raise UnavailableError(
            _l("Lobby cannot store files right now."),
            next_step=_l(
                "Try again in a minute. If it keeps happening, tell an admin: the disk may be full."
            ),
        ) from None
    with staged:
        upload = Upload(
            id=uuid.uuid4().hex,
            workspace_id=workspace_id,
            kind=kind,
            name=clean_name(name),
            content_type=content_type,
            size=staged.size,
            width=width,
            height=height,
            storage_key=staged.key,
            created_at=clock.now(),
        )
        db.write(_insert, upload, user_id)
        staged.keep()
    return upload


def clean_name(name: str) -> str:
    """Return a file's name without folders, control and directional characters, at most 255 characters
    long."""
    bare = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(
        one for one in bare if unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )
    short = clean_short(printable, 255) or ""
    if len(printable.strip()) > 255:
        stem, dot, ending = printable.strip().rpartition(".")
        if dot and len(ending) <= 16:
            short = f"{stem[: 254 - len(ending)]}.{ending}"
    return "" if short.strip(". ") == "" else short


def get_upload(session: Session, workspace_id: int, upload_id: str) -> Upload | None:
    """Return an upload of the workspace by its public id, or None."""
    query = sa.select(UploadRow).where(UploadRow.uuid == upload_id, UploadRow.workspace_id == workspace_id)
    row = session.scalars(query).one_or_none()
    return None if row is None else Upload.of(row)


def attach(session: Session, workspace_id: int, upload_ids: Sequence[str]) -> list[Upload]:
    """Reserve uploads for a message and return them in the given order; each can be in one message only.

    :func:`add_to_message` then makes each an attachment.

    :raises FileRefusedError: code ``upload_gone`` if one no longer exists, was already sent, or belongs to
        another workspace.
    """
    rows = _unsent(session, workspace_id, upload_ids, lock=True)
    now = clock.now()
    for row in rows:
        row.attached_at = now
    if rows:
        session.flush()
    return [Upload.of(row) for row in rows]


def unsent(session: Session, workspace_id: int, upload_ids: Sequence[str]) -> list[Upload]:
    """Return the uploads that :func:`attach` would reserve; it raises the same errors."""
    return [Upload.of(row) for row in _unsent(session, workspace_id, upload_ids, lock=False)]


def _unsent(session: Session, workspace_id: int, upload_ids: Sequence[str], *, lock: bool) -> list[UploadRow]:
    if not upload_ids:
        return []
    query = sa.select(UploadRow).where(
        UploadRow.workspace_id == workspace_id,
        UploadRow.uuid.in_(upload_ids),
        UploadRow.attached_at.is_(None),
        UploadRow.created_at > clock.now() - KEPT,
    )
    if lock:
        query = query.order_by(UploadRow.id).with_for_update()
    rows = {row.uuid: row for row in session.scalars(query)}
    if set(rows) != set(upload_ids) or len(rows) != len(upload_ids):
        raise FileRefusedError(
            "upload_gone",
            _l("A file expired after a day, or was already sent."),
            next_step=_l("Add it again."),
            status=409,
        )
    return [rows[one] for one in upload_ids]


def put_back(session: Session, upload: Upload, user_id: int | None) -> None:
    """Add *upload*, whose file is already stored, to the unsent uploads.

    :param user_id: the person who will send it; None for a program.
    """
    _insert(session, upload, user_id)
    session.flush()


def give_back(session: Session, workspace_id: int, storage_keys: Sequence[str]) -> None:
    """Make uploads reserved by :func:`attach` available again for a day, because their message was undone."""
    if storage_keys:
        session.execute(
            sa.update(UploadRow)
            .where(UploadRow.workspace_id == workspace_id, UploadRow.storage_key.in_(storage_keys))
            .values(attached_at=None, created_at=clock.now())
        )


def ids_of(session: Session, workspace_id: int, user_id: int, upload_ids: Sequence[str]) -> Sequence[int]:
    """Return the ids of a person's unsent uploads among *upload_ids*."""
    query = sa.select(UploadRow.id).where(
        UploadRow.uuid.in_(upload_ids),
        UploadRow.workspace_id == workspace_id,
        UploadRow.user_id == user_id,
        UploadRow.attached_at.is_(None),
    )
    return session.scalars(query).all()


def keep_on(session: Session, ids: Sequence[int]) -> None:
    """Keep unsent uploads for another day."""
    if ids:
        waits = UploadRow.id.in_(ids), UploadRow.attached_at.is_(None)
        session.execute(sa.update(UploadRow).where(*waits).values(created_at=clock.now()))


def add_to_message(session: Session, message_id: int, upload: Upload) -> Attachment:
    """Make an upload reserved by :func:`attach` an attachment of a message of ours."""
    attachment = Attachment(
        workspace_id=upload.workspace_id,
        message_id=message_id,
        kind=str(upload.kind),
        name=upload.name,
        content_type=upload.content_type,
        size=upload.size,
        width=upload.width,
        height=upload.height,
        storage_key=upload.storage_key,
        state=AttachmentState.STORED,
    )
    session.add(attachment)
    session.flush()
    return attachment


def _check_quota(user_id: int) -> None:
    query = (
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(UploadRow.size), 0))
        .select_from(UploadRow)
        .where(
            UploadRow.user_id == user_id,
            UploadRow.attached_at.is_(None),
            UploadRow.created_at > clock.now() - KEPT,
        )
    )
    with db.read() as session:
        waiting, size = session.execute(query).one()
    if waiting >= MOST_WAITING or size >= MOST_WAITING_BYTES:
        raise TooManyError(
            _l("You already have many files waiting to be sent: %(count)d.", count=waiting),
            next_step=_l("Send some of them, or wait until tomorrow."),
            retry_after=3600,
        )


def _picture(stream: storage.Readable, content_type: str) -> pictures.CleanPicture:
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise limits.too_large(MAX_BYTES)
    try:
        return pictures.clean(content, content_type)
    except pictures.TooManyPixelsError as error:
        log.info("a picture was refused: %s", error)
        most = pictures.MAX_PIXELS[content_type.removeprefix("image/").upper()] // 1_000_000
        raise FileRefusedError(
            "too_many_pixels",
            _l("The picture has more than %(most)d million pixels.", most=most),
            next_step=_l("Resize it and try again."),
        ) from None
    except pictures.PictureError as error:
        log.info("a picture was refused: %s", error)
        raise FileRefusedError(
            "broken_picture",
            _l("The picture is damaged or incomplete."),
            next_step=_l("Open it, save it again, and choose the new file."),
        ) from None


def _insert(session: Session, upload: Upload, user_id: int | None) -> None:
    session.add(
        UploadRow(
            uuid=upload.id,
            workspace_id=upload.workspace_id,
            user_id=user_id,
            kind=str(upload.kind),
            name=upload.name,
            content_type=upload.content_type,
            size=upload.size,
            width=upload.width,
            height=upload.height,
            storage_key=upload.storage_key,
            created_at=upload.created_at,
        )
    )


class _Joined:
    """A stream of bytes already read from another stream, followed by the rest of that stream."""

    def __init__(self, head: bytes, rest: storage.Readable) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        if size < 0:
            head, self._head = self._head, b""
            return head + self._rest.read()
        head, self._head = self._head[:size], self._head[size:]
        return head if len(head) == size else head + self._rest.read(size - len(head))


def outgoing(file: Upload | Attachment, kind: MessageKind, url: str | None = None) -> OutgoingFile:
    """Return a file of ours for a channel. It is opened when its bytes are read."""
    key = file.storage_key or ""
    return OutgoingFile(
        kind=kind,
        name=file.name,
        content_type=file.content_type,
        size=file.size or 0,
        url=url,
        open=lambda: storage.open_stored(key),
        width=file.width,
        height=file.height,
    )
