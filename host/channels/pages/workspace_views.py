"""Settings -> Channels -> the settings of a workspace for all its accounts of a channel."""

from __future__ import annotations

import logging

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels import refusals
from host.channels.accounts import note_settings
from host.channels.directory import current_directory
from host.channels.pages import forms
from host.channels.pages.blueprint import bp
from host.channels.pages.forms import Entered
from host.core.errors import NotFoundError
from host.sdk.cards import CardStatus, Problems, WorkspaceSettings
from host.users.pages import sudo
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, flash_good, workspace_view, write

log = logging.getLogger(__name__)


@bp.route("/w/<int:workspace_id>/settings/channels/<channel>/settings", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def workspace_settings(workspace_id: int, channel: str) -> ResponseReturnValue:
    """Show and change a workspace's settings for a channel, such as its own app."""
    card = current_directory().card(channel)
    if card is None or card.workspace is None:
        raise NotFoundError()
    page = card.workspace
    if request.method == "GET":
        sudo.require()
        status = _read(page, workspace_id)
        return _form(channel, page, status, forms.blank(page.fields, status.values))
    entered = forms.read_form(page.fields, forms.typed(page.fields), editing=True)
    if not entered.errors:
        sudo.require(typed=forms.names_of_secrets(page.fields))
    sentence = "" if entered.errors else _save(page, workspace_id, entered)
    if entered.errors:
        return _form(channel, page, _read(page, workspace_id), entered)
    write(note_settings, channel)
    flash_good(sentence)
    return redirect(url_for("channels.workspace_settings", workspace_id=workspace_id, channel=channel), 303)


def _read(page: WorkspaceSettings, workspace_id: int) -> CardStatus:
    try:
        return page.read(workspace_id)
    except Exception as error:
        log.exception("the settings of workspace %s could not be read by the addon", workspace_id)
        blame = _("The addon of this channel failed during the check. Messages are not affected.")
        sentence = refusals.sentence(error, blame)
        return CardStatus(notices=[("warn", _("Status unknown."), sentence)])


def _save(page: WorkspaceSettings, workspace_id: int, entered: Entered) -> str:
    """Let the addon check and store the settings; put its problems into *entered*."""
    try:
        outcome = page.save(workspace_id, entered.clean)
    except Exception as error:
        log.exception("the settings of workspace %s could not be saved by the addon", workspace_id)
        blame = _("The addon of this channel failed, so nothing was changed. Tell an admin.")
        outcome = Problems({"": refusals.sentence(error, blame)})
    if isinstance(outcome, Problems):
        forms.add_problems(entered, outcome.by_field, page.fields)
        return ""
    return str(outcome)


def _form(channel: str, page: WorkspaceSettings, status: CardStatus, entered: Entered) -> ResponseReturnValue:
    html = render_template(
        "channels/workspace.html",
        channel=channel,
        label=current_directory().label(channel),
        settings=page,
        status=status,
        entered=entered,
    )
    # Entered credentials must not reappear with the Back button or from a cache.
    return html, 400 if entered.errors else 200, {"Cache-Control": "no-store"}
