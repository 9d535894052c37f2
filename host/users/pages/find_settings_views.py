"""The start of the settings, and their search by name."""

from __future__ import annotations

import msgspec
from flask import Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from host.users.pages.blueprint import bp
from host.web import navigation
from host.web.request_helpers import login_required, workspace_view

LONGEST = 100
"""Most characters of a query that are read."""


@bp.get("/w/<int:workspace_id>/settings")
@workspace_view()
def first_settings(workspace_id: int) -> ResponseReturnValue:
    """Redirect to the first page of the settings the person may open."""
    return redirect(navigation.first_settings())


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
