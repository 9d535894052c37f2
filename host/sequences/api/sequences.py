"""API routes of the workspace's sequences: their definition, versions and state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from msgspec import Meta
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http import cursors, fields
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import BodyError, CursorError
from host.api.reading import converted
from host.core import db
from host.sequences import body as bodies
from host.sequences import listing, sequences
from host.sequences.body import Body, SequenceError
from host.sequences.listing import SequenceVersionNotFoundError
from host.sequences.models import Sequence as Row
from host.sequences.models import SequenceVersion as VersionRow
from host.sequences.sequences import (
    NotPublishableError,
    SequenceInUseError,
    SequenceNotFoundError,
    SequenceSavedMeanwhileError,
)
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Sequences", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

LIST = "sequence versions"
PAGE = 50

Name = Annotated[str, Meta(max_length=300, description="At most 40 characters.", examples=["Orders"])]
State = Annotated[
    Literal["draft", "live", "off"],
    Meta(description="`draft`: never published. `off`: it does not start, but runs can go on."),
]
SequenceBody = Annotated[
    dict[str, Any],
    Meta(
        description=(
            "`starts` names the messages that start it, and `steps` follow each other. The guide lists the "
            "possible values."
        ),
        examples=[
            {
                "starts": {"words": ["order"]},
                "steps": [
                    {"do": "ask", "id": "number", "text": "Which order?", "kind": "number"},
                    {"do": "people", "id": "hand", "text": "Thanks, we look it up."},
                ],
            }
        ],
    ),
]
Number = Annotated[int, Meta(ge=1, le=2**31, description="The number of a version, from 1.")]


class SequenceProblem(Wire, frozen=True):
    """Something that keeps a sequence from being published."""

    code: Annotated[
        Literal[
            "window",
            "loop",
            "end",
            "row",
            "unreachable",
            "buttons",
            "text",
            "cards",
            "reference",
            "answer",
            "value",
            "start",
            "choice",
        ],
        Meta(
            description=(
                "`window`: a message could be sent when automated ones aren't allowed. `loop`: steps could "
                "repeat for ever. `end`: nothing follows. `row`: too many messages in a row. `unreachable`: "
                "no path leads there. `buttons`: the channel does not show them. `text` and `cards`: too "
                "long for the channel. `reference`: what it refers to is gone or missing. `answer`: no step "
                "asks for what a case compares. `value`: an answer or attribute never has this value. "
                "`start`: it starts nothing, or another sequence. `choice`: an opt-out word, or listed twice."
            )
        ),
    ]
    step: Annotated[str, Meta(description="The `id` of the step; empty: the starts or settings.")]
    sentence: str
    path: Annotated[list[str], Meta(description="The steps that lead there, `step` last; empty: none.")]
    after_seconds: Annotated[
        int | None,
        Meta(
            description=(
                "For `window`: how long after the customer's last message it could be sent; null: any time."
            )
        ),
    ]


class ListedSequence(Wire, frozen=True):
    """A sequence, without its definition."""

    id: Id
    name: Name
    state: State
    version: Annotated[int, Meta(description="The newest version. It is a draft unless it is published.")]
    live_version: Annotated[int | None, Meta(description="The published version; null: none.")]
    author: Annotated[
        str, Meta(description="The author of the newest version: a member, or the name of an API key.")
    ]
    changed_at: Annotated[Moment, Meta(description="When the newest version was saved.")]
    customers: Annotated[int, Meta(description="Number of customers in it now.")]


class SequenceDetail(ListedSequence, frozen=True):
    """A sequence: steps that follow a customer's message."""

    body: Annotated[
        SequenceBody | None,
        Meta(description="The newest version. Null: created by a newer version of Lobby; it can't run here."),
    ]
    problems: Annotated[
        list[SequenceProblem],
        Meta(description="What keeps the newest version from being published; empty: nothing."),
    ]


class Sequences(Wire, frozen=True):
    """The sequences of the workspace, in order: a message starts the first of those it could start."""

    data: list[ListedSequence]


class CreateSequence(Wire, frozen=True):
    """A sequence to create."""

    name: Name
    body: SequenceBody


class ReplaceSequence(Wire, frozen=True):
    """A definition that replaces the newest version."""

    name: Name
    body: SequenceBody
    changed_at: Annotated[
        Moment | None,
        Meta(description="The `changedAt` you read. If someone saved since, nothing is saved."),
    ] = None


class TurnOffSequence(Wire, frozen=True):
    """How to turn off a sequence."""

    end_runs: Annotated[
        bool, Meta(description="Whether the customers in it leave it, too, within moments.")
    ] = False


class SequenceSecret(Wire, frozen=True):
    """The new signing secret of a sequence, which is not shown again."""

    secret: Annotated[str, Meta(description="`whsec_…`, which signs what its steps post to your program.")]


class SequenceMove(Wire, frozen=True):
    """A move of a sequence up or down the order."""

    places: Annotated[
        int,
        Meta(
            ge=-sequences.MOST,
            le=sequences.MOST,
            description="Negative: up, so that it is chosen earlier. Limited to the ends of the list.",
        ),
    ]


class ListedSequenceVersion(Wire, frozen=True):
    """A version of a sequence, without its definition."""

    number: Number
    author: Annotated[str, Meta(description="A member, or the name of an API key.")]
    at: Annotated[Moment, Meta(description="When it was saved.")]
    published_at: Annotated[Moment | None, Meta(description="When it was first published; null: it wasn't.")]


class SequenceVersion(ListedSequenceVersion, frozen=True):
    """A version of a sequence."""

    body: Annotated[
        SequenceBody | None, Meta(description="Null: created by a newer version of Lobby; it can't run here.")
    ]


class SequenceVersions(Wire, frozen=True):
    """A page of the versions of a sequence, newest first."""

    data: list[ListedSequenceVersion]
    next: Annotated[
        shapes.Cursor | None, Meta(description="Cursor for earlier versions; null: there are none.")
    ]


class VersionQuery(Wire, frozen=True):
    """The page of versions to list."""

    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = PAGE
    cursor: shapes.Cursor | None = None


ERRORS = (BodyError, SequenceError)
EXAMPLE = {
    "name": "Orders",
    "body": {
        "starts": {"words": ["order"]},
        "steps": [
            {
                "do": "ask",
                "id": "number",
                "text": "Which order is it?",
                "kind": "number",
                "variable": "order",
            },
            {"do": "people", "id": "hand", "text": "Thanks, we look up {{answer.order}}."},
        ],
    },
}


def _changed(call: Call, use_case: Callable[[UnitOfWork], Row]) -> SequenceDetail:
    """Change a sequence by *use_case* and return it.

    The field of its errors is converted to its path in the request body.
    """
    try:
        return call.write(lambda work: _one(work.session, call, use_case(work).id))
    except (SequenceError, NotPublishableError) as error:
        error.field = fields.in_body(error.field) if error.field else "body"
        raise


def _listed(row: Row, newest: VersionRow, customers: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "state": cast(Any, str(row.state)),
        "version": row.version,
        "live_version": row.live_version,
        "author": newest.author,
        "changed_at": newest.at,
        "customers": customers,
    }


def _one(session: Session, call: Call, sequence_id: int) -> SequenceDetail:
    row = sequences.get(session, call.workspace_id, sequence_id)
    newest = sequences.version(session, row.id, row.version)
    body = bodies.read(newest.body)
    return SequenceDetail(
        **_listed(row, newest, sequences.in_it(session, [row.id]).get(row.id, 0)),
        body=None if body is None else bodies.plain(body),
        problems=[] if body is None else _problems(session, call, body, row.id),
    )


def _problems(session: Session, call: Call, body: Body, sequence_id: int) -> list[SequenceProblem]:
    proof = sequences.proof(session, call.workspace_id, body, call.directory, call.now, sequence_id)
    return [
        SequenceProblem(
            code=cast(Any, one.code),
            step=one.step,
            sentence=str(one.sentence),
            path=list(one.path),
            after_seconds=None if one.after is None else int(one.after.total_seconds()),
        )
        for one in proof.problems
    ]


def _all(session: Session, call: Call) -> Sequences:
    rows = sequences.listing(session, call.workspace_id)
    newest = listing.versions_of_all(session, call.workspace_id)
    customers = sequences.in_it(session, [one.id for one in rows])
    return Sequences(
        data=[ListedSequence(**_listed(one, newest[one.id], customers.get(one.id, 0))) for one in rows]
    )


@routes.get("/sequences", "List sequences")
def list_sequences(call: Call) -> Sequences:
    """All sequences, in order. A message that could start several starts the first of them."""
    with db.read() as session:
        return _all(session, call)


@routes.post(
    "/sequences",
    "Add a sequence",
    location="/sequences/{id}",
    errors=ERRORS,
    examples={"A question": EXAMPLE},
)
def create_sequence(call: Call, body: CreateSequence) -> SequenceDetail:
    """Adds a draft after the others. Publish it to let it start.

    An invalid sequence is refused with the path of the error: `body.steps[2].text`.
    """

    wanted = converted(body.body, Body, SequenceError, within="body")
    values: dict[str, Any] = {"name": body.name, "body": wanted, "directory": call.directory}
    return _changed(call, lambda work: sequences.create(work, **values))


@routes.get("/sequences/{sequence_id}", "Get a sequence", errors=(SequenceNotFoundError,))
def get_sequence(call: Call, sequence_id: int) -> SequenceDetail:
    """The sequence with its newest version, and what keeps that from being published."""
    with db.read() as session:
        return _one(session, call, sequence_id)


@routes.put(
    "/sequences/{sequence_id}",
    "Replace a sequence",
    errors=(*ERRORS, SequenceNotFoundError, SequenceSavedMeanwhileError),
    examples={"Overwrite newer changes": EXAMPLE},
)
def replace_sequence(call: Call, sequence_id: int, body: ReplaceSequence) -> SequenceDetail:
    """Replaces its name and its draft. A published version is kept as it is, and stays live until the draft
    is published.
    """

    wanted = converted(body.body, Body, SequenceError, within="body")
    values: dict[str, Any] = {"name": body.name, "body": wanted, "directory": call.directory}
    return _changed(call, lambda work: sequences.change(work, sequence_id, seen_at=body.changed_at, **values))


@routes.post(
    "/sequences/{sequence_id}/publish",
    "Publish a sequence",
    errors=(NotPublishableError, SequenceNotFoundError),
)
def publish_sequence(call: Call, sequence_id: int) -> SequenceDetail:
    """Publishes the newest version, if it has no `problems`. Runs that are under way end on their version."""
    return _changed(call, lambda work: sequences.publish(work, sequence_id, call.directory))


@routes.post(
    "/sequences/{sequence_id}/secret",
    "Replace the signing secret of a sequence",
    secret=True,
    errors=(SequenceNotFoundError,),
)
def replace_sequence_secret(call: Call, sequence_id: int) -> SequenceSecret:
    """Its steps that call a webhook are signed with it from now on, as Standard Webhooks says."""
    return call.write(
        lambda work: SequenceSecret(secret=sequences.replace_secret(work, sequence_id).reveal())
    )


@routes.post(
    "/sequences/{sequence_id}/off",
    "Turn off a sequence",
    errors=(SequenceNotFoundError,),
    examples={"Let runs go on": {}, "End the runs, too": {"endRuns": True}},
)
def turn_off_sequence(call: Call, sequence_id: int, body: TurnOffSequence) -> SequenceDetail:
    """Nothing starts in it any more. Runs go on, unless they are to end, too."""
    return _changed(call, lambda work: sequences.turn_off(work, sequence_id, end_runs=body.end_runs))


@routes.post(
    "/sequences/{sequence_id}/move",
    "Move a sequence",
    errors=(SequenceNotFoundError,),
    examples={"Move up by one": {"places": -1}},
)
def move_sequence(call: Call, sequence_id: int, body: SequenceMove) -> Sequences:
    """A message that could start several starts the first. Returns all of them, in their new order."""

    def move(work: UnitOfWork) -> Sequences:
        sequences.move(work, sequence_id, body.places)
        return _all(work.session, call)

    return call.write(move)


@routes.delete(
    "/sequences/{sequence_id}", "Delete a sequence", errors=(SequenceInUseError, SequenceNotFoundError)
)
def delete_sequence(call: Call, sequence_id: int) -> None:
    """Deletes it with all versions and runs. Refused while customers are in it: end their runs first."""
    call.write(lambda work: sequences.delete(work, sequence_id))


@routes.get(
    "/sequences/{sequence_id}/versions",
    "List the versions of a sequence",
    errors=(CursorError, SequenceNotFoundError),
)
def list_sequence_versions(call: Call, sequence_id: int, query: VersionQuery) -> SequenceVersions:
    """Newest first. A version that was published is never changed."""
    name = call.list_name(LIST)
    before = None if query.cursor is None else cursors.read(name, query.cursor, "cursor")[1]
    with db.read() as session:
        sequences.get(session, call.workspace_id, sequence_id)
        found = listing.versions(session, sequence_id, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return SequenceVersions(
        data=[ListedSequenceVersion(**_of_version(one)) for one in shown],
        next=None if last is None else cursors.write(name, (last.at, last.number)),
    )


def _of_version(row: VersionRow) -> dict[str, Any]:
    return {"number": row.number, "author": row.author, "at": row.at, "published_at": row.published_at}


@routes.get(
    "/sequences/{sequence_id}/versions/{version_id}",
    "Get a version of a sequence",
    errors=(SequenceNotFoundError, SequenceVersionNotFoundError),
)
def get_sequence_version(call: Call, sequence_id: int, version_id: int) -> SequenceVersion:
    """A version with its definition. `version_id` is its `number`."""
    with db.read() as session:
        sequences.get(session, call.workspace_id, sequence_id)
        row = listing.version(session, sequence_id, version_id)
        body = bodies.read(row.body)
        return SequenceVersion(**_of_version(row), body=None if body is None else bodies.plain(body))
