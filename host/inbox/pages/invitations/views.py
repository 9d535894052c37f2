"""The view that answers an invitation."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import ConflictError, InvalidError
from host.inbox.conversations import check_message
from host.inbox.invitations import answering, content
from host.inbox.messages import load_messages
from host.inbox.pages.action_views import CONVERSATION, answer_done
from host.inbox.pages.context import bp, with_conversation
from host.inbox.pages.invitations import shown
from host.inbox.queries import Row
from host.inbox.sendable import NotSendableError
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, flashing, seen_accounts, workspace_view, write


@bp.post(f"{CONVERSATION}/messages/<int:message_id>/invitation")
@workspace_view(Permission.ANSWER)
@with_conversation
def answer_invitation(workspace_id: int, row: Row, message_id: int) -> ResponseReturnValue:
    """Send the organiser of an invitation an answer: accepted, tentative, declined."""
    wanted = request.form.get("answer", "")
    chosen = next((one for one in shown.ANSWERS if one == wanted), None)
    with db.read() as session:
        check_message(session, workspace_id, row.id, message_id, accounts=seen_accounts())
        entries = load_messages(session, workspace_id, row.id, [message_id])
    found = content.read(entries[0].content) if entries else None
    with flashing(ConflictError, InvalidError, NotSendableError):
        if chosen is None:
            raise InvalidError(_("That is no answer to an invitation. Nothing was sent."))
        text = "" if found is None else shown.words(found.event, chosen)
        write(
            answering.answer,
            row.id,
            message_id,
            chosen,
            text=text,
            organiser=request.form.get("organiser", ""),
            directory=current_directory(),
        )
    return answer_done(workspace_id, row.id)
