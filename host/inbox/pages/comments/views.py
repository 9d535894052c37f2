"""The views that act on a comment: answer it privately, hide it, show it again, delete it."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import ConflictError, InvalidError
from host.inbox.comments.moderating import moderate
from host.inbox.comments.private import queue_private
from host.inbox.conversations import check_message
from host.inbox.errors import MessageNotFoundError
from host.inbox.pages.action_views import CONVERSATION, answer_done, draft_sent, show_written
from host.inbox.pages.arguments import form_id
from host.inbox.pages.context import bp, with_conversation
from host.inbox.queries import Row
from host.inbox.reply import AT_ONCE, Hold
from host.inbox.sendable import NotSendableError
from host.models.inbox import Message
from host.sdk.channel import Moderated
from host.users.actor import UnitOfWork
from host.web.request_helpers import Permission, flashing, seen_accounts, workspace_view, write


@bp.post(f"{CONVERSATION}/reply-privately")
@workspace_view(Permission.ANSWER)
@with_conversation
def reply_privately(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Send the one private reply to the comment ``reply_to``."""

    def use_case() -> list[Message]:
        about = form_id("reply_to")
        if about is None:
            raise MessageNotFoundError()

        def queue(work: UnitOfWork) -> list[Message]:
            message = queue_private(
                work,
                row.id,
                about,
                request.form.get("text", ""),
                reply_key=request.form.get("reply_key", ""),
                adapter=current_directory().adapter(row.channel),
                hold=_undone(about) if request.form.get("undo") == "1" else AT_ONCE,
            )
            draft_sent(work, row.id, "private")
            return [message]

        return write(queue)

    return show_written(workspace_id, row.id, "private", use_case)


def _undone(about: int) -> Hold:
    """Make the private reply undoable, because each comment can have only one."""
    return Hold(
        undo={
            "draft": {"text": request.form.get("text", ""), "reply_to": about, "mode": "private"},
            "then": "",
        }
    )


@bp.post(f"{CONVERSATION}/messages/<int:message_id>/moderate")
@workspace_view(Permission.ANSWER)
@with_conversation
def moderate_message(workspace_id: int, row: Row, message_id: int) -> ResponseReturnValue:
    """Show, hide or delete a customer's comment at the provider, as ``wanted`` says."""
    wanted = request.form.get("wanted", "")
    with db.read() as session:
        check_message(session, workspace_id, row.id, message_id, accounts=seen_accounts())
    if wanted not in set(Moderated):
        raise InvalidError()
    with flashing(ConflictError, NotSendableError):
        directory = current_directory()
        write(moderate, message_id, Moderated(wanted), directory=directory, conversation_id=row.id)
    return answer_done(workspace_id, row.id)
