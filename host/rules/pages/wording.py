"""Descriptions of rules, conditions, results and actions in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from flask_babel import format_date, lazy_pgettext, ngettext
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.conditions import (
    ActorCondition,
    AnyOf,
    Concerns,
    Condition,
    ConditionResult,
    Contact,
    FilterCondition,
    OfAddon,
    One,
    OnPost,
    Open,
    Pattern,
    Sent,
    Window,
    Words,
    WroteBefore,
)
from host.rules.body import (
    EVENTS,
    UNANSWERED,
    Action,
    AddonDoes,
    Body,
    Call,
    GiveOut,
    NotifyPeople,
    ReplyPrivately,
    ReplyPublicly,
    RuleTargets,
    Say,
)
from host.rules.models import RuleState
from host.web import message_kinds
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
FILTERS: Mapping[tuple[str, Any], LazyString] = {
    ("status", "open"): _l("the conversation is open"),
    ("status", "closed"): _l("the conversation is closed"),
    ("snoozed", True): _l("the conversation is snoozed"),
    ("snoozed", False): _l("the conversation is not snoozed"),
    ("spam", True): _l("the conversation is spam"),
    ("handled_by", "nobody"): _l("nobody has answered yet"),
    ("handled_by", "person"): _l("a person answers"),
    ("handled_by", "automation"): _l("a program answers"),
    ("needs_reply", True): _l("the customer is waiting for a reply"),
    ("needs_reply", False): _l("the customer is not waiting for a reply"),
    ("late", True): _l("the customer has waited too long"),
    ("late", False): _l("the customer has not waited too long"),
    ("failed", True): _l("a message to the customer failed"),
    ("failed", False): _l("every message to the customer was sent"),
    ("scheduled", True): _l("a reply is scheduled"),
    ("scheduled", False): _l("no reply is scheduled"),
}
"""Descriptions of filter fields with their value."""
WINDOWS: Mapping[str, LazyString] = {
    "programs": _l("programs can still reply"),
    "people": _l("only people can still reply"),
    "closed": _l("nobody can reply anymore"),
}
ACTORS: Mapping[str, LazyString] = {
    "customer": _l("a customer triggered it"),
    "user": _l("someone on the team triggered it"),
    "key": _l("a program with an API key triggered it"),
    "system": _l("Lobby triggered it automatically"),
}
HEADS: Mapping[type[Any], LazyString] = {
    Words: _l("Text"),
    Pattern: _l("Text"),
    Sent: _l("Sent"),
    Open: _l("Hours"),
    Window: _l("Reply window"),
    WroteBefore: _l("Before"),
    Contact: _l("Contact"),
    Concerns: _l("About"),
    ActorCondition: _l("Triggered by"),
    OnPost: _l("Post"),
    OfAddon: _l("Addon"),
    AnyOf: _l("Any of"),
}
"""Column headings of conditions."""
FILTER_HEADS: Mapping[str, LazyString] = {
    "labels": _l("Label"),
    "all_labels": _l("Label"),
    "no_labels": _l("Label"),
    "assignee": _l("Person"),
    "team": _l("Team"),
    "account_id": _l("Account"),
    "post": _l("Post"),
    "channel": _l("Channel"),
    "status": _l("Status"),
    "handled_by": _l("Answered by"),
    "needs_reply": lazy_pgettext("noun", "Reply"),
    "late": lazy_pgettext("noun", "Reply"),
}
_SEEN: Mapping[type[Any], Mapping[str, LazyString]] = {
    Words: {"": _l("none of them")},
    Pattern: {"": _l("checked"), "timeout": _l("took too long"), "unreadable": _l("invalid")},
    Open: {"open": _l("open"), "closed": _l("closed")},
    Window: {
        "programs": _l("open to programs"),
        "people": _l("people only"),
        "closed": _l("closed"),
        "": _l("not known"),
    },
    WroteBefore: {"": _l("first time")},
    Contact: {"same": _l("the same"), "other": _l("something else"), "none": _l("nothing")},
    ActorCondition: {
        "customer": _l("a customer"),
        "user": _l("the team"),
        "key": _l("a program"),
        "system": _l("Lobby"),
        "": _l("not known"),
    },
    OnPost: {"": _l("none of them"), "none": _l("no post")},
    OfAddon: {"missing": _l("not known here")},
    FilterCondition: {
        "open": _l("open"),
        "closed": _l("closed"),
        "nobody": _l("nobody yet"),
        "person": _l("a person"),
        "automation": _l("a program"),
    },
}
"""Labels for the values that conditions saw."""
_NOBODY: Mapping[str, LazyString] = {
    "label": _l("another label"),
    "person": _l("nobody"),
    "team": _l("no team"),
    "post": _l("no post"),
}
MOST_WORDS_SHOWN = 3


def _named(names: Mapping[int, str], id_: object) -> str:
    found = names.get(id_) if isinstance(id_, int) else None
    return found or _("a deleted item")


# ---- conditions ----------------------------------------------------------------------------------------


def listed(words: Sequence[str], most: int = MOST_WORDS_SHOWN) -> str:
    """Return the first of *words*, and the number of the others."""
    said = ", ".join(words[:most])
    more = len(words) - most
    return said if more <= 0 else f"{said} + {more}"


def either(words: Iterable[str]) -> str:
    """Join *words* with "or"."""
    word = _("or")
    return f" {word} ".join(words)


def both(words: Iterable[str]) -> str:
    """Join *words* with "and"."""
    word = _("and")
    return f" {word} ".join(words)


def condition(one: Condition, there: RuleTargets) -> str:
    """Describe a condition, as a clause that follows "if"."""
    match one:
        case AnyOf():
            return either(condition(each, there) for each in one.of)
        case Words():
            said = {
                "any": _("the text has %(words)s", words=listed(one.words)),
                "all": _("the text has all of: %(words)s", words=listed(one.words)),
                "none": _("the text has none of: %(words)s", words=listed(one.words)),
            }
            return said[one.has]
        case Pattern():
            return _("the text matches %(pattern)s", pattern=one.pattern)
        case Sent():
            return _("the customer sent: %(what)s", what=either(kind(each) for each in one.kinds))
        case FilterCondition():
            return both(_field(name, value, there) for name, value in one.filter.items())
        case Open():
            return _("it's within business hours") if one.open else _("it's outside business hours")
        case Window():
            return str(WINDOWS[one.to])
        case WroteBefore():
            return _("the customer wrote before") if one.yes else _("the customer never wrote before")
        case ActorCondition():
            return str(ACTORS[one.actor])
        case _:
            said_by = _SAID_BY[type(one)]
            return said_by(one, there)


def kind(key: str) -> str:
    """Return the name of a kind of message."""
    return str(message_kinds.look_of(key).label)


def _field(name: str, value: Any, there: RuleTargets) -> str:
    plain = FILTERS.get((name, value)) if isinstance(value, str | bool) else None
    if plain is not None:
        return str(plain)
    match name:
        case "labels" | "all_labels" | "no_labels":
            names = [_named(there.targets.labels, id_) for id_ in value]
            if name == "labels":
                return _("the label is %(name)s", name=either(names))
            if name == "all_labels":
                return _("the labels are %(names)s", names=", ".join(names))
            return _("the label is not %(name)s", name=either(names))
        case "assignee":
            if value == "nobody":
                return _("it's unassigned")
            return _("it's assigned to %(name)s", name=_named(there.targets.people, value))
        case "team":
            if value == "none":
                return _("it has no team")
            return _("its team is %(name)s", name=_named(there.targets.teams, value))
        case "account_id":
            return _("the account is %(name)s", name=_named(there.accounts, value))
        case "post":
            return _("it's a comment on the post “%(name)s”", name=_named(there.posts, value))
        case "channel":
            return _("the channel is %(name)s", name=value)
    return _("%(field)s is %(value)s", field=name, value=value)


def _contact(one: Contact, there: RuleTargets) -> str:
    name = _named(there.attributes, one.attribute)
    if not one.value:
        return _("%(name)s is unknown", name=name) if one.negated else _("%(name)s is known", name=name)
    if one.negated:
        return _("%(name)s is not %(value)s", name=name, value=one.value)
    return _("%(name)s is %(value)s", name=name, value=one.value)


def _concerns(one: Concerns, there: RuleTargets) -> str:
    if one.label:
        return _("it is about the label %(name)s", name=_named(there.targets.labels, one.label))
    if one.team:
        return _("it is about the team %(name)s", name=_named(there.targets.teams, one.team))
    return _("it is about %(name)s", name=_named(there.targets.people, one.person))


def _on_post(one: OnPost, there: RuleTargets) -> str:
    if not one.words:
        return _("it's a comment on a post")
    return _("it's a comment on a post with %(words)s in its caption", words=either(one.words))


def _of_addon(one: OfAddon, there: RuleTargets) -> str:
    brought = there.conditions.get(one.name)
    if brought is None:
        return _("a condition of an addon that is not active")
    words = dict(brought.choices).get(one.value, "")
    return f"{_(brought.title)}: {_(words)}" if words else _(brought.title)


_SAID_BY: Mapping[type[Any], Callable[[Any, RuleTargets], str]] = {
    Contact: _contact,
    Concerns: _concerns,
    OnPost: _on_post,
    OfAddon: _of_addon,
}


def head(one: Condition) -> str:
    """Return the column heading of a condition."""
    if isinstance(one, FilterCondition) and len(one.filter) == 1:
        return str(FILTER_HEADS.get(next(iter(one.filter)), _("Conversation")))
    return str(HEADS.get(type(one), _("Conversation")))


def saw(one: Condition | None, asked: ConditionResult, there: RuleTargets) -> str:
    """Describe the value a condition saw; for a group, the value of the condition that decided.

    :param one: None: the condition is unknown.
    """
    value = asked.saw
    if isinstance(one, AnyOf):
        which = asked.which
        mine = None if which is None or which >= len(one.of) else one.of[which]
        said = saw(mine, asked._replace(which=None), there)
        return said if mine is None or not said else f"{head(mine)}: {said}"
    if isinstance(one, Words | Contact) and value not in _SEEN[type(one)]:
        return value
    if isinstance(one, Sent):
        return kind(value) if value else _("no message")
    if isinstance(one, FilterCondition) and not value:
        return _("none of them") if _LABELS.intersection(one.filter) else ""
    return ", ".join(_saw_one(one, each, there) for each in value.split(", "))


_LABELS = frozenset({"labels", "all_labels", "no_labels"})


def _saw_one(one: One | None, value: str, there: RuleTargets) -> str:
    words = _SEEN.get(type(one), {}).get(value)
    if words is not None:
        return str(words)
    what, _colon, id_ = value.partition(":")
    names: Mapping[str, Mapping[int, str]] = {
        "label": there.targets.labels,
        "person": there.targets.people,
        "team": there.targets.teams,
        "account": there.accounts,
        "post": there.posts,
    }
    if what in names and id_.isascii() and id_.isdigit():
        return str(_NOBODY.get(what, "")) if id_ == "0" else _named(names[what], int(id_))
    try:
        return str(format_date(date.fromisoformat(value), "MMM y"))
    except ValueError:
        return value


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
            name = _named(there.targets.teams, one.team)
            return _("Assign to anyone on duty in %(name)s", name=name)
        case NotifyPeople():
            if one.team:
                return _("Notify team %(name)s", name=_named(there.targets.teams, one.team))
            return _("Notify %(name)s", name=_named(there.targets.people, one.person))
        case Call():
            return _("Send to %(address)s", address=_named(there.endpoints, one.endpoint))
        case AddonDoes():
            brought = there.actions.get(one.name)
            return _("An action of an addon that is not active") if brought is None else _(brought.title)
        case _:
            return there.targets.describe(one)


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
SEARCH_WORDS: Mapping[str, LazyString] = {
    "words": _l("contains, includes, keyword, says, mentions"),
    "pattern": _l("regex, regular expression, order number"),
    "sent": _l("message, attachment, type"),
    "sent:image": _l("picture, photo, screenshot"),
    "sent:audio": _l("voice, recording"),
    "sent:story_mention": _l("story, mention"),
    "before": _l("new customer, first message, returning, regular"),
    "contact": _l("attribute, field, customer, VIP"),
    "label": _l("tag, category"),
    "nolabel": _l("tag, category, without"),
    "team": _l("department, group, assigned, queue"),
    "person": _l("assigned, agent, owner, colleague"),
    "account": _l("channel, page, profile, inbox"),
    "post": _l("comment, reel"),
    "caption": _l("comment, reel, text"),
    "status": _l("state, open, closed, done"),
    "snoozed": _l("later, reminder"),
    "spam": _l("junk"),
    "handled": _l("bot, assistant, automation, human, answered"),
    "waits": _l("unanswered, unread, pending"),
    "late": _l("overdue, response target, SLA"),
    "failed": _l("error, not delivered"),
    "hours": _l("working hours, opening hours, open, closed, weekend, night"),
    "window": _l("24 hours, reply window, messaging window"),
    "by": _l("actor, who, author"),
    "about": _l("event, changed"),
    "say": _l("reply, answer, text, auto reply"),
    "reply": _l("canned reply, saved reply, answer"),
    "tell": _l("alert, inform, remind"),
    "note": _l("comment, internal"),
    "close": _l("resolve, done, archive"),
    "webhook": _l("program, API, send"),
}
"""Further words by which a condition or an action is found: by its value, or the part before the colon."""


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
