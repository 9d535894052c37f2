"""The view of a message's files, for members of the workspace."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.media.pages import viewing
from host.media.pages.blueprint import bp
from host.web.request_helpers import Permission, workspace_view


@bp.get("/w/<int:workspace_id>/media/<int:attachment_id>")
@workspace_view(Permission.READ)
def attachment(workspace_id: int, attachment_id: int) -> ResponseReturnValue:
    """Show a file of a message, or with ``?download=1`` save it."""
    return viewing.view(
        workspace_id,
        attachment_id,
        directory=current_directory(),
        download=request.args.get("download") == "1",
    )
