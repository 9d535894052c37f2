"""Search messages and contacts."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from msgspec import Meta

from host.api import serialise, shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import CursorError
from host.core import db
from host.inbox.api.conversations import Limit
from host.search.backlog import Backlog, backlog
from host.search.finding import finder
from host.search.finding.excerpts import excerpt
from host.search.finding.filters import understood
from host.search.finding.finder import SearchPosition
from host.search.finding.query import read_query
from host.users.api_keys import Scope

routes = Router("Search", read=Scope.MESSAGES_READ)

LIST = "search"


class SearchHit(Wire, frozen=True):
    """A message that was found."""

    message: shapes.Message
    excerpt: Annotated[str, Meta(description="The matching part of the text, as plain text.")]
    marks: Annotated[
        list[list[int]],
        Meta(description="Matches in the excerpt, as start and end offsets."),
    ]


class FoundContact(Wire, frozen=True):
    """A contact that was found, with its most recently active conversation."""

    contact_id: Id
    conversation_id: Id
    name: str
    handle: str | None
    channel: str
    last_message_at: Moment


class SearchResults(Wire, frozen=True):
    """Search results, the newest message first."""

    data: list[SearchHit]
    contacts: Annotated[
        list[FoundContact],
        Meta(
            description=(
                "Contacts that match the words of the query; only on the first page, and only "
                "without filters."
            )
        ),
    ]
    next: Annotated[
        shapes.Cursor | None, Meta(description="Cursor of the next page; null: this is the last page.")
    ]
    stopped: Annotated[
        bool,
        Meta(description="The search timed out before the page was full; continue with `next`."),
    ]
    unknown: Annotated[list[str], Meta(description="Filters whose value does not exist, so nothing matches.")]
    shortened: Annotated[bool, Meta(description="The query was too long, so only its first words were used.")]
    complete: Annotated[bool, Meta(description="False while older messages are still being indexed.")]


class SearchQuery(Wire, frozen=True):
    """The search query."""

    q: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            description='Words, "phrases", beginnings with a star, each excluded by a minus in front, and '
            "filters: `is:open`, `is:waiting`, `is:note`, `label:NAME`, "
            "`from:customer`, `from:team`, `from:anna`, `has:file`, `account:NAME`, `channel:KEY`, "
            "`assignee:nobody`, `before:2026-01-31`, `after:2026-01-01`.",
            examples=["is:open blue mug"],
        ),
    ]
    limit: Limit = 50
    cursor: Annotated[str | None, Meta(description="`next` of the previous page.")] = None


@routes.get("/search", "Search messages and contacts", limited=True, errors=(CursorError,))
def search(call: Call, query: SearchQuery) -> SearchResults:
    """Words match regardless of case and accents, in any script. Days are in UTC.

    `contacts` is empty for a key without `contacts:read`.
    """
    asked = read_query(query.q)
    after = None
    if query.cursor is not None:
        after = SearchPosition(*cursors.read_numbers(call.list_name(LIST), query.cursor, "cursor")[:2])
    with db.read() as session:
        wanted = understood(session, call.workspace_id, None, asked, accounts=call.accounts, zone=UTC)
        found = finder.find(session, call.workspace_id, None, wanted, after=after, limit=query.limit)
        people = []
        if after is None and not asked.filters and call.may(Scope.CONTACTS_READ):
            people = finder.find_people(session, call.workspace_id, asked, accounts=call.accounts)
        ids = [one.id for one in found.hits]
        messages = {one.id: one for one in serialise.some_messages(session, call.workspace_id, ids)}
        complete = backlog(session, call.workspace_id, most=0) == Backlog()
    hits = []
    for hit in found.hits:
        if hit.id not in messages:
            continue
        text, marks = "", []
        for piece in excerpt(hit.texts, asked.phrases):
            if piece.hit:
                marks.append([len(text), len(text) + len(piece.text)])
            text += piece.text
        hits.append(SearchHit(message=messages[hit.id], excerpt=text, marks=marks))
    return SearchResults(
        data=hits,
        contacts=[
            FoundContact.of(one)
            for one in people
            if one.conversation_id is not None and one.channel and one.last_message_at is not None
        ],
        next=None
        if found.next is None
        else cursors.write_numbers(call.list_name(LIST), found.next.at, found.next.id, 0),
        stopped=found.stopped,
        unknown=[str(one) for one in wanted.unknown],
        shortened=asked.shortened,
        complete=complete,
    )
