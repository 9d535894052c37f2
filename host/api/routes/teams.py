"""Teams of the workspace: who is in each, and which accounts it looks after."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import Id, Wire, route
from host.api.http.errors import BodyError
from host.core import db
from host.inbox import teams
from host.inbox.errors import NotAMemberError, TeamAccountError, TeamNameError, TeamNotFoundError
from host.inbox.teams import Listed
from host.users.api_keys import Scope

Name = Annotated[
    str, Meta(max_length=300, description="At most 40 letters that no other team has.", examples=["Orders"])
]


class NewMember(Wire, frozen=True):
    """Somebody who is to be in a team."""

    id: Annotated[Id, Meta(description="The id of a person who may answer.")]
    lead: Annotated[bool, Meta(description="Whether they lead it.")] = False


People = Annotated[
    list[NewMember], Meta(max_length=1000, description="All of them: who is left out is not in it any more.")
]
AccountIds = Annotated[
    list[Id],
    Meta(max_length=1000, description="The ids of all accounts it is to look after, of this workspace."),
]


class NewTeam(Wire, frozen=True):
    """A team to be made."""

    name: Name
    members: People | UnsetType = UNSET
    accounts: AccountIds | UnsetType = UNSET


class TeamChange(Wire, frozen=True):
    """What is to become different; what is left out stays."""

    name: Name | UnsetType = UNSET
    members: People | UnsetType = UNSET
    accounts: AccountIds | UnsetType = UNSET


def _shown(one: Listed) -> shapes.Team:
    return shapes.Team(
        id=one.id,
        name=one.name,
        members=[shapes.TeamMember(id=who.user_id, name=who.name, lead=who.lead) for who in one.members],
        accounts=sorted(one.accounts),
        open_count=one.open,
    )


def _fill(session: Session, call: Call, team_id: int, body: NewTeam | TeamChange) -> shapes.Team:
    """Set who is in a team and what it looks after, where *body* says so; return the team."""
    here = {"workspace_id": call.workspace_id, "team_id": team_id}
    if body.members is not UNSET:
        people = {one.id: one.lead for one in body.members}
        teams.set_members(session, people=people, now=call.now, **here)
    if body.accounts is not UNSET:
        teams.set_accounts(session, accounts=body.accounts, **here)
    return _shown(teams.one_of(session, **here))


@route("GET", "/teams", tag="Teams", summary="List teams", scope=Scope.READ, answer=shapes.Teams)
def list_teams(call: Call) -> shapes.Teams:
    """All of them, by name."""
    with db.read() as session:
        return shapes.Teams(data=[_shown(one) for one in teams.listing(session, call.workspace_id)])


@route(
    "POST",
    "/teams",
    tag="Teams",
    summary="Add a team",
    scope=Scope.WRITE,
    body=NewTeam,
    answer=shapes.Team,
    status=201,
    errors=(BodyError, NotAMemberError, TeamAccountError, TeamNameError),
    examples={"Two people": {"name": "Orders", "members": [{"id": 2, "lead": True}, {"id": 3}]}},
)
def create_team(call: Call, body: NewTeam) -> bytes:
    """Its name is one that no other team has, capital letters aside."""

    def use_case(session: Session) -> shapes.Team:
        row = teams.create(session, workspace_id=call.workspace_id, name=body.name, now=call.now)
        call.audit(session, "team.added", row.name)
        return _fill(session, call, row.id, body)

    return call.commit(use_case)


@route(
    "PATCH",
    "/teams/{team_id}",
    tag="Teams",
    summary="Change a team",
    scope=Scope.WRITE,
    body=TeamChange,
    answer=shapes.Team,
    errors=(BodyError, NotAMemberError, TeamAccountError, TeamNameError, TeamNotFoundError),
    examples={"Another name": {"name": "Returns"}, "What it looks after": {"accounts": [1]}},
)
def change_team(call: Call, team_id: int, body: TeamChange) -> bytes:
    """Its name, who is in it, which accounts it looks after.

    Agents who are limited to what their teams look after see what follows from that at once. What they have
    on an account they see no more goes back to nobody.
    """

    def use_case(session: Session) -> shapes.Team:
        teams.get(session, call.workspace_id, team_id, lock=True)
        if body.name is not UNSET:
            teams.rename(session, workspace_id=call.workspace_id, team_id=team_id, name=body.name)
        shown = _fill(session, call, team_id, body)
        call.audit(session, "team.changed", shown.name)
        return shown

    return call.commit(use_case)


@route(
    "DELETE",
    "/teams/{team_id}",
    tag="Teams",
    summary="Delete a team",
    scope=Scope.WRITE,
    errors=(TeamNotFoundError,),
)
def delete_team(call: Call, team_id: int) -> None:
    """Its conversations are of no team then; who has them keeps them."""

    def use_case(session: Session) -> None:
        row = teams.delete(session, workspace_id=call.workspace_id, team_id=team_id, author_id=None)
        call.audit(session, "team.deleted", row.name)

    db.write(use_case)
