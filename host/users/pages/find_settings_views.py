"""The search of the settings by name, for every page of the settings."""

from __future__ import annotations

import msgspec
from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from host.users.pages.blueprint import bp
from host.web import navigation
from host.web.request_helpers import login_required

LONGEST = 100
"""Most characters of a query that are read."""


@bp.get("/settings/find")
@login_required
def find_settings() -> ResponseReturnValue:
    """Show the settings that match a query, for browsers without scripts."""
    query = request.args.get("q", "")[:LONGEST].strip()
    found = navigation.find_settings(query)
    return render_template("accounts/find_settings.html", find_query=query, found=found)


@bp.get("/settings/find/list")
@login_required
def findable_settings() -> ResponseReturnValue:
    """Return everything the search can find, for browsers, which search in it themselves."""
    answer = Response(msgspec.json.encode(navigation.findable()), mimetype="application/json")
    # It follows the person, the workspace last visited and the language, which the cookies tell.
    answer.headers["Cache-Control"] = "private, max-age=300"
    answer.headers["Vary"] = "Cookie, Accept-Language"
    return answer
