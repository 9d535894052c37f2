"""Views for reading offline: which conversations to copy, and the page for when there is no copy.

The copies are made by ``host/static/js/offline-copy.js`` and served by ``host/static/js/sw.js``: the page of
the inbox with its files, and the conversations of its list.
"""

from __future__ import annotations

import msgspec
from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from host.inbox.pages.arguments import filter_from_request
from host.inbox.pages.context import opened_inbox
from host.live import events
from host.users import workspaces
from host.web.request_helpers import (
    Permission,
    current_user,
    id_in,
    open_to_all,
    passive,
    seen_accounts,
    workspace_view,
)

bp = Blueprint("offline", __name__, template_folder="templates")

OF_LIVE_ALONE = frozenset({"presence", "notice"})
"""Events that change nothing of what a conversation shows."""


@bp.get("/offline")
@open_to_all
@passive
def page() -> ResponseReturnValue:
    """Show that there is no connection; with ``signed-out``, that the copy was deleted."""
    return render_template("offline/page.html", signed_out="signed-out" in request.args)


@bp.get("/w/<int:workspace_id>/offline")
@passive
@workspace_view(Permission.READ)
def changes(workspace_id: int) -> ResponseReturnValue:
    """Return which conversations to copy: the first of the inbox's list, and which of them changed.

    ``after`` is the position of the copy, from the response before. ``changed`` is null if the changes since
    are no longer known, so each conversation may have changed.
    """
    after = id_in(request.args.get("after") or "0")
    with opened_inbox(workspace_id) as inbox:
        most = workspaces.settings(inbox.session, workspace_id).offline_conversations
        since = events.missed(inbox.session, workspace_id, after, seen_accounts())
        rows = inbox.page(filter_from_request(inbox.directory), None).rows[:most] if most else ()
    touched = {
        msgspec.json.decode(event.payload).get("conversation")
        for event in since.events
        if event.topic not in OF_LIVE_ALONE
    }
    ids = [row.id for row in rows]
    return jsonify(
        user=current_user().id,
        most=most,
        after=since.last,
        conversations=ids,
        changed=None if after == 0 or since.resync else [one for one in ids if one in touched],
    )
