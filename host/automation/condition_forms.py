"""Conditions as rows of a form: the value of a select, such as ``label:3``, and a text.

Conditions that a select does not offer, such as a filter with several fields set by a program, get their own
rows in stored form, so that nothing is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from flask_babel import lazy_gettext as _l

from host.automation import condition_words
from host.automation.condition_checks import ConditionError, ConditionTargets
from host.automation.conditions import (
    ActorCondition,
    Concerns,
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
from host.sdk import strictjson
from host.sdk.messages import MessageKind
from host.web.languages import gettext as _

MOST_POSTS = 100
"""Most posts offered in the form: the newest."""
AS_KEPT = "kept:"
"""Prefix of the JSON of a condition that no select offers."""
Choices = Sequence[tuple[str, Sequence[tuple[str, str, str]]]]
"""Groups of a select: the name, and the choices, each with its value, its label, and the label of its text
field, empty if it has none.
"""


class Row(msgspec.Struct, frozen=True):
    """One row: the chosen value and its text.

    :param joins: for a condition: whether "or" joins it into a group with the previous one.
    """

    chosen: str = ""
    text: str = ""
    joins: bool = False


def split(text: str) -> tuple[str, ...]:
    """Return the words of a text separated by commas or lines."""
    return tuple(word for one in re.split(r"[,\n]", text) if (word := one.strip()))


_FILTERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "status": ("status", {"open": "open", "closed": "closed"}),
    "snoozed": ("snoozed", {"yes": True, "no": False}),
    "spam": ("spam", {"yes": True}),
    "handled": (
        "handled_by",
        {"nobody": "nobody", "person": "person", "automation": "automation"},
    ),
    "waits": ("needs_reply", {"yes": True, "no": False}),
    "late": ("late", {"yes": True, "no": False}),
    "failed": ("failed", {"yes": True, "no": False}),
}
"""Filter fields with few values: the word of the select, and its values."""


def read(row: Row) -> One | None:
    """Return the condition of a row, or None if it is not one.

    :raises ConditionError: if its value is missing.
    :raises ValueError, msgspec.ValidationError: for some that are none.
    """
    if row.chosen.startswith(AS_KEPT):
        said = strictjson.loads(row.chosen.removeprefix(AS_KEPT))
        kept: One = strictjson.convert(said, One)  # type: ignore[arg-type]
        return kept
    kind, _colon, value = row.chosen.partition(":")
    if kind in _FILTERS:
        name, values = _FILTERS[kind]
        return FilterCondition({name: values[value]}) if value in values else None
    made: dict[str, Callable[[], One | None]] = {
        "words": lambda: strictjson.convert({"if": "words", "words": split(row.text), "has": value}, Words),
        "pattern": lambda: Pattern(row.text.strip("\r\n")),
        "sent": lambda: Sent((value,)),
        "account": lambda: _is("account_id", read_id(value)),
        "channel": lambda: _is("channel", value or None),
        "label": lambda: _is("labels", _list(value)),
        "nolabel": lambda: _is("no_labels", _list(value)),
        "team": lambda: _is("team", "none" if value == "none" else read_id(value)),
        "person": lambda: _is("assignee", "nobody" if value == "nobody" else read_id(value)),
        "hours": lambda: Open(value == "open"),
        "window": lambda: strictjson.convert({"if": "window", "to": value}, Window),
        "before": lambda: WroteBefore(value == "yes"),
        "contact": lambda: _contact(value, row.text),
        "about": lambda: _about(value),
        "by": lambda: strictjson.convert({"if": "by", "actor": value}, ActorCondition),
        "post": lambda: OnPost() if value == "any" else _is("post", read_id(value)),
        "caption": lambda: OnPost(split(row.text)),
        "addon": lambda: OfAddon(*value.split(":", 1)),
    }
    return made[kind]() if kind in made else None


def _is(name: str, value: Any) -> FilterCondition | None:
    return None if value is None else FilterCondition({name: value})


def _list(value: str) -> list[int] | None:
    found = read_id(value)
    return None if found is None else [found]


def _contact(value: str, text: str) -> Contact | None:
    attribute, _colon, how = value.partition(":")
    found = read_id(attribute)
    if found is None:
        return None
    if how in {"is", "not"}:
        if not text.strip():
            raise ConditionError(_l("The value is missing."), next_step=_l("Enter it next to the condition."))
        return Contact(found, text.strip(), how == "not")
    return Contact(found, "", how == "none")


def _about(value: str) -> Concerns | None:
    what, _colon, id_ = value.partition(":")
    found = read_id(id_)
    if what not in {"label", "team", "person"} or not found:
        return None
    return Concerns(**{what: found})


def row_of(one: One) -> Row:
    """Return the row of a condition."""
    plain = _row_of_post(one) if isinstance(one, OnPost) else _plain_row(one)
    if plain is not None:
        return plain
    return Row(AS_KEPT + json.dumps(msgspec.to_builtins(one), sort_keys=True))


def _plain_row(one: One) -> Row | None:
    match one:
        case Words() if not any("," in word for word in one.words):
            return Row(f"words:{one.has}", ", ".join(one.words))
        case Pattern() if not re.search(r"[\r\n]", one.pattern):
            return Row("pattern", one.pattern)
        case Sent() if len(one.kinds) == 1:
            return Row(f"sent:{one.kinds[0]}")
        case FilterCondition() if len(one.filter) == 1:
            return _row_of_filter(*next(iter(one.filter.items())))
        case Open():
            return Row(f"hours:{'open' if one.open else 'closed'}")
        case Window():
            return Row(f"window:{one.to}")
        case WroteBefore():
            return Row(f"before:{'yes' if one.yes else 'no'}")
        case Contact() if one.value:
            return Row(f"contact:{one.attribute}:{'not' if one.negated else 'is'}", one.value)
        case Contact():
            return Row(f"contact:{one.attribute}:{'none' if one.negated else 'any'}")
        case Concerns():
            named = [(what, id_) for what in ("label", "team", "person") if (id_ := getattr(one, what))]
            return Row("about:{}:{}".format(*named[0])) if len(named) == 1 else None
        case ActorCondition():
            return Row(f"by:{one.actor}")
        case OfAddon():
            return Row(f"addon:{one.name}:{one.value}")
    return None


def _row_of_post(one: OnPost) -> Row | None:
    if not one.words:
        return Row("post:any")
    return None if any("," in word for word in one.words) else Row("caption", ", ".join(one.words))


def _row_of_filter(name: str, value: Any) -> Row | None:
    for word, (field_, values) in _FILTERS.items():
        found = next((key for key, meant in values.items() if meant is value or meant == value), None)
        if field_ == name and found is not None:
            return Row(f"{word}:{found}")
    words = {
        "account_id": "account",
        "channel": "channel",
        "team": "team",
        "assignee": "person",
        "post": "post",
    }
    if name in words and isinstance(value, int | str):
        return Row(f"{words[name]}:{value}")
    words = {"labels": "label", "no_labels": "nolabel"}
    if name in words and isinstance(value, list) and len(value) == 1:
        return Row(f"{words[name]}:{value[0]}")
    return None


def condition_choices(
    there: ConditionTargets, kept: Collection[Row] = (), *, in_steps: bool = False
) -> Choices:
    """Return the choices for a condition.

    :param in_steps: whether it is for a step that runs in an open conversation: without what only an event
        has, and without states of conversations in which no step runs.
    :param kept: the rows of the form, for choices the select does not offer.
    """

    def each(*some: One) -> list[tuple[str, str, str]]:
        return [(row_of(one).chosen, condition_words.condition(one, there), "") for one in some]

    def filters(*words: str) -> list[tuple[str, str, str]]:
        some = [
            (name, value) for word in words for name, values in [_FILTERS[word]] for value in values.values()
        ]
        return each(*(FilterCondition({name: value}) for name, value in some))

    targets = there.targets
    contact = [
        choice
        for id_, name in there.attributes.items()
        for choice in (
            (f"contact:{id_}:is", _("%(name)s is …", name=name), "value"),
            (f"contact:{id_}:not", _("%(name)s is not …", name=name), "value"),
            *each(Contact(id_), Contact(id_, negated=True)),
        )
    ]
    addons = [
        OfAddon(one.name, value)
        for one in there.conditions.values()
        for value, _words in (one.choices or [("", "")])
    ]
    everything: Choices = [
        (
            _("Message"),
            [
                ("words:any", _("the text has any of these words"), "words"),
                ("words:all", _("the text has all of these words"), "words"),
                ("words:none", _("the text has none of these words"), "words"),
                ("pattern", _("the text matches a pattern"), "pattern"),
                *each(*(Sent((kind,)) for kind in SENT if kind in there.abilities.kinds)),
            ],
        ),
        (_("Contact"), [*each(WroteBefore(), WroteBefore(False)), *contact]),
        (_("Conversation"), filters("status", "snoozed", "spam", "waits", "late", "failed")),
        (_("Label is"), each(*(FilterCondition({"labels": [id_]}) for id_ in targets.labels))),
        (_("Label is not"), each(*(FilterCondition({"no_labels": [id_]}) for id_ in targets.labels))),
        (
            _("Team"),
            each(
                FilterCondition({"team": "none"}), *(FilterCondition({"team": id_}) for id_ in targets.teams)
            ),
        ),
        (
            _("Person"),
            each(
                FilterCondition({"assignee": "nobody"}),
                *(FilterCondition({"assignee": id_}) for id_ in targets.people),
            ),
        ),
        (_("Channel"), each(*(FilterCondition({"channel": key}) for key in there.channels))),
        (_("Account"), each(*(FilterCondition({"account_id": id_}) for id_ in there.accounts))),
        (
            _("Post"),
            [
                *each(OnPost()),
                ("caption", str(CAPTION), "words"),
                *each(*(FilterCondition({"post": id_}) for id_ in _offered_posts(there, kept))),
            ]
            if there.abilities.comments
            else [],
        ),
        (
            _("Time"),
            each(Open(), Open(False), Window("programs"), Window("people"), Window("closed")),
        ),
        (
            _("Automation"),
            [
                *filters("handled"),
                *each(
                    ActorCondition("customer"),
                    ActorCondition("user"),
                    ActorCondition("key"),
                    ActorCondition("system"),
                ),
            ],
        ),
        (
            _("Event details"),
            each(
                *(Concerns(label=id_) for id_ in targets.labels),
                *(Concerns(team=id_) for id_ in targets.teams),
                *(Concerns(person=id_) for id_ in targets.people),
            ),
        ),
        (_("Addons"), each(*addons)),
    ]
    if in_steps:
        skipped = {_("Conversation"), _("Post"), _("Automation"), _("Event details")}
        everything = [(name, some) for name, some in everything if name not in skipped]
    by_value = {choice[0]: choice for _name, some in everything for choice in some}
    others = [(name, [one for one in some if one[0] not in USUAL]) for name, some in everything]
    return [
        (_("As saved"), _as_kept(there, [row for row in dict.fromkeys(kept) if row.chosen not in by_value])),
        (_("Usual"), [by_value[value] for value in USUAL if value in by_value]),
        *others,
    ]


CAPTION = _l("the comment is on a post with any of these words in its caption")


def _as_kept(there: ConditionTargets, rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Return the choices for rows that were saved by a program or for another channel."""
    found = []
    for row in rows:
        kind, _colon, value = row.chosen.partition(":")
        if kind == "caption":
            found.append((row.chosen, str(CAPTION), "words"))
        elif row.chosen.startswith(AS_KEPT) or kind == "sent" or (kind == "post" and _is_there(value, there)):
            one = _kept(row)
            found += [] if one is None else [(row.chosen, condition_words.condition(one, there), "")]
    return found


def _is_there(post: str, there: ConditionTargets) -> bool:
    return post == "any" or read_id(post) in there.posts


USUAL = (
    "words:any",
    "words:all",
    "words:none",
    f"sent:{MessageKind.IMAGE}",
    f"sent:{MessageKind.AUDIO}",
    f"sent:{MessageKind.STORY_MENTION}",
    f"sent:{MessageKind.STORY_REPLY}",
    "post:any",
    "before:no",
    "before:yes",
    "status:open",
    "waits:yes",
    "late:yes",
    "handled:nobody",
    "handled:person",
    "team:none",
    "person:nobody",
    "hours:open",
    "hours:closed",
    "window:programs",
)
"""Values of the conditions that most rules use. They come first, and are not repeated in their groups."""


def _offered_posts(there: ConditionTargets, kept: Collection[Row]) -> list[int]:
    """Return the newest posts and those used in the form."""
    named = {read_id(row.chosen.partition(":")[2]) for row in kept if row.chosen.startswith("post:")}
    return [id_ for at, id_ in enumerate(there.posts) if at < MOST_POSTS or id_ in named]


def given(row: Row) -> One:
    """Return the condition of a submitted row.

    :raises ConditionError: if it is not one.
    """
    try:
        found = read(row)
    except (msgspec.ValidationError, ValueError):
        found = None
    if found is None:
        raise ConditionError(_l("This choice is invalid."), next_step=_l("Choose another one."))
    return found


def _kept(row: Row) -> One | None:
    try:
        return read(row)
    except (msgspec.ValidationError, ValueError, ConditionError):
        return None


SENT = tuple(one for one in MessageKind if one not in {MessageKind.EDIT, MessageKind.UNSEND})
"""Message kinds offered to rules, without the two that only change a message."""
