"""Descriptions of rules, conditions, results and actions in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_babel.speaklater import LazyString

from host.automation.actions import AddonDoes
from host.automation.condition_words import both, condition, listed, named
from host.events.kinds.conversations import CONVERSATION_FORWARDED
from host.events.kinds.messages import MESSAGE_EDITED, MESSAGE_REACTED, MESSAGE_UNSENT
from host.rules.body import (
    EVENTS,
    UNANSWERED,
    Action,
    Body,
    Call,
    GiveOut,
    NotifyPeople,
    ReplyPrivately,
    ReplyPublicly,
    RuleTargets,
    Say,
    StartSequence,
)
from host.rules.models import RuleState
from host.sdk.messages import MessageKind
from host.web.languages import gettext as _

STATES: Mapping[RuleState, LazyString] = {
    RuleState.DRAFT: _l("Draft"),
    RuleState.SHADOW: _l("Shadow"),
    RuleState.LIVE: _l("Live"),
    RuleState.OFF: _l("Off"),
}
STATES_SAY: Mapping[RuleState, LazyString] = {
    RuleState.DRAFT: _l("Draft: the rule doesn't run yet."),
    RuleState.SHADOW: _l("Shadow: the rule logs what it would do, but does nothing."),
    RuleState.LIVE: _l("Live: the rule runs."),
    RuleState.OFF: _l("Off: the rule no longer runs."),
}


# ---- conditions ----------------------------------------------------------------------------------------


# ---- actions -------------------------------------------------------------------------------------------


def action(one: Action, there: RuleTargets) -> str:
    """Describe an action in a few words."""
    match one:
        case Say():
            return _("Send a message")
        case ReplyPublicly():
            return _("Answer publicly")
        case ReplyPrivately():
            if not one.quick_replies:
                return _("Reply privately")
            return _("Reply privately, with the answers %(answers)s", answers=listed(one.quick_replies))
        case GiveOut():
            name = named(there.targets.teams, one.team)
            return _("Assign to anyone on duty in %(name)s", name=name)
        case NotifyPeople():
            if one.team:
                return _("Notify team %(name)s", name=named(there.targets.teams, one.team))
            return _("Notify %(name)s", name=named(there.targets.people, one.person))
        case Call():
            return _("Send to %(address)s", address=named(there.endpoints, one.endpoint))
        case StartSequence():
            return _("Start the sequence %(name)s", name=named(there.sequences, one.sequence))
        case AddonDoes():
            brought = there.actions.get(one.name)
            return _("An action of an addon that is not active") if brought is None else _(brought.title)
        case _:
            return there.targets.describe(one)


def events(there: RuleTargets, chosen: str) -> Mapping[str, LazyString]:
    """Return the triggers that can happen on the workspace's channels, and the *chosen* one."""
    able, left_out = there.abilities, set[str]()
    for trigger, kind in _EVENT_OF_KIND.items():
        if kind not in able.kinds:
            left_out.add(trigger)
    if not able.forwards:
        left_out.add(CONVERSATION_FORWARDED)
    return {key: words for key, words in EVENTS.items() if key == chosen or key not in left_out}


_EVENT_OF_KIND = {
    MESSAGE_REACTED: MessageKind.REACTION,
    MESSAGE_EDITED: MessageKind.EDIT,
    MESSAGE_UNSENT: MessageKind.UNSEND,
}


def event(body: Body) -> str:
    """Describe the trigger of a rule."""
    if body.when != UNANSWERED:
        return str(EVENTS.get(body.when, body.when))
    number, unit = wait_of(body)
    if unit == "minutes":
        said = ngettext("nobody answers for %(num)s minute", "nobody answers for %(num)s minutes", number)
    elif unit == "hours":
        said = ngettext("nobody answers for %(num)s hour", "nobody answers for %(num)s hours", number)
    else:
        said = ngettext("nobody answers for %(num)s day", "nobody answers for %(num)s days", number)
    return _("%(what)s, in business hours", what=said) if body.working else str(said)


UNITS: Mapping[str, timedelta] = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
"""Units in which the form takes a wait."""
UNIT_NAMES: Mapping[str, LazyString] = {"minutes": _l("minutes"), "hours": _l("hours"), "days": _l("days")}


def wait_of(body: Body) -> tuple[int, str]:
    """Return the wait of *body* as a number of the largest unit of :data:`UNITS` that divides it.

    Business hours are never given in days: a day of them is 24 hours, which reads like one day of work.
    """
    for unit in ("days", "hours"):
        if not body.wait % UNITS[unit] and not (body.working and unit == "days"):
            return body.wait // UNITS[unit], unit
    return body.wait // UNITS["minutes"], "minutes"


def sentence(body: Body, there: RuleTargets) -> str:
    """Describe a rule on one line: when, if, then."""
    when = event(body)
    then = ", ".join(action(one, there) for one in body.actions)
    if not body.conditions:
        return _("When %(when)s: %(then)s", when=when, then=then)
    ifs = both(condition(one, there) for one in body.conditions)
    return _("When %(when)s, if %(ifs)s: %(then)s", when=when, ifs=ifs, then=then)
