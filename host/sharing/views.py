"""The page shown if something can't be shared to Lobby.

What another app shares is a POST to ``/share``, which the manifest names. The service worker
(``host/static/js/sw.js``) keeps it on the device, and ``inbox-shared.js`` adds it to a reply. The server gets
only the files that are added, as uploads like any other.
"""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from host.web.request_helpers import open_to_all, passive

bp = Blueprint("sharing", __name__, template_folder="templates")


@bp.get("/share")
@open_to_all
@passive
def no_room() -> ResponseReturnValue:
    """Show that the device had no room for what was shared."""
    return render_template("sharing/page.html", no_room=True)


@bp.post("/share")
@open_to_all
@passive
def not_ready() -> ResponseReturnValue:
    """Show that the service worker isn't there yet. It reads nothing, so it needs no CSRF token."""
    return render_template("sharing/page.html", no_room=False), 400


not_ready.lobby_raw_body = True  # type: ignore[attr-defined]  # however large it is, nobody reads it
