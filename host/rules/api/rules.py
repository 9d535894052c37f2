"""API routes of the workspace's rules: their definition, state and runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, cast

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http import cursors, fields
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import BodyError, CursorError
from host.api.reading import converted
from host.automation.texts import AutomationTextError
from host.core import db
from host.inbox.variables import VariableError
from host.rules import body as bodies
from host.rules import log, rules
from host.rules.body import RuleError, RuleTargets
from host.rules.models import RuleState
from host.rules.rules import RuleNotFoundError, RuleView
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope
from host.users.workspaces import SavedMeanwhileError

routes = Router("Rules", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

LIST = "rule runs"
COUNTED = timedelta(days=1)

Name = Annotated[str, Meta(max_length=300, description="At most 40 characters.", examples=["Wholesale"])]
State = Annotated[
    Literal["draft", "shadow", "live", "off"],
    Meta(
        description=(
            "`shadow`: it logs what it would have done, but does nothing. `draft` and `off`: it does not run."
        )
    ),
]
RuleBody = Annotated[
    dict[str, Any],
    Meta(
        description=(
            "`when` names an event, all `conditions` must match, and `actions` run in order. The "
            "guide lists the possible values."
        ),
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
    """Counts of a rule's runs in the last 24 hours, by outcome."""

    did: Annotated[int, Meta(description="Runs in which all actions were done.")]
    refused: Annotated[int, Meta(description="Runs in which an action was refused.")]
    shadow: Annotated[int, Meta(description="Runs in shadow mode that would have done something.")]
    missed: Annotated[
        int,
        Meta(description="Runs in which the first condition matched but another did not."),
    ]


class Rule(Wire, frozen=True):
    """A rule: when an event happens, if the conditions are met, then run the actions."""

    id: Id
    name: Name
    state: State
    state_at: Annotated[Moment, Meta(description="Since when it is in this state.")]
    version: Annotated[int, Meta(description="Increases with each change of `body`.")]
    author: Annotated[
        str, Meta(description="The author of that version: a member, or the name of an API key.")
    ]
    changed_at: Moment
    body: Annotated[
        RuleBody | None, Meta(description="Null: created by a newer version of Lobby; it does not run here.")
    ]
    gone: Annotated[
        str | None,
        Meta(
            description="The path of a reference to something deleted, such as `body.actions[0]`. Null: none."
        ),
    ]
    counts: RuleCounts


class Rules(Wire, frozen=True):
    """The rules of the workspace, in the order in which they are evaluated."""

    data: list[Rule]


class CreateRule(Wire, frozen=True):
    """A rule to create."""

    name: Name
    body: RuleBody
    state: State = "shadow"


class ReplaceRule(Wire, frozen=True):
    """A rule that replaces an existing one."""

    name: Name
    body: RuleBody
    state: Annotated[State, Meta(description="Omitted: unchanged.")] | UnsetType = UNSET
    version: Annotated[
        Version | None,
        Meta(description="The version you read. If the rule has changed since, nothing is saved."),
    ] = None


class UpdateRule(Wire, frozen=True):
    """A change of a rule."""

    state: State


class RuleMove(Wire, frozen=True):
    """A move of a rule up or down the order."""

    places: Annotated[
        int,
        Meta(
            ge=-rules.MOST,
            le=rules.MOST,
            description="Negative: up, so that it runs earlier. Limited to the ends of the list.",
        ),
    ]


class RuleCondition(Wire, frozen=True):
    """Result of one condition of a run. Conditions are listed in order."""

    holds: Annotated[
        bool | None, Meta(description="Null: not checked, because an earlier condition did not match.")
    ]
    saw: Annotated[
        str, Meta(description="What it checked, a word or an id such as `label:3`. Never a customer's text.")
    ]
    which: Annotated[
        int | None,
        Meta(
            description=(
                "In a group (`any`), the position of the condition that decided, from 0; null: not a group."
            )
        ),
    ]


class RuleAction(Wire, frozen=True):
    """Result of one action of a run. Actions are listed in order."""

    action: Annotated[str, Meta(description="The action, as in `do` of the rule.", examples=["label"])]
    reason: Annotated[
        str | None,
        Meta(description="Why it was refused, as a stable word; null: it was done, or would have been."),
    ]


class RuleRun(Wire, frozen=True):
    """A run of a rule: one evaluation and its outcome."""

    id: Id
    at: Moment
    conversation_id: Id
    contact_name: str | None
    version: Annotated[int, Meta(description="The version of the rule that ran.")]
    outcome: Annotated[
        Literal["did", "refused", "shadow"] | None,
        Meta(
            description=(
                "`refused`: an action was not done. Null: it did nothing because of `reason`, "
                "although its first condition matched. Runs whose first condition did not match are "
                "not logged."
            )
        ),
    ]
    reason: Annotated[
        str | None, Meta(description="A stable word: `condition`, `once`, or why an action was refused.")
    ]
    conditions: list[RuleCondition]
    actions: list[RuleAction]


class RuleRuns(Wire, frozen=True):
    """A page of a rule's runs, newest first."""

    data: list[RuleRun]
    next: Annotated[shapes.Cursor | None, Meta(description="Cursor for older runs; null: there are none.")]


class RuleRunQuery(Wire, frozen=True):
    """Filters for the runs to list."""

    matched: Annotated[
        bool | None,
        Meta(description="Only runs in which all conditions matched, or only those in which not all did."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = log.PAGE
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


def _saved(call: Call, use_case: Callable[[UnitOfWork, RuleTargets], int]) -> Rule:
    """Save a rule by *use_case*, which returns its id, and return it.

    The field of its validation errors is converted to its path in the request body.
    """

    def save(work: UnitOfWork) -> Rule:
        what = rules.there(work.session, call.workspace_id, call.directory)
        return _one(work.session, call, use_case(work, what))

    try:
        return call.write(save)
    except (RuleError, AutomationTextError, VariableError) as error:
        error.field = fields.in_body(error.field) if error.field else "body"
        raise


def _shown(one: RuleView, counts: Mapping[str, int]) -> Rule:
    return Rule.of(
        one,
        state=cast(Any, str(one.state)),
        body=None if one.body is None else bodies.plain(one.body),
        gone=fields.in_body(one.gone) if one.gone else None,
        counts=RuleCounts(
            did=counts.get("did", 0),
            refused=counts.get("refused", 0),
            shadow=counts.get("shadow", 0),
            missed=counts.get("", 0),
        ),
    )


def _one(session: Session, call: Call, rule_id: int) -> Rule:
    what = rules.there(session, call.workspace_id, call.directory)
    found = rules.shown(session, call.workspace_id, rule_id, what)
    return _shown(found, log.counted(session, call.workspace_id, call.now - COUNTED).get(rule_id, {}))


def _all(session: Session, call: Call) -> Rules:
    what = rules.there(session, call.workspace_id, call.directory)
    counts = log.counted(session, call.workspace_id, call.now - COUNTED)
    found = rules.listing(session, call.workspace_id, what)
    return Rules(data=[_shown(one, counts.get(one.id, {})) for one in found])


@routes.get("/rules", "List rules")
def list_rules(call: Call) -> Rules:
    """All rules, in the order in which they are evaluated, each with its counts of the last 24 hours."""
    with db.read() as session:
        return _all(session, call)


@routes.post("/rules", "Add a rule", location="/rules/{id}", errors=ERRORS, examples={"In shadow": EXAMPLE})
def create_rule(call: Call, body: CreateRule) -> Rule:
    """Adds a rule after the others. By default it is in `shadow`: it only records what it would have done.

    An invalid rule is refused with the path of the error: `body.conditions[2]`.
    """

    wanted = converted(body.body, bodies.Body, RuleError, within="body")

    def create(work: UnitOfWork, what: RuleTargets) -> int:
        return rules.create(work, name=body.name, body=wanted, what=what, state=RuleState(body.state)).id

    return _saved(call, create)


@routes.get("/rules/{rule_id}", "Get a rule", errors=(RuleNotFoundError,))
def get_rule(call: Call, rule_id: int) -> Rule:
    """The rule, with its counts of the last 24 hours."""
    with db.read() as session:
        return _one(session, call, rule_id)


@routes.put(
    "/rules/{rule_id}",
    "Replace a rule",
    errors=(*ERRORS, RuleNotFoundError, SavedMeanwhileError),
    examples={"Only if the version is still current": {**EXAMPLE, "version": 1}},
)
def replace_rule(call: Call, rule_id: int, body: ReplaceRule) -> Rule:
    """Replaces its name and definition. Earlier versions are kept, and runs name the version they used."""

    wanted = converted(body.body, bodies.Body, RuleError, within="body")

    state = None if body.state is UNSET else RuleState(body.state)
    values: dict[str, Any] = {"name": body.name, "body": wanted, "version": body.version, "state": state}
    return _saved(call, lambda work, what: rules.change(work, rule_id, what=what, **values).id)


@routes.patch(
    "/rules/{rule_id}",
    "Change the state of a rule",
    errors=(*ERRORS, RuleNotFoundError),
    examples={"Live": {"state": "live"}, "Off": {"state": "off"}},
)
def change_rule(call: Call, rule_id: int, body: UpdateRule) -> Rule:
    """A rule that refers to something deleted cannot become `live` or `shadow`, but can be turned off."""
    state = RuleState(body.state)
    return _saved(call, lambda work, what: rules.put_in_state(work, rule_id, state, what).id)


@routes.post(
    "/rules/{rule_id}/move",
    "Move a rule",
    errors=(RuleNotFoundError,),
    examples={"Move up by one": {"places": -1}},
)
def move_rule(call: Call, rule_id: int, body: RuleMove) -> Rules:
    """Rules are evaluated from first to last. Returns all of them, in their new order."""

    def move(work: UnitOfWork) -> Rules:
        rules.move(work, rule_id, body.places)
        return _all(work.session, call)

    return call.write(move)


@routes.delete("/rules/{rule_id}", "Delete a rule", errors=(RuleNotFoundError,))
def delete_rule(call: Call, rule_id: int) -> None:
    """Deletes the rule and all its versions. Its past actions are not undone."""
    call.write(lambda work: rules.delete(work, rule_id))


@routes.get("/rules/{rule_id}/runs", "List the runs of a rule", errors=(CursorError, RuleNotFoundError))
def list_rule_runs(call: Call, rule_id: int, query: RuleRunQuery) -> RuleRuns:
    """Runs in which it matched or at least met its first condition, with the result of each; newest first."""
    before = None if query.cursor is None else cursors.read(call.list_name(LIST), query.cursor, "cursor")[1]
    with db.read() as session:
        rules.get(session, call.workspace_id, rule_id)
        found = log.runs(session, rule_id, matched=query.matched, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return RuleRuns(
        data=[
            RuleRun.of(
                one,
                outcome=cast(Any, one.outcome or None),
                reason=one.reason or None,
                conditions=[
                    RuleCondition(holds=holds, saw=saw, which=which) for holds, saw, which in one.trace
                ],
                actions=[RuleAction(action=what, reason=why or None) for what, why in one.done],
            )
            for one in shown
        ],
        next=None if last is None else cursors.write(call.list_name(LIST), (last.at, last.id)),
    )
