"""What an assistant could learn: what was asked and not answered, and what the team answers again and again.

Nothing of it is stored. Questions are read from the messages each time, so what a customer takes back is gone
from here as well; an answer becomes an entry once a person accepts it. Of one that somebody dismissed
a sketch is kept, which says whether an answer is like it and not what it says.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import regex
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation.assistants import keeping
from host.automation.assistants.knowing import alike, knowledge
from host.automation.assistants.knowing.entries import LONGEST_QUESTION, MOST_QUESTIONS
from host.core.errors import InvalidError, NotFoundError
from host.models.assistants import AssistantTurn, DismissedAnswer, TurnState
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Direction, Message, Origin
from host.models.users import User
from host.sdk.messages import MessageKind
from host.search import words
from host.users.reach import Accounts

LATELY = timedelta(days=30)
"""How far back questions without an answer are shown."""
PAST = timedelta(days=90)
"""How far back the team's answers are looked at."""
MOST_TURNS = 1_000
MOST_MESSAGES = 20_000
"""Messages that are looked at for pairs of question and answer."""
MOST_PAIRS = 4_000
MOST_DRAFTS = 50
MOST_DISMISSED = 500
"""Answers of an assistant that are not offered again."""
LEAST_PAIRS = 3
"""Answers that have to be alike to be offered."""
LEAST_TERMS = 5
"""Words of an answer that says something: *Thanks!* does not."""
QUESTIONS_ALIKE, ANSWERS_ALIKE = 0.25, 0.6
KNOWN = 0.75
"""The part of the words of an answer that an entry already has, from which it is not offered."""
EXAMPLES = 3
_LONGEST = 2_000
"""Letters of a message that are looked at."""
_LONGEST_TITLE = 80
_EARLY = timedelta(days=30)
"""How much earlier than the desk saw it a message may have been written."""
_UNANSWERED = (TurnState.HANDED_OVER, TurnState.FAILED)
REASONS = ("no_source", "doubt", "no_topics")
_NEVER_LEFT = (DeliveryState.FAILED, DeliveryState.CANCELLED)


# ---- what was asked and not answered -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions that are alike, and that nothing answers.

    :param question: one of them; *examples*: others of them.
    :param turn_id: of that question.
    :param reason: why the assistant said nothing, mostly: a key of the reasons.
    :param answers: how many alike answers people gave later; *answer*: one of them; *by*: who did, by name.
    """

    question: str
    turn_id: int
    count: int
    examples: tuple[str, ...]
    reason: str
    answers: int = 0
    answer: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    turn_id: int
    conversation_id: int
    reason: str
    text: str


def gaps(session: Session, assistant_id: int, since: datetime, seen_accounts: Accounts) -> list[Gap]:
    """Return what was asked since then and not answered, in groups, the largest first: three statements.

    :param seen_accounts: the accounts that whoever looks may see; None: all.
    """
    asked = _asked(session, assistant_id, since, seen_accounts)
    later = _later_answers(session, asked)
    found = []
    for group in alike.grouped([one.text for one in asked], least=QUESTIONS_ALIKE, weighted=True):
        ones = [asked[place] for place in group]
        texts = list(dict.fromkeys(_one_line(one.text) for one in ones))
        shown = min(texts, key=lambda text: (not text.rstrip().endswith(("?", "？")), len(text)))
        answers = [later[one.turn_id] for one in ones if one.turn_id in later]
        same = alike.grouped([text for text, _by in answers], least=ANSWERS_ALIKE)
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


def _asked(session: Session, assistant_id: int, since: datetime, accounts: Accounts) -> list[_Asked]:
    """Return the turns that answered nothing, with what the customer wrote, the newest first."""
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


def _with_questions(session: Session, turns: sa.Select[AssistantTurn]) -> list[_Asked]:
    """Return *turns* with the messages of the customer each read; those with none left out."""
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
        # Of what it read, what is there still; it ends with the message that it was about.
        read = [text for id_, text in said.get(one.conversation_id, ()) if id_ <= one.message_id]
        if text := "\n".join(reversed(read[: max(one.messages, 1)])):
            asked.append(_Asked(one.id, one.conversation_id, one.reason or "", text))
    return asked


def question_of(
    session: Session, assistant_id: int, turn_id: int, accounts: Accounts
) -> tuple[str, int] | None:
    """Return what a customer asked in a turn, and in which conversation; None: it is gone."""
    turns = sa.select(AssistantTurn).where(
        AssistantTurn.id == turn_id, AssistantTurn.assistant_id == assistant_id
    )
    if accounts is not None:
        turns = turns.where(AssistantTurn.account_id.in_(accounts))
    found = _with_questions(session, turns)
    return (found[0].text, found[0].conversation_id) if found else None


def _later_answers(session: Session, asked: Sequence[_Asked]) -> dict[int, tuple[str, str]]:
    """Return what people answered first after each turn, and their name, by the id of the turn."""
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
    """Return the conditions for messages that a person of the team wrote, and that reached somebody."""
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


# ---- what the team answers again and again -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text.

    :param kind: ``name``, ``mail``, ``phone`` or ``number`` of what is somebody's; empty: words.
    """

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that could be made of answers the team gave.

    :param parts: its text, with what may be about one customer marked.
    :param times: how many answers are alike; *by*: who gave them, by name.
    :param dismissed: the id of what somebody said of it, that it is to be none; 0: nobody did.
    """

    title: str
    text: str
    parts: tuple[Part, ...]
    questions: tuple[str, ...]
    times: int
    by: tuple[str, ...]
    last_at: datetime
    dismissed: int = 0

    @property
    def marked(self) -> bool:
        """Whether something in it may be about one customer."""
        return any(one.kind for one in self.parts)


@dataclass(frozen=True, slots=True)
class Pair:
    """What a customer asked, and what a person of the team answered next."""

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
    """Return entries that could be made of what the team answered since then, most frequent first.

    Behind them stand those that somebody dismissed. Six statements at most, none over more than
    :data:`MOST_MESSAGES` messages.

    :param assistant_id: what it knows already is left out; what was dismissed, for it.
    """
    found = pairs(session, workspace_id, account_ids, since)
    groups = [
        [found[place] for place in group]
        for group in alike.grouped([one.answer for one in found], least=ANSWERS_ALIKE)
        if len(group) >= LEAST_PAIRS
    ]
    if assistant_id is not None and groups:
        index = knowledge.index_of(session, assistant_id)
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


# ---- what is not offered again -------------------------------------------------------------------------


class DismissedError(InvalidError):
    """An answer cannot be dismissed."""

    code = "past_answer"
    default_sentence = _l("There are too few words in this answer to know it again, so nothing was changed.")
    default_next_step = _l("Load the page again.")


class NotDismissedError(NotFoundError):
    """This answer is offered anyhow."""

    code = "past_answer_not_dismissed"
    default_sentence = _l("This answer was not dismissed, or somebody has brought it back.")
    default_next_step = ""


def sketch(text: str) -> list[int]:
    """Return a number of 16 bits for each word of *text*, by which one like it is known. Pure."""
    return sorted(
        {
            int.from_bytes(hashlib.blake2b(term.encode("utf-8", "replace"), digest_size=2).digest(), "big")
            for term in words.terms(text)
        }
    )


class _Dismissed:
    """Tells which of an assistant's dismissed answers a group of answers is like."""

    def __init__(self, session: Session, assistant_id: int) -> None:
        query = sa.select(DismissedAnswer.id, DismissedAnswer.sketch)
        rows = session.execute(query.where(DismissedAnswer.assistant_id == assistant_id)).all()
        self._size = {row.id: len(row.sketch) for row in rows}
        self._having: dict[int, list[int]] = {}
        for row in rows:
            for number in row.sketch:
                self._having.setdefault(number, []).append(row.id)

    def __call__(self, group: Sequence[Pair]) -> int:
        """Return the id of one that an answer of *group* is like; 0: none is."""
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
    """Return how many answers were dismissed for an assistant, and the newest id: they tell of a change."""
    row = DismissedAnswer
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(row.id), 0))
    number, newest = session.execute(query.where(row.assistant_id == assistant_id)).one()
    return int(number), int(newest)


def dismiss(
    session: Session, text: str, *, workspace_id: int, assistant_id: int, now: datetime
) -> DismissedAnswer:
    """Have an answer, and those like it, not offered to an assistant any more. Twice is once.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises DismissedError: if it says too little, or there are too many.
    """
    keeping.get(session, workspace_id, assistant_id, lock=True)
    numbers = sketch(text[:_LONGEST])
    if len(numbers) < LEAST_TERMS:
        raise DismissedError()
    query = sa.select(DismissedAnswer).where(DismissedAnswer.assistant_id == assistant_id)
    rows = session.scalars(query).all()
    same = next((row for row in rows if row.sketch == numbers), None)
    if same is not None:
        return same
    if len(rows) >= MOST_DISMISSED:
        raise DismissedError(
            _l("500 answers are dismissed already, which is the most. Nothing was changed."),
            next_step=_l("Bring one back."),
        )
    row = DismissedAnswer(
        workspace_id=workspace_id, assistant_id=assistant_id, sketch=numbers, created_at=now
    )
    session.add(row)
    session.flush()
    return row


def bring_back(session: Session, *, workspace_id: int, assistant_id: int, dismissed_id: int) -> None:
    """Have a dismissed answer offered again.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises NotDismissedError: if it was not dismissed for it.
    """
    keeping.get(session, workspace_id, assistant_id, lock=True)
    row = session.get(DismissedAnswer, dismissed_id)
    if row is None or row.assistant_id != assistant_id:
        raise NotDismissedError()
    session.delete(row)
    session.flush()


def pairs(session: Session, workspace_id: int, account_ids: Collection[int], since: datetime) -> list[Pair]:
    """Return questions of customers with the next answer of a person, the newest first: one statement.

    What the desk or the assistant said in between is passed over.
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
    """Return what the customers of *conversations* are called, by the id of the conversation."""
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
    # Short ones first: they are rarely about one customer's case.
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


def marked(text: str, names: Iterable[str]) -> tuple[Part, ...]:
    """Return *text* with what may be about one customer marked: names, addresses, phone and order numbers.

    It is there to be seen, and no promise that nothing else is.
    """
    called = sorted({one for one in names if one}, key=lambda one: (-len(one), one))
    pattern = _SOMEBODYS
    if called:
        pattern += rf"|(?P<name>(?<!\w)(?:{'|'.join(map(regex.escape, called))})(?!\w))"
    parts: list[Part] = []
    at = 0
    for found in regex.finditer(pattern, text):
        if found.start() > at:
            parts.append(Part(text[at : found.start()]))
        parts.append(Part(found.group(), found.lastgroup or ""))
        at = found.end()
    if at < len(text):
        parts.append(Part(text[at:]))
    return tuple(parts)
