"""A button on Settings, Channels: ask the admins to add a channel."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from host.channels import feature_requests
from host.channels.pages.blueprint import bp
from host.core import db
from host.core.errors import NotFoundError
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, current_user, flash_good, workspace_view


@bp.post("/w/<int:workspace_id>/settings/channels/ask")
@workspace_view(Permission.ACCOUNTS)
def ask(workspace_id: int) -> ResponseReturnValue:
    """Ask every admin for the channel, or remind them."""
    ask_admins(workspace_id)
    return redirect(url_for("channels.index", workspace_id=workspace_id, _anchor="more-channels"))


def ask_admins(workspace_id: int) -> None:
    """Ask every admin for the channel in the form, or remind them after an hour, and say so.

    :raises NotFoundError: if the channel is not one that this desk could add.
    """
    wanted = request.form.get("channel", "")
    offer = next((one for one in navigation.channel_offers() if one.key == wanted), None)
    if offer is None:
        raise NotFoundError()
    if db.write(feature_requests.ask, workspace_id, current_user().id, offer.key, offer.label):
        flash_good(_("The admins are notified, also by email if a mail server is set up."))
    else:
        flash_good(_("The admins have already been asked."))
