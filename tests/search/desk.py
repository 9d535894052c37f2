"""A small desk to search in: messages are found as soon as the record is read."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.events import reading
from host.events.consuming import _make_rows
from host.events.models import Consumer
from host.events.reading import BEGINNING, Position
from host.models.inbox import Message
from host.models.search import DocumentKind
from host.search import building
from host.search.documents import Indexing
from host.search.finding import finder
from host.search.finding.filters import understood
from host.search.finding.finder import FoundMessages, SearchPosition
from host.search.finding.query import read_query
from host.search.postings import DOCUMENTS, POSTINGS
from host.users.reach import Accounts

_read: WeakKeyDictionary[db.Database, Position] = WeakKeyDictionary()


def read_record() -> None:
    """Have the consumer do what the record says since the last time, in this database."""
    name = db.current()
    db.write(_make_rows, [Indexing()])
    reading.number_all()
    position, more = _read.get(name, BEGINNING), True
    while more:
        with db.read() as session:
            batch = reading.after(session, position, Indexing.batch, shown=True)
        db.write(Indexing().consume, batch.events)
        position, more = batch.end, batch.more
    _read[name] = position
    db.write(_move, position)


def _move(session: Session, position: Position) -> None:
    row = session.get_one(Consumer, Indexing.name)
    row.place, row.event_id = position


def build_all() -> None:
    """Have everything indexed that was there before the consumer read."""
    reading.number_all()
    db.write(_make_rows, [Indexing()])
    while building.build_some():
        pass


def find(
    workspace: int,
    text: str,
    *,
    user: int | None = None,
    accounts: Accounts = None,
    after: SearchPosition | None = None,
    limit: int = 50,
    patience: float = 60.0,
) -> FoundMessages:
    """Return what *text* finds in a workspace."""
    with db.read() as session:
        wanted = understood(session, workspace, user, read_query(text), accounts=accounts)
        return finder.find(session, workspace, user, wanted, after=after, limit=limit, patience=patience)


def found_texts(workspace: int, text: str, **more: object) -> list[str]:
    """Return the texts of the messages that *text* finds."""
    return [one.texts[0] if one.texts else "" for one in find(workspace, text, **more).hits]  # type: ignore[arg-type]


def terms_of(kind: DocumentKind, id_: int) -> set[str]:
    """Return the terms a document is found by, as postings have them."""
    with db.read() as session:
        query = sa.select(POSTINGS.c.term).where(POSTINGS.c.kind == int(kind), POSTINGS.c.document_id == id_)
        return set(session.scalars(query))


def kept_terms(kind: DocumentKind, id_: int) -> set[str]:
    """Return the terms a document is found by, as its own row has them."""
    with db.read() as session:
        query = sa.select(DOCUMENTS.c.terms).where(
            DOCUMENTS.c.kind == int(kind), DOCUMENTS.c.document_id == id_
        )
        found = session.scalar(query)
    return set(found.split(" ")) if found else set()


def message_id(text: str) -> int:
    """Return the id of the newest message that says *text*."""
    with db.read() as session:
        found = session.scalar(sa.select(sa.func.max(Message.id)).where(Message.text == text))
    assert found is not None
    return found
