"""Routes for an assistant's cases: questions that each version is tested with."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import UNSET, Meta, UnsetType

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Router, Wire
from host.api.http.errors import CursorError
from host.assistants import assistants, trials
from host.assistants.assistants import AssistantNotFoundError
from host.assistants.knowledge import cases
from host.assistants.knowledge.cases import CaseError, CaseInput, CaseNotFoundError
from host.assistants.models import AssistantCase as Row
from host.core import db
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Assistants", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

LIST = "assistant cases"

Question = Annotated[
    str, Meta(max_length=20_000, description="The customer's question, at most 4,000 characters.")
]
HandsOver = Annotated[bool, Meta(description="Whether a person should answer it. Words are then ignored.")]
Words = Annotated[
    tuple[Annotated[str, Meta(max_length=1_000)], ...],
    Meta(max_length=100, description="20 words or phrases of 100 letters."),
]


class AssistantCase(Wire, frozen=True):
    """A question with a description of a good answer."""

    id: Id
    question: str
    hands_over: HandsOver
    says: Annotated[list[str], Meta(description="Words that a good answer contains, all of them.")]
    never_says: Annotated[list[str], Meta(description="Words that it never contains.")]
    passed: Annotated[bool | None, Meta(description="Null: not run yet.")]
    tried_version: Annotated[
        int | None, Meta(description="The version of the assistant it was run with; null: none.")
    ]
    answer: Annotated[str, Meta(description="The answer of that version; empty: none.")]
    conversation_id: Annotated[
        Id | None, Meta(description="Where it was asked. It is erased with that conversation.")
    ]


class AssistantCases(Wire, frozen=True):
    """Cases of an assistant, oldest first; at most 200."""

    data: list[AssistantCase]
    next: Annotated[shapes.Cursor | None, Meta(description="Cursor for more; null: there are none.")]


class ReplaceAssistantCase(Wire, frozen=True):
    """A complete case. Saving it makes it due to be tried again."""

    question: Question
    hands_over: HandsOver = False
    says: Annotated[Words, Meta(description="Words that a good answer contains, all of them.")] = ()
    never_says: Annotated[Words, Meta(description="Words that it never contains.")] = ()


class CreateAssistantCase(Wire, frozen=True):
    """A case to create."""

    question: Annotated[
        Question, Meta(description="Can be empty with `turnId`, which provides the question.")
    ] = ""
    hands_over: HandsOver = False
    says: Annotated[Words, Meta(description="Words that a good answer contains, all of them.")] = ()
    never_says: Annotated[Words, Meta(description="Words that it never contains.")] = ()
    turn_id: Annotated[
        Id | None, Meta(description="A wrong turn of the assistant. The case is erased with it.")
    ] = None


class Tries(Wire, frozen=True):
    """Which cases to try."""

    cases: Annotated[
        Annotated[list[Id], Meta(max_length=cases.MOST)] | UnsetType,
        Meta(description="Omitted: those that the current version has not passed."),
    ] = UNSET


class TriedCase(Wire, frozen=True):
    """The result of trying a case."""

    case_id: Id
    passed: Annotated[bool | None, Meta(description="Null: it could not be run; see `problem`.")]
    answer: str
    hands_over: bool
    problem: Annotated[str | None, Meta(description="A stable word, such as `model_timeout`.")]


class TriedCases(Wire, frozen=True):
    """The results of trying cases, as many as fit into 20 seconds."""

    data: list[TriedCase]
    left: Annotated[int, Meta(description="Number of cases left. Repeat the request to run them.")]


class AssistantCaseQuery(Wire, frozen=True):
    """How many cases to list."""

    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = 50
    cursor: shapes.Cursor | None = None


OF = (AssistantNotFoundError, CaseNotFoundError)
EXAMPLE: dict[str, Any] = {"question": "Do you ship to Norway?", "says": ["14 €"], "neverSays": ["free"]}


def _shown(row: Row) -> AssistantCase:
    return AssistantCase.of(row, says=list(map(str, row.says)), never_says=list(map(str, row.never_says)))


def _wanted(body: CreateAssistantCase | ReplaceAssistantCase) -> CaseInput:
    return CaseInput(body.question, body.hands_over, body.says, body.never_says)


def _placed(error: CaseError) -> CaseError:
    """Return the error with its field named as in the API."""
    error.field = "neverSays" if error.field == "never_says" else error.field
    return error


@routes.get(
    "/assistants/{assistant_id}/cases",
    "List cases of an assistant",
    errors=(CursorError, AssistantNotFoundError),
)
def list_assistant_cases(call: Call, assistant_id: int, query: AssistantCaseQuery) -> AssistantCases:
    """Each case comes with the result of its last try."""
    after = (
        0 if query.cursor is None else cursors.read_numbers(call.list_name(LIST), query.cursor, "cursor")[1]
    )
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        wanted = sa.select(Row).where(Row.assistant_id == assistant_id, Row.id > after)
        found = session.scalars(wanted.order_by(Row.id).limit(query.limit + 1)).all()
    shown = found[: query.limit]
    more = len(found) > len(shown)
    return AssistantCases(
        data=[_shown(one) for one in shown],
        next=cursors.write_numbers(call.list_name(LIST), assistant_id, shown[-1].id, 0) if more else None,
    )


@routes.post(
    "/assistants/{assistant_id}/cases",
    "Add a case",
    location="/assistants/{assistant_id}/cases/{id}",
    errors=(CaseError, *OF),
    examples={
        "A question": EXAMPLE,
        "From a wrong turn": {"turnId": 42, "handsOver": True},
    },
    fields={CaseNotFoundError: "turnId"},
)
def create_assistant_case(call: Call, assistant_id: int, body: CreateAssistantCase) -> AssistantCase:
    """From a question, or from a turn that was wrong."""

    def add(work: UnitOfWork) -> AssistantCase:
        wanted = _wanted(body)
        if body.turn_id is None:
            return _shown(cases.add(work, assistant_id, wanted))
        return _shown(cases.from_turn(work, assistant_id, body.turn_id, wanted))

    try:
        return call.write(add)
    except CaseError as error:
        raise _placed(error) from None


@routes.get("/assistants/{assistant_id}/cases/{case_id}", "Get a case", errors=OF)
def get_assistant_case(call: Call, assistant_id: int, case_id: int) -> AssistantCase:
    """Includes the result of its last try."""
    with db.read() as session:
        return _shown(cases.get(session, call.workspace_id, assistant_id, case_id))


@routes.put(
    "/assistants/{assistant_id}/cases/{case_id}",
    "Replace a case",
    errors=(CaseError, *OF),
    examples={"A question": EXAMPLE},
)
def replace_assistant_case(
    call: Call, assistant_id: int, case_id: int, body: ReplaceAssistantCase
) -> AssistantCase:
    """The case becomes due to be tried again."""
    try:
        return call.write(lambda work: _shown(cases.change(work, assistant_id, case_id, _wanted(body))))
    except CaseError as error:
        raise _placed(error) from None


@routes.delete("/assistants/{assistant_id}/cases/{case_id}", "Delete a case", errors=OF)
def delete_assistant_case(call: Call, assistant_id: int, case_id: int) -> None:
    """The answer from its last try is deleted too."""
    call.write(lambda work: cases.delete(work, assistant_id, case_id))


@routes.post(
    "/assistants/{assistant_id}/cases/try",
    "Try cases",
    scope=Scope.AUTOMATION_WRITE,
    errors=OF,
    examples={"Due cases": {}, "These": {"cases": [42, 43]}},
    fields={CaseNotFoundError: "cases"},
)
def try_assistant_cases(call: Call, assistant_id: int, body: Tries) -> TriedCases:
    """Asks the current version each question, one by one, and stores the results.

    A case that could not be tried stays unchanged. Each costs as much as an answer.
    """
    only = None if body.cases is UNSET else body.cases
    tried, left = trials.try_cases(call.workspace_id, assistant_id, only=only)
    return TriedCases(
        data=[TriedCase.of(one, case_id=one.id, problem=one.problem or None) for one in tried],
        left=left,
    )
