"""Conditions and their evaluator. Everything here is pure.

Conditions on the conversation use the fields of a :class:`~host.inbox.queries.ConversationFilter`, like lists
and saved views; :func:`decide` applies to one conversation the filter that the database applies to all. The
other conditions check facts a list does not have: text, time and author.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from math import prod
from typing import Any, Literal, NamedTuple

import msgspec
import regex

from host.inbox.queries import AnyTeam, Assignee, ConversationFilter
from host.inbox.saved_views import filter_of
from host.sdk import strictjson

PATTERN_SECONDS = 0.02
"""Time limit for matching a pattern against a text."""
MOST_READ = 10_000
"""Most characters of a text that are searched."""
_TRIED = 400
"""Length in characters of the texts on which a pattern is tried before it is saved."""


class _Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="if"):
    """A condition that is met or not."""


class Words(_Condition, frozen=True, tag="words", dict=True):
    """The text contains one of these words: whole words or phrases such as ``in pieces``, in any case."""

    words: tuple[str, ...]
    has: Literal["any", "all", "none"] = "any"

    @cached_property
    def finders(self) -> tuple[tuple[str, str | regex.Pattern[str]], ...]:
        """Return each word with its lookup key, or with the pattern that finds it."""
        return finders(self.words)


class Pattern(_Condition, frozen=True, tag="pattern"):
    """The text matches a regular expression, in any case."""

    pattern: str


class Sent(_Condition, frozen=True, tag="sent"):
    """The message is of one of these kinds, names of :class:`host.sdk.messages.MessageKind`."""

    kinds: tuple[str, ...]


class FilterCondition(_Condition, frozen=True, tag="conversation", dict=True):
    """The conversation matches a filter. *filter* is stored as in saved views."""

    filter: dict[str, Any]

    @cached_property
    def fields(self) -> Sequence[tuple[str, Any]] | None:
        """Return the fields of the filter, without spam by default; None if a newer Lobby wrote it."""
        return None if filter_in(self) is None else _given(filter_of(self.filter))


class Open(_Condition, frozen=True, tag="hours"):
    """The time is inside, or outside, the working hours of the conversation's team."""

    open: bool = True


class Window(_Condition, frozen=True, tag="window"):
    """The reply window is open for ``programs`` (and people), only for ``people``, or ``closed``."""

    to: Literal["programs", "people", "closed"]


class WroteBefore(_Condition, frozen=True, tag="before"):
    """The customer wrote on an earlier day; or this is their first message."""

    yes: bool = True


class Contact(_Condition, frozen=True, tag="contact"):
    """An attribute of the contact has this value; if the value is empty, any value."""

    attribute: int
    value: str = ""
    negated: bool = False


class Concerns(_Condition, frozen=True, tag="concerns"):
    """The event is about a label that was added or removed, or a team or member that was assigned."""

    label: int = 0
    team: int = 0
    person: int = 0


class ActorCondition(_Condition, frozen=True, tag="by"):
    """The actor is a ``customer``, a ``user`` of the desk, a program with a ``key``, or the ``system``."""

    actor: Literal["customer", "user", "key", "system"]


class OnPost(_Condition, frozen=True, tag="post", dict=True):
    """The conversation is about any post, or about one whose caption contains one of the words.

    For one post by its id, use :class:`FilterCondition` with the field ``post``.
    """

    words: tuple[str, ...] = ()

    @cached_property
    def finders(self) -> tuple[tuple[str, str | regex.Pattern[str]], ...]:
        """Return the words to find in the caption, see :attr:`Words.finders`."""
        return finders(self.words)


class OfAddon(_Condition, frozen=True, tag="addon"):
    """A condition of an addon, with the chosen value."""

    name: str
    value: str = ""


class AnyOf(_Condition, frozen=True, tag="any"):
    """At least one of these conditions is met."""

    of: tuple[One, ...]


One = (
    Words
    | Pattern
    | Sent
    | FilterCondition
    | Open
    | Window
    | WroteBefore
    | Contact
    | Concerns
    | ActorCondition
    | OnPost
    | OfAddon
)
Condition = One | AnyOf


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about an event and its conversation that conditions check.

    :param kind: kind of the message, empty if the event has none.
    :param is_open: whether it is within the team's working hours.
    :param window: as :attr:`Window.to`; empty: unknown, because the channel is not running.
    :param wrote_before: when the customer last wrote before; None: never.
    :param attributes: attribute values of the contact, by attribute id.
    :param concerns: ids the event is about: ``label``, ``team``, ``person``.
    :param post: the post it is about, with its *caption*; None: no post.
    :param addon: results of addons' conditions, by name and value; none for addons that are not running.
    """

    text: str = ""
    kind: str = ""
    actor: str = ""
    status: str = "open"
    channel: str = ""
    account_id: int = 0
    assignee_id: int | None = None
    team_id: int | None = None
    handled_by: str = "nobody"
    labels: frozenset[int] = frozenset()
    mentioned: frozenset[int] = frozenset()
    snoozed: bool = False
    spam: bool = False
    needs_reply: bool = False
    failed: bool = False
    late: bool = False
    scheduled: bool = False
    is_open: bool = True
    window: str = ""
    wrote_before: datetime | None = None
    attributes: Mapping[int, str] = field(default_factory=dict)
    concerns: Mapping[str, int] = field(default_factory=dict)
    post: int | None = None
    caption: str = ""
    addon: Mapping[tuple[str, str], bool] = field(default_factory=dict)


class ConditionResult(NamedTuple):
    """Result of one condition.

    :param holds: whether it was met; None: it was not evaluated.
    :param saw: the value it saw, a short word or an id of the desk, never a customer's text.
    :param which: in a group, the index of the condition that was met or evaluated last, which saw the value.
    """

    holds: bool | None
    saw: str = ""
    which: int | None = None


_NOT_ASKED = ConditionResult(None)
Trace = tuple[ConditionResult, ...]


def decide(conditions: Sequence[Condition], facts: Facts) -> tuple[bool, Trace]:
    """Return whether all *conditions* are met, and the result of each, in order.

    Evaluation stops at the first condition that is not met.
    """
    trace: list[ConditionResult] = []
    for condition in conditions:
        asked = ask(condition, facts)
        trace.append(asked)
        if not asked.holds:
            return False, (*trace, *(_NOT_ASKED,) * (len(conditions) - len(trace)))
    return True, tuple(trace)


def ask(condition: Condition, facts: Facts) -> ConditionResult:
    """Evaluate one condition."""
    return _ASKS[type(condition)](condition, facts)


def _any_of(condition: AnyOf, facts: Facts) -> ConditionResult:
    asked, which = ConditionResult(False), None
    for which, one in enumerate(condition.of):  # noqa: B007 - where it ended
        asked = ask(one, facts)
        if asked.holds:
            break
    return asked._replace(which=which)


def _wrote_before(condition: WroteBefore, facts: Facts) -> ConditionResult:
    before = facts.wrote_before
    saw = "" if before is None else before.date().isoformat()
    return ConditionResult((before is not None) is condition.yes, saw)


def _of_addon(condition: OfAddon, facts: Facts) -> ConditionResult:
    found = facts.addon.get((condition.name, condition.value))
    return ConditionResult(bool(found), "" if found is not None else "missing")


# ---- what was written ----------------------------------------------------------------------------------


def folded(text: str) -> str:
    """Return *text* normalized for finding words: case-folded, with one representation of each letter.

    The Turkish dotted and dotless i are treated as one: in capitals they are indistinguishable.
    """
    plain = unicodedata.normalize("NFKC", text[:MOST_READ]).casefold()
    return plain if plain.isascii() else plain.replace("i\u0307", "i").replace("ı", "i")


_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"


_WORD = regex.compile(r"\w+")


class _Text(msgspec.Struct, frozen=True):
    """A text normalized for finding words; *words* are its whole words."""

    folded: str
    words: frozenset[str]


@lru_cache(maxsize=256)
def _read(text: str) -> _Text:
    plain = folded(text)
    return _Text(plain, frozenset(_WORD.findall(plain)))


def _finder(word: str) -> str | regex.Pattern[str]:
    """Return *word*, folded, if it can be looked up as a whole word, else the pattern that finds it.

    In scripts without spaces it is found anywhere, and so is a symbol such as an emoji.
    """
    wanted = r"\s+".join(regex.escape(one) for one in word.split())
    if regex.search(f"[{_UNSPACED}]", word):
        return regex.compile(wanted)
    if _WORD.fullmatch(word):
        return word
    before = r"(?<!\w)" if _WORD.match(word) else ""
    behind = r"(?!\w)" if _WORD.match(word[-1:]) else ""
    return regex.compile(f"{before}{wanted}{behind}")


def finders(words: Sequence[str]) -> tuple[tuple[str, str | regex.Pattern[str]], ...]:
    """Return each of *words* with its lookup key, or with the pattern that finds it."""
    return tuple((word, _finder(folded(word))) for word in words)


def found_in(text: str, wanted: Sequence[tuple[str, str | regex.Pattern[str]]]) -> list[str]:
    """Return which words of *wanted*, from :func:`finders`, a text contains."""
    there = _read(text)
    return [
        word
        for word, each in wanted
        if (each in there.words if isinstance(each, str) else each.search(there.folded))
    ]


def _on_post(condition: OnPost, facts: Facts) -> ConditionResult:
    if facts.post is None:
        return ConditionResult(False, "none")
    if not condition.words:
        return ConditionResult(True, f"post:{facts.post}")
    found = found_in(facts.caption, condition.finders)
    return ConditionResult(bool(found), ", ".join(found[:3]))


def _words(condition: Words, facts: Facts) -> ConditionResult:
    found = found_in(facts.text, condition.finders)
    if condition.has == "all":
        return ConditionResult(len(found) == len(condition.words), ", ".join(found[:3]))
    return ConditionResult(bool(found) is (condition.has == "any"), ", ".join(found[:3]))


_COUNT = regex.compile(r"\{(\d+)")
MOST_COPIES = 10_000
"""Most repetitions in a pattern: each one uses memory once compiled."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> regex.Pattern[str]:
    """Return *pattern*, compiled.

    :raises regex.error: if it is invalid, or too large.
    """
    if prod(max(1, int(one)) for one in _COUNT.findall(pattern)) > MOST_COPIES:
        raise regex.error("repeated too often")
    try:
        return regex.compile(pattern, regex.IGNORECASE | regex.V1)
    except ValueError as error:  # two mutually exclusive flags
        raise regex.error(str(error)) from None


def explodes(pattern: str) -> bool:
    """Return whether a pattern takes too long on test texts that repeat one of its letters many times.

    The texts are short enough for patterns with quadratic time to pass: those are bounded when evaluated.
    """
    try:
        _try(pattern)
    except TimeoutError:
        return True
    return False


@lru_cache(maxsize=1024)
def _try(pattern: str) -> None:
    """Search the test texts with a pattern. Cached if it passes, because every list of rules checks it.

    :raises TimeoutError: if one takes too long.
    """
    letters = "".join(dict.fromkeys(pattern))[:40]
    for one in {*letters, letters, *"a1 "}:
        for end in ("!", f"!{letters}"):
            compiled(pattern).search(one * (_TRIED // len(one)) + end, timeout=PATTERN_SECONDS)


def _pattern(condition: Pattern, facts: Facts) -> ConditionResult:
    try:
        found = compiled(condition.pattern).search(facts.text[:MOST_READ], timeout=PATTERN_SECONDS)
    except TimeoutError:
        return ConditionResult(False, "timeout")
    except regex.error:  # of a release that reads them otherwise
        return ConditionResult(False, "unreadable")
    return ConditionResult(found is not None)


# ---- what the conversation is --------------------------------------------------------------------------


def _is(condition: FilterCondition, facts: Facts) -> ConditionResult:
    if condition.fields is None:
        return ConditionResult(False, "unreadable")
    saw: list[str] = []
    holds = _let_through(condition.fields, facts, saw)
    return ConditionResult(holds, ", ".join(saw))


def filter_in(condition: FilterCondition) -> ConversationFilter | None:
    """Return the filter of a condition; None if it cannot be read, or uses a field that rules may not."""
    if not condition.filter.keys() <= _NAMED:
        return None
    try:
        return strictjson.convert(condition.filter, ConversationFilter)
    except msgspec.ValidationError:
        return None


def lets_through(filter_: ConversationFilter, facts: Facts) -> bool:
    """Return whether *filter_* matches the conversation of *facts*, as a query would.

    There is no viewer, so fields that depend on the viewer match nothing.
    """
    return _let_through(_given(filter_), facts, [])


def _given(filter_: ConversationFilter) -> Sequence[tuple[str, Any]]:
    return [(name, value) for name in _FIELDS if (value := getattr(filter_, name)) is not None]


def _let_through(given: Sequence[tuple[str, Any]], facts: Facts, saw: list[str]) -> bool:
    return all(_field(name, value, facts, saw) for name, value in given)


_FIELDS = tuple(ConversationFilter.__dataclass_fields__)
_NAMED = frozenset(_FIELDS) - {"contact", "accounts"}
"""Filter fields that a rule may use: not a single customer, and not a viewer's accounts."""
_YES_OR_NO = frozenset({"snoozed", "spam", "needs_reply", "failed", "late", "scheduled"})


def _field(name: str, value: Any, facts: Facts, saw: list[str]) -> bool:
    """Return whether one field of a filter matches a conversation, and note the value it saw."""
    if name in _YES_OR_NO:
        return getattr(facts, name) is value
    match name:
        case "labels" | "all_labels" | "no_labels":
            found = facts.labels & frozenset(value)
            saw += [f"label:{id_}" for id_ in sorted(found)]
            if name == "no_labels":
                return not found
            return len(found) == len(value) if name == "all_labels" else bool(found)
        case "assignee":
            saw.append(f"person:{facts.assignee_id or 0}")
            return facts.assignee_id == (None if value is Assignee.NOBODY else value)
        case "team":
            saw.append(f"team:{facts.team_id or 0}")
            return facts.team_id == (None if value is AnyTeam.NONE else value)
        case "mentioned":
            return value in facts.mentioned
        case "post":
            saw.append(f"post:{facts.post or 0}")
            return bool(facts.post == value)
        case "status" | "handled_by" | "channel" | "account_id":
            there = getattr(facts, name)
            saw.append(f"account:{there}" if name == "account_id" else str(there))
            return bool(there == value)
    return name == "accounts"  # the others depend on a viewer, or name a contact, which no rule does


def _contact(condition: Contact, facts: Facts) -> ConditionResult:
    value = facts.attributes.get(condition.attribute, "")
    wanted = folded(condition.value).strip()
    same = folded(value).strip() == wanted if wanted else bool(value)
    return ConditionResult(same is not condition.negated, "same" if same else "other" if value else "none")


def _concerns(condition: Concerns, facts: Facts) -> ConditionResult:
    wanted = {name: getattr(condition, name) for name in ("label", "team", "person")}
    given = {name: id_ for name, id_ in wanted.items() if id_}
    saw = ", ".join(f"{name}:{facts.concerns.get(name, 0)}" for name in given)
    return ConditionResult(all(facts.concerns.get(name) == id_ for name, id_ in given.items()), saw)


_ASKS: Mapping[type[Any], Callable[[Any, Facts], ConditionResult]] = {
    AnyOf: _any_of,
    Words: _words,
    Pattern: _pattern,
    Sent: lambda condition, facts: ConditionResult(facts.kind in condition.kinds, facts.kind),
    FilterCondition: _is,
    Open: lambda condition, facts: ConditionResult(
        facts.is_open is condition.open, "open" if facts.is_open else "closed"
    ),
    Window: lambda condition, facts: ConditionResult(facts.window == condition.to, facts.window),
    WroteBefore: _wrote_before,
    Contact: _contact,
    Concerns: _concerns,
    ActorCondition: lambda condition, facts: ConditionResult(facts.actor == condition.actor, facts.actor),
    OnPost: _on_post,
    OfAddon: _of_addon,
}


def leaves(conditions: Iterable[Condition]) -> Iterable[One]:
    """Yield the individual conditions, including those in groups."""
    for condition in conditions:
        if isinstance(condition, AnyOf):
            yield from condition.of
        else:
            yield condition
