"""API routes of campaigns: the people who commented with a campaign's keyword, and the replies they got."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from msgspec import Meta

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import CursorError
from host.core import db
from host.rules import people, rules
from host.rules.people import Got
from host.rules.rules import RuleNotFoundError
from host.users.api_keys import Scope

routes = Router("Rules", read=Scope.AUTOMATION_READ)

LIST = "campaign people"
What = Annotated[
    Literal["got", "had", "waits", "refused"],
    Meta(
        description=(
            "`had`: already sent for an earlier comment. `waits`: the private reply is not sent yet. "
            "`refused`: it was not sent because of `reason` or `problem`."
        )
    ),
]


class CampaignPerson(Wire, frozen=True):
    """A person who commented with a campaign's keyword. Listed once, even if they did so several times."""

    contact_id: Id
    name: Annotated[str | None, Meta(description="Null: not known.")]
    username: str | None
    conversation_id: Annotated[
        Id, Meta(description="The conversation of their last comment with the keyword.")
    ]
    message_id: Annotated[Id, Meta(description="Their last comment with the keyword.")]
    messages: Annotated[int, Meta(description="Number of their comments with the keyword.")]
    at: Annotated[Moment, Meta(description="When they last wrote it.")]
    got: What
    reason: Annotated[
        str | None,
        Meta(
            description=(
                "Why nothing was sent, or no public answer, as a stable word. Null: everything was sent."
            )
        ),
    ]
    problem: Annotated[
        str | None,
        Meta(description="Why the private reply failed, or what it is waiting for, as a sentence."),
    ]
    private_message_id: Annotated[Id | None, Meta(description="The private reply; null: none.")]
    public_answer: Annotated[int | None, Meta(description="Number of the public answer, from 1; null: none.")]
    answered_at: Annotated[
        Moment | None, Meta(description="When they answered the private reply; null: not yet.")
    ]


class CampaignPeople(Wire, frozen=True):
    """A page of the people of a campaign, the most recent comment first."""

    data: list[CampaignPerson]
    next: Annotated[
        shapes.Cursor | None, Meta(description="Cursor for earlier people; null: there are none.")
    ]


class CampaignPeopleQuery(Wire, frozen=True):
    """Filters for the people to list."""

    got: Annotated[What | None, Meta(description="Only people with this result.")] = None
    search: Annotated[str, Meta(max_length=100, description="Part of their name or username.")] = ""
    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = people.PAGE
    cursor: shapes.Cursor | None = None


@routes.get(
    "/campaigns/{rule_id}/people",
    "List the people of a campaign",
    also=(Scope.CONTACTS_READ,),
    errors=(CursorError, RuleNotFoundError),
)
def list_campaign_people(call: Call, rule_id: int, query: CampaignPeopleQuery) -> CampaignPeople:
    """Each person with the reply they got and the reason. Empty for a rule without `campaign`."""
    before = None if query.cursor is None else cursors.read(call.list_name(LIST), query.cursor, "cursor")[1]
    with db.read() as session:
        rules.get(session, call.workspace_id, rule_id)
        found = people.listing(
            session,
            rule_id,
            got=None if query.got is None else Got(query.got),
            search=query.search.strip(),
            before=before,
            limit=query.limit + 1,
        )
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return CampaignPeople(
        data=[_person(one) for one in shown],
        next=None if last is None else cursors.write(call.list_name(LIST), (last.at, last.id)),
    )


def _person(one: people.Person) -> CampaignPerson:
    problem = one.error if one.got is Got.REFUSED else one.waiting if one.got is Got.WAITS else {}
    return CampaignPerson.of(
        one,
        name=one.name or None,
        username=one.handle or None,
        message_id=one.id,
        got=cast(Any, str(one.got)),
        reason=one.reason or None,
        problem=str(problem.get("sentence") or "") or None,
        private_message_id=one.private_id,
        public_answer=one.number or None,
    )
