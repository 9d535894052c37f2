"""Conditions, and the values they saw, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from flask_babel import format_date, lazy_pgettext
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.condition_checks import ConditionTargets
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
from host.core.ids import read_id
from host.sdk.messages import MessageKind
from host.web import message_kinds
from host.web.languages import gettext as _

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
MOST_WORDS_SHOWN = 3


def search_words(there: ConditionTargets) -> Mapping[str, str]:
    """Return the entries of :data:`SEARCH_WORDS` for what the workspace's channels can do."""
    able, left_out = there.abilities, set[str]()
    if not able.comments:
        left_out |= {"post", "caption"}
    if MessageKind.STORY_MENTION not in able.kinds:
        left_out.add(f"sent:{MessageKind.STORY_MENTION}")
    return {key: str(words) for key, words in SEARCH_WORDS.items() if key not in left_out}


def named(names: Mapping[int, str], id_: object) -> str:
    found = names.get(id_) if isinstance(id_, int) else None
    return found or _("a deleted item")


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


def condition(one: Condition, there: ConditionTargets) -> str:
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
            return _("the customer sent: %(what)s", what=either(_sent(each, there) for each in one.kinds))
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


def _sent(key: str, there: ConditionTargets) -> str:
    if key == MessageKind.REFERRAL and not there.abilities.ads:
        return _("Came through a link")
    return kind(key)


def _field(name: str, value: Any, there: ConditionTargets) -> str:
    plain = FILTERS.get((name, value)) if isinstance(value, str | bool) else None
    if plain is not None:
        return str(plain)
    match name:
        case "labels" | "all_labels" | "no_labels":
            names = [named(there.targets.labels, id_) for id_ in value]
            if name == "labels":
                return _("the label is %(name)s", name=either(names))
            if name == "all_labels":
                return _("the labels are %(names)s", names=", ".join(names))
            return _("the label is not %(name)s", name=either(names))
        case "assignee":
            if value == "nobody":
                return _("it's unassigned")
            return _("it's assigned to %(name)s", name=named(there.targets.people, value))
        case "team":
            if value == "none":
                return _("it has no team")
            return _("its team is %(name)s", name=named(there.targets.teams, value))
        case "account_id":
            return _("the account is %(name)s", name=named(there.accounts, value))
        case "post":
            return _("it's a comment on the post “%(name)s”", name=named(there.posts, value))
        case "channel":
            return _("the channel is %(name)s", name=there.channels.get(value, value))
    return _("%(field)s is %(value)s", field=name, value=value)


def _contact(one: Contact, there: ConditionTargets) -> str:
    name = named(there.attributes, one.attribute)
    if not one.value:
        return _("%(name)s is unknown", name=name) if one.negated else _("%(name)s is known", name=name)
    if one.negated:
        return _("%(name)s is not %(value)s", name=name, value=one.value)
    return _("%(name)s is %(value)s", name=name, value=one.value)


def _concerns(one: Concerns, there: ConditionTargets) -> str:
    if one.label:
        return _("it is about the label %(name)s", name=named(there.targets.labels, one.label))
    if one.team:
        return _("it is about the team %(name)s", name=named(there.targets.teams, one.team))
    return _("it is about %(name)s", name=named(there.targets.people, one.person))


def _on_post(one: OnPost, there: ConditionTargets) -> str:
    if not one.words:
        return _("it's a comment on a post")
    return _("it's a comment on a post with %(words)s in its caption", words=either(one.words))


def _of_addon(one: OfAddon, there: ConditionTargets) -> str:
    brought = there.conditions.get(one.name)
    if brought is None:
        return _("a condition of an addon that is not active")
    words = dict(brought.choices).get(one.value, "")
    return f"{_(brought.title)}: {_(words)}" if words else _(brought.title)


_SAID_BY: Mapping[type[Any], Callable[[Any, ConditionTargets], str]] = {
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


def saw(one: Condition | None, asked: ConditionResult, there: ConditionTargets) -> str:
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
        return _sent(value, there) if value else _("no message")
    if isinstance(one, FilterCondition) and not value:
        return _("none of them") if _LABELS.intersection(one.filter) else ""
    return ", ".join(_saw_one(one, each, there) for each in value.split(", "))


_LABELS = frozenset({"labels", "all_labels", "no_labels"})


def _saw_one(one: One | None, value: str, there: ConditionTargets) -> str:
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
    number = read_id(id_)
    if what in names and number is not None:
        return named(names[what], number) if number else str(_NOBODY.get(what, ""))
    try:
        return str(format_date(date.fromisoformat(value), "MMM y"))
    except ValueError:
        return value
