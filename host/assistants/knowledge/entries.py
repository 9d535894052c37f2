"""Entries of an assistant's knowledge: texts, files, web pages and past answers of the team.

Each write that changes what can be found raises the assistant's ``knowledge_version``, and every process then
rebuilds its index (:mod:`.knowledge`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.knowledge import passages
from host.assistants.models import Assistant, EntryKind, EntryState, KnowledgeEntry, KnowledgePassage
from host.core.backports.values import replace
from host.core.cleaning import clean_short, clean_written
from host.core.errors import InvalidError, NotFoundError
from host.inbox import names
from host.users.actor import UnitOfWork

MOST = 500
"""Most entries of an assistant."""
MOST_PASSAGES = 20_000
LONGEST = 200_000
"""Longest entry in characters."""
LONGEST_TITLE = 200
MOST_QUESTIONS = 20
LONGEST_QUESTION = 300
LONGEST_ORIGIN = 2_000
OLD = timedelta(days=183)
"""Age from which an entry should be checked."""
WRITTEN = frozenset({EntryKind.PASTED, EntryKind.PAST})
"""Kinds whose text people write. The text of other kinds comes from their file or page."""


class EntryNotFoundError(NotFoundError):
    """The assistant has no such entry."""

    code = "entry_not_found"
    title = _l("Entry not found")
    default_sentence = _l("This entry does not exist. Someone may have deleted it.")
    default_next_step = lazy_pgettext("entry", "Choose another one.")
    program_step = ""
    place = "knowledge_id"


class EntryError(InvalidError):
    """An entry is invalid; *field* names the field."""

    code = "knowledge_entry"
    title = _l("The entry is incomplete")
    default_sentence = _l("The entry has no text, so nothing was saved.")
    default_next_step = _l("Change it and save it again.")
    program_step = _l("Correct it and send it again.")


class EntryInput(msgspec.Struct, frozen=True):
    """An entry as entered.

    :param text: its text, with a form feed between the pages of a file; empty for a page not yet read.
    :param origin: the address of its page, the name of its file, or the name of its author.
    """

    title: str
    text: str = ""
    questions: Sequence[str] = ()
    kind: EntryKind = EntryKind.PASTED
    origin: str = ""


class EntrySummary(msgspec.Struct, frozen=True):
    """An entry in the list.

    :param problem: why it is not used, a key of the reasons; empty if it is used or not yet read.
    :param checked_at: start of its age.
    """

    id: int
    kind: EntryKind
    title: str
    questions: tuple[str, ...]
    origin: str
    state: EntryState
    problem: str
    checked_at: datetime

    def is_old(self, now: datetime) -> bool:
        """Return whether a person should check that it is still correct."""
        return self.state == EntryState.READY and now - self.checked_at > OLD


@dataclass(frozen=True, slots=True)
class EntryCounts:
    """Number of entries, and of those that need attention.

    :param unread: entries that could not be read, or whose page is gone.
    """

    entries: int = 0
    old: int = 0
    unread: int = 0


# ---- reading -------------------------------------------------------------------------------------------


def listing(
    session: Session, workspace_id: int, assistant_id: int, *, search: str = ""
) -> list[EntrySummary]:
    """Return the entries of an assistant by title, without their text: one statement.

    :param search: words, each of which must occur in title, questions or origin.
    """
    row = KnowledgeEntry
    query = sa.select(
        row.id, row.kind, row.title, row.questions, row.origin, row.state, row.problem, row.checked_at
    ).where(row.workspace_id == workspace_id, row.assistant_id == assistant_id)
    found = [
        EntrySummary(
            one.id,
            EntryKind(one.kind),
            one.title,
            tuple(map(str, one.questions)),
            one.origin or "",
            EntryState(one.state),
            one.problem or "",
            one.checked_at,
        )
        for one in session.execute(query)
    ]
    words = search.casefold().split()
    kept = [one for one in found if all(word in _said(one) for word in words)]
    return sorted(kept, key=lambda one: (one.title.casefold(), one.id))


def _said(one: EntrySummary) -> str:
    return " ".join([one.title, *one.questions, one.origin]).casefold()


def counts(session: Session, workspace_id: int, assistant_id: int, now: datetime) -> EntryCounts:
    """Return the numbers of entries of an assistant."""
    row = KnowledgeEntry
    old = sa.and_(row.state == EntryState.READY, row.checked_at < now - OLD)
    bad = row.state.in_([EntryState.FAILED, EntryState.GONE])
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(sa.case((old, 1), else_=0)), 0),
        sa.func.coalesce(sa.func.sum(sa.case((bad, 1), else_=0)), 0),
    ).where(row.workspace_id == workspace_id, row.assistant_id == assistant_id)
    entries, aged, unread = session.execute(query).one()
    return EntryCounts(entries, int(aged), int(unread))


def get(
    session: Session, workspace_id: int, assistant_id: int, entry_id: int, *, lock: bool = False
) -> KnowledgeEntry:
    """Return an entry of an assistant.

    :param lock: lock it until the write ends.
    :raises EntryNotFoundError: if there is none.
    """
    query = sa.select(KnowledgeEntry).where(
        KnowledgeEntry.id == entry_id,
        KnowledgeEntry.assistant_id == assistant_id,
        KnowledgeEntry.workspace_id == workspace_id,
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise EntryNotFoundError()
    return row


def passages_of(session: Session, entry_id: int) -> list[KnowledgePassage]:
    """Return the passages of an entry in order."""
    query = sa.select(KnowledgePassage).where(KnowledgePassage.entry_id == entry_id)
    return list(session.scalars(query.order_by(KnowledgePassage.position)))


# ---- keeping them --------------------------------------------------------------------------------------


def add(work: UnitOfWork, assistant_id: int, wanted: EntryInput) -> KnowledgeEntry:
    """Create an entry and return it. A page without text is read later, see :mod:`.rereading`.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises EntryError: if something is missing or too long, or there are too many.
    """
    session, now = work.session, work.now
    of = assistants.get(session, work.workspace_id, assistant_id, lock=True)
    number = sa.select(sa.func.count()).where(KnowledgeEntry.assistant_id == assistant_id)
    if (session.scalar(number) or 0) >= MOST:
        raise EntryError(
            _l("You have reached the limit of 500 entries. Nothing was saved."),
            next_step=_l("Delete an entry you no longer use."),
            field="title",
        )
    waits = wanted.kind is EntryKind.PAGE and not wanted.text
    wanted = checked(wanted)
    row = KnowledgeEntry(
        workspace_id=work.workspace_id,
        assistant_id=assistant_id,
        kind=wanted.kind,
        title=wanted.title,
        text=wanted.text,
        questions=list(wanted.questions),
        origin=wanted.origin or None,
        state=EntryState.WAITING if waits else EntryState.READY,
        digest=None if waits else digest(wanted.text),
        checked_at=now,
        due_at=now if wanted.kind is EntryKind.PAGE else None,
        attempts=0,
        created_at=now,
    )
    session.add(row)
    session.flush()
    put_passages(session, row)
    raised(session, of)
    work.audit("knowledge.added", row.title, details={"of": of.name})
    return row


def change(
    work: UnitOfWork, assistant_id: int, entry_id: int, wanted: EntryInput, *, replaced: bool = False
) -> KnowledgeEntry:
    """Change the title, questions and text of an entry, and return it.

    The text of a file or a page is kept unless *replaced*: another file was uploaded. Saving a text that
    people wrote also marks it as checked today.

    :raises EntryNotFoundError: if there is none. Also the errors of :func:`add`.
    """
    session = work.session
    of = assistants.get(session, work.workspace_id, assistant_id, lock=True)
    row = get(session, work.workspace_id, assistant_id, entry_id, lock=True)
    kind = EntryKind(row.kind)
    takes = replaced or kind in WRITTEN
    before = row.text
    wanted = replace(wanted, kind=kind, text=wanted.text if takes else row.text)
    if not replaced:
        wanted = replace(wanted, origin=row.origin or "")
    wanted = checked(wanted)
    row.title, row.questions, row.origin = wanted.title, list(wanted.questions), wanted.origin or None
    if takes:
        row.text, row.digest = wanted.text, digest(wanted.text)
        row.state, row.problem, row.checked_at = EntryState.READY, None, work.now
    session.flush()
    if row.text != before:
        put_passages(session, row)
    raised(session, of)
    work.audit("knowledge.changed", row.title, details={"of": of.name})
    return row


def looked_at(work: UnitOfWork, assistant_id: int, entry_id: int) -> KnowledgeEntry:
    """Mark an entry as checked; a page is read again. Return it.

    :raises EntryNotFoundError: if there is none.
    """
    row = get(work.session, work.workspace_id, assistant_id, entry_id, lock=True)
    if row.kind == EntryKind.PAGE:
        row.due_at, row.attempts = work.now, 0
    else:
        row.checked_at = work.now
    work.session.flush()
    of = assistants.get(work.session, work.workspace_id, assistant_id, lock=True)
    raised(work.session, of)
    work.audit("knowledge.checked", row.title, details={"of": of.name})
    return row


def delete(work: UnitOfWork, assistant_id: int, entry_id: int) -> str:
    """Delete an entry with its passages; return its title. Messages that cited it stay.

    :raises EntryNotFoundError: if there is none.
    """
    session = work.session
    of = assistants.get(session, work.workspace_id, assistant_id, lock=True)
    row = get(session, work.workspace_id, assistant_id, entry_id, lock=True)
    session.execute(sa.delete(KnowledgePassage).where(KnowledgePassage.entry_id == row.id))
    session.execute(sa.delete(KnowledgeEntry).where(KnowledgeEntry.id == row.id))
    session.expunge(row)
    raised(session, of)
    work.audit("knowledge.deleted", row.title, details={"of": of.name})
    return row.title


def checked(wanted: EntryInput) -> EntryInput:
    """Return a valid entry, normalized for storage.

    :raises EntryError: with the field that is invalid.
    """
    title = names.checked(
        wanted.title,
        EntryError(
            _l("The title must have 1 to 200 characters, so nothing was saved."),
            next_step=_l("Enter a title."),
            field="title",
        ),
        longest=LONGEST_TITLE,
    )
    text = clean_written(wanted.text)
    if not text and wanted.kind is not EntryKind.PAGE:
        raise EntryError(field="text")
    if len(text) > LONGEST:
        raise EntryError(
            _l("The text is longer than 200,000 characters, so nothing was saved."),
            next_step=_l("Split it into several entries."),
            field="text",
        )
    return EntryInput(
        title=title,
        text=text,
        questions=checked_questions(wanted.questions),
        kind=wanted.kind,
        origin=clean_short(wanted.origin, LONGEST_ORIGIN) or "",
    )


def checked_questions(given: Iterable[str]) -> tuple[str, ...]:
    """Return example questions as stored: each on one line, without duplicates and empty ones.

    :raises EntryError: if one is too long, or there are too many.
    """
    lines = (" ".join(clean_written(one).split()) for one in given)
    found = tuple(dict.fromkeys(one for one in lines if one))
    if len(found) > MOST_QUESTIONS or any(len(one) > LONGEST_QUESTION for one in found):
        raise EntryError(
            _l("The limit is 20 questions of 300 characters, so nothing was saved."),
            next_step=_l("Keep the ones that differ most."),
            field="questions",
        )
    return found


def put_passages(session: Session, row: KnowledgeEntry) -> None:
    """Rebuild the passages of an entry.

    :raises EntryError: if the assistant would have more than :data:`MOST_PASSAGES`.
    """
    session.execute(sa.delete(KnowledgePassage).where(KnowledgePassage.entry_id == row.id))
    pieces = passages.cut(row.text)
    number = sa.select(sa.func.count()).where(KnowledgePassage.assistant_id == row.assistant_id)
    if (session.scalar(number) or 0) + len(pieces) > MOST_PASSAGES:
        raise EntryError(
            _l("This would exceed the assistant's knowledge limit, so nothing was saved."),
            next_step=_l("Delete an entry, or make this one shorter."),
            field="text",
        )
    session.add_all(
        KnowledgePassage(
            assistant_id=row.assistant_id,
            entry_id=row.id,
            position=position,
            place=piece.place,
            text=piece.text,
        )
        for position, piece in enumerate(pieces)
    )
    session.flush()


def raised(session: Session, of: Assistant) -> None:
    """Raise the version of an assistant's knowledge."""
    session.execute(
        sa.update(Assistant)
        .where(Assistant.id == of.id)
        .values(knowledge_version=Assistant.knowledge_version + 1)
        .execution_options(synchronize_session=False)
    )
    session.expire(of, ["knowledge_version"])


def digest(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal, to detect that it is unchanged."""
    return hashlib.sha256(text.encode()).hexdigest()
