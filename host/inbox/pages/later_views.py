"""The views to undo, send or reschedule waiting replies, and to snooze conversations or mark them as spam."""

from __future__ import annotations

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import clock
from host.core.errors import ConflictError, ForbiddenError, InvalidError
from host.inbox.conversation_actions import Changes
from host.inbox.conversations import check_message
from host.inbox.errors import SendTimeError
from host.inbox.pages.action_views import CONVERSATION, answer_done, change_fields, redirect_back
from host.inbox.pages.composer import ComposerState
from host.inbox.pages.context import bp, opened_inbox, with_conversation
from host.inbox.pages.inbox_page import inbox_page
from host.inbox.pages.send_times import time_from_form
from host.inbox.pages.snooze_times import snooze_from_form
from host.inbox.queries import Row
from host.inbox.unsent import scheduled
from host.inbox.unsent import undo as holding
from host.users.actor import UnitOfWork
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    flash_bad,
    flash_good,
    flashing,
    wants_json,
    workspace_view,
    write,
)

MESSAGE = f"{CONVERSATION}/messages/<int:message_id>"


@bp.post(f"{MESSAGE}/undo")
@workspace_view(Permission.ANSWER)
def undo(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Undo a reply that has not been sent; its content returns to the composer."""
    try:
        back = write(holding.undo, conversation_id, message_id)
    except (ConflictError, ForbiddenError) as error:
        if wants_json():
            raise
        flash_bad(error.sentence)
        return redirect_back(workspace_id, conversation_id)
    if wants_json():
        return jsonify(ok=True, draft=back.draft, conversation=conversation_id)
    flash_good(_("The reply was not sent. Its text is below. Attach its files again."))
    text, quoted = str(back.draft.get("text", "")), back.draft.get("reply_to")
    draft = ComposerState(
        text,
        mode="private" if back.draft.get("mode") == "private" else "reply",
        reply_to=quoted if isinstance(quoted, int) else None,
    )
    return inbox_page(workspace_id, conversation_id, draft)


@bp.post(f"{MESSAGE}/send_now")
@workspace_view(Permission.ANSWER)
def send_now(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Send a waiting reply now, whether it is undoable or scheduled."""
    with flashing(ConflictError):
        write(holding.send_now, conversation_id, message_id)
    return answer_done(workspace_id, conversation_id)


def _reschedule(work: UnitOfWork, row: Row, message_id: int) -> None:
    check_message(work.session, work.workspace_id, row.id, message_id, accounts=work.accounts)
    at = time_from_form()
    if at is None:
        raise SendTimeError(_("Choose a time first. Nothing was changed."))
    unless_written = request.form.get("unless_written") == "1"
    adapter = current_directory().adapter(row.channel)
    scheduled.change_time(work, row.id, message_id, at=at, unless_written=unless_written, adapter=adapter)


@bp.post(f"{MESSAGE}/reschedule")
@workspace_view(Permission.ANSWER)
@with_conversation
def reschedule(workspace_id: int, row: Row, message_id: int) -> ResponseReturnValue:
    """Reschedule a reply."""

    with flashing(ConflictError, InvalidError):
        write(_reschedule, row, message_id)
    return answer_done(workspace_id, row.id)


# ---- conversations -------------------------------------------------------------------------------------


@bp.post(f"{CONVERSATION}/snooze")
@workspace_view(Permission.ANSWER)
def snooze(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Snooze the conversation."""
    try:
        return change_fields(workspace_id, conversation_id, {"snooze": snooze_from_form(clock.now())})
    except (InvalidError, ConflictError) as error:
        with opened_inbox(workspace_id) as inbox:
            inbox.row(conversation_id)  # a missing conversation is a 404, even if the form is invalid
        if wants_json():
            raise
        flash_bad(error.sentence)
        return redirect_back(workspace_id, conversation_id)


def _action(name: str, changes: Changes, doc: str) -> None:
    def view(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
        return change_fields(workspace_id, conversation_id, changes)

    view.__name__, view.__doc__ = name, doc
    bp.post(f"{CONVERSATION}/{name}", endpoint=name)(workspace_view(Permission.ANSWER)(view))


_action("wake", {"snooze": None}, "End the conversation's snooze.")
_action("spam", {"spam": True}, "Mark the conversation as spam.")
_action("unspam", {"spam": False}, "Take the conversation out of spam.")
