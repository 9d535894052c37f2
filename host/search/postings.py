"""Write and delete entries of the search index.

A document's terms are stored with it, so its postings are found by key even if its text has changed. Code
that deletes or changes a text calls :func:`forget` in the same write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from host.core import db, sqlite_wipe
from host.core.db import padded
from host.core.statements import Insert, Statement
from host.models.search import DocumentKind, Posting, SearchDocument

POSTINGS = cast(sa.Table, Posting.__table__)
DOCUMENTS = cast(sa.Table, SearchDocument.__table__)
CHUNK = 500


class DocumentContent(NamedTuple):
    """The searchable content of a document.

    :param at: time in seconds since 1970.
    """

    workspace_id: int
    at: int
    terms: frozenset[str]


_insert_postings = Insert(POSTINGS, ignore=True)
_insert_documents = Insert(DOCUMENTS, ignore=True)
_kept = Statement(
    sa.select(DOCUMENTS.c.document_id, DOCUMENTS.c.workspace_id, DOCUMENTS.c.at, DOCUMENTS.c.terms).where(
        DOCUMENTS.c.kind == sa.bindparam("kind"),
        DOCUMENTS.c.document_id.in_(sa.bindparam("ids", expanding=True)),
    )
)
_remove_documents = Statement(
    sa.delete(DOCUMENTS).where(
        DOCUMENTS.c.kind == sa.bindparam("kind"),
        DOCUMENTS.c.document_id.in_(sa.bindparam("ids", expanding=True)),
    )
)
_remove_postings = Statement(
    sa.delete(POSTINGS).where(
        POSTINGS.c.workspace_id == sa.bindparam("workspace"),
        POSTINGS.c.kind == sa.bindparam("kind"),
        POSTINGS.c.term.in_(sa.bindparam("terms", expanding=True)),
        POSTINGS.c.at == sa.bindparam("at"),
        POSTINGS.c.document_id == sa.bindparam("id"),
    )
)


def kept(connection: Connection, kind: DocumentKind, ids: Collection[int]) -> dict[int, DocumentContent]:
    """Return the stored content of the documents *ids*; those that are not indexed are left out."""
    if not ids:
        return {}
    rows = _kept.rows(connection, {"kind": int(kind), "ids": padded(sorted(ids))})
    return {row[0]: DocumentContent(row[1], row[2], frozenset(row[3].split(" "))) for row in rows}


def put(
    session: Session, kind: DocumentKind, ids: Collection[int], said: Mapping[int, DocumentContent]
) -> None:
    """Replace the index entries of the documents *ids*.

    :param said: their content; documents without content or terms are removed.
    """
    connection = session.connection()
    before = kept(connection, kind, ids)
    changed = [id_ for id_ in ids if _of(said, id_) != before.get(id_)]
    _remove(session, kind, {id_: before[id_] for id_ in changed if id_ in before}, said)
    postings, documents = [], []
    for id_ in changed:
        now = _of(said, id_)
        if now is None:
            continue
        old = before.get(id_)
        new = now.terms - old.terms if old is not None and _same_place(old, now) else now.terms
        postings += [(now.workspace_id, int(kind), term, now.at, id_) for term in new]
        documents.append(
            {
                "kind": int(kind),
                "document_id": id_,
                "workspace_id": now.workspace_id,
                "at": now.at,
                "terms": " ".join(sorted(now.terms)),
            }
        )
    names = ("workspace_id", "kind", "term", "at", "document_id")
    # In the order of the key: neighbours are written together, and two writers wait in the same order.
    _insert_postings.run(connection, [dict(zip(names, row, strict=True)) for row in sorted(postings)])
    _insert_documents.run(connection, documents)


def _of(said: Mapping[int, DocumentContent], id_: int) -> DocumentContent | None:
    found = said.get(id_)
    return found if found is not None and found.terms else None


def _same_place(one: DocumentContent, other: DocumentContent) -> bool:
    return (one.workspace_id, one.at) == (other.workspace_id, other.at)


def _remove(
    session: Session,
    kind: DocumentKind,
    gone: Mapping[int, DocumentContent],
    said: Mapping[int, DocumentContent],
) -> None:
    """Remove documents, and the postings of those terms that *said* does not contain."""
    if not gone:
        return
    connection = session.connection()
    wiped = False
    for id_, old in sorted(gone.items()):
        now = _of(said, id_)
        stale = old.terms - now.terms if now is not None and _same_place(old, now) else old.terms
        terms = sorted(stale)
        wiped = wiped or bool(terms)
        for begin in range(0, len(terms), CHUNK):
            values = {"workspace": old.workspace_id, "kind": int(kind), "at": old.at, "id": id_}
            _remove_postings.run(connection, values | {"terms": padded(terms[begin : begin + CHUNK])})
    _remove_documents.run(connection, {"kind": int(kind), "ids": padded(sorted(gone))})
    if wiped:
        db.after_commit(session, partial(sqlite_wipe.note_deletion, db.current()))


def forget(session: Session, kind: DocumentKind, ids: Iterable[int]) -> None:
    """Remove the documents *ids* from the index, in this write."""
    some = sorted(set(ids))
    for begin in range(0, len(some), CHUNK):
        gone = kept(session.connection(), kind, some[begin : begin + CHUNK])
        _remove(session, kind, gone, {})


def forget_messages(session: Session, ids: Iterable[int]) -> None:
    """Remove messages from the index, in this write; later content is indexed again."""
    forget(session, DocumentKind.MESSAGE, ids)


def forget_contact(session: Session, contact_id: int) -> None:
    """Remove a contact from the index, in this write."""
    forget(session, DocumentKind.CONTACT, [contact_id])


def forget_workspace(session: Session, workspace_id: int) -> int:
    """Remove up to :data:`CHUNK` documents of a workspace; return how many. Repeat until 0."""
    connection = session.connection()
    query = (
        sa.select(DOCUMENTS.c.kind, DOCUMENTS.c.document_id)
        .where(DOCUMENTS.c.workspace_id == workspace_id)
        .limit(CHUNK)
    )
    found = connection.execute(query).all()
    for kind in DocumentKind:
        forget(session, kind, [row.document_id for row in found if row.kind == kind])
    return len(found)
