"""The endpoint for the account picker of forms."""

from __future__ import annotations

from flask import Response

from host.core import db
from host.users.pages.blueprint import bp
from host.web import account_picker
from host.web.request_helpers import Permission, workspace_view


@bp.get("/w/<int:workspace_id>/account-choices")
@workspace_view(Permission.READ)
def account_choices(workspace_id: int) -> Response:
    """Return the first accounts that match ``q`` among those the reader sees, and the number of matches."""
    with db.read() as session:
        return account_picker.find(session, workspace_id)
