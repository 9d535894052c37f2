"""Cases: questions with a description of a good answer, tried with each version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.assistants import forget_cases as forget
from host.assistants.knowledge import learning
from host.assistants.models import Assistant, AssistantCase
from host.assistants.values import ModelAnswer
from host.core import clock, db
from host.core.backports.values import replace
from host.core.cleaning import clean_written
from host.core.errors import InvalidError, NotFoundError
from host.search import words
from host.users.actor import UnitOfWork

__all__ = [
    "Answer",
    "CaseError",
    "CaseInput",
    "CaseNotFoundError",
    "CaseResult",
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
"""Most cases of an assistant."""
LONGEST = 4_000
"""Longest question in characters."""
MOST_WORDS = 20
LONGEST_WORDS = 100
LONGEST_ANSWER = 10_000

Answer = Callable[[str], tuple[str, bool]]
"""Ask an assistant as a customer would: return its answer, and whether it hands over."""


class CaseNotFoundError(NotFoundError):
    """The assistant has no such case."""

    code = "case_not_found"
    title = _l("Test case not found")
    default_sentence = _l("This test case does not exist. Someone may have deleted it.")
    default_next_step = lazy_pgettext("case", "Choose another one.")
    program_step = ""


class CaseError(InvalidError):
    """A case is invalid; *field* names the field."""

    code = "assistant_case"
    title = _l("The test case is incomplete")
    default_sentence = _l("The question is missing, so nothing was saved.")
    default_next_step = _l("Change it and save it again.")
    program_step = _l("Correct it and send it again.")


class CaseInput(msgspec.Struct, frozen=True):
    """A case as entered.

    :param hands_over: whether a person should answer it; *says* and *never_says* are empty then.
    :param says: words a good answer contains; *never_says*: words it must not contain.
    """

    question: str
    hands_over: bool = False
    says: Sequence[str] = ()
    never_says: Sequence[str] = ()


class CaseResult(msgspec.Struct, frozen=True):
    """The result of trying a case.

    :param passed: None if it could not be tried; *problem* is the name of the error, or a reason.
    """

    id: int
    passed: bool | None
    answer: str = ""
    hands_over: bool = False
    problem: str = ""


# ---- judging -------------------------------------------------------------------------------------------


def judge(case: AssistantCase | CaseInput, said: ModelAnswer, hands_over: bool) -> bool:
    """Return whether an answer meets the expectations of a case. Pure.

    Case, diacritics, letter widths, line ends and repeated spaces are ignored.

    :param hands_over: whether the assistant handed the question to a person.
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
    """Return the cases of an assistant: failed ones first, then the newest."""
    query = sa.select(AssistantCase).where(AssistantCase.assistant_id == assistant_id)
    rows = session.scalars(query.order_by(AssistantCase.id.desc())).all()
    return sorted(rows, key=lambda row: row.passed is not False)


def due(session: Session, assistant: Assistant) -> list[AssistantCase]:
    """Return the cases that have not been tried with the current version, or failed with it."""
    return [
        row
        for row in listing(session, assistant.id)
        if row.tried_version != assistant.version or not row.passed
    ]


def get(
    session: Session, workspace_id: int, assistant_id: int, case_id: int, *, lock: bool = False
) -> AssistantCase:
    """Return a case of an assistant.

    :param lock: lock it until the write ends.
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
        raise CaseNotFoundError(wrong_values=[case_id])
    return row


def add(
    work: UnitOfWork, assistant_id: int, wanted: CaseInput, *, conversation_id: int | None = None
) -> AssistantCase:
    """Create a case and return it.

    :param conversation_id: the conversation of the question; erasing it also deletes the case.
    :raises AssistantNotFoundError: if there is no such assistant.
    :raises CaseError: if something is missing or too long, or there are too many.
    """
    of = assistants.get(work.session, work.workspace_id, assistant_id, lock=True)
    number = sa.select(sa.func.count()).where(AssistantCase.assistant_id == assistant_id)
    if (work.session.scalar(number) or 0) >= MOST:
        raise CaseError(
            _l("You have reached the limit of 200 test cases. Nothing was saved."),
            next_step=_l("Delete a duplicate first."),
            field="question",
        )
    row = AssistantCase(
        workspace_id=work.workspace_id,
        assistant_id=assistant_id,
        conversation_id=conversation_id,
        answer="",
        created_at=work.now,
    )
    _set(row, checked(wanted))
    work.session.add(row)
    work.session.flush()
    work.audit("case.added", of.name)
    return row


def from_turn(
    work: UnitOfWork, assistant_id: int, turn_id: int, wanted: CaseInput | None = None
) -> AssistantCase:
    """Create a case from the customer's question in a turn, and return it.

    :param wanted: the expected answer; without a question, the customer's is used. None to expect a handoff.
    :raises CaseNotFoundError: if the turn or its messages were deleted, or the actor may not see it.
    """
    assistants.get(work.session, work.workspace_id, assistant_id)
    found = learning.question_of(work.session, assistant_id, turn_id, work.accounts)
    if found is None:
        raise CaseNotFoundError(_l("The customer's question was deleted, so no test case was created."))
    question, conversation_id = found
    like = wanted or CaseInput("", hands_over=True)
    wanted = replace(like, question=like.question.strip() or question[:LONGEST])
    return add(work, assistant_id, wanted, conversation_id=conversation_id)


def change(work: UnitOfWork, assistant_id: int, case_id: int, wanted: CaseInput) -> AssistantCase:
    """Replace a case and return it. It becomes due to be tried again.

    :raises CaseNotFoundError: if there is none. Also the errors of :func:`add`.
    """
    row = get(work.session, work.workspace_id, assistant_id, case_id, lock=True)
    _set(row, checked(wanted))
    work.session.flush()
    work.audit("case.changed", assistants.get(work.session, work.workspace_id, assistant_id).name)
    return row


def delete(work: UnitOfWork, assistant_id: int, case_id: int) -> str:
    """Delete a case and return its question.

    :raises CaseNotFoundError: if there is none.
    """
    row = get(work.session, work.workspace_id, assistant_id, case_id, lock=True)
    question = row.question
    work.session.delete(row)
    work.session.flush()
    work.audit("case.deleted", assistants.get(work.session, work.workspace_id, assistant_id).name)
    return question


def _set(row: AssistantCase, wanted: CaseInput) -> None:
    row.question, row.hands_over = wanted.question, wanted.hands_over
    row.says, row.never_says = list(wanted.says), list(wanted.never_says)
    row.tried_version = row.passed = None
    row.answer = ""


def checked(wanted: CaseInput) -> CaseInput:
    """Return a valid case, normalized for storage.

    :raises CaseError: with the field that is invalid.
    """
    question = clean_written(wanted.question)
    if not question:
        raise CaseError(field="question")
    if len(question) > LONGEST:
        raise CaseError(
            _l("The question is longer than 4,000 characters, so nothing was saved."), field="question"
        )
    if wanted.hands_over:
        return CaseInput(question, True)
    says, never = _words(wanted.says, "says"), _words(wanted.never_says, "never_says")
    if not says and not never:
        raise CaseError(
            _l("The test case doesn't describe a good answer, so nothing was saved."),
            next_step=_l("Add words it must or must not contain, or choose that a person should answer."),
            field="says",
        )
    return CaseInput(question, False, says, never)


def _words(given: Iterable[str], field: str) -> tuple[str, ...]:
    lines = (" ".join(clean_written(one).split()) for one in given)
    found = tuple(dict.fromkeys(one for one in lines if one and _folded(one)))
    if len(found) > MOST_WORDS or any(len(one) > LONGEST_WORDS for one in found):
        raise CaseError(_l("The limit is 20 phrases of 100 characters, so nothing was saved."), field=field)
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
) -> list[CaseResult]:
    """Ask *answer* the questions one by one and store each result in its own write.

    No write is open during a question. A case that could not be tried stays unchanged.

    :param version: the version of the assistant that answers.
    :param only: ids of the cases to try; None for all.
    :param seconds: time after which no further case is started; None for no limit.
    """
    until = None if seconds is None else clock.monotonic() + seconds
    with db.read() as session:
        assistants.get(session, workspace_id, assistant_id)
        rows = [row for row in listing(session, assistant_id) if only is None or row.id in only]
    tried = []
    for row in rows:
        if until is not None and clock.monotonic() >= until:
            break
        try:
            text, hands_over = answer(row.question)
        except Exception as error:  # noqa: BLE001 - the others are tried nevertheless
            problem = getattr(error, "reason", type(error).__name__)
            tried.append(CaseResult(row.id, None, problem=str(problem)))
            continue
        passed = judge(row, ModelAnswer(answer=text, hands_over=hands_over), hands_over)
        if db.write(_note, row, version, passed, text):
            tried.append(CaseResult(row.id, passed, text, hands_over))
    return tried


def _note(session: Session, tried: AssistantCase, version: int, passed: bool, text: str) -> bool:
    """Store the result of a case unless it was changed or deleted meanwhile; return whether it was stored."""
    row = session.get(AssistantCase, tried.id, with_for_update=True, populate_existing=True)
    same = ("question", "hands_over", "says", "never_says")
    if row is None or any(getattr(row, name) != getattr(tried, name) for name in same):
        return False
    row.tried_version, row.passed, row.answer = version, passed, clean_written(text)[:LONGEST_ANSWER]
    session.flush()
    return True
