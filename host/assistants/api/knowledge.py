"""Routes for an assistant's knowledge: texts, files and web pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any, Literal, cast

from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import BodyError, CursorError
from host.assistants import assistants
from host.assistants.assistants import AssistantNotFoundError
from host.assistants.knowledge import entries, extraction
from host.assistants.knowledge.entries import EntryError, EntryInput, EntryNotFoundError
from host.assistants.models import EntryKind
from host.assistants.models import KnowledgeEntry as Row
from host.core import db
from host.core.backports.values import replace
from host.media.api.uploads import MULTIPART, the_file
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Assistants", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

LIST = "knowledge"

Title = Annotated[str, Meta(max_length=1_000, description="Its title, at most 200 characters.")]
Text = Annotated[str, Meta(max_length=300_000, description="Its text, which may be Markdown.")]
Questions = Annotated[
    tuple[Annotated[str, Meta(max_length=2_000)], ...],
    Meta(max_length=100, description="Example questions: at most 20 of 300 characters."),
]


class KnowledgeEntry(Wire, frozen=True):
    """An entry of an assistant's knowledge."""

    id: Id
    kind: Annotated[
        Literal["pasted", "file", "page", "past"],
        Meta(description="The source of its text. `past`: the team's past answers."),
    ]
    title: str
    questions: list[str]
    origin: Annotated[str, Meta(description="The URL of its page, the name of its file, or its author.")]
    state: Annotated[
        Literal["ready", "waiting", "failed", "gone"],
        Meta(description="`waiting`: not loaded yet. Entries that failed or were deleted are not used."),
    ]
    problem: Annotated[str | None, Meta(description="Why it is not used, as a stable word.")]
    checked_at: Annotated[Moment, Meta(description="Its age counts from then.")]
    text: Annotated[str | None, Meta(description="Null in lists.")] = None


class Knowledge(Wire, frozen=True):
    """The entries of an assistant's knowledge, oldest first."""

    data: list[KnowledgeEntry]
    next: Annotated[shapes.Cursor | None, Meta(description="Cursor for more; null: there are none.")]


class CreateKnowledge(Wire, frozen=True):
    """An entry to add."""

    title: Title = ""
    text: Text = ""
    questions: Questions = ()
    url: Annotated[
        str,
        Meta(
            max_length=2_000,
            description="URL of a page instead of a text. It is loaded shortly and then weekly.",
        ),
    ] = ""


class ReplaceKnowledge(Wire, frozen=True):
    """A complete entry."""

    title: Title
    text: Annotated[Text, Meta(description="Ignored for a file or a page.")] = ""
    questions: Questions = ()


class FileQuery(Wire, frozen=True):
    """The name of an uploaded file."""

    title: Annotated[
        str,
        Meta(
            max_length=1_000, description="At most 200 characters. Empty: the title in the file, or its name."
        ),
    ] = ""


class KnowledgeQuery(Wire, frozen=True):
    """Which entries to list."""

    search: Annotated[
        str, Meta(max_length=100, description="Words in the title, the questions or the origin.")
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = 50
    cursor: shapes.Cursor | None = None


OF = (AssistantNotFoundError, EntryNotFoundError)
EXAMPLE = {
    "title": "Shipping to Norway",
    "text": "It takes 4 to 6 days and costs 14 €.",
    "questions": ["Do you ship to Norway?"],
}


def _shown(one: Row | entries.EntrySummary, text: str | None = None) -> KnowledgeEntry:
    return KnowledgeEntry.of(
        one,
        kind=cast(Any, str(one.kind)),
        questions=list(map(str, one.questions)),
        origin=one.origin or "",
        state=cast(Any, str(one.state)),
        problem=one.problem or None,
        text=text,
    )


def _saved(call: Call, use_case: Callable[[UnitOfWork], Row]) -> KnowledgeEntry:
    """Save an entry by *use_case* and return it with its text."""
    return call.write(use_case, lambda _work, row: _shown(row, row.text))


@routes.get(
    "/assistants/{assistant_id}/knowledge",
    "List knowledge entries",
    errors=(CursorError, AssistantNotFoundError),
)
def list_knowledge(call: Call, assistant_id: int, query: KnowledgeQuery) -> Knowledge:
    """Without their text, but with the state of each."""
    after = (
        0 if query.cursor is None else cursors.read_numbers(call.list_name(LIST), query.cursor, "cursor")[1]
    )
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        all_ = entries.listing(session, call.workspace_id, assistant_id, search=query.search)
    found = sorted((one for one in all_ if one.id > after), key=lambda one: one.id)
    shown = found[: query.limit]
    more = len(found) > len(shown)
    return Knowledge(
        data=[_shown(one) for one in shown],
        next=cursors.write_numbers(call.list_name(LIST), assistant_id, shown[-1].id, 0) if more else None,
    )


@routes.post(
    "/assistants/{assistant_id}/knowledge",
    "Add a knowledge entry",
    location="/assistants/{assistant_id}/knowledge/{id}",
    errors=(EntryError, AssistantNotFoundError),
    examples={"A text": EXAMPLE, "A page": {"url": "https://shop.example.com/shipping"}},
)
def create_knowledge(call: Call, assistant_id: int, body: CreateKnowledge) -> KnowledgeEntry:
    """A text with a title, or a page by its address."""

    def add(work: UnitOfWork) -> Row:
        assistants.get(work.session, work.workspace_id, assistant_id)
        if body.url:
            wanted = extraction.wanted_page(body.url, body.title, body.questions)
        else:
            wanted = EntryInput(body.title, body.text, body.questions, EntryKind.PASTED, call.caller.name)
        return entries.add(work, assistant_id, wanted)

    return _saved(call, add)


@routes.post(
    "/assistants/{assistant_id}/knowledge/files",
    "Add a file as a knowledge entry",
    upload=True,
    location="/assistants/{assistant_id}/knowledge/{id}",
    errors=(BodyError, EntryError, AssistantNotFoundError),
    body_limit=extraction.MOST_BYTES + MULTIPART,
)
def create_knowledge_file(call: Call, assistant_id: int, query: FileQuery) -> KnowledgeEntry:
    """A PDF, Markdown or plain text in UTF-8, as multipart/form-data with one field, `file`; 20 MB at most.

    Add example questions with `PUT`, which leaves the file's text unchanged.
    """
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
    wanted = _given_file(query.title)
    return _saved(call, lambda work: entries.add(work, assistant_id, wanted))


@routes.put(
    "/assistants/{assistant_id}/knowledge/{knowledge_id}/file",
    "Replace the file of a knowledge entry",
    upload=True,
    errors=(BodyError, EntryError, *OF),
    body_limit=extraction.MOST_BYTES + MULTIPART,
)
def replace_knowledge_file(
    call: Call, assistant_id: int, knowledge_id: int, query: FileQuery
) -> KnowledgeEntry:
    """Only for an entry that is a file. Its questions stay; its title stays unless a new one is given."""
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        before = entries.get(session, call.workspace_id, assistant_id, knowledge_id)
    if before.kind != EntryKind.FILE:
        raise EntryError(
            _l("This entry isn't a file, so nothing was saved."),
            next_step=_l("Change its text, or add the file as a new entry."),
            field="file",
        )
    wanted = _given_file(query.title or before.title)

    def replace_file(work: UnitOfWork) -> Row:
        row = entries.get(work.session, work.workspace_id, assistant_id, knowledge_id, lock=True)
        kept = {"title": query.title or row.title, "questions": tuple(map(str, row.questions))}
        return entries.change(work, assistant_id, knowledge_id, replace(wanted, **kept), replaced=True)

    return _saved(call, replace_file)


def _given_file(title: str) -> EntryInput:
    """Return the entry for the uploaded file, with its text."""
    given = the_file()
    with closing(given):
        data = given.stream.read(extraction.MOST_BYTES + 1)
    return extraction.wanted_file(given.filename or "", data, title)


@routes.get("/assistants/{assistant_id}/knowledge/{knowledge_id}", "Get a knowledge entry", errors=OF)
def get_knowledge(call: Call, assistant_id: int, knowledge_id: int) -> KnowledgeEntry:
    """Includes its text."""
    with db.read() as session:
        row = entries.get(session, call.workspace_id, assistant_id, knowledge_id)
        return _shown(row, row.text)


@routes.put(
    "/assistants/{assistant_id}/knowledge/{knowledge_id}",
    "Replace a knowledge entry",
    errors=(EntryError, *OF),
    examples={"Another text": EXAMPLE},
)
def replace_knowledge(
    call: Call, assistant_id: int, knowledge_id: int, body: ReplaceKnowledge
) -> KnowledgeEntry:
    """Saving a text that people wrote also marks it as checked today."""
    wanted = EntryInput(body.title, body.text, body.questions)
    return _saved(call, lambda work: entries.change(work, assistant_id, knowledge_id, wanted))


@routes.post(
    "/assistants/{assistant_id}/knowledge/{knowledge_id}/check",
    "Confirm a knowledge entry",
    errors=OF,
    goes_on=True,
)
def check_knowledge(call: Call, assistant_id: int, knowledge_id: int) -> KnowledgeEntry:
    """A page is read again shortly. Any other entry is marked as checked now."""
    return _saved(call, lambda work: entries.looked_at(work, assistant_id, knowledge_id))


@routes.delete("/assistants/{assistant_id}/knowledge/{knowledge_id}", "Delete a knowledge entry", errors=OF)
def delete_knowledge(call: Call, assistant_id: int, knowledge_id: int) -> None:
    """The entry is no longer used from this moment. Messages that cited it stay."""
    call.write(lambda work: entries.delete(work, assistant_id, knowledge_id))
