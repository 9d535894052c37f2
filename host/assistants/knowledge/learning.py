"""Suggestions for new entries: unanswered questions, and answers the team gives repeatedly.

They are not stored. Questions are read from the messages each time, so a message a customer deletes
disappears here too; an answer becomes an entry when a person accepts it. For a dismissed answer a sketch is
stored, which recognises similar answers but not their text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import regex
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.knowledge import retrieval, similarity
from host.assistants.knowledge.entries import LONGEST_QUESTION, MOST_QUESTIONS
from host.assistants.models import Assistant, AssistantAccount, AssistantTurn, DismissedAnswer, TurnState
from host.core.backports.values import replace
from host.core.errors import InvalidError, NotFoundError
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Direction, Message, Origin
from host.models.users import User
from host.sdk.messages import MessageKind
from host.search import words
from host.users.actor import UnitOfWork
from host.users.reach import Accounts

LATELY = timedelta(days=30)
"""Age of the unanswered questions shown."""
PAST = timedelta(days=90)
"""Age of the team's answers considered."""
MOST_TURNS = 1_000
MOST_MESSAGES = 20_000
"""Most messages read to find pairs of question and answer."""
MOST_PAIRS = 4_000
MOST_DRAFTS = 50
MOST_DISMISSED = 500
"""Most dismissed answers of an assistant."""
LEAST_PAIRS = 3
"""Least number of similar answers before one is suggested."""
LEAST_TERMS = 5
"""Least number of words in a suggested answer; *Thanks!* is not enough."""
QUESTIONS_ALIKE, ANSWERS_ALIKE = 0.25, 0.6
KNOWN = 0.75
"""Share of an answer's words in one entry at which the answer is no longer suggested."""
EXAMPLES = 3
_LONGEST = 2_000
"""Characters of a message that are read."""
_LONGEST_TITLE = 80
_EARLY = timedelta(days=30)
"""Longest time between a message being written and reaching the desk."""
_UNANSWERED = (TurnState.HANDED_OVER, TurnState.FAILED)
REASONS = ("no_source", "doubt", "no_topics")
_NEVER_LEFT = (DeliveryState.FAILED, DeliveryState.CANCELLED)


# ---- unanswered questions -----------------------------------------------------------------------------


class Gap(msgspec.Struct, frozen=True):
    """A group of similar unanswered questions.

    :param question: one of them; *examples*: others.
    :param turn_id: the turn of that question.
    :param reason: the most frequent reason why the assistant did not answer, a key of the reasons.
    :param answers: number of similar answers people gave later; *answer*: one of them; *by*: their names.
    """

    question: str
    turn_id: int
    count: int
    examples: tuple[str, ...]
    reason: str
    answers: int = 0
    answer: str = ""
    by: tuple[str, ...] = ()


class _Question(msgspec.Struct, frozen=True):
    turn_id: int
    conversation_id: int
    reason: str
    text: str


def gaps(session: Session, assistant_id: int, since: datetime, seen_accounts: Accounts) -> list[Gap]:
    """Return unanswered questions since then in groups, largest first: three statements.

    :param seen_accounts: the accounts the person may see; None for all.
    """
    asked = _asked(session, assistant_id, since, seen_accounts)
    later = _later_answers(session, asked)
    found = []
    for group in similarity.grouped([one.text for one in asked], least=QUESTIONS_ALIKE, weighted=True):
        ones = [asked[place] for place in group]
        texts = list(dict.fromkeys(_one_line(one.text) for one in ones))
        shown = min(texts, key=lambda text: (not text.rstrip().endswith(("?", "？")), len(text)))
        answers = [later[one.turn_id] for one in ones if one.turn_id in later]
        same = similarity.grouped([text for text, _by in answers], least=ANSWERS_ALIKE)
        best = [answers[place] for place in same[0]] if same else []
        found.append(
            Gap(
                question=shown[:LONGEST_QUESTION],
                turn_id=next(one.turn_id for one in ones if _one_line(one.text) == shown),
                count=len(ones),
                examples=tuple(text[:LONGEST_QUESTION] for text in texts if text != shown)[:EXAMPLES],
                reason=Counter(one.reason for one in ones).most_common(1)[0][0],
                answers=len(best),
                answer=best[0][0] if best else "",
                by=tuple(dict.fromkeys(by for _text, by in best if by)),
            )
        )
    return found


def _asked(session: Session, assistant_id: int, since: datetime, accounts: Accounts) -> list[_Question]:
    """Return the turns that answered nothing, with the customer's question, newest first."""
    turns = (
        sa.select(AssistantTurn)
        .where(
            AssistantTurn.assistant_id == assistant_id,
            AssistantTurn.created_at >= since,
            AssistantTurn.state.in_(_UNANSWERED),
            AssistantTurn.reason.in_(REASONS),
        )
        .order_by(AssistantTurn.created_at.desc(), AssistantTurn.id.desc())
        .limit(MOST_TURNS)
    )
    if accounts is not None:
        turns = turns.where(AssistantTurn.account_id.in_(accounts))
    return _with_questions(session, turns)


def _with_questions(session: Session, turns: sa.Select[AssistantTurn]) -> list[_Question]:
    """Return *turns* with the customer's messages each answers; turns without messages are left out."""
    found = session.scalars(turns).all()
    if not found:
        return []
    query = (
        sa.select(Message.id, Message.conversation_id, sa.func.substr(Message.text, 1, _LONGEST))
        .where(
            Message.conversation_id.in_({one.conversation_id for one in found}),
            Message.sent_at >= min(one.first_at for one in found) - _EARLY,
            Message.direction == Direction.INBOUND,
            Message.id <= max(one.message_id for one in found),
            Message.unsent_at.is_(None),
            Message.text != "",
        )
        .order_by(Message.id.desc())
        .limit(MOST_MESSAGES)
    )
    said: dict[int, list[tuple[int, str]]] = {}
    for id_, conversation_id, text in session.execute(query):
        said.setdefault(conversation_id, []).append((id_, text))
    asked = []
    for one in found:
        # The messages it read that still exist; the last is the one the turn answers.
        read = [text for id_, text in said.get(one.conversation_id, ()) if id_ <= one.message_id]
        if text := "\n".join(reversed(read[: max(one.messages, 1)])):
            asked.append(_Question(one.id, one.conversation_id, one.reason or "", text))
    return asked


def question_of(
    session: Session, assistant_id: int, turn_id: int, accounts: Accounts
) -> tuple[str, int] | None:
    """Return a turn's question and its conversation, or None if they were deleted."""
    turns = sa.select(AssistantTurn).where(
        AssistantTurn.id == turn_id, AssistantTurn.assistant_id == assistant_id
    )
    if accounts is not None:
        turns = turns.where(AssistantTurn.account_id.in_(accounts))
    found = _with_questions(session, turns)
    return (found[0].text, found[0].conversation_id) if found else None


def _later_answers(session: Session, asked: Sequence[_Question]) -> dict[int, tuple[str, str]]:
    """Return the first answer people gave after each turn, and their name, by the id of the turn."""
    if not asked:
        return {}
    first = (
        sa.select(AssistantTurn.id, sa.func.min(Message.id).label("answer"))
        .join(Message, Message.conversation_id == AssistantTurn.conversation_id)
        .where(
            AssistantTurn.id.in_([one.turn_id for one in asked]),
            Message.id > AssistantTurn.message_id,
            *_by_people(),
        )
        .group_by(AssistantTurn.id)
        .subquery()
    )
    query = (
        sa.select(first.c.id, sa.func.substr(Message.text, 1, _LONGEST), User.name)
        .join(Message, Message.id == first.c.answer)
        .outerjoin(User, User.id == Message.author_id)
    )
    return {id_: (text, name or "") for id_, text, name in session.execute(query)}


def _by_people() -> list[sa.ColumnElement[bool]]:
    """Return the conditions for delivered messages that a person of the team wrote."""
    return [
        Message.direction == Direction.OUTBOUND,
        sa.or_(
            sa.and_(Message.origin == Origin.AGENT, Message.author_id.is_not(None)),
            Message.origin == Origin.PROVIDER,
        ),
        Message.kind == MessageKind.TEXT,
        Message.text != "",
        Message.unsent_at.is_(None),
        sa.or_(Message.state.is_(None), Message.state.not_in(_NEVER_LEFT)),
    ]


# ---- repeated answers ---------------------------------------------------------------------------------


class DraftPart(msgspec.Struct, frozen=True):
    """A part of a text.

    :param kind: ``name``, ``mail``, ``phone`` or ``number`` for personal data; empty for other text.
    """

    text: str
    kind: str = ""


class Draft(msgspec.Struct, frozen=True):
    """A suggested entry, made from the team's answers.

    :param parts: its text, with possible personal data of a customer marked.
    :param times: number of similar answers; *by*: names of their authors.
    :param dismissed: id of its dismissal; 0 if it was not dismissed.
    """

    title: str
    text: str
    parts: tuple[DraftPart, ...]
    questions: tuple[str, ...]
    times: int
    by: tuple[str, ...]
    last_at: datetime
    dismissed: int = 0

    @property
    def marked(self) -> bool:
        """Whether it contains possible personal data of a customer."""
        return any(one.kind for one in self.parts)


class Pair(msgspec.Struct, frozen=True):
    """A customer's question and the team's next answer."""

    question: str
    answer: str
    conversation_id: int
    author_id: int | None
    at: datetime


def past_answers(
    session: Session,
    workspace_id: int,
    account_ids: Collection[int],
    *,
    since: datetime,
    assistant_id: int | None = None,
) -> list[Draft]:
    """Return suggested entries from the team's answers since then, most frequent first.

    Dismissed ones come last. Six statements at most, none over more than :data:`MOST_MESSAGES` messages.

    :param assistant_id: the assistant; answers it already knows are left out, and dismissals apply to it.
    """
    found = pairs(session, workspace_id, account_ids, since)
    groups = [
        [found[place] for place in group]
        for group in similarity.grouped([one.answer for one in found], least=ANSWERS_ALIKE)
        if len(group) >= LEAST_PAIRS
    ]
    if assistant_id is not None and groups:
        index = retrieval.index_of(session, assistant_id)
        groups = [group for group in groups if index.says(group[0].answer) < KNOWN]
    said = dict[int, int]()
    if assistant_id is not None and groups:
        is_like = _Dismissed(session, assistant_id)
        said = {place: id_ for place, group in enumerate(groups) if (id_ := is_like(group))}
    kept = [place for place in range(len(groups)) if place not in said][:MOST_DRAFTS]
    shown = [(groups[place], said.get(place, 0)) for place in [*kept, *list(said)[:MOST_DRAFTS]]]
    groups = [group for group, _dismissed in shown]
    people = _names_of_people(session, {one.author_id for group in groups for one in group if one.author_id})
    customers = _names_of_customers(session, {one.conversation_id for group in groups for one in group})
    return [replace(_draft(group, people, customers), dismissed=id_) for group, id_ in shown]


def past_answers_for(session: Session, row: Assistant, now: datetime, *, accounts: Accounts) -> list[Draft]:
    """Return suggested entries for an assistant, from the answers of :data:`PAST` on its accounts.

    :param accounts: the accounts the reader sees; None: all.
    """
    return past_answers(
        session,
        row.workspace_id,
        accounts_of(session, row, accounts),
        since=now - PAST,
        assistant_id=row.id,
    )


def accounts_of(session: Session, row: Assistant, accounts: Accounts) -> set[int]:
    """Return the accounts whose answers are read: the assistant's, or all visible ones if it has none.

    :param accounts: the accounts the reader sees; None: all.
    """
    query = sa.select(AssistantAccount.account_id).where(AssistantAccount.assistant_id == row.id)
    found = set(session.scalars(query))
    if not found:
        every = sa.select(ChannelAccount.id).where(ChannelAccount.workspace_id == row.workspace_id)
        found = set(session.scalars(every))
    return found if accounts is None else found & accounts


# ---- dismissed answers --------------------------------------------------------------------------------


class DismissedError(InvalidError):
    """The answer cannot be dismissed."""

    code = "past_answer"
    default_sentence = _l("This answer is too short to recognize again, so nothing was changed.")
    default_next_step = _l("Reload the page.")
    program_step = ""


class NotDismissedError(NotFoundError):
    """The answer was not dismissed."""

    code = "past_answer_not_dismissed"
    place = "dismissed_id"
    default_sentence = _l("This answer was not dismissed, or someone has restored it.")
    default_next_step = ""


def sketch(text: str) -> list[int]:
    """Return a 16-bit number for each word of *text*, to recognise similar texts. Pure."""
    return sorted(
        {
            int.from_bytes(hashlib.blake2b(term.encode("utf-8", "replace"), digest_size=2).digest(), "big")
            for term in words.terms(text)
        }
    )


class _Dismissed:
    """Match groups of answers with an assistant's dismissed answers."""

    def __init__(self, session: Session, assistant_id: int) -> None:
        query = sa.select(DismissedAnswer.id, DismissedAnswer.sketch)
        rows = session.execute(query.where(DismissedAnswer.assistant_id == assistant_id)).all()
        self._size = {row.id: len(row.sketch) for row in rows}
        self._having: dict[int, list[int]] = {}
        for row in rows:
            for number in row.sketch:
                self._having.setdefault(number, []).append(row.id)

    def __call__(self, group: Sequence[Pair]) -> int:
        """Return the id of the dismissed answer that *group* resembles, or 0."""
        if not self._size:
            return 0
        for one in group:
            numbers = sketch(one.answer)
            shared = Counter(id_ for number in numbers for id_ in self._having.get(number, ()))
            for id_, both in shared.most_common():
                if both >= ANSWERS_ALIKE * (len(numbers) + self._size[id_] - both):
                    return id_
        return 0


def dismissals(session: Session, assistant_id: int) -> tuple[int, int]:
    """Return the number of dismissed answers of an assistant and the newest id: both reveal a change."""
    row = DismissedAnswer
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(row.id), 0))
    number, newest = session.execute(query.where(row.assistant_id == assistant_id)).one()
    return int(number), int(newest)


def dismiss(work: UnitOfWork, assistant_id: int, text: str) -> DismissedAnswer:
    """Stop suggesting an answer and similar ones to an assistant. Repeating it has no effect.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises DismissedError: if the answer is too short, or there are too many.
    """
    of = assistants.get(work.session, work.workspace_id, assistant_id, lock=True)
    row = _dismissed(work, assistant_id, text)
    work.audit("past_answer.dismissed", of.name)
    return row


def _dismissed(work: UnitOfWork, assistant_id: int, text: str) -> DismissedAnswer:
    numbers = sketch(text[:_LONGEST])
    if len(numbers) < LEAST_TERMS:
        raise DismissedError()
    query = sa.select(DismissedAnswer).where(DismissedAnswer.assistant_id == assistant_id)
    rows = work.session.scalars(query).all()
    same = next((row for row in rows if row.sketch == numbers), None)
    if same is not None:
        return same
    if len(rows) >= MOST_DISMISSED:
        raise DismissedError(
            _l("You have reached the limit of 500 dismissed answers. Nothing was changed."),
            next_step=_l("Restore one first."),
        )
    row = DismissedAnswer(
        workspace_id=work.workspace_id, assistant_id=assistant_id, sketch=numbers, created_at=work.now
    )
    work.session.add(row)
    work.session.flush()
    return row


def bring_back(work: UnitOfWork, assistant_id: int, dismissed_id: int) -> None:
    """Suggest a dismissed answer again.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises NotDismissedError: if it was not dismissed for this assistant.
    """
    of = assistants.get(work.session, work.workspace_id, assistant_id, lock=True)
    row = work.session.get(DismissedAnswer, dismissed_id)
    if row is None or row.assistant_id != assistant_id:
        raise NotDismissedError()
    work.session.delete(row)
    work.session.flush()
    work.audit("past_answer.brought_back", of.name)


def pairs(session: Session, workspace_id: int, account_ids: Collection[int], since: datetime) -> list[Pair]:
    """Return customers' questions with the next answer of a person, newest first: one statement.

    Messages of the desk or the assistant in between are skipped.
    """
    row = Message
    newest = (
        sa.select(row.id)
        .where(row.workspace_id == workspace_id)
        .order_by(row.id.desc())
        .limit(MOST_MESSAGES)
        .subquery()
    )
    query = (
        sa.select(
            row.conversation_id,
            row.direction,
            row.author_id,
            sa.func.substr(row.text, 1, _LONGEST).label("text"),
            row.sent_at,
        )
        .join(newest, newest.c.id == row.id)
        .where(
            row.account_id.in_(list(account_ids)),
            row.sent_at >= since,
            sa.or_(
                sa.and_(row.direction == Direction.INBOUND, row.unsent_at.is_(None), row.text != ""),
                sa.and_(*_by_people()),
            ),
        )
        .order_by(row.sent_at, row.id)
    )
    waiting: dict[int, list[str]] = {}
    found: list[Pair] = []
    for one in session.execute(query) if account_ids else ():
        if one.direction == Direction.INBOUND:
            waiting.setdefault(one.conversation_id, []).append(one.text)
            continue
        said = waiting.pop(one.conversation_id, [])
        if said and len(words.terms(one.text)) >= LEAST_TERMS:
            question = "\n".join(said[-EXAMPLES:])
            found.append(Pair(question, one.text, one.conversation_id, one.author_id, one.sent_at))
    return found[::-1][:MOST_PAIRS]


def _names_of_people(session: Session, ids: Collection[int]) -> dict[int, str]:
    query = sa.select(User.id, User.name).where(User.id.in_(ids))
    return {row.id: row.name for row in session.execute(query)} if ids else {}


def _names_of_customers(session: Session, conversations: Collection[int]) -> dict[int, set[str]]:
    """Return the names of the customers, by the id of the conversation."""
    query = (
        sa.select(Conversation.id, ContactIdentity.name, ContactIdentity.username)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id.in_(list(conversations)))
    )
    found: dict[int, set[str]] = {}
    for id_, name, handle in session.execute(query) if conversations else ():
        found[id_] = {one for one in [*(name or "").split(), name or "", handle or ""] if len(one) > 1}
    return found


def _draft(
    group: Sequence[Pair], people: Mapping[int, str], customers: Mapping[int, Collection[str]]
) -> Draft:
    newest = group[0]
    lines = [_one_line(one.question) for one in group]
    questions = [line for line in dict.fromkeys(lines) if len(line) <= LONGEST_QUESTION]
    # Short answers first: they are rarely about one customer's case.
    questions.sort(key=lambda line: (not line.endswith(("?", "？")), len(line)))
    by = Counter(people.get(one.author_id or 0, "") for one in group)
    return Draft(
        title=(questions or lines)[0][:_LONGEST_TITLE].rstrip(),
        text=newest.answer.strip(),
        parts=marked(
            newest.answer.strip(),
            {name for one in group for name in customers.get(one.conversation_id, ())},
        ),
        questions=tuple(questions[: min(5, MOST_QUESTIONS)]),
        times=len(group),
        by=tuple(name for name, _times in by.most_common() if name),
        last_at=newest.at,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


_SOMEBODYS = (
    r"(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<phone>(?<![\w+])(?:\+|00?)\d(?:[\s()/.-]{0,2}\d){6,}(?!\w))"
    r"|(?P<number>(?<!\w)(?:#\s?[\w-]*\d[\w-]*|(?=[\w-]*\d{3})(?=[\w-]*\p{Lu})[\w-]{5,}|\d{5,})(?!\w))"
)


def marked(text: str, names: Iterable[str]) -> tuple[DraftPart, ...]:
    """Return *text* with possible personal data marked: names, addresses, phone and order numbers.

    It helps a reader, but does not guarantee that nothing else is personal.
    """
    called = sorted({one for one in names if one}, key=lambda one: (-len(one), one))
    pattern = _SOMEBODYS
    if called:
        pattern += rf"|(?P<name>(?<!\w)(?:{'|'.join(map(regex.escape, called))})(?!\w))"
    parts: list[DraftPart] = []
    at = 0
    for found in regex.finditer(pattern, text):
        if found.start() > at:
            parts.append(DraftPart(text[at : found.start()]))
        parts.append(DraftPart(found.group(), found.lastgroup or ""))
        at = found.end()
    if at < len(text):
        parts.append(DraftPart(text[at:]))
    return tuple(parts)
