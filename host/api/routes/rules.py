"""Rules of the workspace: what each says, whether it is live, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Literal, cast

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Wire, route
from host.api.http.errors import BodyError, CursorError, QueryError
from host.automation.rules import body as bodies
from host.automation.rules import keeping, log
from host.automation.rules.body import RuleError
from host.automation.rules.keeping import RuleNotFoundError, Shown
from host.automation.texts import AutomationTextError
from host.core import db
from host.inbox.variables import VariableError
from host.models.automation import RuleState
from host.users.api_keys import Scope
from host.users.workspaces import SavedMeanwhileError

LIST = "rule runs"
COUNTED = timedelta(days=1)

Name = Annotated[str, Meta(max_length=300, description="At most 40 letters.", examples=["Wholesale"])]
State = Annotated[
    Literal["draft", "shadow", "live", "off"],
    Meta(
        description="`shadow`: it notes what it would have done, and does nothing. `draft` and `off`: it is "
        "not asked."
    ),
]
RuleBody = Annotated[
    dict[str, Any],
    Meta(
        description="When, if and then: `when` names an event, all of `conditions` have to hold, `actions` "
        "are done in their order. The guide lists what each may be.",
        examples=[
            {
                "when": "message.received",
                "conditions": [{"if": "words", "words": ["wholesale", "bulk order"]}],
                "actions": [{"do": "label", "label": 3}, {"do": "tell", "team": 5}],
            }
        ],
    ),
]
Version = Annotated[int, Meta(ge=0, le=2**31)]


class RuleCounts(Wire, frozen=True):
    """What became of a rule within the last 24 hours."""

    did: Annotated[int, Meta(description="How often it did all it says.")]
    refused: Annotated[int, Meta(description="How often something of it was not done.")]
    shadow: Annotated[int, Meta(description="How often it would have done something.")]
    missed: Annotated[
        int,
        Meta(description="How often it did nothing although its first condition held."),
    ]


class Rule(Wire, frozen=True):
    """When something happens, if it is so, then something is done."""

    id: Id
    name: Name
    state: State
    state_at: Annotated[Moment, Meta(description="Since when it is in this state.")]
    version: Annotated[int, Meta(description="Grows with each change of `body`.")]
    author: Annotated[str, Meta(description="Who made that version: a member, or the name of a key.")]
    changed_at: Moment
    body: Annotated[
        RuleBody | None, Meta(description="Null: it was made by a newer Lobby, and is not asked here.")
    ]
    gone: Annotated[
        str | None,
        Meta(
            description="The place of something it names that is gone: `body.actions[0]`. Null: nothing is."
        ),
    ]
    counts: RuleCounts


class Rules(Wire, frozen=True):
    """The rules of the workspace, in the order in which they are asked."""

    data: list[Rule]


class NewRule(Wire, frozen=True):
    """A rule to be made."""

    name: Name
    body: RuleBody
    state: State = "shadow"


class WholeRule(Wire, frozen=True):
    """A rule in place of the one there was."""

    name: Name
    body: RuleBody
    state: Annotated[State, Meta(description="Left out: it stays.")] | UnsetType = UNSET
    version: Annotated[
        Version | None,
        Meta(description="That of the rule you read; if it is another by now, nothing is saved."),
    ] = None


class RuleChange(Wire, frozen=True):
    """What is to become different."""

    state: State


class RuleMove(Wire, frozen=True):
    """How far a rule is moved."""

    places: Annotated[
        int,
        Meta(
            ge=-keeping.MOST,
            le=keeping.MOST,
            description="Below zero: up, so that it is asked earlier. No further than to an end.",
        ),
    ]


class RuleCondition(Wire, frozen=True):
    """What became of one condition, in their order."""

    holds: Annotated[bool | None, Meta(description="Null: it was not asked, for one before it did not hold.")]
    saw: Annotated[
        str, Meta(description="What it saw, a word or an id: `label:3`. Never what a customer wrote.")
    ]
    which: Annotated[
        int | None,
        Meta(description="Of a group (`any`) the one of it that decided, from 0; null: it is no group."),
    ]


class RuleAction(Wire, frozen=True):
    """What became of one action, in their order."""

    action: Annotated[str, Meta(description="What it does, as `do` in the rule.", examples=["label"])]
    reason: Annotated[
        str | None, Meta(description="Why it was not done, a stable word; null: it was, or would have been.")
    ]


class RuleRun(Wire, frozen=True):
    """What became of a rule that was asked."""

    id: Id
    at: Moment
    conversation_id: Id
    contact_name: str | None
    version: Annotated[int, Meta(description="Which version of the rule was asked.")]
    outcome: Annotated[
        Literal["did", "refused", "shadow"] | None,
        Meta(
            description="`refused`: something of it was not done. Null: it did nothing, for `reason`, though "
            "its first condition held. What failed at that is not noted."
        ),
    ]
    reason: Annotated[
        str | None, Meta(description="A stable word: `condition`, `once`, or why an action was not done.")
    ]
    conditions: list[RuleCondition]
    actions: list[RuleAction]


class RuleRuns(Wire, frozen=True):
    """Runs of a rule, the newest first."""

    data: list[RuleRun]
    next: Annotated[shapes.Cursor | None, Meta(description="For older ones; null: there are none.")]


class RuleRunQuery(Wire, frozen=True):
    """Which runs to list."""

    matched: Annotated[
        bool | None, Meta(description="Those alone in which all conditions held, or in which not.")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most.")] = log.PAGE
    cursor: shapes.Cursor | None = None


ERRORS = (BodyError, RuleError, AutomationTextError, VariableError)
EXAMPLE = {
    "name": "Wholesale",
    "state": "shadow",
    "body": {
        "when": "message.received",
        "conditions": [{"if": "words", "words": ["wholesale", "bulk order"]}],
        "actions": [{"do": "note", "text": "Asks for a bulk order."}, {"do": "close"}],
    },
}


def _place(field: str) -> str:
    """Return the place of something in a rule as it stands in a body of the API: ``body.actions[0]``."""
    name, dot, number = field.partition(".")
    if name in {"name", "campaign"}:
        return field if name == "name" else f"body.{field}"
    return f"body.{name}[{number}]" if dot else f"body.{name}"


@contextmanager
def _placed() -> Iterator[None]:
    """Let what is wrong with a rule name its place as the API writes it."""
    try:
        yield
    except (RuleError, AutomationTextError, VariableError) as error:
        error.field = _place(error.field) if error.field else "body"
        raise


def _shown(one: Shown, counts: Mapping[str, int]) -> Rule:
    return Rule(
        id=one.id,
        name=one.name,
        state=cast(Any, str(one.state)),
        state_at=one.state_at,
        version=one.version,
        author=one.author,
        changed_at=one.changed_at,
        body=None if one.body is None else bodies.plain(one.body),
        gone=_place(one.gone) if one.gone else None,
        counts=RuleCounts(
            did=counts.get("did", 0),
            refused=counts.get("refused", 0),
            shadow=counts.get("shadow", 0),
            missed=counts.get("", 0),
        ),
    )


def _one(session: Session, call: Call, rule_id: int) -> Rule:
    what = keeping.there(session, call.workspace_id, call.directory)
    found = keeping.shown(session, call.workspace_id, rule_id, what)
    return _shown(found, log.counted(session, call.workspace_id, call.now - COUNTED).get(rule_id, {}))


def _all(session: Session, call: Call) -> Rules:
    what = keeping.there(session, call.workspace_id, call.directory)
    counts = log.counted(session, call.workspace_id, call.now - COUNTED)
    found = keeping.listing(session, call.workspace_id, what)
    return Rules(data=[_shown(one, counts.get(one.id, {})) for one in found])


@route("GET", "/rules", tag="Rules", summary="List rules", scope=Scope.READ, answer=Rules)
def list_rules(call: Call) -> Rules:
    """All of them, in the order in which they are asked, each with what became of it within 24 hours."""
    with db.read() as session:
        return _all(session, call)


@route(
    "POST",
    "/rules",
    tag="Rules",
    summary="Add a rule",
    scope=Scope.WRITE,
    body=NewRule,
    answer=Rule,
    status=201,
    errors=ERRORS,
    examples={"In shadow": EXAMPLE},
)
def create_rule(call: Call, body: NewRule) -> bytes:
    """Behind the others. As long as it says nothing else it is in `shadow`: it notes what it would have done.

    What cannot be kept is refused with its place: `body.conditions[2]`.
    """

    def use_case(session: Session) -> Rule:
        row = keeping.create(
            session,
            workspace_id=call.workspace_id,
            name=body.name,
            body=bodies.given(body.body),
            what=keeping.there(session, call.workspace_id, call.directory),
            author=call.caller.name,
            now=call.now,
            state=RuleState(body.state),
        )
        call.audit(session, "rule.added", row.name, state=row.state)
        return _one(session, call, row.id)

    with _placed():
        return call.commit(use_case)


@route(
    "GET",
    "/rules/{rule_id}",
    tag="Rules",
    summary="Get a rule",
    scope=Scope.READ,
    answer=Rule,
    errors=(RuleNotFoundError,),
)
def get_rule(call: Call, rule_id: int) -> Rule:
    """With what became of it within the last 24 hours."""
    with db.read() as session:
        return _one(session, call, rule_id)


@route(
    "PUT",
    "/rules/{rule_id}",
    tag="Rules",
    summary="Replace a rule",
    scope=Scope.WRITE,
    body=WholeRule,
    answer=Rule,
    errors=(*ERRORS, RuleNotFoundError, SavedMeanwhileError),
    examples={"Of the version that was read": {**EXAMPLE, "version": 1}},
)
def replace_rule(call: Call, rule_id: int, body: WholeRule) -> bytes:
    """Its name and all it says. What it said before is kept, and its runs name the version that was asked."""

    def use_case(session: Session) -> Rule:
        before = keeping.get(session, call.workspace_id, rule_id, lock=True)
        stood = before.name, before.version, before.state
        row = keeping.change(
            session,
            workspace_id=call.workspace_id,
            rule_id=rule_id,
            name=body.name,
            body=bodies.given(body.body),
            what=keeping.there(session, call.workspace_id, call.directory),
            author=call.caller.name,
            now=call.now,
            version=body.version,
            state=None if body.state is UNSET else RuleState(body.state),
        )
        if stood[:2] != (row.name, row.version):
            call.audit(session, "rule.changed", row.name, version=str(row.version))
        if stood[2] != row.state:
            call.audit(session, "rule.state", row.name, state=row.state)
        return _one(session, call, rule_id)

    with _placed():
        return call.commit(use_case)


@route(
    "PATCH",
    "/rules/{rule_id}",
    tag="Rules",
    summary="Put a rule into a state",
    scope=Scope.WRITE,
    body=RuleChange,
    answer=Rule,
    errors=(*ERRORS, RuleNotFoundError),
    examples={"Live": {"state": "live"}, "Off": {"state": "off"}},
)
def change_rule(call: Call, rule_id: int, body: RuleChange) -> bytes:
    """One that names what is gone cannot become `live` or `shadow`; any other can be turned off."""

    def use_case(session: Session) -> Rule:
        before = keeping.get(session, call.workspace_id, rule_id, lock=True).state
        row = keeping.put_in_state(
            session,
            workspace_id=call.workspace_id,
            rule_id=rule_id,
            state=RuleState(body.state),
            what=keeping.there(session, call.workspace_id, call.directory),
            now=call.now,
        )
        if row.state != before:
            call.audit(session, "rule.state", row.name, state=row.state)
        return _one(session, call, rule_id)

    with _placed():
        return call.commit(use_case)


@route(
    "POST",
    "/rules/{rule_id}/move",
    tag="Rules",
    summary="Move a rule",
    scope=Scope.WRITE,
    body=RuleMove,
    answer=Rules,
    errors=(BodyError, RuleNotFoundError),
    examples={"One up": {"places": -1}},
)
def move_rule(call: Call, rule_id: int, body: RuleMove) -> bytes:
    """Rules are asked from the first to the last. Answers all of them, in their new order."""

    def use_case(session: Session) -> Rules:
        row = keeping.get(session, call.workspace_id, rule_id)
        stood = row.position
        keeping.move(session, call.workspace_id, rule_id, body.places)
        if row.position != stood:
            call.audit(session, "rule.moved", row.name, place=str(row.position))
        return _all(session, call)

    return call.commit(use_case)


@route(
    "DELETE",
    "/rules/{rule_id}",
    tag="Rules",
    summary="Delete a rule",
    scope=Scope.WRITE,
    errors=(RuleNotFoundError,),
)
def delete_rule(call: Call, rule_id: int) -> None:
    """With all it said before. What it did stays done."""

    def use_case(session: Session) -> None:
        call.audit(session, "rule.deleted", keeping.delete(session, call.workspace_id, rule_id))

    db.write(use_case)


@route(
    "GET",
    "/rules/{rule_id}/runs",
    tag="Rules",
    summary="List what became of a rule",
    scope=Scope.READ,
    query=RuleRunQuery,
    answer=RuleRuns,
    errors=(QueryError, CursorError, RuleNotFoundError),
)
def list_rule_runs(call: Call, rule_id: int, query: RuleRunQuery) -> RuleRuns:
    """Each time it matched or came past its first condition, with what each condition saw; newest first."""
    before = None if query.cursor is None else cursors.read(LIST, query.cursor, "cursor")[1]
    with db.read() as session:
        keeping.get(session, call.workspace_id, rule_id)
        found = log.runs(session, rule_id, matched=query.matched, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return RuleRuns(
        data=[
            RuleRun(
                id=one.id,
                at=one.at,
                conversation_id=one.conversation_id,
                contact_name=one.contact_name,
                version=one.version,
                outcome=cast(Any, one.outcome or None),
                reason=one.reason or None,
                conditions=[
                    RuleCondition(holds=holds, saw=saw, which=which) for holds, saw, which in one.trace
                ],
                actions=[RuleAction(action=what, reason=why or None) for what, why in one.done],
            )
            for one in shown
        ],
        next=None if last is None else cursors.write(LIST, (last.at, last.id)),
    )
