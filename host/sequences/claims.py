"""Find what a sequence claims that can't hold: pure, step by step, without its paths.

What it refers to may have been deleted since it was saved; a case may compare an answer that nobody is asked
for, or with a value it never has; a word may start nothing, because it opts out or starts something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.actions import RunMacro, SetAttribute
from host.automation.condition_checks import impossible
from host.automation.conditions import ActorCondition, Concerns, Condition, OnPost, folded, leaves
from host.inbox.apply.opt_out_words import word_in
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind, ContactAttribute
from host.inbox.errors import ContactFieldError
from host.sequences.answers import fitting
from host.sequences.body import (
    PROGRAM,
    Act,
    Ask,
    Body,
    Branch,
    Call,
    Case,
    Say,
    Show,
    Starts,
    Step,
    Targets,
    refusals,
    ways_out,
)

_SAMPLES = {"email": "rosa@example.com", "phone": "+4915112345678", "date": "2026-11-20"}
"""Answers of kinds that are always written alike."""
_STARTS = ("words", "taps", "refs")


class OtherSequence(msgspec.Struct, frozen=True):
    """Another live sequence of the workspace, whose starts count, too."""

    name: str
    starts: Starts
    accounts: tuple[int, ...] = ()


class Surroundings(msgspec.Struct, frozen=True):
    """The rest of its workspace that a sequence depends on.

    :param there: what it may refer to.
    :param others: the other live sequences.
    """

    there: Targets
    others: Sequence[OtherSequence] = ()


class Claim(NamedTuple):
    """Something that can't hold.

    :ivar code: ``reference``, ``answer``, ``value``, ``start`` or ``choice``.
    :ivar field: its place in the body, such as ``steps.2.cases.0.value``.
    """

    code: str
    field: str
    sentence: LazyString


def wrong(body: Body, around: Surroundings) -> Iterator[Claim]:
    """Yield what can't hold, the first reason of each place."""
    for error in refusals(body, around.there):
        yield Claim("reference", error.field or "", error.sentence)
    yield from _starts(body, around.others)
    for at, step in enumerate(body.steps):
        yield from _of_step(body, step, f"steps.{at}", around)


def _of_step(body: Body, step: Step, place: str, around: Surroundings) -> Iterator[Claim]:
    match step:
        case Branch():
            for number, case in enumerate(step.cases):
                yield from _of_case(body, step, case, f"{place}.cases.{number}", around.there)
        case Ask():
            yield from _titles(step.choices, f"{place}.choices")
            yield from _stored(step, place, around.there)
        case Say():
            yield from _titles(step.quick_replies, f"{place}.quick_replies")
        case Show():
            buttons = [card.button for card in step.cards if card.button and not card.url]
            yield from _titles(buttons, f"{place}.cards", several=True)
        case Call(url=url) if url == PROGRAM:
            yield Claim("reference", f"{place}.url", _l("Enter the URL of your program."))
        case Act(action=RunMacro(macro)) if macro in around.there.broken_macros:
            sentence = _l("The macro refers to something that was deleted, so it does nothing.")
            yield Claim("reference", f"{place}.action", sentence)
        case Act(action=SetAttribute(id_, value)) if value and "{{" not in value:
            attribute = around.there.details.get(id_)
            if attribute is not None and not _stores(attribute, value):
                yield Claim("value", f"{place}.action.value", _lost(attribute, value))


# ---- branches ------------------------------------------------------------------------------------------


def _of_case(body: Body, step: Branch, case: Case, place: str, there: Targets) -> Iterator[Claim]:
    if case.variable:
        yield from _answer(body, step, case, place)
    for at, condition in enumerate(case.conditions):
        for one in leaves([condition]):
            why = _elsewhere(one) or impossible(one, there)
            if why is not None:
                yield Claim("value", f"{place}.conditions.{at}", why)
                break


def _answer(body: Body, step: Branch, case: Case, place: str) -> Iterator[Claim]:
    name = case.variable
    keeping = [one for one in body.steps if name in _kept(one)]
    before = [one for one in keeping if _leads(body, one, step)]
    if not keeping:
        yield Claim("answer", f"{place}.variable", _l("No step asks for the answer “%(name)s”.", name=name))
    elif not before:
        sentence = _l("The answer “%(name)s” is asked for only after this step.", name=name)
        yield Claim("answer", f"{place}.variable", sentence)
    elif case.value and not any(_can_be(one, case.value) for one in before):
        yield Claim("value", f"{place}.value", _never(before[0], case))


def _kept(step: Step) -> Sequence[str]:
    if isinstance(step, Ask):
        return [step.variable] if step.variable else []
    return [one.variable for one in step.keeps] if isinstance(step, Call) else []


def _leads(body: Body, step: Step, wanted: Step) -> bool:
    """Return whether a path leads from *step*, once it was answered, to another one."""
    waiting, seen = [body.following(step)], set()
    while waiting:
        id_ = waiting.pop()
        if id_ == wanted.id:
            return True
        there = body.step(id_)
        if there is not None and id_ not in seen:
            seen.add(id_)
            waiting += [to for _kind, to in ways_out(body, there) if to]
    return False


def _can_be(step: Step, value: str) -> bool:
    """Return whether the answer that a step keeps can be *value*."""
    if not isinstance(step, Ask):
        return True  # a program answers anything
    found = fitting(step, value, None, None)
    return found is not None and folded(found).strip() == folded(value).strip()


def _never(step: Step, case: Case) -> LazyString:
    values = {"name": case.variable, "value": case.value}
    match step.kind if isinstance(step, Ask) else "":
        case "choice":
            return _l("“%(value)s” is not one of the choices of the answer “%(name)s”.", **values)
        case "number":
            digits = step.digits if isinstance(step, Ask) else 0
            if digits and case.value.isdigit():
                return _l(
                    "The answer “%(name)s” has %(digits)s digits, so it is never “%(value)s”.",
                    digits=digits,
                    **values,
                )
            return _l("The answer “%(name)s” is kept as digits, so it is never “%(value)s”.", **values)
        case "date":
            return _l(
                "The answer “%(name)s” is a date such as 2026-11-20, so it is never “%(value)s”.", **values
            )
        case "email":
            return _l("The answer “%(name)s” is an email address, so it is never “%(value)s”.", **values)
        case "phone":
            return _l(
                "The answer “%(name)s” is a phone number, kept without spaces, so it is never “%(value)s”.",
                **values,
            )
    return _l("The answer “%(name)s” is never “%(value)s”.", **values)


def _elsewhere(condition: Condition) -> LazyString | None:
    """Return why a condition never holds in a step, which follows a customer's direct message."""
    if isinstance(condition, OnPost):
        return _l("Sequences don't run below posts, so this condition never holds.")
    if isinstance(condition, Concerns) or (
        isinstance(condition, ActorCondition) and condition.actor != "customer"
    ):
        return _l("A step follows a customer’s message, so this condition never holds.")
    return None


# ---- what is stored ------------------------------------------------------------------------------------


def _stored(step: Ask, place: str, there: Targets) -> Iterator[Claim]:
    """Yield that answers of a question can't be stored in its attribute."""
    attribute = there.details.get(step.attribute)
    if attribute is None:
        return
    if step.kind == "choice":
        lost = [one for one in step.choices if not _stores(attribute, one)]
        if lost:
            yield Claim("value", f"{place}.attribute", _lost(attribute, lost[0]))
    elif step.kind in _SAMPLES and not any(_stores(attribute, one) for one in _likely(step, attribute)):
        sentence = _l("The attribute %(name)s can’t store this kind of answer.", name=attribute.name)
        yield Claim("value", f"{place}.attribute", sentence)


def _likely(step: Ask, attribute: ContactAttribute) -> list[str]:
    """Return answers of a kind: a usual one, and those that the attribute has as options."""
    options = attribute.choices or () if attribute.kind == AttributeKind.CHOICE else ()
    return [_SAMPLES[step.kind], *(one for one in options if _can_be(step, one))]


def _lost(attribute: ContactAttribute, value: str) -> LazyString:
    return _l("The attribute %(name)s can’t store “%(value)s”.", name=attribute.name, value=value)


def _stores(attribute: ContactAttribute, value: str) -> bool:
    try:
        attributes.checked_value(attribute, value)
    except ContactFieldError:
        return False
    return True


# ---- starts and buttons --------------------------------------------------------------------------------


def _starts(body: Body, others: Sequence[OtherSequence]) -> Iterator[Claim]:
    for name in _STARTS:
        seen: set[str] = set()
        for at, word in enumerate(getattr(body.starts, name)):
            place, key = f"starts.{name}.{at}", _key(name, word)
            if name != "refs" and (sentence := _opts_out(word)) is not None:
                yield Claim("start", place, sentence)
            elif key in seen:
                yield Claim("start", place, _l("The start “%(word)s” is listed twice.", word=word))
            elif (other := _other_with(body, name, key, others)) is not None:
                sentence = _l(
                    "“%(word)s” also starts the sequence %(name)s on the same account.",
                    word=word,
                    name=other.name,
                )
                yield Claim("start", place, sentence)
            seen.add(key)
    for at, word in enumerate(body.people):
        if (sentence := _opts_out(word)) is not None:
            yield Claim("start", f"people.{at}", sentence)


def _key(name: str, word: str) -> str:
    """Return what makes two starts the same, as messages are compared with them."""
    return word if name == "refs" else " ".join(folded(word).split())


def _other_with(body: Body, name: str, key: str, others: Sequence[OtherSequence]) -> OtherSequence | None:
    for other in others:
        apart = body.accounts and other.accounts and not {*body.accounts} & {*other.accounts}
        if not apart and key in {_key(name, one) for one in getattr(other.starts, name)}:
            return other
    return None


def _opts_out(word: str) -> LazyString | None:
    found = word_in(word)
    if found is None or not found.closes:
        return None
    return _l("“%(word)s” is an opt-out word: customers who send it get no automated messages.", word=word)


def _titles(titles: Sequence[str], place: str, *, several: bool = False) -> Iterator[Claim]:
    """Yield the buttons that can't do what they say: what they are called is sent when they are tapped.

    :param several: whether buttons may have the same title.
    """
    seen: set[str] = set()
    for title in titles:
        key = _key("choices", title)
        if (sentence := _opts_out(title)) is not None:
            yield Claim("choice", place, sentence)
            return
        if key in seen and not several:
            yield Claim("choice", place, _l("The choice “%(word)s” is listed twice.", word=title))
            return
        seen.add(key)
