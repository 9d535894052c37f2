"""Where the script of a form with an account picker looks for accounts."""

from __future__ import annotations

from flask import Response, jsonify, request

from host.core import db
from host.users.pages.blueprint import bp
from host.web import account_picker
from host.web.request_helpers import Permission, workspace_view
from host.web.template_filters import mark_of


@bp.get("/w/<int:workspace_id>/account-choices")
@workspace_view(Permission.READ)
def account_choices(workspace_id: int) -> Response:
    """Return the first accounts that ``q`` finds among those the reader sees, and how many there are."""
    with db.read() as session:
        accounts, found = account_picker.find(
            session, workspace_id, connected=request.args.get("connected") == "1"
        )
    return jsonify(
        accounts=[
            {
                "id": one.id,
                "name": one.name,
                "title": one.title,
                "channel": str(mark_of(one.channel)[1]),
            }
            for one in accounts
        ],
        found=found,
    )
