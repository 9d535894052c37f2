"""Cases of an assistant: what a good answer is like, and whether the version that holds gives it."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call, encode
from host.api.http.declare import Id, Wire, route
from host.api.http.errors import BodyError, CursorError, QueryError
from host.automation.assistants import keeping, playing
from host.automation.assistants.keeping import AssistantNotFoundError
from host.automation.assistants.knowing import cases
from host.automation.assistants.knowing.cases import CaseError, CaseNotFoundError, Wanted
from host.core import db
from host.models.assistants import AssistantCase as Row
from host.users.api_keys import Scope

LIST = "assistant cases"

Question = Annotated[str, Meta(max_length=20_000, description="What a customer asks: 4,000 letters.")]
HandsOver = Annotated[bool, Meta(description="Whether a person is to answer it; words count nothing then.")]
Words = Annotated[
    tuple[Annotated[str, Meta(max_length=1_000)], ...],
    Meta(max_length=100, description="20 words or phrases of 100 letters."),
]


class AssistantCase(Wire, frozen=True):
    """A question with what a good answer to it is like."""

    id: Id
    question: str
    hands_over: HandsOver
    says: Annotated[list[str], Meta(description="What a good answer has, each of them.")]
    never_says: Annotated[list[str], Meta(description="What it never has.")]
    passed: Annotated[bool | None, Meta(description="Null: it was not tried.")]
    tried_version: Annotated[
        int | None, Meta(description="The version of the assistant it was tried with; null: none.")
    ]
    answer: Annotated[str, Meta(description="What that version said; empty: nothing.")]
    conversation_id: Annotated[
        Id | None, Meta(description="Where it was asked: what is erased there is erased here.")
    ]


class AssistantCases(Wire, frozen=True):
    """Cases of an assistant, the oldest first; 200 at most."""

    data: list[AssistantCase]
    next: Annotated[shapes.Cursor | None, Meta(description="For more; null: there is none.")]


class WholeCase(Wire, frozen=True):
    """What a case is from now on. It is to be tried anew."""

    question: Question
    hands_over: HandsOver = False
    says: Annotated[Words, Meta(description="What a good answer has, each of them.")] = ()
    never_says: Annotated[Words, Meta(description="What it never has.")] = ()


class NewCase(Wire, frozen=True):
    """A case to be made."""

    question: Annotated[Question, Meta(description="Of a turn it may be empty: what was asked there.")] = ""
    hands_over: HandsOver = False
    says: Annotated[Words, Meta(description="What a good answer has, each of them.")] = ()
    never_says: Annotated[Words, Meta(description="What it never has.")] = ()
    turn_id: Annotated[
        Id | None, Meta(description="A turn of the assistant that was wrong. The case is erased with it.")
    ] = None


class Tries(Wire, frozen=True):
    """Which cases to try."""

    cases: Annotated[
        Annotated[list[Id], Meta(max_length=cases.MOST)] | UnsetType,
        Meta(description="Left out: those that the version that holds has not passed."),
    ] = UNSET


class TriedCase(Wire, frozen=True):
    """What came of trying a case."""

    case_id: Id
    passed: Annotated[bool | None, Meta(description="Null: it could not be tried, see `problem`.")]
    answer: str
    hands_over: bool
    problem: Annotated[str | None, Meta(description="A stable word, such as `model_timeout`.")]


class TriedCases(Wire, frozen=True):
    """What came of trying cases, as many as 20 seconds allow."""

    data: list[TriedCase]
    left: Annotated[int, Meta(description="How many are left: ask again.")]


class AssistantCaseQuery(Wire, frozen=True):
    """How many cases to list."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most.")] = 50
    cursor: shapes.Cursor | None = None


OF = (AssistantNotFoundError, CaseNotFoundError)
EXAMPLE: dict[str, Any] = {"question": "Do you ship to Norway?", "says": ["14 €"], "neverSays": ["free"]}


def _shown(row: Row) -> AssistantCase:
    return AssistantCase(
        id=row.id,
        question=row.question,
        hands_over=row.hands_over,
        says=list(map(str, row.says)),
        never_says=list(map(str, row.never_says)),
        passed=row.passed,
        tried_version=row.tried_version,
        answer=row.answer,
        conversation_id=row.conversation_id,
    )


def _wanted(body: NewCase | WholeCase) -> Wanted:
    return Wanted(body.question, body.hands_over, body.says, body.never_says)


def _placed(error: CaseError) -> CaseError:
    """Return an error with its place as the API writes it."""
    error.field = "neverSays" if error.field == "never_says" else error.field
    return error


def _note(call: Call, session: Session, action: str, assistant_id: int) -> None:
    call.audit(session, action, keeping.get(session, call.workspace_id, assistant_id).name)


@route(
    "GET",
    "/assistants/{assistant_id}/cases",
    tag="Assistants",
    summary="List cases of an assistant",
    scope=Scope.READ,
    query=AssistantCaseQuery,
    answer=AssistantCases,
    errors=(QueryError, CursorError, AssistantNotFoundError),
)
def list_assistant_cases(call: Call, assistant_id: int, query: AssistantCaseQuery) -> AssistantCases:
    """With what came of each when it was tried last."""
    after = 0 if query.cursor is None else cursors.read_numbers(LIST, query.cursor, "cursor")[1]
    with db.read() as session:
        keeping.get(session, call.workspace_id, assistant_id)
        wanted = sa.select(Row).where(Row.assistant_id == assistant_id, Row.id > after)
        found = session.scalars(wanted.order_by(Row.id).limit(query.limit + 1)).all()
    shown = found[: query.limit]
    more = len(found) > len(shown)
    return AssistantCases(
        data=[_shown(one) for one in shown],
        next=cursors.write_numbers(LIST, assistant_id, shown[-1].id, 0) if more else None,
    )


@route(
    "POST",
    "/assistants/{assistant_id}/cases",
    tag="Assistants",
    summary="Add a case",
    scope=Scope.WRITE,
    body=NewCase,
    answer=AssistantCase,
    status=201,
    errors=(BodyError, CaseError, *OF),
    examples={
        "A question": EXAMPLE,
        "Of a turn that was wrong": {"turnId": 42, "handsOver": True},
    },
)
def create_assistant_case(call: Call, assistant_id: int, body: NewCase) -> bytes:
    """Of a question, or of a turn that was wrong."""
    of: dict[str, Any] = {"workspace_id": call.workspace_id, "assistant_id": assistant_id, "now": call.now}

    def use_case(session: Session) -> AssistantCase:
        wanted = _wanted(body)
        if body.turn_id is None:
            row = cases.add(session, wanted, **of)
        else:
            row = cases.from_turn(session, wanted=wanted, turn_id=body.turn_id, seen_accounts=None, **of)
        _note(call, session, "case.added", assistant_id)
        return _shown(row)

    try:
        return call.commit(use_case)
    except CaseError as error:
        raise _placed(error) from None


@route(
    "GET",
    "/assistants/{assistant_id}/cases/{case_id}",
    tag="Assistants",
    summary="Get a case",
    scope=Scope.READ,
    answer=AssistantCase,
    errors=OF,
)
def get_assistant_case(call: Call, assistant_id: int, case_id: int) -> AssistantCase:
    """With what came of it when it was tried last."""
    with db.read() as session:
        return _shown(cases.get(session, call.workspace_id, assistant_id, case_id))


@route(
    "PUT",
    "/assistants/{assistant_id}/cases/{case_id}",
    tag="Assistants",
    summary="Replace a case",
    scope=Scope.WRITE,
    body=WholeCase,
    answer=AssistantCase,
    errors=(BodyError, CaseError, *OF),
    examples={"A question": EXAMPLE},
)
def replace_assistant_case(call: Call, assistant_id: int, case_id: int, body: WholeCase) -> bytes:
    """It is to be tried anew."""

    def use_case(session: Session) -> AssistantCase:
        of: dict[str, Any] = {"workspace_id": call.workspace_id, "assistant_id": assistant_id}
        row = cases.change(session, _wanted(body), **of, case_id=case_id)
        _note(call, session, "case.changed", assistant_id)
        return _shown(row)

    try:
        return call.commit(use_case)
    except CaseError as error:
        raise _placed(error) from None


@route(
    "DELETE",
    "/assistants/{assistant_id}/cases/{case_id}",
    tag="Assistants",
    summary="Delete a case",
    scope=Scope.WRITE,
    errors=OF,
)
def delete_assistant_case(call: Call, assistant_id: int, case_id: int) -> None:
    """What was said to it is gone with it."""

    def use_case(session: Session) -> None:
        cases.delete(session, workspace_id=call.workspace_id, assistant_id=assistant_id, case_id=case_id)
        _note(call, session, "case.deleted", assistant_id)

    db.write(use_case)


@route(
    "POST",
    "/assistants/{assistant_id}/cases/try",
    tag="Assistants",
    summary="Try cases",
    scope=Scope.WRITE,
    body=Tries,
    answer=TriedCases,
    errors=(BodyError, *OF),
    examples={"Those that are due": {}, "These": {"cases": [42, 43]}},
)
def try_assistant_cases(call: Call, assistant_id: int, body: Tries) -> bytes:
    """Asks the version that holds each question, one by one, and notes what came of it.

    One that could not be tried is left as it was. Each costs what an answer costs.
    """
    only = None if body.cases is UNSET else body.cases
    tried, left = playing.try_cases(call.workspace_id, assistant_id, only=only)
    return encode(
        TriedCases(
            data=[
                TriedCase(
                    case_id=one.id,
                    passed=one.passed,
                    answer=one.answer,
                    hands_over=one.hands_over,
                    problem=one.problem or None,
                )
                for one in tried
            ],
            left=left,
        )
    )
