"""Addresses of files for people of the workspace and nobody else."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from host.media import viewing
from host.media.blueprint import bp
from host.web import generation, workspace_view


@bp.get("/w/<int:workspace_id>/media/<int:attachment_id>")
@workspace_view()
def attachment(workspace_id: int, attachment_id: int) -> ResponseReturnValue:
    """Show a file of a message, or with ``?download=1`` save it."""
    return viewing.view(
        workspace_id,
        attachment_id,
        directory=generation().directory,
        download=request.args.get("download") == "1",
    )
