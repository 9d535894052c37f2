"""Settings → Teams: pages of teams, for leads of the workspace and of a team."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core import db
from host.core.errors import InvalidError, LobbyError
from host.inbox import queries
from host.inbox.teams import teams
from host.inbox.teams.errors import TeamKeepersError
from host.users import reach
from host.users.reach import Choice
from host.web import account_picker, navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import (
    Permission,
    current_user,
    flash_good,
    id_in,
    shown_workspace,
    workspace_view,
    write,
)

navigation.add_settings(
    "teams.index",
    _l("Teams"),
    order=31,
    section=navigation.PEOPLE,
    icon="users",
    words="groups, departments, collections, Gruppen, Abteilungen",
    finds=(navigation.Find(_l("New team"), "new-title", "add team, create team, Team anlegen"),),
)

bp = Blueprint("teams", __name__, template_folder="templates")

SETTINGS = "/w/<int:workspace_id>/settings/teams"
MOST_IDS = 1_000
"""Maximum number of people in a form."""


@bp.get(SETTINGS)
@workspace_view(Permission.TEAMS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the teams of the workspace, each with its members, accounts and open conversations."""
    return _list(workspace_id)


def _list(workspace_id: int, problem: LobbyError | None = None) -> ResponseReturnValue:
    with db.read() as session:
        listed = teams.listing(session, workspace_id)
        part = portion(listed)
        firsts = {team.id: sorted(team.accounts)[:2] for team in part.rows}
        ids = {id_ for some in firsts.values() for id_ in some}
        names = {one.id: one for one in reach.choices(session, workspace_id, ids)}
    page = render_template(
        "teams/index.html",
        part=part,
        first_accounts={
            team_id: [names[one] for one in some if one in names] for team_id, some in firsts.items()
        },
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


@bp.post(SETTINGS)
@workspace_view(Permission.TEAMS)
def add_team(workspace_id: int) -> ResponseReturnValue:
    """Add a team, and redirect to its page to choose members."""
    name = request.form.get("name", "")
    try:
        team = write(teams.create, name=name)
    except LobbyError as error:
        return _list(workspace_id, error)
    flash_good(_("Team created. Now choose its members."))
    return redirect(url_for("teams.team", workspace_id=workspace_id, team_id=team.id), 303)


@bp.get(f"{SETTINGS}/<int:team_id>")
@workspace_view(Permission.ANSWER)
def team(workspace_id: int, team_id: int) -> ResponseReturnValue:
    """Show a team to those who may change it."""
    _check_keeper(workspace_id, team_id)
    return _page(workspace_id, team_id)


def _page(
    workspace_id: int, team_id: int, problem: LobbyError | None = None, *, again: bool = False
) -> ResponseReturnValue:
    """Return the page of a team.

    :param again: whether to show the submitted values instead of the saved team.
    """
    again = again or problem is not None
    with db.read() as session:
        team = teams.details(session, workspace_id, team_id)
        inside = _people_given() if again else {one.user_id: one.lead for one in team.members}
        leads = {id_ for id_, lead in inside.items() if lead}
        # Members who may no longer answer are offered while they are in the team.
        offered = {one.id: one for one in account_picker.named(queries.all_members(session, workspace_id))}
        for one in team.members:
            offered.setdefault(one.user_id, Choice(one.user_id, "", one.name))
        by_name = sorted(offered.values(), key=lambda one: (one.name.casefold(), one.id))
        url = url_for("teams.person_choices", workspace_id=workspace_id)
        people = account_picker.pick("person", by_name, inside, url, first=leads)
        chosen = _accounts_given() if again else team.accounts
        accounts = account_picker.picker(session, workspace_id, chosen)
    page = render_template(
        "teams/team.html",
        team=team,
        people=people,
        leads=leads,
        accounts=accounts,
        again=again,
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


@bp.post(f"{SETTINGS}/<int:team_id>")
@workspace_view(Permission.ANSWER)
def change_team(workspace_id: int, team_id: int) -> ResponseReturnValue:
    """Save the members of a team and, for leads of the workspace, its name and accounts."""
    _check_keeper(workspace_id, team_id)
    if account_picker.is_looking():
        return _page(workspace_id, team_id, again=True)
    people, accounts = _people_given(), _accounts_given()
    keeps = _keeps_teams()
    try:
        write(
            teams.change,
            team_id,
            name=request.form.get("name", "") if keeps else None,
            people=people,
            accounts=accounts if keeps else None,
        )
    except LobbyError as error:
        if error.status == 404:
            raise
        return _page(workspace_id, team_id, error)
    flash_good(_("Saved."))
    with db.read() as session:
        stays = _keeps_teams() or teams.leads(session, team_id, current_user().id)
    if not stays:  # they removed themselves
        return redirect(url_for("inbox.index", workspace_id=workspace_id), 303)
    return redirect(url_for("teams.team", workspace_id=workspace_id, team_id=team_id), 303)


@bp.post(f"{SETTINGS}/<int:team_id>/delete")
@workspace_view(Permission.TEAMS)
def delete_team(workspace_id: int, team_id: int) -> ResponseReturnValue:
    """Delete a team. Its conversations lose the team."""
    gone = write(teams.delete, team_id)
    flash_good(_("Team “%(name)s” deleted.", name=gone.name))
    return redirect(url_for("teams.index", workspace_id=workspace_id), 303)


@bp.get("/w/<int:workspace_id>/person-choices")
@workspace_view(Permission.ANSWER)
def person_choices(workspace_id: int) -> Response:
    """Return the first people matching ``q`` among those who may answer, and their number."""
    with db.read() as session:
        return account_picker.matching(account_picker.named(queries.all_members(session, workspace_id)))


def _keeps_teams() -> bool:
    workspace = shown_workspace()
    return workspace is not None and workspace.may(Permission.TEAMS)


def _check_keeper(workspace_id: int, team_id: int) -> None:
    """Refuse a user who neither may manage teams nor leads this one.

    :raises TeamNotFoundError: if the workspace has no such team.
    :raises TeamKeepersError: if the user may not change the team.
    """
    with db.read() as session:
        teams.get(session, workspace_id, team_id)
        if not _keeps_teams() and not teams.leads(session, team_id, current_user().id):
            raise TeamKeepersError()


def _people_given() -> dict[int, bool]:
    """Return the members of the form, with whether they lead the team.

    :raises InvalidError: for an invalid id.
    """
    leads = {id_in(one) for one in request.form.getlist("lead") if one}
    return {id_: id_ in leads for id_ in (*_members_given(), *leads)}


def _accounts_given() -> frozenset[int]:
    return frozenset(account_picker.chosen_ids())


def _members_given() -> list[int]:
    given = account_picker.chosen_ids("member")
    if len(given) > MOST_IDS:
        raise InvalidError()
    return given
