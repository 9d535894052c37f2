"""Upload a file to send, and view it before it is sent."""

from __future__ import annotations

from typing import cast

from flask import jsonify, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import db, storage
from host.core.errors import InvalidError, NotFoundError
from host.media import files, uploads
from host.media.limits import MAX_BYTES
from host.media.pages.blueprint import bp
from host.models.channels import AccountState, ChannelAccount
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    answers_json,
    body_limit,
    current_user,
    id_in,
    seen_accounts,
    workspace_view,
)

MULTIPART = 64 * 1024
"""Bytes a form may have in addition to its file."""


@bp.post("/w/<int:workspace_id>/uploads")
@answers_json
@body_limit(MAX_BYTES + MULTIPART)
@workspace_view(Permission.ANSWER)
def upload(workspace_id: int) -> ResponseReturnValue:
    """Store the form's ``file``, to be sent within a day; ``account`` names the account it is meant for.

    Respond with 201 and ``id, kind, name, size, content_type, width, height, url``.
    """
    given = request.files.get("file")
    if given is None:
        raise InvalidError(_("No file was uploaded."), next_step=_("Choose one and try again."))
    taken = uploads.keep_upload(
        given.stream,
        given.filename or "",
        workspace_id=workspace_id,
        user_id=current_user().id,
        media=_media_of(workspace_id, request.form.get("account", "")),
    )
    shown = {
        "id": taken.id,
        "kind": str(taken.kind),
        "name": taken.name,
        "size": taken.size,
        "content_type": taken.content_type,
        "width": taken.width,
        "height": taken.height,
        "url": url_for("media.uploaded", workspace_id=workspace_id, upload_id=taken.id),
    }
    return jsonify(shown), 201


def _media_of(workspace_id: int, account: str) -> uploads.Allowed | None:
    """Return the file limits of the account in the form; None if it names none."""
    if not account:
        return None
    account_id = id_in(account)
    with db.read() as session:
        row = session.get(ChannelAccount, account_id)
    seen = seen_accounts()
    if row is None or row.workspace_id != workspace_id or row.state == AccountState.DISCONNECTED:
        raise NotFoundError()
    if seen is not None and row.id not in seen:
        raise NotFoundError()
    adapter = current_directory().adapter(row.channel)
    return None if adapter is None else adapter.capabilities.media


@bp.get("/w/<int:workspace_id>/uploads/<upload_id>")
@workspace_view(Permission.READ)
def uploaded(workspace_id: int, upload_id: str) -> ResponseReturnValue:
    """Show an unsent upload."""
    with db.read() as session:
        found = uploads.get_upload(session, workspace_id, upload_id)
    if found is None:
        raise NotFoundError()
    try:
        file = storage.open_stored(found.storage_key)
    except storage.NotStoredError:
        raise NotFoundError() from None
    return cast(
        ResponseReturnValue,
        files.send(file, content_type=found.content_type, name=found.name or "file", key=found.storage_key),
    )
