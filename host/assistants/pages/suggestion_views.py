"""Views that act on a suggestion: send it, dismiss it, retry it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import request
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from host.assistants import suggestions, tools
from host.assistants.pages.blueprint import bp
from host.channels.directory import current_directory
from host.core import db
from host.core.errors import LobbyError, NotFoundError
from host.inbox.pages.action_views import CONVERSATION, answer_done, show_written
from host.inbox.pages.composition.shown import as_begun
from host.inbox.pages.context import with_conversation
from host.inbox.queries import Row
from host.inbox.reply import Hold
from host.models.inbox import Message
from host.users.actor import UnitOfWork
from host.web.request_helpers import (
    Permission,
    current_user,
    flash_bad,
    wants_json,
    workspace_view,
    write,
)

SUGGESTION = f"{CONVERSATION}/suggestions/<int:turn_id>"
View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


def of_inbox(rule: str) -> Callable[[View], View]:
    """Register a view with the inbox, in apps that have assistants, under the endpoint ``inbox.<name>``."""

    def add(view: View) -> View:
        def register(state: BlueprintSetupState) -> None:
            state.app.add_url_rule(rule, f"inbox.{view.__name__}", view, methods=["POST"])

        bp.record(register)
        return view

    return add


@of_inbox(f"{SUGGESTION}/accept")
@workspace_view(Permission.ANSWER)
@with_conversation
def accept_suggestion(workspace_id: int, row: Row, turn_id: int) -> ResponseReturnValue:
    """Send a suggestion unchanged; it can be undone like a reply."""

    adapter, user_id = current_directory().adapter(row.channel), current_user().id

    hold = Hold(undo={"draft": {"text": "", "reply_to": None}, "then": ""})

    def accept() -> list[Message]:
        with db.read() as session:
            along = as_begun(session, row, adapter, user_id)
        return write(suggestions.accept, row.id, turn_id, adapter=adapter, along=along, hold=hold)

    return show_written(workspace_id, row.id, "reply", accept)


@of_inbox(f"{SUGGESTION}/dismiss")
@workspace_view(Permission.ANSWER)
@with_conversation
def dismiss_suggestion(workspace_id: int, row: Row, turn_id: int) -> ResponseReturnValue:
    """Dismiss a suggestion, or stop an assistant that is still thinking."""
    return _decided(workspace_id, row, turn_id, suggestions.dismiss)


@of_inbox(f"{SUGGESTION}/again")
@workspace_view(Permission.ANSWER)
@with_conversation
def try_suggestion_again(workspace_id: int, row: Row, turn_id: int) -> ResponseReturnValue:
    """Retry a failed turn."""
    return _decided(workspace_id, row, turn_id, suggestions.again)


@of_inbox(f"{CONVERSATION}/tool-calls/<int:call_id>")
@workspace_view(Permission.ANSWER)
@with_conversation
def decide_call(workspace_id: int, row: Row, call_id: int) -> ResponseReturnValue:
    """Approve or reject a tool call; ``allowed`` is 1 to approve."""
    allowed = request.form.get("allowed") == "1"
    try:
        write(tools.decide, row.id, call_id, is_allowed=allowed)
    except LobbyError as error:
        if wants_json() or isinstance(error, NotFoundError):
            raise
        flash_bad(f"{error.sentence} {error.next_step}")
        return answer_done(workspace_id, row.id)
    if allowed:
        tools.carry_out(call_id, current_directory(), author_id=current_user().id)
    return answer_done(workspace_id, row.id)


def _decided(
    workspace_id: int, row: Row, turn_id: int, use_case: Callable[[UnitOfWork, int, int], object]
) -> ResponseReturnValue:
    try:
        write(use_case, row.id, turn_id)
    except LobbyError as error:
        if wants_json() or isinstance(error, NotFoundError):
            raise
        flash_bad(f"{error.sentence} {error.next_step}")
    return answer_done(workspace_id, row.id)
