"""Settings -> Teams: their names, members and accounts. Whoever leads a team changes its members there."""

from __future__ import annotations

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import routing
from host.core import clock, db
from host.core.errors import InvalidError, LobbyError
from host.inbox import queries, teams
from host.inbox.errors import TeamKeepersError
from host.inbox.pages.context import bp
from host.inbox.teams import Listed
from host.users import reach
from host.users.reach import Choice
from host.web import account_picker, navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import (
    Permission,
    audit,
    current_user,
    flash_good,
    id_in,
    safe_next,
    shown_workspace,
    workspace_view,
)

navigation.add_settings("inbox.team_list", _l("Teams"), order=31, icon="users")

SETTINGS = "/w/<int:workspace_id>/settings/teams"
MOST_IDS = 1_000
"""Most people that a form names."""


@bp.post("/w/<int:workspace_id>/duty")
@workspace_view(Permission.ANSWER)
def duty(workspace_id: int) -> ResponseReturnValue:
    """Go on duty in the workspace, or off it: who is on duty is given conversations by themselves."""
    on = request.form.get("on") == "1"
    here = {"workspace_id": workspace_id, "user_id": current_user().id}
    if db.write(routing.set_duty, **here, on=on, now=clock.now()):
        flash_good(_("You are on duty.") if on else _("You are off duty."))
    return redirect(
        safe_next(request.form.get("next"), url_for("inbox.index", workspace_id=workspace_id)), 303
    )


@bp.get(SETTINGS)
@workspace_view(Permission.TEAMS)
def team_list(workspace_id: int) -> ResponseReturnValue:
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
        "inbox/teams.html",
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
    """Add a team, and go to its page to choose who is in it."""

    def use_case(session: Session) -> int:
        name = request.form.get("name", "")
        team = teams.create(session, workspace_id=workspace_id, name=name, now=clock.now())
        audit(session, "team.added", team.name, workspace_id=workspace_id)
        return team.id

    try:
        team_id = db.write(use_case)
    except LobbyError as error:
        return _list(workspace_id, error)
    flash_good(_("The team is made. Choose who is in it."))
    return redirect(url_for("inbox.team_page", workspace_id=workspace_id, team_id=team_id), 303)


@bp.get(f"{SETTINGS}/<int:team_id>")
@workspace_view(Permission.ANSWER)
def team_page(workspace_id: int, team_id: int) -> ResponseReturnValue:
    """Show a team to who keeps teams, and to who leads this one."""
    _check_keeper(workspace_id, team_id)
    return _page(workspace_id, team_id)


def _page(
    workspace_id: int, team_id: int, problem: LobbyError | None = None, *, again: bool = False
) -> ResponseReturnValue:
    """Return the page of a team.

    :param again: whether it shows what was chosen in the form, not what is saved.
    """
    again = again or problem is not None
    with db.read() as session:
        team = teams.one_of(session, workspace_id, team_id)
        inside = _people_given() if again else {one.user_id: one.lead for one in team.members}
        leads = {id_ for id_, lead in inside.items() if lead}
        # Who may not answer any more is offered for as long as they are in it.
        offered = {one.id: one for one in account_picker.named(queries.all_members(session, workspace_id))}
        for one in team.members:
            offered.setdefault(one.user_id, Choice(one.user_id, "", one.name))
        by_name = sorted(offered.values(), key=lambda one: (one.name.casefold(), one.id))
        url = url_for("inbox.person_choices", workspace_id=workspace_id)
        people = account_picker.pick("person", by_name, inside, url, first=leads)
        chosen = _accounts_given() if again else team.accounts
        accounts = account_picker.picker(session, workspace_id, chosen)
    # What somebody has just chosen is shown again, with what was wrong about it.
    page = render_template(
        "inbox/team.html",
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
    """Save who is in a team and, for who keeps teams, its name and its accounts: all of it or nothing."""
    _check_keeper(workspace_id, team_id)
    if account_picker.is_looking():
        return _page(workspace_id, team_id, again=True)
    people, accounts = _people_given(), _accounts_given()
    here = {"workspace_id": workspace_id, "team_id": team_id}

    def use_case(session: Session) -> None:
        before = teams.one_of(session, workspace_id, team_id)
        if _keeps_teams():
            teams.rename(session, name=request.form.get("name", ""), **here)
            teams.set_accounts(session, accounts=accounts, **here)
        teams.set_members(session, people=people, now=clock.now(), **here)
        after = teams.one_of(session, workspace_id, team_id)
        if details := _changes(session, workspace_id, before, after):
            audit(session, "team.changed", after.name, workspace_id=workspace_id, details=details)

    try:
        db.write(use_case)
    except LobbyError as error:
        if error.status == 404:
            raise
        return _page(workspace_id, team_id, error)
    flash_good(_("Saved."))
    with db.read() as session:
        stays = _keeps_teams() or teams.leads(session, team_id, current_user().id)
    if not stays:  # they took themselves out
        return redirect(url_for("inbox.index", workspace_id=workspace_id), 303)
    return redirect(url_for("inbox.team_page", workspace_id=workspace_id, team_id=team_id), 303)


@bp.post(f"{SETTINGS}/<int:team_id>/delete")
@workspace_view(Permission.TEAMS)
def delete_team(workspace_id: int, team_id: int) -> ResponseReturnValue:
    """Delete a team; its conversations are of no team then."""

    def use_case(session: Session) -> str:
        user_id = current_user().id
        gone = teams.delete(session, workspace_id=workspace_id, team_id=team_id, author_id=user_id)
        audit(session, "team.deleted", gone.name, workspace_id=workspace_id)
        return gone.name

    name = db.write(use_case)
    flash_good(_("The team %(name)s is gone.", name=name))
    return redirect(url_for("inbox.team_list", workspace_id=workspace_id), 303)


@bp.get("/w/<int:workspace_id>/person-choices")
@workspace_view(Permission.ANSWER)
def person_choices(workspace_id: int) -> Response:
    """Return the first people that ``q`` finds among those who may answer, and how many there are."""
    with db.read() as session:
        return account_picker.matching(account_picker.named(queries.all_members(session, workspace_id)))


def _keeps_teams() -> bool:
    workspace = shown_workspace()
    return workspace is not None and workspace.may(Permission.TEAMS)


def _check_keeper(workspace_id: int, team_id: int) -> None:
    """Refuse somebody who neither keeps teams nor leads this one.

    :raises TeamNotFoundError: if the workspace has no such team.
    :raises TeamKeepersError: if they may not.
    """
    with db.read() as session:
        teams.get(session, workspace_id, team_id)
        if not _keeps_teams() and not teams.leads(session, team_id, current_user().id):
            raise TeamKeepersError()


def _people_given() -> dict[int, bool]:
    """Return who the form puts into the team, each with whether they lead it.

    :raises InvalidError: for something that is no id.
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


def _changes(session: Session, workspace_id: int, before: Listed, after: Listed) -> dict[str, str]:
    """Return what became different, in words for the audit journal."""
    found = {}
    if before.name != after.name:
        found["before"] = before.name
    if before.members != after.members:
        found["members"] = ", ".join(one.name for one in after.members)[:200] or "none"
    if before.accounts != after.accounts:
        names = [one.name for one in reach.choices(session, workspace_id, after.accounts)]
        found["accounts"] = ", ".join(names)[:200] or "none"
    return found
