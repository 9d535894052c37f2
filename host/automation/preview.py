"""Preview of automation: run the decision on a hypothetical message, without acting on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from flask_babel import pgettext

from host.automation import texts
from host.automation.deciding import Arrival, ConversationFacts, Person, Sent, Settings, decide, route
from host.automation.words import said
from host.inbox.variables import FilledPart, VariableError
from host.web.languages import gettext as _
from host.working_hours.hours import Hours

NEW, SILENT = "new", "silent"
KNOWN = "known"
"""Prefix for a known customer, followed by the id of the member who last wrote with them."""


class Question(msgspec.Struct, frozen=True):
    """A hypothetical message: its customer, kind and time.

    :param last_id: for a known customer: the id of the member who last wrote with them; None: nobody.
    """

    who: str
    sent: Sent
    at: datetime
    last_id: int | None = None


class PreviewStep(msgspec.Struct, frozen=True):
    """A step as shown on the page.

    :param tone: ``no``, ``good`` or ``bot``.
    :param words: the text to send, part by part; empty: none.
    """

    icon: str
    tone: str
    bold: str
    sentence: str
    words: Sequence[FilledPart] = ()


def talk(its: Settings, question: Question, theirs: Hours) -> ConversationFacts:
    """Return the facts about the conversation of *question*."""
    ages = {SILENT: timedelta(days=its.silence_days + 1), KNOWN: timedelta(days=1)}
    age = ages.get(question.who)
    before = None if age is None else question.at - age
    is_open = theirs.is_open(question.at)
    return ConversationFacts(
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
) -> list[PreviewStep]:
    """Return the steps of the decision, with their results and reasons.

    :param team: the name of the team; empty: none.
    :param values: values of the variables.
    :param opens: when working hours begin again, in words.
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
    why = why[:1].upper() + why[1:]  # in a thread it follows a colon
    if choice.person is not None and choice.team_id is not None:
        bold = _("Team %(team)s, then %(who)s", team=team, who=choice.person.name)
        shown.append(PreviewStep("users", "good", bold, why))
    elif choice.person is not None:
        shown.append(PreviewStep("user", "good", choice.person.name, why))
    elif choice.team_id is not None:
        shown.append(PreviewStep("users", "good", _("Team %(team)s", team=team), why))
    else:
        shown.append(PreviewStep("dash", "no", _("Unassigned"), why))
    return shown


def _hours(is_open: bool, reason: str, opens: str) -> PreviewStep:
    if is_open:
        return PreviewStep("clock", "good", pgettext("business hours", "Open"), said(reason))
    bold = _("Closed until %(when)s", when=opens) if opens else _("Closed")
    return PreviewStep("clock", "no", bold, said(reason))


def _words(what: str, yes: bool, why: str, text: str, values: Mapping[str, str]) -> PreviewStep:
    names = {"greeting": (_("Greeting"), _("No greeting")), "away": (_("Away message"), _("No away message"))}
    bold, none = names[what]
    if not yes:
        return PreviewStep("dash", "no", none, why)
    try:
        parts = texts.parts(text, values)
    except VariableError:
        parts = [FilledPart(text, "words")]
    return PreviewStep("send", "bot", bold, why, parts)
