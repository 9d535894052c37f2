"""Routes of the API for teams."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api.http.call import Call
from host.api.http.declare import Id, Router, Wire
from host.api.http.fields import given
from host.core import db
from host.inbox.errors import NotAMemberError
from host.inbox.teams import teams
from host.inbox.teams.errors import TeamAccountError, TeamNameError, TeamNotFoundError
from host.inbox.teams.teams import TeamDetails
from host.users.api_keys import Scope

routes = Router("Teams", read=Scope.CONVERSATIONS_READ, write=Scope.SETTINGS_WRITE)

Name = Annotated[
    str, Meta(max_length=300, description="A unique name of at most 40 characters.", examples=["Orders"])
]


class TeamMember(Wire, frozen=True):
    """A member of a team."""

    id: Id
    name: str
    lead: Annotated[bool, Meta(description="Whether they are a team lead, who can change its members.")]


class Team(Wire, frozen=True):
    """A group of members that conversations can be assigned to."""

    id: Id
    name: str
    members: Annotated[list[TeamMember], Meta(description="Team leads first, then by name.")]
    accounts: Annotated[list[Id], Meta(description="The ids of the accounts it handles.")]
    open_count: Annotated[
        int, Meta(description="Number of open conversations, including snoozed ones and spam.")
    ]


class Teams(Wire, frozen=True):
    """The teams of the workspace, by name."""

    data: list[Team]


class TeamMemberInput(Wire, frozen=True):
    """A member to add to a team."""

    id: Annotated[Id, Meta(description="The id of a person who can reply.")]
    lead: Annotated[bool, Meta(description="Whether they are a team lead.")] = False


People = Annotated[
    list[TeamMemberInput],
    Meta(max_length=1000, description="The complete list: anyone not in it is removed from the team."),
]
AccountIds = Annotated[
    list[Id],
    Meta(max_length=1000, description="The ids of all accounts it handles, in this workspace."),
]


class CreateTeam(Wire, frozen=True):
    """A team to create."""

    name: Name
    members: People | UnsetType = UNSET
    accounts: AccountIds | UnsetType = UNSET


class UpdateTeam(Wire, frozen=True):
    """Fields to change; omitted fields keep their values."""

    name: Name | UnsetType = UNSET
    members: People | UnsetType = UNSET
    accounts: AccountIds | UnsetType = UNSET


def _shown(one: TeamDetails) -> Team:
    return Team(
        id=one.id,
        name=one.name,
        members=[TeamMember(id=who.user_id, name=who.name, lead=who.lead) for who in one.members],
        accounts=sorted(one.accounts),
        open_count=one.open,
    )


def _changes(body: CreateTeam | UpdateTeam) -> dict[str, Any]:
    """Return the fields that *body* has, by their names in the use cases."""
    found = given(body)
    if "members" in found:
        found["people"] = {one.id: one.lead for one in found.pop("members")}
    return found


def _current(session: Session, call: Call, team_id: int) -> Team:
    teams.get(session, call.workspace_id, team_id, lock=True)
    return _shown(teams.details(session, call.workspace_id, team_id))


@routes.get("/teams", "List teams", limited=True)
def list_teams(call: Call) -> Teams:
    """All teams, by name."""
    with db.read() as session:
        return Teams(data=[_shown(one) for one in teams.listing(session, call.workspace_id)])


@routes.post(
    "/teams",
    "Add a team",
    location="/teams/{id}",
    errors=(NotAMemberError, TeamAccountError, TeamNameError),
    examples={"Two people": {"name": "Orders", "members": [{"id": 2, "lead": True}, {"id": 3}]}},
    fields={NotAMemberError: "members", TeamAccountError: "accounts", TeamNameError: "name"},
)
def create_team(call: Call, body: CreateTeam) -> Team:
    """Names are unique, ignoring case."""
    return call.write(lambda work: _shown(teams.create(work, **_changes(body))))


@routes.get("/teams/{team_id}", "Get a team", limited=True, errors=(TeamNotFoundError,))
def get_team(call: Call, team_id: int) -> Team:
    """Its members and accounts."""
    with db.read() as session:
        return _shown(teams.details(session, call.workspace_id, team_id))


@routes.patch(
    "/teams/{team_id}",
    "Change a team",
    current=_current,
    errors=(NotAMemberError, TeamAccountError, TeamNameError, TeamNotFoundError),
    examples={"Another name": {"name": "Returns"}, "The accounts it handles": {"accounts": [1]}},
    fields={NotAMemberError: "members", TeamAccountError: "accounts", TeamNameError: "name"},
)
def change_team(call: Call, team_id: int, body: UpdateTeam) -> Team:
    """Changes its name, members and accounts.

    Agents limited to their teams' accounts see the result immediately. Conversations assigned to them on
    accounts they no longer see become unassigned.
    """
    return call.write(lambda work: _shown(teams.change(work, team_id, **_changes(body))))


@routes.delete("/teams/{team_id}", "Delete a team", current=_current, errors=(TeamNotFoundError,))
def delete_team(call: Call, team_id: int) -> None:
    """Its conversations then have no team, but keep their assignees."""
    call.write(lambda work: teams.delete(work, team_id))
