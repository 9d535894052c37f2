"""The views that edit and delete a private note."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from host.core.errors import ConflictError, ForbiddenError, InvalidError
from host.inbox import notes
from host.inbox.errors import NoteChangedError
from host.inbox.pages.action_views import CONVERSATION, answer_done, mentioned_ids, refusal
from host.inbox.pages.context import bp
from host.web.request_helpers import (
    Permission,
    flashing,
    form_number,
    wants_json,
    workspace_view,
    write,
)

NOTE = f"{CONVERSATION}/notes/<int:message_id>"
NO_VERSION = -1
"""The version used if the form has none. No note has it, so nothing is overwritten."""


@bp.post(f"{NOTE}/edit")
@workspace_view(Permission.ANSWER)
def edit_note(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Change the text of the person's note."""
    version = form_number("version")
    with flashing(ConflictError, ForbiddenError, InvalidError):
        try:
            write(
                notes.edit_note,
                message_id,
                conversation_id=conversation_id,
                text=request.form.get("text", ""),
                version=NO_VERSION if version is None else version,
                mentioned=mentioned_ids("mention"),
                teams=mentioned_ids("mention_team"),
                typed=True,
            )
        except NoteChangedError as error:
            if wants_json():
                return refusal(error, text=error.text, version=error.version)
            raise
    return answer_done(workspace_id, conversation_id)


@bp.post(f"{NOTE}/delete")
@workspace_view(Permission.ANSWER)
def delete_note(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Delete the person's note."""
    with flashing(ForbiddenError):
        write(notes.delete_note, message_id, conversation_id=conversation_id)
    return answer_done(workspace_id, conversation_id)
