"""Prove what a sequence can do before it is published: pure, over all paths at once.

For each step it finds the longest time since the customer's last message with which a run can reach it, and
the most messages sent since then. Waits count with their longest nominal time; what the customer writes sets
both back. So a message that could leave after the reply window is found, with the path that leads there. At
run time everything is checked again: the proof cannot know about a worker that stands still.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import msgspec
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.conditions import Window
from host.automation.deciding import BUDGET
from host.automation.texts import too_long
from host.sdk.capabilities import QuickReplyLimits, TemplateLimits
from host.sdk.text import TextLimit, TextUnit, length, unit_of
from host.sequences import claims
from host.sequences.body import (
    Ask,
    Body,
    Branch,
    Call,
    Case,
    End,
    Hand,
    Say,
    Show,
    Step,
    Wait,
    as_text,
    listed,
    speaks,
    ways_out,
)
from host.sequences.claims import Surroundings

CALL = timedelta(minutes=1)
"""The longest nominal time until a program answers, with all tries."""
NEVER = timedelta.max
"""A time without a limit, such as until somebody's working hours begin again."""


class Limits(msgspec.Struct, frozen=True):
    """The tightest limits of the channels a sequence runs on.

    :param window: how long after their last message a customer can get an automated one; None: any time.
    :param quick_replies: of the channel that allows the fewest; None: a channel has none, and shows them as
        lines of text.
    :param closed: the longest time between two working hours; :data:`NEVER`: there are none.
    :param text: limit of a message, in bytes or with its unit; None: no limit.
    :param listed: the same of the channels without quick replies, where a message also has the choices.
    :param cards: of the channel that allows the least; None: none has cards.
    :param carded: limit of a message on the channels without cards; None: no limit, or all have them.
    """

    window: timedelta | None = None
    quick_replies: QuickReplyLimits | None = None
    closed: timedelta = NEVER
    text: TextLimit | None = None
    listed: TextLimit | None = None
    cards: TemplateLimits | None = None
    carded: TextLimit | None = None


class Problem(msgspec.Struct, frozen=True):
    """Something that keeps a sequence from being published.

    :param code: ``window``, ``loop``, ``end``, ``row``, ``unreachable``, ``buttons``, ``text``, ``cards``, or
        one of :class:`host.sequences.claims.Claim`.
    :param step: the step it happens at; empty: the starts or settings.
    :param sentence: what would happen, in words.
    :param path: the steps that lead there, *step* last.
    :param after: for ``window``: how long after the customer's last message it could be sent; None: any time.
    :param field: the place in the body, such as ``steps.2.url``; empty: the whole step.
    """

    code: str
    step: str
    sentence: LazyString
    path: tuple[str, ...] = ()
    after: timedelta | None = None
    field: str = ""


class Reach(msgspec.Struct, frozen=True):
    """How a step can be reached.

    :param age: the longest time since the customer's last message; :data:`NEVER`: no limit.
    :param row: the most messages sent since then.
    :param path: the steps of the path with that age, from a start or an answer, this one last.
    :param longest_row: the path with the most messages.
    """

    age: timedelta
    row: int
    path: tuple[str, ...]
    longest_row: tuple[str, ...]


class Proof(msgspec.Struct, frozen=True):
    """The result for a sequence.

    :param problems: in the order of the steps; none: it can be published.
    :param reach: by step; steps that no path reaches are missing.
    """

    problems: tuple[Problem, ...]
    reach: Mapping[str, Reach]

    @property
    def holds(self) -> bool:
        return not self.problems


class _Way(NamedTuple):
    """A way from a step to the next.

    :ivar age: the longest time since the customer's last message at its end.
    :ivar answered: whether the customer wrote on it, so that everything begins anew.
    :ivar sent: whether the step's message was sent before.
    """

    to: str
    age: timedelta
    answered: bool
    sent: bool
    wrong: bool = False
    """Whether the customer's answer did not fit."""


def prove(body: Body, limits: Limits, around: Surroundings | None = None) -> Proof:
    """Return what can be proved about *body*.

    :param around: what it depends on in its workspace; None: that is not looked at.
    """
    loops = _loops(body)
    reach = {} if loops else _reach(body, limits)
    problems = [*loops, *_ends(body)]
    if not loops:
        problems += _unreachable(body, reach)
        problems += _late(body, limits, reach)
        problems += _rows(body, reach)
    problems += _buttons(body, limits)
    problems += _texts(body, limits)
    problems += _cards(body, limits)
    problems += [] if around is None else _claims(body, around)
    order = {step.id: at for at, step in enumerate(body.steps)}
    problems.sort(key=lambda one: order.get(one.step, -1))
    return Proof(tuple(problems), reach)


# ---- the ways ------------------------------------------------------------------------------------------


def _plus(age: timedelta, more: timedelta) -> timedelta:
    return NEVER if NEVER in {age, more} else age + more


def _clamped(age: timedelta, window: timedelta | None) -> timedelta:
    """Return *age* where something was, or could be, sent: then the window was open."""
    return age if window is None else min(age, window)


def _ways(body: Body, step: Step, age: timedelta, limits: Limits) -> Iterator[_Way]:
    """Yield the ways from a step that was reached with *age*."""
    sends = speaks(step)
    is_safe = isinstance(step, Say | Ask | Show) and bool(step.closed)
    past = _clamped(age, limits.window) if is_safe else age
    cases = iter(step.cases) if isinstance(step, Branch) else iter(())
    for kind, to in ways_out(body, step):
        if not to:
            continue
        if kind == "case":
            yield _Way(to, _clamped(past, limits.window) if _is_inside(next(cases)) else past, False, False)
        elif kind == "closed":
            yield _Way(to, NEVER, False, False)
        elif kind == "silent":
            length = timedelta(hours=step.hours) if isinstance(step, Ask) else step.length  # type: ignore[union-attr]
            yield _Way(to, _plus(past, length), False, sends)
        elif kind == "other":
            yield _Way(to, timedelta(), True, False, wrong=True)
        elif isinstance(step, Ask) or (isinstance(step, Wait) and step.until == "written"):
            yield _Way(to, timedelta(), True, False)
        elif isinstance(step, Call):
            yield _Way(to, _plus(past, CALL), False, False)
        elif isinstance(step, Wait):
            yield _Way(to, _plus(past, _longest(step, limits)), False, False)
        else:
            yield _Way(to, past, False, sends)


def _longest(step: Wait, limits: Limits) -> timedelta:
    if step.until == "time":
        return step.length
    return min(limits.closed, step.length) if step.length else limits.closed


def _is_inside(case: Case) -> bool:
    """Return whether a case only holds while automated messages may be sent."""
    return any(isinstance(one, Window) and one.to == "programs" for one in case.conditions)


# ---- what is proved ------------------------------------------------------------------------------------


def _loops(body: Body) -> list[Problem]:
    """Return the loops in which no step waits for the customer, each at its first step in the list.

    Answers that don't fit are no way out of one: somebody may never give another.
    """
    found: list[Problem] = []
    state: dict[str, int] = {}
    steps = {step.id: step for step in body.steps}

    def visit(id_: str, path: tuple[str, ...]) -> None:
        state[id_] = 1
        for way in _ways(body, steps[id_], timedelta(), Limits()):
            if (way.answered and not way.wrong) or way.to not in steps:
                continue
            if state.get(way.to) == 1:
                circle = (*path[path.index(way.to) :], way.to)
                if _asks_for_ever(body, circle):
                    sentence = _l("Answers that don’t fit lead back here, so it could be asked for ever.")
                else:
                    sentence = _l("These steps could repeat for ever without a word from the customer.")
                found.append(Problem("loop", way.to, sentence, circle))
            elif way.to not in state:
                visit(way.to, (*path, way.to))
        state[id_] = 2

    for step in body.steps:
        if step.id not in state:
            visit(step.id, (step.id,))
    return found


def _asks_for_ever(body: Body, circle: Sequence[str]) -> bool:
    """Return whether a wrong answer is the only way from a step of a loop to the next."""
    for here, to in pairwise(circle):
        step = body.step(here)
        if isinstance(step, Ask) and step.other == to and to not in {step.silent, step.closed}:
            return True
    return False


def _claims(body: Body, around: Surroundings) -> list[Problem]:
    """Return what the sequence claims that can't hold."""
    found = []
    for claim in claims.wrong(body, around):
        kind, _dot, rest = claim.field.partition(".")
        step = body.steps[int(rest.partition(".")[0])].id if kind == "steps" else ""
        found.append(Problem(claim.code, step, claim.sentence, field=claim.field))
    return found


def _reach(body: Body, limits: Limits) -> dict[str, Reach]:
    """Return how each step can be reached; the ways without a customer's word have no loops."""
    steps = {step.id: step for step in body.steps}
    first = body.steps[0].id
    # A program may start it as long as the window is open, so at any time in it.
    age = (limits.window or timedelta()) if body.starts.programs else timedelta()
    reach = {first: Reach(age, 0, (first,), (first,))}
    order, answered = _order(body)
    for id_ in answered:
        reach.setdefault(id_, Reach(timedelta(), 0, (id_,), (id_,)))
    for id_ in order:
        here = reach[id_]
        for way in _ways(body, steps[id_], here.age, limits):
            if way.answered:
                continue
            there = reach.get(way.to)
            row = here.row + way.sent
            older = there is None or way.age > there.age
            longer = there is None or row > there.row
            reach[way.to] = Reach(
                way.age if there is None or older else there.age,
                row if there is None or longer else there.row,
                (*here.path, way.to) if there is None or older else there.path,
                (*here.longest_row, way.to) if there is None or longer else there.longest_row,
            )
    return reach


def _order(body: Body) -> tuple[list[str], set[str]]:
    """Return the steps that can be reached, each after those that lead to it without a customer's word;
    and the steps reached with one."""
    steps = {step.id: step for step in body.steps}
    order: list[str] = []
    answered: set[str] = set()
    seen: set[str] = set()
    waiting = [body.steps[0].id]

    def visit(id_: str) -> None:
        seen.add(id_)
        for way in _ways(body, steps[id_], timedelta(), Limits()):
            if way.answered:
                answered.add(way.to)
                waiting.append(way.to)
            elif way.to not in seen:
                visit(way.to)
        order.append(id_)

    while waiting:
        id_ = waiting.pop()
        if id_ not in seen:
            visit(id_)
    return order[::-1], answered


def _ends(body: Body) -> list[Problem]:
    sentence = _l("After this step nothing follows: end the sequence, or hand the conversation to people.")
    return [
        Problem("end", step.id, sentence, (step.id,))
        for step in body.steps
        if not isinstance(step, Hand | End) and not body.following(step)
    ]


def _unreachable(body: Body, reach: Mapping[str, Reach]) -> list[Problem]:
    sentence = _l("No path leads to this step.")
    return [Problem("unreachable", step.id, sentence) for step in body.steps if step.id not in reach]


def _late(body: Body, limits: Limits, reach: Mapping[str, Reach]) -> list[Problem]:
    window = limits.window
    found: list[Problem] = []
    if window is None:
        return found
    for step in body.steps:
        there = reach.get(step.id)
        is_safe = isinstance(step, Say | Ask | Show) and bool(step.closed)
        if not speaks(step) or is_safe or there is None or there.age <= window:
            continue
        hours = _hours(window)
        if there.age == NEVER:
            sentence = _l(
                "This could be sent at any time after the customer’s last message. "
                "Automated messages are possible for %(window)s hours.",
                window=hours,
            )
        else:
            sentence = _l(
                "This could be sent %(after)s hours after the customer’s last message. "
                "Automated messages are possible for %(window)s hours.",
                after=_hours(there.age),
                window=hours,
            )
        after = None if there.age == NEVER else there.age
        found.append(Problem("window", step.id, sentence, there.path, after))
    return found


def _hours(time: timedelta) -> int:
    """Return a time in full hours, rounded up."""
    return -(-int(time.total_seconds()) // 3600)


def _rows(body: Body, reach: Mapping[str, Reach]) -> list[Problem]:
    sentence = _l(
        "More than %(most)s messages could be sent in a row without a word from the customer.", most=BUDGET
    )
    found = []
    for step in body.steps:
        there = reach.get(step.id)
        if there is not None and speaks(step) and there.row >= BUDGET:
            found.append(Problem("row", step.id, sentence, there.longest_row))
    return found


def _buttons(body: Body, limits: Limits) -> list[Problem]:
    offers = limits.quick_replies
    if offers is None:
        return []
    found = []
    for step in body.steps:
        titles = (
            step.choices if isinstance(step, Ask) else step.quick_replies if isinstance(step, Say) else ()
        )
        most = offers.most - 1  # the last one asks for a person
        if len(titles) > most:
            sentence = _l("The channel shows at most %(most)s answers to choose.", most=most)
            found.append(Problem("buttons", step.id, sentence))
        elif any(len(title) > offers.title_length for title in titles):
            sentence = _l("An answer to choose can have %(most)s characters.", most=offers.title_length)
            found.append(Problem("buttons", step.id, sentence))
    return found


def _texts(body: Body, limits: Limits) -> list[Problem]:
    """Return the steps with a message that is too long, counted as it is written."""
    found = []
    for step in body.steps:
        if not isinstance(step, Say | Ask | Hand):
            continue
        said = [step.text, step.again] if isinstance(step, Ask) else [step.text]
        choices = listed(step.choices) if isinstance(step, Ask) else ""
        alone = [*said, step.told] if isinstance(step, Ask) else said
        plain = max(_excess(text, limits.text) for text in alone)
        whole = max(_excess(text + choices, limits.listed) for text in said)
        if limits.text is not None and plain > 0:
            found.append(Problem("text", step.id, too_long(limits.text + plain, limits.text)))
        elif choices and limits.listed is not None and whole > 0:
            count, most = limits.listed + whole, int(limits.listed)
            if unit_of(limits.listed) is TextUnit.BYTES:
                sentence = _l(
                    "On a channel without quick replies, this has %(count)s bytes with its choices. "
                    "A message there can have at most %(most)s.",
                    count=count,
                    most=most,
                )
            else:
                sentence = _l(
                    "On a channel without quick replies, this has %(count)s characters with its choices. "
                    "A message there can have at most %(most)s.",
                    count=count,
                    most=most,
                )
            found.append(Problem("text", step.id, sentence))
    return found


def _excess(text: str, limit: int | None) -> int:
    """Return by how much *text* is too long; not positive: it fits."""
    return 0 if limit is None else length(text, unit_of(limit)) - limit


def _cards(body: Body, limits: Limits) -> list[Problem]:
    """Return the steps with cards that do not fit the channels."""
    found = []
    for step in body.steps:
        if not isinstance(step, Show):
            continue
        most = limits.cards
        if most is not None and len(step.cards) > most.elements:
            sentence = _l("The channel shows at most %(most)s cards.", most=most.elements)
            found.append(Problem("cards", step.id, sentence))
        elif most is not None and any(
            len(one.title) > most.title_length
            or len(one.text) > most.subtitle_length
            or len(one.button) > most.button_title_length
            for one in step.cards
        ):
            sentence = _l(
                "A card’s title can have %(title)s characters, its text %(text)s, its button %(button)s.",
                title=most.title_length,
                text=most.subtitle_length,
                button=most.button_title_length,
            )
            found.append(Problem("cards", step.id, sentence))
        elif limits.carded is not None and (excess := _excess(as_text(step.cards), limits.carded)) > 0:
            count, most_text = limits.carded + excess, int(limits.carded)
            if unit_of(limits.carded) is TextUnit.BYTES:
                sentence = _l(
                    "On a channel without cards, this has %(count)s bytes as a text. "
                    "A message there can have at most %(most)s.",
                    count=count,
                    most=most_text,
                )
            else:
                sentence = _l(
                    "On a channel without cards, this has %(count)s characters as a text. "
                    "A message there can have at most %(most)s.",
                    count=count,
                    most=most_text,
                )
            found.append(Problem("cards", step.id, sentence))
    return found
