"""The view that takes the actions of a pushed notification from the service worker, with no page open."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from host.core import clock
from host.core.errors import ConflictError, ForbiddenError, InvalidError
from host.inbox import conversation_actions
from host.inbox.conversation_actions import Changes
from host.inbox.conversations import locked_conversation
from host.inbox.errors import ChangedMeanwhileError
from host.inbox.pages.action_views import CONVERSATION, told
from host.inbox.pages.context import bp
from host.inbox.pages.snooze_times import when_text
from host.models.inbox import ConversationStatus, Snooze, SnoozeKind
from host.push import actions
from host.users.actor import UnitOfWork
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    current_user,
    form_number,
    workspace_view,
    write,
)

HOUR = timedelta(hours=1)


@bp.post(f"{CONVERSATION}/pushed")
@workspace_view(Permission.ANSWER)
def act_on_push(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Snooze the conversation for an hour, or undo that, from a notification.

    It has no CSRF token, because a service worker runs without a page: see :mod:`host.push.actions` for the
    token that it needs instead.
    """
    do, now = request.form.get("do", ""), clock.now().replace(microsecond=0)
    if do not in {"snooze", "undo"}:
        raise InvalidError()
    user_id, until = current_user().id, now + HOUR

    def snooze(work: UnitOfWork) -> None:
        row = locked_conversation(work, conversation_id)
        here = {"workspace_id": workspace_id, "conversation_id": conversation_id}
        token = request.form.get("token", "")
        if not actions.is_valid(work.session, token, user_id=user_id, now=now, **here):
            raise ForbiddenError(_("This notification is too old."), next_step=_("Open the conversation."))
        if do == "undo":
            was = row.snoozed_until
            if was is None or int(was.timestamp()) != form_number("until"):
                raise ConflictError(_("It was changed meanwhile."), next_step=_("Open the conversation."))
        elif row.status != ConversationStatus.OPEN and not request.form.get("shown"):
            raise ConflictError(
                _("The conversation was closed meanwhile."), next_step=_("Open the conversation.")
            )
        changes: Changes = {"snooze": None if do == "undo" else Snooze(SnoozeKind.UNTIL, until)}
        shown = request.form.get("shown") or None
        conversation_actions.set_fields(replace(work, now=now), conversation_id, changes, shown=shown)

    try:
        write(snooze)
    except ChangedMeanwhileError as error:
        return told(error, workspace_id, conversation_id)
    if do == "undo":
        return jsonify(ok=True)
    title = _("Snoozed until %(time)s", time=when_text(until, now))
    return jsonify(ok=True, title=title, undo=_("Undo"), until=int(until.timestamp()))
