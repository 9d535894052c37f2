"""Cases: a question with what a good answer to it is like, due to be tried with each version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.automation.assistants import keeping
from host.automation.assistants.knowing import learning
from host.automation.assistants.values import Said
from host.core import clock, db
from host.core.cleaning import clean_written
from host.core.errors import InvalidError, NotFoundError
from host.inbox.erasure import forget_cases as forget
from host.models.assistants import Assistant, AssistantCase
from host.search import words
from host.users.reach import Accounts

__all__ = [
    "Answer",
    "CaseError",
    "CaseNotFoundError",
    "Tried",
    "Wanted",
    "add",
    "change",
    "delete",
    "due",
    "forget",
    "from_turn",
    "get",
    "judge",
    "listing",
    "try_all",
]

MOST = 200
"""Cases of an assistant."""
LONGEST = 4_000
"""Letters of a question."""
MOST_WORDS = 20
LONGEST_WORDS = 100
LONGEST_ANSWER = 10_000

Answer = Callable[[str], tuple[str, bool]]
"""Asks an assistant as a customer would: what it says, and whether it hands over."""


class CaseNotFoundError(NotFoundError):
    """There is no such case."""

    code = "case_not_found"
    title = _l("No such case")
    default_sentence = _l("This case does not exist. Somebody may have deleted it.")
    default_next_step = lazy_pgettext("case", "Choose another one.")


class CaseError(InvalidError):
    """A case lacks something, or has what it cannot have; *field* says which."""

    code = "assistant_case"
    title = _l("The case is not complete")
    default_sentence = _l("The case has no question, so nothing was saved.")
    default_next_step = _l("Change it and save it again.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A case as somebody wants it.

    :param hands_over: whether a person is to answer it; *says* and *never_says* are empty then.
    :param says: words a good answer has, each of them; *never_says*: words of which it has none.
    """

    question: str
    hands_over: bool = False
    says: Sequence[str] = ()
    never_says: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying a case.

    :param passed: None: it could not be tried, *problem* says why: the name of an error, or a reason.
    """

    id: int
    passed: bool | None
    answer: str = ""
    hands_over: bool = False
    problem: str = ""


# ---- judging -------------------------------------------------------------------------------------------


def judge(case: AssistantCase | Wanted, said: Said, hands_over: bool) -> bool:
    """Tell whether an answer is what a case wants. Pure.

    Case, marks and widths of letters do not matter, nor do line ends and the number of spaces.

    :param hands_over: whether it left the question to a person.
    """
    if hands_over or case.hands_over:
        return hands_over == case.hands_over
    text = _folded(said.answer)
    if not text or not all(_folded(one) in text for one in case.says):
        return False
    return not any(_folded(one) in text for one in case.never_says)


def _folded(text: str) -> str:
    return " ".join(words.fold(one) for one in text.split())


# ---- keeping them --------------------------------------------------------------------------------------


def listing(session: Session, assistant_id: int) -> list[AssistantCase]:
    """Return the cases of an assistant: those that did not pass first, then the newest."""
    query = sa.select(AssistantCase).where(AssistantCase.assistant_id == assistant_id)
    rows = session.scalars(query.order_by(AssistantCase.id.desc())).all()
    return sorted(rows, key=lambda row: row.passed is not False)


def due(session: Session, assistant: Assistant) -> list[AssistantCase]:
    """Return the cases that were not tried with the version that holds, or did not pass with it."""
    return [
        row
        for row in listing(session, assistant.id)
        if row.tried_version != assistant.version or not row.passed
    ]


def get(
    session: Session, workspace_id: int, assistant_id: int, case_id: int, *, lock: bool = False
) -> AssistantCase:
    """Return a case of an assistant.

    :param lock: until the write ends.
    :raises CaseNotFoundError: if there is none.
    """
    query = sa.select(AssistantCase).where(
        AssistantCase.id == case_id,
        AssistantCase.assistant_id == assistant_id,
        AssistantCase.workspace_id == workspace_id,
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise CaseNotFoundError()
    return row


def add(
    session: Session,
    wanted: Wanted,
    *,
    workspace_id: int,
    assistant_id: int,
    now: datetime,
    conversation_id: int | None = None,
) -> AssistantCase:
    """Add a case and return it.

    :param conversation_id: where the question was asked: what is erased there is erased here.
    :raises AssistantNotFoundError: if there is no such assistant.
    :raises CaseError: if something is missing or too long, or there are too many.
    """
    keeping.get(session, workspace_id, assistant_id, lock=True)
    number = sa.select(sa.func.count()).where(AssistantCase.assistant_id == assistant_id)
    if (session.scalar(number) or 0) >= MOST:
        raise CaseError(
            _l("There are 200 cases already, which is the most. Nothing was saved."),
            next_step=_l("Delete one that says the same as another."),
            field="question",
        )
    row = AssistantCase(
        workspace_id=workspace_id,
        assistant_id=assistant_id,
        conversation_id=conversation_id,
        answer="",
        created_at=now,
    )
    _set(row, checked(wanted))
    session.add(row)
    session.flush()
    return row


def from_turn(
    session: Session,
    *,
    workspace_id: int,
    assistant_id: int,
    turn_id: int,
    seen_accounts: Accounts,
    now: datetime,
    wanted: Wanted | None = None,
) -> AssistantCase:
    """Add a case of what a customer asked in a turn, and return it.

    :param wanted: what a good answer is like; without a question, it is what the customer asked. None: a
        person is to answer that.
    :raises CaseNotFoundError: if the turn is gone, its messages are, or whoever asks may not see it.
    """
    keeping.get(session, workspace_id, assistant_id)
    found = learning.question_of(session, assistant_id, turn_id, seen_accounts)
    if found is None:
        raise CaseNotFoundError(_l("What the customer asked there is gone, so no case was made of it."))
    question, conversation_id = found
    like = wanted or Wanted("", hands_over=True)
    return add(
        session,
        replace(like, question=like.question.strip() or question[:LONGEST]),
        workspace_id=workspace_id,
        assistant_id=assistant_id,
        conversation_id=conversation_id,
        now=now,
    )


def change(
    session: Session, wanted: Wanted, *, workspace_id: int, assistant_id: int, case_id: int
) -> AssistantCase:
    """Make a case what *wanted* says, and return it. It is to be tried anew.

    :raises CaseNotFoundError: if there is none. Besides, what :func:`add` raises.
    """
    row = get(session, workspace_id, assistant_id, case_id, lock=True)
    _set(row, checked(wanted))
    session.flush()
    return row


def delete(session: Session, *, workspace_id: int, assistant_id: int, case_id: int) -> str:
    """Delete a case and return its question.

    :raises CaseNotFoundError: if there is none.
    """
    row = get(session, workspace_id, assistant_id, case_id, lock=True)
    question = row.question
    session.delete(row)
    session.flush()
    return question


def _set(row: AssistantCase, wanted: Wanted) -> None:
    row.question, row.hands_over = wanted.question, wanted.hands_over
    row.says, row.never_says = list(wanted.says), list(wanted.never_says)
    row.tried_version = row.passed = None
    row.answer = ""


def checked(wanted: Wanted) -> Wanted:
    """Return a case as it is kept.

    :raises CaseError: with the field that is wrong.
    """
    question = clean_written(wanted.question)
    if not question:
        raise CaseError(field="question")
    if len(question) > LONGEST:
        raise CaseError(_l("A question has at most 4,000 letters, so nothing was saved."), field="question")
    if wanted.hands_over:
        return Wanted(question, True)
    says, never = _words(wanted.says, "says"), _words(wanted.never_says, "never_says")
    if not says and not never:
        raise CaseError(
            _l("The case does not say what a good answer is like, so nothing was saved."),
            next_step=_l("Name words it has or has not, or say that a person is to answer."),
            field="says",
        )
    return Wanted(question, False, says, never)


def _words(given: Iterable[str], field: str) -> tuple[str, ...]:
    lines = (" ".join(clean_written(one).split()) for one in given)
    found = tuple(dict.fromkeys(one for one in lines if one and _folded(one)))
    if len(found) > MOST_WORDS or any(len(one) > LONGEST_WORDS for one in found):
        raise CaseError(_l("Up to 20 words of 100 letters fit, so nothing was saved."), field=field)
    return found


# ---- trying them ---------------------------------------------------------------------------------------


def try_all(
    workspace_id: int,
    assistant_id: int,
    version: int,
    answer: Answer,
    *,
    only: Sequence[int] | None = None,
    seconds: float | None = None,
) -> list[Tried]:
    """Ask *answer* each case's question and note what came of it, one by one, each in a write of its own.

    No write is open while it is asked. One that could not be asked is left as it was.

    :param version: the version of the assistant that answers.
    :param only: ids of the cases to try; None: all of them.
    :param seconds: after so long no further case is begun; None: all are.
    """
    until = None if seconds is None else clock.monotonic() + seconds
    with db.read() as session:
        keeping.get(session, workspace_id, assistant_id)
        rows = [row for row in listing(session, assistant_id) if only is None or row.id in only]
    tried = []
    for row in rows:
        if until is not None and clock.monotonic() >= until:
            break
        try:
            text, hands_over = answer(row.question)
        except Exception as error:  # noqa: BLE001 - the others are tried nevertheless
            problem = getattr(error, "reason", type(error).__name__)
            tried.append(Tried(row.id, None, problem=str(problem)))
            continue
        passed = judge(row, Said(answer=text, hands_over=hands_over), hands_over)
        if db.write(_note, row, version, passed, text):
            tried.append(Tried(row.id, passed, text, hands_over))
    return tried


def _note(session: Session, tried: AssistantCase, version: int, passed: bool, text: str) -> bool:
    """Note what came of a case, unless it was changed or deleted meanwhile; tell whether it was noted."""
    row = session.get(AssistantCase, tried.id, with_for_update=True, populate_existing=True)
    same = ("question", "hands_over", "says", "never_says")
    if row is None or any(getattr(row, name) != getattr(tried, name) for name in same):
        return False
    row.tried_version, row.passed, row.answer = version, passed, clean_written(text)[:LONGEST_ANSWER]
    session.flush()
    return True
