"""The messages that a change of the open conversation could lead to, for its head and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from host.channels.directory import current_directory
from host.core import clock
from host.inbox.foreseen import counting
from host.inbox.pages.context import opened_inbox
from host.inbox.pages.conversation_view import name_of
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, passive, wants_json, workspace_view

bp = Blueprint("foreseen", __name__, template_folder="templates")

CONVERSATION = "/w/<int:workspace_id>/inbox/<int:conversation_id>"


def names_of_changes() -> dict[str, str]:
    """Return what the changes of a conversation are called, in the order of its head."""
    return {
        "close": _("Close"),
        "open": _("Reopen"),
        "assign": _("Assign to a person"),
        "team": _("Assign to a team"),
        "label": _("Add a label"),
        "unlabel": _("Remove a label"),
        "snooze": _("Snooze"),
        "wake": _("Unsnooze"),
        "spam": _("Mark as spam"),
        "unspam": _("Not spam"),
    }


def sentence(names: Sequence[str]) -> str:
    """Return how many messages the customer could get, and what would send them."""
    text: str = ngettext(
        "The customer can get %(num)s message: %(names)s",
        "The customer can get %(num)s messages: %(names)s",
        len(names),
        names=", ".join(names),
    )
    return text


@bp.get(f"{CONVERSATION}/messages-after")
@passive
@workspace_view(Permission.ANSWER)
def messages_after(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return the messages that each change could lead to: as JSON, or as a page."""
    with opened_inbox(workspace_id) as inbox:
        row = inbox.row(conversation_id)
        found = counting.of_one(
            inbox.session, workspace_id, conversation_id, current_directory(), clock.now()
        )
        name = name_of(row, inbox.adapter(row))
    if wants_json():
        told: dict[str, Any] = {
            change: {"names": list(names), "sentence": sentence(names)} for change, names in found.by.items()
        }
        return jsonify(possible=found.is_possible, changes=told)
    called = names_of_changes()
    shown = {called[change]: sentence(found.by[change]) for change in called if change in found.by}
    return render_template("foreseen/page.html", row=row, name=name, shown=shown)
