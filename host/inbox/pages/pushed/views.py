"""The view that takes the actions of a pushed notification from the service worker, with no page open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import ConflictError, ForbiddenError, InvalidError
from host.inbox import conversation_actions
from host.inbox.conversations import locked_conversation
from host.inbox.errors import ChangedMeanwhileError
from host.inbox.pages.action_views import CONVERSATION, told
from host.inbox.pages.context import bp
from host.inbox.pages.snooze_times import when_text
from host.models.inbox import ConversationStatus, Snooze, SnoozeKind
from host.push import actions
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    current_user,
    form_number,
    seen_accounts,
    workspace_view,
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
    here: dict[str, Any] = {"workspace_id": workspace_id, "conversation_id": conversation_id}
    user_id, until = current_user().id, now + HOUR

    def use_case(session: Session) -> None:
        row = locked_conversation(session, workspace_id, conversation_id, accounts=seen_accounts())
        if not actions.is_valid(session, request.form.get("token", ""), user_id=user_id, now=now, **here):
            raise ForbiddenError(_("This notification is too old."), next_step=_("Open the conversation."))
        if do == "undo":
            was = row.snoozed_until
            if was is None or int(was.timestamp()) != form_number("until"):
                raise ConflictError(_("It was changed meanwhile."), next_step=_("Open the conversation."))
        elif row.status != ConversationStatus.OPEN and not request.form.get("shown"):
            raise ConflictError(
                _("The conversation was closed meanwhile."), next_step=_("Open the conversation.")
            )
        conversation_actions.set_fields(
            session,
            {"snooze": None if do == "undo" else Snooze(SnoozeKind.UNTIL, until)},
            **here,
            accounts=seen_accounts(),
            author_id=user_id,
            now=now,
            shown=request.form.get("shown") or None,
        )

    try:
        db.write(use_case)
    except ChangedMeanwhileError as error:
        return told(error, workspace_id, conversation_id)
    if do == "undo":
        return jsonify(ok=True)
    title = _("Snoozed until %(time)s", time=when_text(until, now))
    return jsonify(ok=True, title=title, undo=_("Undo"), until=int(until.timestamp()))
