"""The views that snooze a conversation, end its snooze, mark it as spam and take that back."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from host.core import clock
from host.core.errors import ConflictError, InvalidError
from host.inbox.conversation_actions import Changes
from host.inbox.pages.action_views import CONVERSATION, _back, _set_fields
from host.inbox.pages.context import bp, opened_inbox
from host.inbox.pages.snooze_times import snooze_from_form
from host.web.request_helpers import Permission, flash_bad, wants_json, workspace_view


@bp.post(f"{CONVERSATION}/snooze")
@workspace_view(Permission.ANSWER)
def snooze(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Put the conversation away until later."""
    try:
        return _set_fields(workspace_id, conversation_id, {"snooze": snooze_from_form(clock.now())})
    except (InvalidError, ConflictError) as error:
        with opened_inbox(workspace_id) as inbox:
            inbox.row(conversation_id)  # one that is not here is not here, whatever the form says
        if wants_json():
            raise
        flash_bad(error.sentence)
        return _back(workspace_id, conversation_id)


def _action(name: str, changes: Changes, doc: str) -> None:
    """Add a view that sets fields of a conversation."""

    def view(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
        return _set_fields(workspace_id, conversation_id, changes)

    view.__name__, view.__doc__ = name, doc
    bp.post(f"{CONVERSATION}/{name}", endpoint=name)(workspace_view(Permission.ANSWER)(view))


_action("wake", {"snooze": None}, "End the conversation's snooze.")
_action("spam", {"spam": True}, "Mark the conversation as spam.")
_action("unspam", {"spam": False}, "Take the conversation out of spam.")
