"""What would happen if somebody wrote: the decision itself, asked with what was chosen. Nothing is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import pgettext

from host.automation import texts
from host.automation.deciding import Arrival, Person, Sent, Settings, Talk, decide, route
from host.automation.words import said
from host.inbox.variables import Part, VariableError
from host.users.hours import Hours

NEW, SILENT = "new", "silent"
KNOWN = "known"
"""With the id of a member behind it: who wrote with them last."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who writes what, and when.

    :param last_id: of somebody known: the id of who wrote with them last; None: nobody did.
    """

    who: str
    sent: Sent
    at: datetime
    last_id: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A step as the page shows it.

    :param tone: ``no``, ``good`` or ``bot``.
    :param words: the text that goes out, part by part; empty: none does.
    """

    icon: str
    tone: str
    bold: str
    sentence: str
    words: Sequence[Part] = ()


def talk(its: Settings, question: Question, theirs: Hours) -> Talk:
    """Return the talk that *question* is about."""
    ages = {SILENT: timedelta(days=its.silence_days + 1), KNOWN: timedelta(days=1)}
    age = ages.get(question.who)
    before = None if age is None else question.at - age
    is_open = theirs.is_open(question.at)
    return Talk(
        now=question.at,
        wrote_at=question.at,
        sent=question.sent,
        wrote_before=before,
        said_before=before,
        person_at=before,
        is_open=is_open,
        opens_at=None if is_open else theirs.opens_at(question.at),
    )


def steps(
    its: Settings,
    question: Question,
    theirs: Hours,
    people: Sequence[Person],
    team: str,
    values: Mapping[str, str],
    opens: str,
) -> list[Shown]:
    """Return, step by step, what happens, what does not, and why.

    :param team: the name of the team; empty: there is none.
    :param values: what each variable stands for.
    :param opens: when somebody is there again, in words.
    """
    about = talk(its, question, theirs)
    words = decide(its, about)
    shown = []
    for step in words.steps:
        if step.what == "hours":
            shown.append(_hours(step.yes, step.reason, opens))
        else:
            text = its.greeting if step.what == "greeting" else its.away
            shown.append(_words(step.what, step.yes, said(step.reason), text, values))
    arrival = Arrival(team_id=its.team_id, last_id=question.last_id, is_open=about.is_open, people=people)
    choice = route(its, arrival)
    why = said(choice.reason)
    why = why[:1].upper() + why[1:]  # in a thread it stands behind a colon
    if choice.person is not None and choice.team_id is not None:
        bold = _("Team %(team)s, then %(who)s", team=team, who=choice.person.name)
        shown.append(Shown("users", "good", bold, why))
    elif choice.person is not None:
        shown.append(Shown("user", "good", choice.person.name, why))
    elif choice.team_id is not None:
        shown.append(Shown("users", "good", _("Team %(team)s", team=team), why))
    else:
        shown.append(Shown("dash", "no", _("Nobody gets it"), why))
    return shown


def _hours(is_open: bool, reason: str, opens: str) -> Shown:
    if is_open:
        return Shown("clock", "good", pgettext("business hours", "Open"), said(reason))
    bold = _("Closed until %(when)s", when=opens) if opens else _("Closed")
    return Shown("clock", "no", bold, said(reason))


def _words(what: str, yes: bool, why: str, text: str, values: Mapping[str, str]) -> Shown:
    names = {"greeting": (_("Greeting"), _("No greeting")), "away": (_("Away message"), _("No away message"))}
    bold, none = names[what]
    if not yes:
        return Shown("dash", "no", none, why)
    try:
        parts = texts.parts(text, values)
    except VariableError:
        parts = [Part(text, "words")]
    return Shown("send", "bot", bold, why, parts)
