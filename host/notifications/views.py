"""Notifications of the signed-in user."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import SQLAlchemyError

from host.core.db import db
from host.notifications import notify
from host.web import navigation
from host.web.request_helpers import current_user, login_required, maybe_user

bp = Blueprint("notifications", __name__)

navigation.add_own("notifications.index", _l("Notifications"), order=20, icon="bell")


@bp.get("/notifications")
@login_required
def index() -> ResponseReturnValue:
    """Show the notifications, newest first."""
    rows = notify.newest(db.session(), current_user())
    return render_template("notifications/index.html", rows=rows, told=notify.translated)


@bp.post("/notifications/read")
@login_required
def read() -> ResponseReturnValue:
    """Mark everything as read."""
    db.write(notify.read_all, current_user().id)
    return redirect(url_for("notifications.index"), 303)


def unread() -> int:
    """Return how many notifications the signed-in person has not read; for the bell on every page."""
    user = maybe_user()
    if user is None:
        return 0
    try:
        with db.read() as session:
            return notify.unread(session, user)
    except SQLAlchemyError:
        return 0  # the page may be the one that says that the database does not answer


@bp.record_once
def _offer(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["unread_notifications"] = unread
