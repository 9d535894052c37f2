"""The view to go on or off duty."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from host.automation import routing
from host.inbox.pages.context import bp
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, current_user, flash_good, safe_next, workspace_view, write


@bp.post("/w/<int:workspace_id>/duty")
@workspace_view(Permission.ANSWER)
def duty(workspace_id: int) -> ResponseReturnValue:
    """Go on duty in the workspace, or off duty. Conversations are routed to people on duty."""
    on = request.form.get("on") == "1"
    if write(routing.set_duty, current_user().id, on=on):
        flash_good(_("You are on duty.") if on else _("You are off duty."))
    return redirect(
        safe_next(request.form.get("next"), url_for("inbox.index", workspace_id=workspace_id)), 303
    )
