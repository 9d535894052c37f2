"""API routes for uploading files, to use them in a message within a day."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from flask import request
from flask_babel import lazy_gettext as _l
from msgspec import Meta
from werkzeug.datastructures import FileStorage

from host.api.http.call import Call
from host.api.http.declare import Router, Wire
from host.api.http.errors import BodyError, MediaTypeError
from host.api.http.refusals import FILES
from host.core import clock, db, storage
from host.core.errors import NotFoundError, TooManyError
from host.media import uploads
from host.media.limits import MAX_BYTES, FileRefusedError
from host.models.media import Upload as UploadRow
from host.sdk.messages import MessageKind
from host.users.api_keys import Scope

routes = Router("Files", read=Scope.MESSAGES_READ, write=Scope.MESSAGES_WRITE)

MULTIPART = 64 * 1024
"""Most bytes of a form in addition to its file."""
MOST_WAITING = 500
"""Most uploaded files that may wait to be sent, per workspace."""


class TooManyUploadsError(TooManyError):
    """Too many files wait to be sent."""

    code = "too_many_uploads"
    default_sentence = _l("Too many files uploaded through the API are waiting to be sent.")
    default_next_step = _l("Send some of them, or wait: unsent files are deleted after a day.")


class UploadNotFoundError(NotFoundError):
    """The workspace has no such upload, or it was sent or deleted."""

    code = "upload_not_found"
    default_sentence = _l("This upload doesn't exist in this workspace. It may have been sent or deleted.")
    default_next_step = ""


class Upload(Wire, frozen=True):
    """An uploaded file that waits to be sent. It is deleted after a day."""

    id: Annotated[str, Meta(description="Its id, for use in one message.")]
    kind: Annotated[MessageKind, Meta(description="The kind of message it can be sent as.")]
    name: str
    content_type: Annotated[str, Meta(description="Detected from its bytes.")]
    size: Annotated[int, Meta(description="In bytes. Camera metadata is removed from pictures.")]
    width: int | None
    height: int | None


def take_upload(
    stream: storage.Readable, name: str, *, workspace_id: int, media: uploads.Allowed | None = None
) -> uploads.Upload:
    """Store an uploaded file; see :func:`host.media.uploads.keep_upload`.

    :raises TooManyUploadsError: if too many files of the workspace wait.
    """
    waiting = sa.select(sa.func.count()).where(
        UploadRow.workspace_id == workspace_id,
        UploadRow.user_id.is_(None),
        UploadRow.attached_at.is_(None),
        UploadRow.created_at > clock.now() - uploads.KEPT,
    )
    with db.read() as session:
        if (session.scalar(waiting) or 0) >= MOST_WAITING:
            raise TooManyUploadsError(limit=MOST_WAITING, retry_after=3600)
    return uploads.keep_upload(stream, name, workspace_id=workspace_id, user_id=None, media=media)


def the_file() -> FileStorage:
    """Return the one file of the request's form.

    :raises MediaTypeError: if the body is not a form.
    :raises BodyError: if it contains anything else.
    """
    if request.mimetype != "multipart/form-data":
        raise MediaTypeError(
            _l("The body must be multipart/form-data with a field named file."), next_step=""
        )
    given = request.files.getlist("file")
    if len(given) != 1 or len(request.files) != 1 or request.form:
        raise BodyError(_l("The form must contain exactly one field, named file."), field="file")
    return given[0]


@routes.post(
    "/uploads",
    "Upload a file",
    limited=True,
    upload=True,
    location="/uploads/{id}",
    errors=(BodyError, TooManyUploadsError, *FILES),
    fields={FileRefusedError: "file"},
    body_limit=MAX_BYTES + MULTIPART,
)
def create_upload(call: Call) -> Upload:
    """Takes multipart/form-data with one field, `file`, of at most 25 MB.

    The type is detected from its bytes, not its name. A picture is checked for completeness.
    """
    given = the_file()
    return _shown(take_upload(given.stream, given.filename or "", workspace_id=call.workspace_id))


@routes.get("/uploads/{upload_id}", "Get an upload", limited=True, errors=(UploadNotFoundError,))
def get_upload(call: Call, upload_id: int | str) -> Upload:
    """A file that a program uploaded and that isn't sent yet."""
    with db.read() as session:
        row = session.scalars(
            sa.select(UploadRow).where(
                UploadRow.uuid == str(upload_id),
                UploadRow.workspace_id == call.workspace_id,
                UploadRow.user_id.is_(None),
                UploadRow.attached_at.is_(None),
            )
        ).one_or_none()
        if row is None:
            raise UploadNotFoundError()
        return _shown(uploads.Upload.of(row))


def _shown(upload: uploads.Upload) -> Upload:
    return Upload.of(upload)
