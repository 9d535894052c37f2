"""Validate conditions when they are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import regex
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString

from host.automation import conditions
from host.automation.actions import ActionTargets
from host.automation.conditions import (
    AnyOf,
    Concerns,
    Condition,
    Contact,
    FilterCondition,
    OfAddon,
    One,
    OnPost,
    Pattern,
    Sent,
    Words,
)
from host.channels.abilities import EVERYTHING, Abilities
from host.core.cleaning import clean
from host.core.errors import InvalidError
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind, ContactAttribute
from host.inbox.errors import ContactFieldError
from host.inbox.queries import AnyTeam, Assignee
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind

MOST_WORDS = 100
LONGEST_WORD = 60
MOST_IN_GROUP = 20
LONGEST_PATTERN = 300


_OTHER_KIND: Mapping[AttributeKind, str] = {
    AttributeKind.TEXT: noop("The attribute %(name)s can’t be “%(value)s”: it has at most 250 characters."),
    AttributeKind.NUMBER: noop("The attribute %(name)s is a number, so it is never “%(value)s”."),
    AttributeKind.DATE: noop(
        "The attribute %(name)s is a date such as 2026-11-20, so it is never “%(value)s”."
    ),
    AttributeKind.YES_NO: noop("The attribute %(name)s is yes or no, so it is never “%(value)s”."),
}


class ConditionError(InvalidError):
    """A condition is invalid; *field* is its place."""

    code = "condition"
    title = _l("The condition is invalid")
    default_next_step = _l("Fix the marked field.")
    program_step = _l("Correct this field and send it again.")


class ConditionTargets(msgspec.Struct, frozen=True):
    """All objects of a workspace that conditions may refer to, by id.

    :param attributes: names of the attributes of contacts.
    :param details: the attributes themselves, which say what values they have; others are not looked at.
    :param conditions: conditions of addons, by name, with the values to choose from.
    :param channels: names of channels with running addons, by key.
    :param posts: posts with comments, newest first, with the beginning of their captions.
    :param abilities: of the workspace's channels; forms offer nothing else.
    """

    targets: ActionTargets
    accounts: Mapping[int, str] = msgspec.field(default_factory=dict)
    attributes: Mapping[int, str] = msgspec.field(default_factory=dict)
    details: Mapping[int, ContactAttribute] = msgspec.field(default_factory=dict)
    conditions: Mapping[str, Any] = msgspec.field(default_factory=dict)
    posts: Mapping[int, str] = msgspec.field(default_factory=dict)
    channels: Mapping[str, str] = msgspec.field(default_factory=dict)
    abilities: Abilities = EVERYTHING


def checked_condition(condition: Condition, there: ConditionTargets, place: str) -> Condition:
    """Return a condition, or a group, as it is saved.

    :raises ConditionError: if it is invalid, or refers to something that was deleted; its field is *place*,
        in a group with a number.
    """
    if not isinstance(condition, AnyOf):
        return _checked(condition, there, place)
    if not 1 < len(condition.of) <= MOST_IN_GROUP:
        raise ConditionError(_l("A group must have 2 to 20 conditions."), field=place)
    return AnyOf(tuple(_checked(one, there, f"{place}.{at}") for at, one in enumerate(condition.of)))


def _checked(condition: One, there: ConditionTargets, place: str) -> One:
    match condition:
        case Words():
            words = _checked_words(condition.words, place)
            if not words:
                raise ConditionError(_l("Enter the words to look for."), field=place)
            return Words(words, condition.has)
        case OnPost():
            return OnPost(_checked_words(condition.words, place))
        case Pattern():
            return _pattern(condition, place)
        case Sent():
            if not condition.kinds or not set(condition.kinds) <= set(MessageKind):
                raise ConditionError(_l("Choose what the customer sent."), field=place)
        case FilterCondition():
            _check_filter(condition, there, place)
        case Contact():
            if condition.attribute not in there.attributes:
                raise ConditionError(_l("This contact field was deleted."), field=place)
            return msgspec.structs.replace(condition, value=clean(condition.value)[:200])
        case Concerns():
            check_named(there, place, label=condition.label, team=condition.team, person=condition.person)
        case OfAddon():
            if condition.name not in there.conditions:
                raise ConditionError(_l("The addon that provides this condition is not active."), field=place)
    return condition


def check_values(condition: Condition, there: ConditionTargets, place: str) -> None:
    """Refuse a condition, or a group, that compares an attribute with a value that it never has.

    :raises ConditionError: with the field as :func:`checked_condition`.
    """
    for at, one in enumerate(conditions.leaves([condition])):
        if (why := impossible(one, there)) is not None:
            raise ConditionError(why, field=f"{place}.{at}" if isinstance(condition, AnyOf) else place)


def impossible(condition: One, there: ConditionTargets) -> LazyString | None:
    """Return why a condition compares an attribute with a value that it never has; None if it may have it."""
    if not isinstance(condition, Contact) or not condition.value:
        return None
    attribute = there.details.get(condition.attribute)
    return None if attribute is None else _never(attribute, condition.value)


def _never(attribute: ContactAttribute, value: str) -> LazyString | None:
    wanted = conditions.folded(value).strip()
    if attribute.kind == AttributeKind.CHOICE:
        if any(conditions.folded(one).strip() == wanted for one in attribute.choices or ()):
            return None
        return _l(
            "“%(value)s” is not one of the options of the attribute %(name)s.", **_named(attribute, value)
        )
    try:
        kept = attributes.checked_value(attribute, value)
    except ContactFieldError:
        return _l(_OTHER_KIND[AttributeKind(attribute.kind)], **_named(attribute, value))
    if conditions.folded(kept).strip() == wanted:
        return None
    return _l(
        "The attribute %(name)s is never “%(value)s”: write %(kept)s.", kept=kept, **_named(attribute, value)
    )


def _checked_words(words: Sequence[str], place: str) -> tuple[str, ...]:
    found = tuple(one for one in dict.fromkeys(" ".join(clean(one).split()) for one in words) if one)
    if len(found) > MOST_WORDS or any(len(one) > LONGEST_WORD for one in found):
        raise ConditionError(_l("Enter at most 100 words of up to 60 characters each."), field=place)
    return found


def _pattern(condition: Pattern, place: str) -> Pattern:
    if not condition.pattern.strip() or len(condition.pattern) > LONGEST_PATTERN:
        raise ConditionError(_l("A pattern must have 1 to 300 characters."), field=place)
    try:
        conditions.compiled(condition.pattern)
    except regex.error as error:
        why = _l("The pattern is invalid: %(why)s.", why=str(error))
        raise ConditionError(why, next_step=_l("Use words instead."), field=place) from None
    if conditions.explodes(condition.pattern):
        raise ConditionError(
            _l("The pattern takes too long to match some texts."),
            next_step=_l("Avoid nested repeats, or use words."),
            field=place,
        )
    return condition


def _check_filter(condition: FilterCondition, there: ConditionTargets, place: str) -> None:
    wanted = conditions.filter_in(condition)
    if wanted is None or not condition.filter:
        raise ConditionError(_l("This condition is invalid."), field=place)
    if Assignee.ME in {wanted.assignee, wanted.mentioned} or wanted.team is AnyTeam.MINE:
        raise ConditionError(
            _l("A rule can't have conversations assigned to it."),
            next_step=_l("Choose a person or a team."),
            field=place,
        )
    for label in (*(wanted.labels or ()), *(wanted.all_labels or ()), *(wanted.no_labels or ())):
        check_named(there, place, label=label)
    if isinstance(wanted.assignee, int):
        check_named(there, place, person=wanted.assignee)
    if isinstance(wanted.team, int):
        check_named(there, place, team=wanted.team)
    if wanted.account_id is not None and wanted.account_id not in there.accounts:
        raise ConditionError(_l("This account was deleted."), field=place)
    if wanted.post is not None and wanted.post not in there.posts:
        raise ConditionError(
            _l("This post was deleted."), next_step=lazy_pgettext("post", "Choose another one."), field=place
        )


def check_named(
    there: ConditionTargets, place: str, *, label: int = 0, team: int = 0, person: int = 0
) -> None:
    """Refuse the id of a label, team or person that is not there; 0: none.

    :raises ConditionError: with *place* as its field.
    """
    if label and label not in there.targets.labels:
        raise ConditionError(_l("This label was deleted."), next_step=_l("Choose another one."), field=place)
    if team and team not in there.targets.teams:
        raise ConditionError(_l("This team was deleted."), next_step=_l("Choose another one."), field=place)
    if person and person not in there.targets.people:
        raise ConditionError(
            _l("This person can't answer in this workspace."), next_step=_l("Choose another."), field=place
        )


def _named(attribute: ContactAttribute, value: str) -> dict[str, str]:
    return {"name": attribute.name, "value": value}
