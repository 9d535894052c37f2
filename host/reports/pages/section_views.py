"""The requests of addons' sections. The Reports page loads them after it is shown."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import clock, db
from host.inbox.panels import report_sections
from host.inbox.panels.calling import PanelFailedError, PanelNotFoundError
from host.reports.pages import sections
from host.reports.pages.choosing import read_choice
from host.users.roles import Permission
from host.web.languages import gettext as _
from host.web.request_helpers import generation, seen_accounts, workspace_view

bp = Blueprint("report_sections", __name__, template_folder="../templates")


@bp.get("/w/<int:workspace_id>/reports/sections/<name>")
@workspace_view(Permission.REPORTS)
def show(workspace_id: int, name: str) -> ResponseReturnValue:
    """Return a section of an addon as HTML, for the days and accounts in the address."""
    section = current_directory().report_sections.get(name)
    if section is None:
        raise PanelNotFoundError()
    with db.read() as session:
        choice = read_choice(session, workspace_id, clock.now())
        # Addons know accounts, but not what people, teams and labels meant in the past.
        unfiltered = bool(choice.person or choice.team or choice.label or choice.unlabelled)
    slug = name.partition(".")[0]
    selected = choice.selection
    problem, shown = "", None
    try:
        query = report_sections.query_of(workspace_id, selected.days, selected.accounts, seen_accounts())
        shown = sections.draw(report_sections.read(section, query, _(generation().names.get(slug, slug))))
    except PanelFailedError as error:
        problem = str(error)
    html = render_template(
        "reports/_section.html", shown=shown, problem=problem, bar=sections.BAR, unfiltered=unfiltered
    )
    return jsonify(html=html, failed=bool(problem))
