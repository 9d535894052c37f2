"""Sequences in words: steps, starts, states, and what was proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.actions import AddonDoes, RunMacro, SetAttribute
from host.automation.condition_words import condition
from host.automation.words import said
from host.channels.abilities import Abilities
from host.sequences.body import (
    Act,
    Ask,
    Body,
    Branch,
    Call,
    Case,
    End,
    GoTo,
    Hand,
    Say,
    Show,
    Starts,
    Step,
    Targets,
    Wait,
    ways_out,
)
from host.sequences.filters import RunFilter
from host.sequences.models import SequenceState, WaitsFor
from host.sequences.proofs import Proof
from host.web.languages import gettext as _
from host.web.languages import words as catalogue

STATES: Mapping[str, LazyString] = {
    SequenceState.DRAFT: _l("Draft"),
    SequenceState.LIVE: _l("Live"),
    SequenceState.OFF: _l("Off"),
}
KINDS: Mapping[str, tuple[str, LazyString]] = {
    "say": ("send", _l("Send a message")),
    "ask": ("q", _l("Ask a question")),
    "cards": ("image", _l("Send cards")),
    "wait": ("wait", _l("Wait")),
    "branch": ("split", _l("Branch")),
    "act": ("bolt", _l("Run an action")),
    "call": ("hook", _l("Call a webhook")),
    "people": ("users", _l("Hand to people")),
    "goto": ("right", _l("Go to a step")),
    "end": ("stop", _l("End")),
}
"""Kinds of steps: icon and name."""
ANSWERS: Mapping[str, LazyString] = {
    "text": _l("any text"),
    "choice": _l("one of the choices"),
    "number": _l("a number"),
    "email": _l("an email address"),
    "phone": _l("a phone number"),
    "date": _l("a date"),
}
UNTIL: Mapping[str, LazyString] = {
    "time": _l("for a time"),
    "written": _l("until the customer writes"),
    "working": _l("until business hours begin"),
}
UNITS: Mapping[str, LazyString] = {"minutes": _l("minutes"), "hours": _l("hours"), "days": _l("days")}
CARD_FIELDS = (
    ("title", _l("Title"), "text"),
    ("text", _l("Text"), "text"),
    ("picture", _l("Link to a picture"), "url"),
    ("button", _l("Button"), "text"),
    ("url", _l("Link the button opens"), "url"),
)
"""Fields of a card: name, label and input mode."""
WAITS: Mapping[str, LazyString] = {
    WaitsFor.NOTHING: _l("goes on in a moment"),
    WaitsFor.ANSWER: _l("waits for an answer"),
    WaitsFor.MESSAGE: _l("waits for a message"),
    WaitsFor.TIME: _l("waits for a time"),
    WaitsFor.CALL: _l("waits for a webhook"),
    WaitsFor.PERSON: _l("paused while a person writes"),
}
STARTED_BY: Mapping[str, LazyString] = {
    "words": _l("their words"),
    "tap": _l("a tap"),
    "ref": _l("a link or an ad"),
    "first": _l("a first message"),
    "story": _l("an answer to a story"),
    "rule": _l("a rule"),
    "campaign": _l("a campaign"),
    "api": _l("a program"),
}
ENDS: Mapping[str, LazyString] = {
    "done": _l("Reached an end"),
    "people": _l("Handed to people as planned"),
    "stopped": _l("Stopped"),
    "failed": _l("Failed"),
    "asked": _l("Asked for a person"),
    "ended_by_team": _l("Ended by your team"),
    "no_answer": _l("No answer came"),
    "no_fit": _l("No answer that fits"),
    "person": _l("A person wrote to them"),
    "closed_by_team": _l("Someone closed the conversation"),
    "step_gone": _l("The step was deleted"),
    "too_long": _l("Too many steps in a row"),
    "unreadable": _l("Created by a newer version of Lobby"),
}
"""How runs ended. Other reasons are those of all automation."""
CHECKS: Mapping[str, LazyString] = {
    "end": _l("Every path ends"),
    "loop": _l("No loop without the customer"),
    "unreachable": _l("Every step can be reached"),
    "window": _l("Every message is inside the reply window"),
    "row": _l("Messages in a row stay within the limit"),
    "buttons": _l("Answers to choose fit the channel"),
    "text": _l("Texts fit the channel"),
    "cards": _l("Cards fit the channel"),
    "reference": _l("Everything it refers to is there"),
    "answer": _l("Branches look at answers that are asked for"),
    "value": _l("Every value that is compared or stored is possible"),
    "start": _l("Every start works"),
    "choice": _l("Choices differ, and none opts out"),
}
"""Checks of the proof, by the code of their problem."""
_NEEDS_REACH = frozenset({"unreachable", "window", "row"})
"""Checks that are only done if there is no loop."""
LONGEST = 70
"""Most characters of a text in the words of a step."""


class Check(NamedTuple):
    """A line of the list of what was proved.

    :ivar holds: None: it was not checked, because of a loop.
    """

    words: str
    holds: bool | None


def kind_of(step: Step) -> str:
    """Return the kind of a step, as ``do`` has it in JSON."""
    return str(step.__struct_config__.tag)


def numbers(body: Body) -> dict[str, int]:
    """Return the number of each step in the list, from 1."""
    return {step.id: at for at, step in enumerate(body.steps, 1)}


def short(text: str) -> str:
    """Return the start of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def end(key: str) -> str:
    """Return how a run ended in words, see :func:`host.sequences.filters.end_of`."""
    return str(ENDS[key]) if key in ENDS else said(key)


def filters(wanted: RunFilter, steps: Mapping[str, str]) -> Iterator[str]:
    """Yield in words what a list of runs is filtered by, besides that they go on.

    :param steps: the words of steps, by id.
    """
    if wanted.version is not None:
        yield _("Version %(number)s", number=wanted.version)
    if wanted.started_by:
        by = STARTED_BY.get(wanted.started_by, wanted.started_by)
        yield _("started by %(what)s", what=by)
    if wanted.reached:
        yield _("reached step %(step)s", step=steps.get(wanted.reached, wanted.reached))
    if wanted.step:
        yield _("at step %(step)s", step=steps.get(wanted.step, wanted.step))
    if wanted.active is not True and not wanted.ended:
        yield _("in it or ended") if wanted.active is None else _("ended")
    if wanted.ended:
        yield end(wanted.ended)


def ngettext(one: str, many: str, num: int) -> str:
    """Return the words for a number, which is filled in as ``num``."""
    text: str = catalogue().ungettext(one, many, num)
    return text % {"num": num}


def duration(minutes: int, hours: int) -> str:
    """Return a time in words, such as *2 days*."""
    whole = hours * 60 + minutes
    if whole and whole % 1440 == 0:
        return ngettext("%(num)s day", "%(num)s days", whole // 1440)
    if whole and whole % 60 == 0:
        return ngettext("%(num)s hour", "%(num)s hours", whole // 60)
    return ngettext("%(num)s minute", "%(num)s minutes", whole)


def step(one: Step, body: Body, said: Targets) -> str:
    """Return a step in a short sentence."""
    match one:
        case Say():
            return _("Say: %(text)s", text=short(one.text))
        case Ask():
            return _("Ask: %(text)s", text=short(one.text))
        case Show():
            return _("Cards: %(titles)s", titles=short(", ".join(card.title for card in one.cards)))
        case Wait():
            return _wait(one)
        case Branch():
            return ngettext("Branch: %(num)s case", "Branch: %(num)s cases", len(one.cases))
        case Act():
            return _("Do: %(action)s", action=action(one.action, said))
        case Call():
            return _("Call: %(host)s", host=urlsplit(one.url).hostname or one.url)
        case Hand():
            if not one.team:
                return _("Hand to people")
            name = said.targets.teams.get(one.team, _("a deleted team"))
            return _("Hand to people: %(team)s", team=name)
        case GoTo():
            return _("Go to step %(number)s", number=numbers(body).get(one.then, "?"))
        case End():
            return _("End, and close the conversation") if one.close else _("End")


def action(one: Any, said: Targets) -> str:
    """Return an action in words."""
    if isinstance(one, SetAttribute):
        name = said.attributes.get(one.attribute, _("a deleted attribute"))
        if not one.value:
            return _("Clear %(name)s", name=name)
        return _("Set %(name)s to %(value)s", name=name, value=short(one.value))
    if isinstance(one, RunMacro):
        name = said.macros.get(one.macro, "")
        return _("Run the macro %(name)s", name=name) if name else _("Run a deleted macro")
    if isinstance(one, AddonDoes):
        brought = said.actions.get(one.name)
        return _("An action of an addon that is not active") if brought is None else _(brought.title)
    return said.targets.describe(one)


def _wait(one: Wait) -> str:
    time = duration(one.minutes, one.hours) if one.length else ""
    if one.until == "time":
        return _("Wait %(time)s", time=time)
    if one.until == "written":
        if not time:
            return _("Wait until they write")
        return _("Wait until they write, at most %(time)s", time=time)
    if not time:
        return _("Wait until business hours begin")
    return _("Wait until business hours begin, at most %(time)s", time=time)


def details(one: Step, body: Body, said: Targets) -> list[str]:
    """Return what else is worth saying about a step: the answer it keeps, its cases, and its ways out."""
    lines: list[str] = []
    place = numbers(body)
    if isinstance(one, Ask):
        lines.append(_answer(one))
    if isinstance(one, Call) and one.keeps:
        kept = ", ".join(f"{each.field} → {each.variable}" for each in one.keeps)
        lines.append(_("keeps %(fields)s", fields=kept))
    if isinstance(one, Say) and one.quick_replies:
        lines.append(", ".join(one.quick_replies))
    if isinstance(one, Branch):
        lines += [
            _("If %(case)s: step %(number)s", case=case(each, said), number=place.get(each.to, "?"))
            for each in one.cases
        ]
    for kind, to in ways_out(body, one):
        number = place.get(to, 0)
        if kind == "then" and isinstance(one, Branch) and number:
            lines.append(_("Otherwise: step %(number)s", number=number))
        elif kind == "then" and one.then and not isinstance(one, GoTo | Branch):
            lines.append(_("then step %(number)s", number=number))
        elif kind == "other":
            lines.append(_("If the answer doesn’t fit: step %(number)s", number=number))
        elif kind == "failed":
            lines.append(_("If it fails: step %(number)s", number=number))
        elif kind == "silent":
            lines.append(_("If nothing comes: step %(number)s", number=number))
        elif kind == "closed":
            lines.append(_("If the reply window is closed: step %(number)s", number=number))
    return lines


def _answer(one: Ask) -> str:
    parts = [", ".join(one.choices) if one.kind == "choice" else str(ANSWERS[one.kind])]
    if one.digits:
        parts.append(ngettext("%(num)s digit", "%(num)s digits", one.digits))
    if one.variable:
        parts.append(_("kept as %(name)s", name=one.variable))
    if one.hours:
        parts.append(_("waits at most %(time)s", time=duration(0, one.hours)))
    return " · ".join(parts)


def case(one: Case, said: Targets) -> str:
    """Return what has to hold for a case of a branch."""
    parts = []
    if one.variable and one.value:
        parts.append(_("%(answer)s is “%(value)s”", answer=one.variable, value=one.value))
    elif one.variable:
        parts.append(_("%(answer)s was answered", answer=one.variable))
    parts += [condition(each, said) for each in one.conditions]
    return _(" and ").join(parts)


def starts(given: Starts) -> str:
    """Return what starts a sequence, in a sentence."""
    parts = list(_starts(given))
    return (
        _("Starts when %(parts)s", parts=_(" or ").join(parts))
        if parts
        else _("Only a campaign can start it")
    )


def _starts(given: Starts) -> Iterator[str]:
    if given.words:
        yield _("someone writes %(words)s", words=_quoted(given.words))
    if given.taps:
        yield _("someone taps %(titles)s", titles=_quoted(given.taps))
    if given.refs:
        yield _("someone comes by the link %(refs)s", refs=_quoted(given.refs))
    if given.first:
        yield _("a new customer writes")
    if given.story_replies:
        yield _("someone answers a story")
    if given.programs:
        yield _("a program or a rule starts it")


def tappable(able: Abilities) -> LazyString:
    """Return what the titles are that start a sequence when they are tapped."""
    if able.ice_breakers:
        return _l("Titles of ice breakers, menu items and buttons, one per line.")
    if able.menu:
        return _l("Titles of menu items and buttons, one per line.")
    return _l("Titles of buttons, one per line.")


def _quoted(words: tuple[str, ...]) -> str:
    shown = [_("“%(word)s”", word=word) for word in words[:3]]
    return ", ".join([*shown, "…"] if len(words) > len(shown) else shown)


def checks(proof: Proof) -> list[Check]:
    """Return what was proved, and what was not."""
    wrong = {one.code for one in proof.problems}
    return [
        Check(str(words), None if "loop" in wrong and code in _NEEDS_REACH else code not in wrong)
        for code, words in CHECKS.items()
    ]


def version(state: str, newest: int, live: int | None, people: int) -> str:
    """Return which version there is, and how many customers are in it.

    The state stands beside it; which version is live is said only where the newest one is not.
    """
    inside = ngettext("%(num)s customer in it", "%(num)s customers in it", people)
    if live is None or (not people and (state == SequenceState.OFF or live == newest)):
        return _("Version %(number)s", number=newest)
    if state == SequenceState.OFF or live == newest:
        return _("Version %(number)s with %(inside)s", number=newest, inside=inside)
    return _(
        "Version %(number)s, draft; version %(live)s is live with %(inside)s",
        number=newest,
        live=live,
        inside=inside,
    )
