"""Ask addons before the write that needs their answers.

A write holds the only lock of SQLite, or locks of rows on a server, so no condition or action of an addon is
called inside one. :func:`write` runs a use case like :func:`host.core.db.write`. When the use case needs an
answer that it does not have, the write is rolled back, the addon is asked outside of any transaction, and the
use case runs again, with the answer.

An answer only counts for what the addon was asked about: the message, the customer, and the conversation as
it was when it was read. If that changed in the meantime, the addon is asked again, and everything is decided
again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from host.channels import timeouts
from host.channels.timeouts import HangsError
from host.core import clock, db
from host.core.backports.values import replace
from host.sdk.rules import FACTS_SECONDS, AskedAbout, RuleAction, RuleCondition

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

MOST_CHANGES = 3
"""How often a use case is decided again because what an addon was asked about changed; then it fails."""
MOST_ROUNDS = 100
"""How often a use case is run: it may have something else to ask each time."""
READ_SECONDS = 1.0
"""Time in seconds after which a condition is asked no more for one preview or trial."""
_ANSWERS = "addon_answers"


Subject = tuple[type, str, str, int | None, int | None]


class Question(NamedTuple):
    """A question to an addon.

    :ivar key: the event, among those processed together. It may be another one when a use case runs again.
    :ivar message_id: the message of the event.
    :ivar value: the chosen value of a condition.
    :ivar state: the conversation and its message, as they were read.
    """

    of: RuleCondition | RuleAction
    key: int
    message_id: int | None
    value: str
    about: AskedAbout
    state: tuple[Any, ...]

    @property
    def subject(self) -> Subject:
        """Return what it asks, whatever the answer depends on."""
        return type(self.of), self.of.name, self.value, self.about.conversation_id, self.message_id

    def is_same(self, other: Question) -> bool:
        """Return whether the answer to *other*, with the same subject, is one to this question."""
        return self.about == other.about and self.state == other.state


class Answer(NamedTuple):
    """The answer of an addon.

    :ivar came: whether there is one: its function neither failed nor took too long.
    """

    came: bool
    said: Any = None


class UnansweredError(Exception):
    """A use case needs answers of addons, so its write is rolled back until :func:`write` has them.

    :ivar changed: whether one was answered, but about an earlier state of the conversation.
    """

    def __init__(self, questions: Sequence[Question], *, changed: bool) -> None:
        super().__init__(", ".join(sorted({one.of.name for one in questions})))
        self.questions = questions
        self.changed = changed


class KeepsChangingError(Exception):
    """The conversation had changed each time when an answer about it was to be used."""


class AskedInsideError(RuntimeError):
    """An addon was to be asked inside a write that did not begin with :func:`write`."""


class Answers:
    """Answers of addons, each with its question."""

    def __init__(self) -> None:
        self._given: dict[Subject, list[tuple[Question, Answer]]] = defaultdict(list)

    def __getitem__(self, question: Question) -> Answer:
        known = self._given[question.subject]
        return next(answer for asked, answer in known if asked.is_same(question))

    def check(self, questions: Iterable[Question]) -> None:
        """Check that all *questions* are answered.

        :raises UnansweredError: if not, or if what they are about changed.
        """
        missing, changed = [], False
        for one in questions:
            known = self._given[one.subject]
            if not any(asked.is_same(one) for asked, _answer in known):
                missing.append(one)
                changed = changed or bool(known)
        if missing:
            raise UnansweredError(missing, changed=changed)

    def ask(self, questions: Iterable[Question], seconds: float | None = None) -> None:
        """Ask addons.

        :param seconds: the time after which a condition or action is asked no more; None: it is always asked.
        """
        by_name: dict[tuple[type, str], list[Question]] = defaultdict(list)
        for one in questions:
            by_name[type(one.of), one.of.name].append(one)
        for mine in by_name.values():
            brought = mine[0].of
            asked = _with_facts(brought, mine) if isinstance(brought, RuleCondition) else _as_asked(mine)
            ends = None if seconds is None else clock.monotonic() + seconds
            for one in mine:
                answer = Answer(False)
                if one.key in asked and (ends is None or clock.monotonic() < ends):
                    answer = _answer(one, asked[one.key])
                self._given[one.subject].append((one, answer))


def write(fn: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``fn(session, ...)`` in one transaction, as :func:`host.core.db.write` does; it may need addons.

    :raises KeepsChangingError: if what an addon was asked about changed more than :data:`MOST_CHANGES` times,
        or the use case does not end.
    """
    answers, changes = Answers(), 0

    def run(session: Session) -> R:
        session.info[_ANSWERS] = answers
        return fn(session, *args, **kwargs)

    for _round in range(MOST_ROUNDS):
        try:
            return db.write(run)
        except UnansweredError as error:
            changes += error.changed
            if changes > MOST_CHANGES:
                raise KeepsChangingError(
                    f"{error}: the conversation changed each time while the addon was asked"
                ) from error
            unanswered = error.questions
        answers.ask(unanswered)
    raise KeepsChangingError(f"addons were asked {MOST_ROUNDS} times")


def answers_to(session: Session, questions: Sequence[Question]) -> Answers:
    """Return the answers to *questions*. A reading session gets them at once, and holds no connection then.

    :raises UnansweredError: inside a write, for :func:`write` to ask.
    """
    known: Answers | None = session.info.get(_ANSWERS)
    if known is None:
        if questions and db.current().is_inside:
            raise AskedInsideError("addons are asked before a write: begin it with asking_addons.write")
        if questions:
            db.let_go(session)
        known = Answers()
        known.ask(questions, READ_SECONDS)
    known.check(questions)
    return known


def _as_asked(questions: Iterable[Question]) -> dict[int, AskedAbout]:
    return {one.key: one.about for one in questions}


def _with_facts(condition: RuleCondition, questions: Sequence[Question]) -> Mapping[int, AskedAbout]:
    """Return what is asked about by key, with the facts of *condition*; empty if they can't be gathered."""
    about, gather = _as_asked(questions), condition.facts
    if gather is None or not about:
        return about
    try:
        facts = timeouts.within(FACTS_SECONDS, _name(condition), lambda: list(gather(list(about.values()))))
        return {key: replace(one, facts=its) for (key, one), its in zip(about.items(), facts, strict=True)}
    except HangsError:
        log.warning("the facts of the condition %s are not there in time", condition.name)
    except Exception:
        log.exception("the facts of the condition %s could not be gathered", condition.name)
    return {}


def _answer(question: Question, about: AskedAbout) -> Answer:
    of = question.of
    call: Callable[[], Any]
    if isinstance(of, RuleCondition):
        call = partial(_holds, of, about, question.value)
    else:
        call = partial(of.plan, about)
    try:
        return Answer(True, timeouts.within(FACTS_SECONDS, _name(of), call, about.contact_id))
    except HangsError:
        log.warning("the %s did not answer in time", _name(of))
    except Exception:
        log.exception("the %s failed", _name(of))
    return Answer(False)


def _holds(condition: RuleCondition, about: AskedAbout, value: str) -> bool:
    return bool(condition.holds(about, value))


def _name(of: RuleCondition | RuleAction) -> str:
    return f"{'condition' if isinstance(of, RuleCondition) else 'action'} {of.name}"
