"""Index earlier documents in batches, newest first, each a write that stores its progress.

A failed batch is repeated. A desk that was updated or restored, or whose word rules changed, rebuilds its
index automatically.
"""

from __future__ import annotations

import time
from typing import cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events.models import Consumer
from host.models.inbox import Contact, Message
from host.models.search import DocumentKind, SearchBuild
from host.search import words
from host.search.documents import Indexing, refresh_contacts, refresh_messages
from host.search.postings import DOCUMENTS

PORTION = 200
_BUILDS = cast(sa.Table, SearchBuild.__table__)
_SOURCES = {
    DocumentKind.CONTACT: (cast(sa.Table, Contact.__table__).c.id, refresh_contacts),
    DocumentKind.MESSAGE: (cast(sa.Table, Message.__table__).c.id, refresh_messages),
}


class Progress(msgspec.Struct, frozen=True):
    """How much of the earlier documents is indexed.

    :param share: from 0 to 1, by ids.
    """

    done: bool
    share: float


def build_some() -> bool:
    """Index one batch; return whether there is more to do."""
    return any(db.write(_portion, kind) for kind in _SOURCES)


def build_gently() -> bool:
    """Index one batch and pause for as long as that took; return whether there is more to do."""
    began = clock.monotonic()
    more = build_some()
    time.sleep(min(clock.monotonic() - began, 0.2))
    return more


def _portion(session: Session, kind: DocumentKind) -> bool:
    build = _build(session, kind)
    if build is None or build.done_at is not None:
        return False
    column, refresh = _SOURCES[kind]
    ids = list(
        session.scalars(sa.select(column).where(column < build.below).order_by(column.desc()).limit(PORTION))
    )
    low = ids[-1] if len(ids) == PORTION else 0
    # And those of which the rows are gone.
    known = DOCUMENTS.c.document_id
    orphans = session.scalars(
        sa.select(known).where(DOCUMENTS.c.kind == int(kind), known >= low, known < build.below)
    )
    held = refresh(session, {*ids, *orphans})
    before, build.below = build.below, max(held, default=low - 1) + 1
    if build.below == 0:
        build.done_at = clock.now()
    return 0 < build.below < before


def _build(session: Session, kind: DocumentKind) -> SearchBuild | None:
    """Return the progress, locked; None if another process is indexing, or no consumer runs yet."""
    query = sa.select(SearchBuild).where(SearchBuild.kind == int(kind)).with_for_update(skip_locked=True)
    found = session.scalar(query)
    if found is None:
        if session.get(SearchBuild, int(kind)) is not None or session.get(Consumer, Indexing.name) is None:
            return None
        values = {"kind": int(kind), "version": 0, "begun_below": 0, "below": 0, "begun_at": clock.now()}
        made = db.insert_ignore(_BUILDS, session.get_bind().dialect.name).values(values)
        session.execute(made)
        found = session.scalar(query)
        if found is None:
            return None
    if found.version != words.VERSION:
        _begin(session, found)
    return found


def _begin(session: Session, build: SearchBuild) -> None:
    column, _ = _SOURCES[DocumentKind(build.kind)]
    known = sa.select(sa.func.max(DOCUMENTS.c.document_id)).where(DOCUMENTS.c.kind == build.kind)
    top = max(session.scalar(sa.select(sa.func.max(column))) or 0, session.scalar(known) or 0)
    build.version, build.begun_at, build.done_at = words.VERSION, clock.now(), None
    build.begun_below = build.below = top + 1


def rebuild(session: Session) -> None:
    """Start indexing everything again. The current index is used meanwhile."""
    session.execute(sa.update(SearchBuild).values(version=0, done_at=None))


def progress(session: Session) -> Progress:
    """Return the share of messages that are indexed."""
    build = session.get(SearchBuild, int(DocumentKind.MESSAGE))
    if build is None or build.version != words.VERSION:
        return Progress(False, 0.0)
    if build.done_at is not None:
        return Progress(True, 1.0)
    return Progress(False, 1 - build.below / max(1, build.begun_below))
