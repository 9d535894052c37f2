"""Read web pages again when they are due, so that an assistant's knowledge stays current."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants.knowledge import entries, extraction
from host.assistants.knowledge.extraction import ExtractedText, ReadingError
from host.assistants.models import Assistant, EntryState, KnowledgeEntry
from host.core import clock, db
from host.core.cleaning import clean_written
from host.core.statements import earliest

AGAIN = timedelta(days=7)
"""Interval between two reads of a page."""
CLAIM = timedelta(minutes=5)
"""How long a process may hold a page."""
PAUSES = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4))
"""Delays before each retry of a page that could not be read."""
_FINAL = frozenset({"page_forbidden"})
"""Reasons that are not retried."""


class _Due(msgspec.Struct, frozen=True):
    id: int
    url: str


def due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(KnowledgeEntry.due_at, now)


def read_due() -> bool:
    """Read one page that is due; return whether there was one."""
    with db.read() as session:
        due = session.scalar(
            sa.select(KnowledgeEntry.id).where(KnowledgeEntry.due_at <= clock.now()).limit(1)
        )
    claimed = None if due is None else db.write(_claim, clock.now())
    if claimed is None:
        return False
    try:
        found: ExtractedText | ReadingError = extraction.fetch(claimed.url)
    except ReadingError as error:
        found = error
    db.write(_store, claimed, found, clock.now())
    return True


def _claim(session: Session, now: datetime) -> _Due | None:
    """Claim the page that has been due longest. Other processes skip it for :data:`CLAIM`."""
    query = (
        sa.select(KnowledgeEntry)
        .where(KnowledgeEntry.due_at <= now)
        .order_by(KnowledgeEntry.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        return None
    if not row.origin:
        row.due_at = None
        session.flush()
        return None
    row.due_at = now + CLAIM
    session.flush()
    return _Due(row.id, row.origin)


def _store(session: Session, due: _Due, found: ExtractedText | ReadingError, now: datetime) -> None:
    """Store the text of a page, or only that it is unchanged."""
    of = session.scalars(
        sa.select(Assistant)
        .join(KnowledgeEntry, KnowledgeEntry.assistant_id == Assistant.id)
        .where(KnowledgeEntry.id == due.id)
        .with_for_update(of=Assistant)
    ).one_or_none()
    row = session.get(KnowledgeEntry, due.id, with_for_update=True, populate_existing=True)
    if of is None or row is None or row.origin != due.url:
        return
    before = row.state, row.digest, row.title
    if isinstance(found, ExtractedText):
        try:
            _take(session, row, found, now)
        except entries.EntryError:
            found = ReadingError("page_large")
    if isinstance(found, ReadingError):
        _note(row, found.reason, now)
    session.flush()
    if (row.state, row.digest, row.title) != before:
        entries.raised(session, of)


def _take(session: Session, row: KnowledgeEntry, found: ExtractedText, now: datetime) -> None:
    text = clean_written(found.text)
    known = entries.digest(text)
    if known != row.digest or row.state != EntryState.READY:
        if not text or len(text) > entries.LONGEST:
            raise entries.EntryError(field="text")
        before = row.text, row.digest
        row.text, row.digest = text, known
        try:
            with session.begin_nested():
                entries.put_passages(session, row)
        except entries.EntryError:
            row.text, row.digest = before
            raise
    title = " ".join(found.title.split())[: entries.LONGEST_TITLE]
    if title and row.title == extraction.short(row.origin or ""):
        row.title = title  # it has no title
    row.state, row.problem, row.attempts = EntryState.READY, None, 0
    row.checked_at, row.due_at = now, now + AGAIN


def _note(row: KnowledgeEntry, reason: str, now: datetime) -> None:
    """Record why a page could not be read. After some retries it is no longer used, and tried only rarely."""
    if reason == "page_gone":
        row.state, row.problem, row.attempts, row.due_at = EntryState.GONE, reason, 0, now + AGAIN
        return
    row.attempts += 1
    row.problem = reason
    if reason not in _FINAL and row.attempts <= len(PAUSES):
        row.due_at = now + PAUSES[row.attempts - 1]
        return
    row.state, row.attempts, row.due_at = EntryState.FAILED, 0, now + AGAIN
