"""Settings -> Channels -> an account: how long the files customers send are kept."""

from __future__ import annotations

from collections.abc import Mapping

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.abilities import received
from host.channels.accounts import keep_files
from host.channels.pages.blueprint import bp
from host.channels.pages.message_views import BELOW, settable
from host.core.errors import NotFoundError
from host.media.retention import DEFAULT, MOST, Retention
from host.sdk.messages import MessageKind
from host.users.pages import sudo
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, flash_good, workspace_view, write

WAYS = ("days", "keep", "link")


@bp.route(f"{BELOW}/files", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def files(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show and change how long the files customers send are kept."""
    row, adapter, choices = settable(workspace_id, account_id)
    if not choices.files:
        raise NotFoundError()
    chosen = Retention.of(row.settings)
    way, days, error = _shown(chosen), str(chosen.days or DEFAULT), ""
    if request.method == "POST":
        way, days = request.form.get("way", ""), request.form.get("days", "").strip()
        wanted = _read(request.form)
        if wanted is not None:
            if wanted.removes_more_than(chosen):
                sudo.require()
            write(keep_files, account_id, wanted)
            flash_good(_("Saved."))
            return redirect(url_for("channels.files", workspace_id=workspace_id, account_id=account_id), 303)
        error = (
            _("Enter a number of days from 1 to %(most)d.", most=MOST)
            if way == "days"
            else _("Choose one of the three options.")
        )
    page = render_template(
        "channels/files.html",
        account=row,
        label=adapter.label,
        has_stories=MessageKind.STORY_MENTION in received(adapter.capabilities),
        choices=choices,
        way=way,
        days=days[:20],
        error=error,
        most=MOST,
    )
    return page, 400 if error else 200


def _shown(chosen: Retention) -> str:
    return {None: "keep", 0: "link"}.get(chosen.days, "days")


def _read(form: Mapping[str, str]) -> Retention | None:
    """Return the chosen retention, or None if it is invalid."""
    way, days = form.get("way", ""), form.get("days", "").strip()
    if way == "keep":
        return Retention(None)
    if way == "link":
        return Retention(0)
    if way == "days" and days.isascii() and days.isdigit() and len(days) <= 6 and 1 <= int(days) <= MOST:
        return Retention(int(days))
    return None
