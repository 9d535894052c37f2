"""What an assistant knows: entries that people wrote, files, pages of the web, and answers of the team.

Each write that changes what may be found raises the assistant's ``knowledge_version``, so every process makes
its index anew (:mod:`.knowledge`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.automation.assistants import keeping
from host.automation.assistants.knowing import cutting
from host.core.cleaning import clean_short, clean_written
from host.core.errors import InvalidError, NotFoundError
from host.inbox import names
from host.models.assistants import Assistant, EntryKind, EntryState, KnowledgeEntry, KnowledgePassage

MOST = 500
"""Entries of an assistant."""
MOST_PASSAGES = 20_000
LONGEST = 200_000
"""Letters of an entry."""
LONGEST_TITLE = 200
MOST_QUESTIONS = 20
LONGEST_QUESTION = 300
LONGEST_ORIGIN = 2_000
OLD = timedelta(days=183)
"""Age from which an entry asks for a look."""
WRITTEN = frozenset({EntryKind.PASTED, EntryKind.PAST})
"""Kinds whose words people write. Those of the others come from their file or page."""


class EntryNotFoundError(NotFoundError):
    """There is no such entry."""

    code = "entry_not_found"
    title = _l("No such entry")
    default_sentence = _l("This entry does not exist. Somebody may have deleted it.")
    default_next_step = lazy_pgettext("entry", "Choose another one.")


class EntryError(InvalidError):
    """An entry lacks something, or has what it cannot have; *field* says which."""

    code = "knowledge_entry"
    title = _l("The entry is not complete")
    default_sentence = _l("The entry has no words, so nothing was saved.")
    default_next_step = _l("Change it and save it again.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry as somebody wants it.

    :param text: its words, the pages of a file with a form feed between them; empty of a page that is still
        to be read.
    :param origin: the address of its page, the name of its file, or of who wrote it.
    """

    title: str
    text: str = ""
    questions: Sequence[str] = ()
    kind: EntryKind = EntryKind.PASTED
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry in a list.

    :param problem: why it is not used, a key of the reasons; empty: it is, or nobody knows yet.
    :param checked_at: its age counts from then.
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
        """Tell whether somebody is to look whether it still holds."""
        return self.state == EntryState.READY and now - self.checked_at > OLD


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries there are, and how many of them need somebody.

    :param unread: they could not be read, or are gone.
    """

    entries: int = 0
    old: int = 0
    unread: int = 0


# ---- reading -------------------------------------------------------------------------------------------


def listing(session: Session, workspace_id: int, assistant_id: int, *, search: str = "") -> list[Shown]:
    """Return the entries of an assistant by title, without their words: one statement.

    :param search: words, each of which title, questions or origin has.
    """
    row = KnowledgeEntry
    query = sa.select(
        row.id, row.kind, row.title, row.questions, row.origin, row.state, row.problem, row.checked_at
    ).where(row.workspace_id == workspace_id, row.assistant_id == assistant_id)
    found = [
        Shown(
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


def _said(one: Shown) -> str:
    return " ".join([one.title, *one.questions, one.origin]).casefold()


def counts(session: Session, workspace_id: int, assistant_id: int, now: datetime) -> Counts:
    """Return how many entries an assistant has."""
    row = KnowledgeEntry
    old = sa.and_(row.state == EntryState.READY, row.checked_at < now - OLD)
    bad = row.state.in_([EntryState.FAILED, EntryState.GONE])
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(sa.case((old, 1), else_=0)), 0),
        sa.func.coalesce(sa.func.sum(sa.case((bad, 1), else_=0)), 0),
    ).where(row.workspace_id == workspace_id, row.assistant_id == assistant_id)
    entries, aged, unread = session.execute(query).one()
    return Counts(entries, int(aged), int(unread))


def get(
    session: Session, workspace_id: int, assistant_id: int, entry_id: int, *, lock: bool = False
) -> KnowledgeEntry:
    """Return an entry of an assistant.

    :param lock: until the write ends.
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
    """Return the parts an entry was cut into, in their order."""
    query = sa.select(KnowledgePassage).where(KnowledgePassage.entry_id == entry_id)
    return list(session.scalars(query.order_by(KnowledgePassage.position)))


# ---- keeping them --------------------------------------------------------------------------------------


def add(
    session: Session, wanted: Wanted, *, workspace_id: int, assistant_id: int, now: datetime
) -> KnowledgeEntry:
    """Add an entry and return it. A page without words is read later, see :mod:`.rereading`.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises EntryError: if something is missing or too long, or there are too many.
    """
    of = keeping.get(session, workspace_id, assistant_id, lock=True)
    number = sa.select(sa.func.count()).where(KnowledgeEntry.assistant_id == assistant_id)
    if (session.scalar(number) or 0) >= MOST:
        raise EntryError(
            _l("There are 500 entries already, which is the most. Nothing was saved."),
            next_step=_l("Delete one that is used no more."),
            field="title",
        )
    waits = wanted.kind is EntryKind.PAGE and not wanted.text
    wanted = checked(wanted)
    row = KnowledgeEntry(
        workspace_id=workspace_id,
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
    return row


def change(
    session: Session,
    wanted: Wanted,
    *,
    workspace_id: int,
    assistant_id: int,
    entry_id: int,
    now: datetime,
    replaced: bool = False,
) -> KnowledgeEntry:
    """Give an entry another title, other questions and words. Return it.

    The words of a file or a page stay, unless *replaced* says that another file came in its place. To save an
    entry that people wrote says that it holds today.

    :raises EntryNotFoundError: if there is none. Besides, what :func:`add` raises.
    """
    of = keeping.get(session, workspace_id, assistant_id, lock=True)
    row = get(session, workspace_id, assistant_id, entry_id, lock=True)
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
        row.state, row.problem, row.checked_at = EntryState.READY, None, now
    session.flush()
    if row.text != before:
        put_passages(session, row)
    raised(session, of)
    return row


def looked_at(
    session: Session, *, workspace_id: int, assistant_id: int, entry_id: int, now: datetime
) -> KnowledgeEntry:
    """Note that somebody looked at an entry, and it still holds; a page is read again. Return it.

    :raises EntryNotFoundError: if there is none.
    """
    row = get(session, workspace_id, assistant_id, entry_id, lock=True)
    if row.kind == EntryKind.PAGE:
        row.due_at, row.attempts = now, 0
    else:
        row.checked_at = now
    session.flush()
    raised(session, keeping.get(session, workspace_id, assistant_id, lock=True))
    return row


def delete(session: Session, *, workspace_id: int, assistant_id: int, entry_id: int) -> str:
    """Delete an entry with its passages; return its title. What was said with it stays.

    :raises EntryNotFoundError: if there is none.
    """
    of = keeping.get(session, workspace_id, assistant_id, lock=True)
    row = get(session, workspace_id, assistant_id, entry_id, lock=True)
    title = row.title
    session.execute(sa.delete(KnowledgePassage).where(KnowledgePassage.entry_id == row.id))
    session.execute(sa.delete(KnowledgeEntry).where(KnowledgeEntry.id == row.id))
    session.expunge(row)
    raised(session, of)
    return title


def checked(wanted: Wanted) -> Wanted:
    """Return an entry as it is kept.

    :raises EntryError: with the field that is wrong.
    """
    title = names.checked(
        wanted.title,
        EntryError(
            _l("An entry has a title of one to 200 letters, so nothing was saved."),
            next_step=_l("Say what it is about."),
            field="title",
        ),
        longest=LONGEST_TITLE,
    )
    text = clean_written(wanted.text)
    if not text and wanted.kind is not EntryKind.PAGE:
        raise EntryError(field="text")
    if len(text) > LONGEST:
        raise EntryError(
            _l("An entry has at most 200,000 letters, so nothing was saved."),
            next_step=_l("Divide it into several."),
            field="text",
        )
    return Wanted(
        title=title,
        text=text,
        questions=checked_questions(wanted.questions),
        kind=wanted.kind,
        origin=clean_short(wanted.origin, LONGEST_ORIGIN) or "",
    )


def checked_questions(given: Iterable[str]) -> tuple[str, ...]:
    """Return example questions as they are kept: each on one line and once, without the empty ones.

    :raises EntryError: if one is too long, or there are too many.
    """
    lines = (" ".join(clean_written(one).split()) for one in given)
    found = tuple(dict.fromkeys(one for one in lines if one))
    if len(found) > MOST_QUESTIONS or any(len(one) > LONGEST_QUESTION for one in found):
        raise EntryError(
            _l("An entry has up to 20 questions of 300 letters, so nothing was saved."),
            next_step=_l("Keep those that differ most."),
            field="questions",
        )
    return found


def put_passages(session: Session, row: KnowledgeEntry) -> None:
    """Cut the words of an entry anew.

    :raises EntryError: if the assistant would have more than :data:`MOST_PASSAGES`.
    """
    session.execute(sa.delete(KnowledgePassage).where(KnowledgePassage.entry_id == row.id))
    pieces = cutting.cut(row.text)
    number = sa.select(sa.func.count()).where(KnowledgePassage.assistant_id == row.assistant_id)
    if (session.scalar(number) or 0) + len(pieces) > MOST_PASSAGES:
        raise EntryError(
            _l("With it the assistant would know more than fits, so nothing was saved."),
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
    """Note that what an assistant knows changed."""
    session.execute(
        sa.update(Assistant)
        .where(Assistant.id == of.id)
        .values(knowledge_version=Assistant.knowledge_version + 1)
        .execution_options(synchronize_session=False)
    )
    session.expire(of, ["knowledge_version"])


def digest(text: str) -> str:
    """Return what two texts have in common that are the same, as hexadecimal SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()
