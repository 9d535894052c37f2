"""API routes of the runs of sequences: list, get, start and end them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from msgspec import Meta
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import CursorError
from host.core import db
from host.inbox.errors import ConversationNotFoundError, PeopleOnlyError, WindowClosedError
from host.sequences import listing, sequences, starts
from host.sequences.filters import RunFilter
from host.sequences.listing import SequenceRunNotFoundError
from host.sequences.models import SequenceRun as Row
from host.sequences.sequences import SequenceNotFoundError
from host.sequences.starts import InSequenceError, NotStartedError
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Sequences", read=Scope.AUTOMATION_READ, write=Scope.AUTOMATION_WRITE)

LIST = "sequence runs"
PAGE = 50

StartedBy = Literal["words", "tap", "ref", "first", "story", "rule", "campaign", "api"]
RunState = Annotated[
    Literal["active", "ended"], Meta(description="`active`: the customer is in the sequence.")
]


class SequenceRun(Wire, frozen=True):
    """A run of a sequence: a customer's way through its steps."""

    id: Id
    sequence_id: Id
    version: Annotated[int, Meta(description="The version of the sequence. The run ends on it.")]
    state: RunState
    conversation_id: Id
    contact_id: Id
    started_by: Annotated[
        StartedBy,
        Meta(description="What started it: a message of the customer, a rule, a campaign or this API."),
    ]
    started_at: Moment
    step: Annotated[
        str | None,
        Meta(description="The step it is at, or ended at. Null: it ended before its first one."),
    ]
    moved_at: Annotated[Moment, Meta(description="When it entered its step.")]
    waits_for: Annotated[
        Literal["answer", "message", "time", "call", "person"] | None,
        Meta(
            description=(
                "`answer`: an answer to its question. `message`: any message. `call`: the answer of your "
                "program. `person`: it pauses while a member writes. Null: nothing."
            )
        ),
    ]
    due_at: Annotated[
        Moment | None, Meta(description="When it goes on by itself; null: not by itself, or it ended.")
    ]
    ended_at: Annotated[Moment | None, Meta(description="Null: it is active.")]
    outcome: Annotated[
        Literal["done", "people", "stopped", "failed"] | None,
        Meta(
            description=(
                "`people`: it was handed to people. `stopped`: it could not go on. Null: it is active."
            )
        ),
    ]
    reason: Annotated[
        str | None,
        Meta(
            description="Why it ended, as a stable word such as `asked` or `window_closed`; null: none.",
            examples=["asked"],
        ),
    ]


class SequenceVisit(Wire, frozen=True):
    """A step that a run entered. Steps are listed in order."""

    step: str
    at: Moment
    way: Annotated[
        Literal["then", "case", "other", "silent", "closed"] | None,
        Meta(description="The way it left the step, as in the body; null: it is there, or ended there."),
    ]
    refused: Annotated[
        str | None, Meta(description="Why its action was not done, as a stable word; null: it was.")
    ]
    message_id: Annotated[Id | None, Meta(description="The message that it sent; null: none.")]


class SequenceAnswer(Wire, frozen=True):
    """An answer of the customer that a run keeps."""

    name: Annotated[str, Meta(description="As in `variable` of the question.")]
    value: str
    message_id: Annotated[Id | None, Meta(description="The message it comes from.")]


class SequenceRunDetail(SequenceRun, frozen=True):
    """A run with its steps and answers."""

    visits: list[SequenceVisit]
    answers: Annotated[
        list[SequenceAnswer] | None,
        Meta(description="Null: the key needs `messages:read` for it, as they are what the customer wrote."),
    ]


class SequenceRuns(Wire, frozen=True):
    """A page of a sequence's runs, newest first."""

    data: list[SequenceRun]
    next: Annotated[shapes.Cursor | None, Meta(description="Cursor for older runs; null: there are none.")]


class SequenceRunQuery(Wire, frozen=True):
    """Filters for the runs to list."""

    state: Annotated[RunState | None, Meta(description="Only runs in this state.")] = None
    step: Annotated[
        str, Meta(max_length=32, description="Only runs that are at this step, or ended at it.")
    ] = ""
    reached: Annotated[str, Meta(max_length=32, description="Only runs that entered this step.")] = ""
    ended: Annotated[
        str,
        Meta(
            max_length=64,
            description=(
                "Only runs that ended with this `reason`, or with this `outcome` and no reason: one of the "
                "words in the numbers of a sequence."
            ),
            examples=["asked"],
        ),
    ] = ""
    version: Annotated[
        Annotated[int, Meta(ge=1, le=2**31)] | None, Meta(description="Only runs of this version.")
    ] = None
    started_by: Annotated[StartedBy | None, Meta(description="Only runs that this started.")] = None
    started_from: Annotated[Moment | None, Meta(description="Only runs that started then or later.")] = None
    started_before: Annotated[Moment | None, Meta(description="Only runs that started before.")] = None
    conversation_id: Annotated[Id | None, Meta(description="Only runs in this conversation.")] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = PAGE
    cursor: shapes.Cursor | None = None


class StartSequence(Wire, frozen=True):
    """The conversation to start a sequence in."""

    conversation_id: Id


def _values(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "sequence_id": row.sequence_id,
        "version": row.version,
        "state": "active" if row.active_contact_id is not None else "ended",
        "conversation_id": row.conversation_id,
        "contact_id": row.contact_id,
        "started_by": cast(Any, row.started_by),
        "started_at": row.started_at,
        "step": row.step or None,
        "moved_at": row.moved_at,
        "waits_for": None if row.waits_for == "nothing" else cast(Any, str(row.waits_for)),
        "due_at": row.due_at,
        "ended_at": row.ended_at,
        "outcome": cast(Any, row.outcome),
        "reason": row.reason,
    }


def _detail(session: Session, call: Call, row: Row) -> SequenceRunDetail:
    answers = None
    if call.may(Scope.MESSAGES_READ):
        answers = [SequenceAnswer.of(one) for one in listing.answers(session, row.id)]
    return SequenceRunDetail(
        **_values(row),
        visits=[SequenceVisit.of(one) for one in listing.visits(session, row.id)],
        answers=answers,
    )


@routes.get(
    "/sequences/{sequence_id}/runs",
    "List the runs of a sequence",
    errors=(CursorError, SequenceNotFoundError),
)
def list_sequence_runs(call: Call, sequence_id: int, query: SequenceRunQuery) -> SequenceRuns:
    """The customers in it, and those who were; the last to start first."""
    name = call.list_name(LIST)
    before = None if query.cursor is None else cursors.read(name, query.cursor, "cursor")[1]
    with db.read() as session:
        sequences.get(session, call.workspace_id, sequence_id)
        found = listing.runs(
            session,
            sequence_id,
            RunFilter(
                version=query.version,
                since=query.started_from,
                until=query.started_before,
                started_by=query.started_by or "",
                step=query.step,
                reached=query.reached,
                active=None if query.state is None else query.state == "active",
                ended=query.ended,
            ),
            conversation_id=query.conversation_id,
            before=before,
            limit=query.limit + 1,
        )
        shown = found[: query.limit]
        last = shown[-1] if len(found) > query.limit else None
        return SequenceRuns(
            data=[SequenceRun(**_values(one)) for one in shown],
            next=None if last is None else cursors.write(name, (last.started_at, last.id)),
        )


@routes.post(
    "/sequences/{sequence_id}/runs",
    "Start a sequence",
    also=(Scope.MESSAGES_WRITE,),
    location="/sequences/{sequence_id}/runs/{id}",
    errors=(
        SequenceNotFoundError,
        ConversationNotFoundError,
        InSequenceError,
        NotStartedError,
        WindowClosedError,
        PeopleOnlyError,
    ),
    fields={ConversationNotFoundError: "conversationId"},
    examples={"In a conversation": {"conversationId": 42}},
)
def start_sequence_run(call: Call, sequence_id: int, body: StartSequence) -> SequenceRunDetail:
    """Starts the live version in a conversation. `programs` of its `starts` must be true, the reply window
    open for automated messages, and the customer in no sequence.

    Its first messages are queued with the answer. A run that can't go on has ended with a `reason`.
    """

    def start(work: UnitOfWork) -> SequenceRunDetail:
        sequence = sequences.get(work.session, work.workspace_id, sequence_id)
        run = starts.start_for(work, sequence, body.conversation_id, directory=call.directory)
        return _detail(work.session, call, run)

    return call.write(start)


@routes.get(
    "/sequences/{sequence_id}/runs/{run_id}",
    "Get a run of a sequence",
    errors=(SequenceNotFoundError, SequenceRunNotFoundError),
)
def get_sequence_run(call: Call, sequence_id: int, run_id: int) -> SequenceRunDetail:
    """The run with the steps it entered, and the answers it keeps."""
    with db.read() as session:
        sequences.get(session, call.workspace_id, sequence_id)
        return _detail(session, call, listing.run(session, sequence_id, run_id))


@routes.post(
    "/sequences/{sequence_id}/runs/{run_id}/end",
    "End a run of a sequence",
    errors=(SequenceNotFoundError, SequenceRunNotFoundError),
)
def end_sequence_run(call: Call, sequence_id: int, run_id: int) -> SequenceRunDetail:
    """Takes the customer out of the sequence. Nothing is sent. A run that ended stays as it is."""

    def end(work: UnitOfWork) -> SequenceRunDetail:
        sequences.get(work.session, work.workspace_id, sequence_id)
        run = listing.run(work.session, sequence_id, run_id)
        starts.end_one(work, run, directory=call.directory)
        return _detail(work.session, call, run)

    return call.write(end)
