"""The conditions of rules and the one evaluator of them. Everything here is pure.

What a conversation is, a condition says with the fields of a :class:`~host.inbox.queries.ConversationFilter`,
as lists and saved views do, and :func:`decide` finds in one conversation what the database finds in all. The
other conditions ask for what a list does not know: what was written, when, and by whom.
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
"""How long a pattern may look at a text."""
MOST_READ = 10_000
"""Most letters of a text that are looked at."""
_TRIED = 400
"""Letters of a text that a pattern is tried on before it is saved."""


class _Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="if"):
    """Something that holds, or does not."""


class Words(_Condition, frozen=True, tag="words", dict=True):
    """The text has these words: whole ones, in any case. One may be several, such as ``in pieces``."""

    words: tuple[str, ...]
    has: Literal["any", "all", "none"] = "any"

    @cached_property
    def finders(self) -> tuple[tuple[str, str | regex.Pattern[str]], ...]:
        """Each word with what is looked up, or with the pattern that finds it."""
        return finders(self.words)


class Pattern(_Condition, frozen=True, tag="pattern"):
    """The text has what a regular expression finds, in any case."""

    pattern: str


class Sent(_Condition, frozen=True, tag="sent"):
    """The message is of one of these kinds, names of :class:`host.sdk.messages.MessageKind`."""

    kinds: tuple[str, ...]


class Is(_Condition, frozen=True, tag="conversation", dict=True):
    """A filter lets the conversation through. *filter* is kept as a saved view keeps it."""

    filter: dict[str, Any]

    @cached_property
    def fields(self) -> Sequence[tuple[str, Any]] | None:
        """What the filter asks for, no spam unless it does; None: it cannot be read, as of a later Lobby."""
        return None if filter_in(self) is None else _given(filter_of(self.filter))


class Open(_Condition, frozen=True, tag="hours"):
    """It is within the hours of the conversation's team, or outside them."""

    open: bool = True


class Window(_Condition, frozen=True, tag="window"):
    """Who may still reply: ``programs`` (and people), ``people`` alone, or nobody: ``closed``."""

    to: Literal["programs", "people", "closed"]


class WroteBefore(_Condition, frozen=True, tag="before"):
    """The customer wrote before, on any day earlier; or this is the first they wrote."""

    yes: bool = True


class Contact(_Condition, frozen=True, tag="contact"):
    """An attribute of the contact has this value; with an empty one, has any."""

    attribute: int
    value: str = ""
    negated: bool = False


class Concerns(_Condition, frozen=True, tag="concerns"):
    """What the event is about: the label that was added or taken off, the team or the member who got it."""

    label: int = 0
    team: int = 0
    person: int = 0


class By(_Condition, frozen=True, tag="by"):
    """Who did it: a ``customer``, a ``user`` of the desk, a program with a ``key``, or the ``system``."""

    actor: Literal["customer", "user", "key", "system"]


class OnPost(_Condition, frozen=True, tag="post", dict=True):
    """The conversation is about a post, any; with words, one whose caption has one of them.

    One post by its id is :class:`Is` with the field ``post``.
    """

    words: tuple[str, ...] = ()

    @cached_property
    def finders(self) -> tuple[tuple[str, str | regex.Pattern[str]], ...]:
        """As :attr:`Words.finders`."""
        return finders(self.words)


class OfAddon(_Condition, frozen=True, tag="addon"):
    """A condition that an addon brings, with the value that was chosen for it."""

    name: str
    value: str = ""


class AnyOf(_Condition, frozen=True, tag="any"):
    """At least one of these holds."""

    of: tuple[One, ...]


One = Words | Pattern | Sent | Is | Open | Window | WroteBefore | Contact | Concerns | By | OnPost | OfAddon
Condition = One | AnyOf


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one event and its conversation when conditions are asked.

    :param kind: that of the message, empty where the event is about none.
    :param is_open: whether it is within the hours of the team.
    :param window: as :attr:`Window.to`; empty: the channel is not there to say.
    :param wrote_before: when the customer wrote before that; None: never.
    :param attributes: the contact's, by the id of the attribute.
    :param concerns: the ids that the event is about: ``label``, ``team``, ``person``.
    :param post: the post it is about, with its *caption*; None: it is about none.
    :param addon: what addons' conditions found, by name and value; of an addon that is not there, nothing.
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


class Asked(NamedTuple):
    """What became of one condition.

    :param holds: whether it does; None: it was not asked any more.
    :param saw: the value it saw, a short word or id of the desk's own, never what a customer wrote.
    :param which: of a group the place of the one that held, or was asked last: the one that saw it.
    """

    holds: bool | None
    saw: str = ""
    which: int | None = None


_NOT_ASKED = Asked(None)
Trace = tuple[Asked, ...]


def decide(conditions: Sequence[Condition], facts: Facts) -> tuple[bool, Trace]:
    """Return whether all *conditions* hold, and what each of them saw, in their order.

    The first that does not hold ends it: those after it are not asked.
    """
    trace: list[Asked] = []
    for condition in conditions:
        asked = ask(condition, facts)
        trace.append(asked)
        if not asked.holds:
            return False, (*trace, *(_NOT_ASKED,) * (len(conditions) - len(trace)))
    return True, tuple(trace)


def ask(condition: Condition, facts: Facts) -> Asked:
    """Return whether one condition holds, and what it saw."""
    return _ASKS[type(condition)](condition, facts)


def _any_of(condition: AnyOf, facts: Facts) -> Asked:
    asked, which = Asked(False), None
    for which, one in enumerate(condition.of):  # noqa: B007 - where it ended
        asked = ask(one, facts)
        if asked.holds:
            break
    return asked._replace(which=which)


def _wrote_before(condition: WroteBefore, facts: Facts) -> Asked:
    before = facts.wrote_before
    saw = "" if before is None else before.date().isoformat()
    return Asked((before is not None) is condition.yes, saw)


def _of_addon(condition: OfAddon, facts: Facts) -> Asked:
    found = facts.addon.get((condition.name, condition.value))
    return Asked(bool(found), "" if found is not None else "missing")


# ---- what was written ----------------------------------------------------------------------------------


def folded(text: str) -> str:
    """Return *text* as words are looked for in it: without case, and with one way to write each letter.

    The Turkish letters of i are one: in capitals nobody can tell which of them was meant.
    """
    plain = unicodedata.normalize("NFKC", text[:MOST_READ]).casefold()
    return plain if plain.isascii() else plain.replace("i\u0307", "i").replace("ı", "i")


_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"


_WORD = regex.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Text:
    """A text as words are looked for in it; *words* are the whole ones."""

    folded: str
    words: frozenset[str]


@lru_cache(maxsize=256)
def _read(text: str) -> _Text:
    plain = folded(text)
    return _Text(plain, frozenset(_WORD.findall(plain)))


def _finder(word: str) -> str | regex.Pattern[str]:
    """Return *word*, folded, if it is one that is found as a whole, and else the pattern that finds it.

    In writing without blanks it is found wherever it stands, and so is a sign such as an emoji.
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
    """Return each of *words* with what is looked up, or with the pattern that finds it."""
    return tuple((word, _finder(folded(word))) for word in words)


def found_in(text: str, wanted: Sequence[tuple[str, str | regex.Pattern[str]]]) -> list[str]:
    """Return which words of *wanted*, made by :func:`finders`, a text has."""
    there = _read(text)
    return [
        word
        for word, each in wanted
        if (each in there.words if isinstance(each, str) else each.search(there.folded))
    ]


def _on_post(condition: OnPost, facts: Facts) -> Asked:
    if facts.post is None:
        return Asked(False, "none")
    if not condition.words:
        return Asked(True, f"post:{facts.post}")
    found = found_in(facts.caption, condition.finders)
    return Asked(bool(found), ", ".join(found[:3]))


def _words(condition: Words, facts: Facts) -> Asked:
    found = found_in(facts.text, condition.finders)
    if condition.has == "all":
        return Asked(len(found) == len(condition.words), ", ".join(found[:3]))
    return Asked(bool(found) is (condition.has == "any"), ", ".join(found[:3]))


_COUNT = regex.compile(r"\{(\d+)")
MOST_COPIES = 10_000
"""Most copies of something that a pattern asks for: each is memory as soon as it is compiled."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> regex.Pattern[str]:
    """Return *pattern*, compiled.

    :raises regex.error: if it is none, or larger than anybody needs.
    """
    if prod(max(1, int(one)) for one in _COUNT.findall(pattern)) > MOST_COPIES:
        raise regex.error("repeated too often")
    try:
        return regex.compile(pattern, regex.IGNORECASE | regex.V1)
    except ValueError as error:  # two flags that exclude each other
        raise regex.error(str(error)) from None


def explodes(pattern: str) -> bool:
    """Tell whether a pattern takes too long for a text made to try it: one letter of its own many times.

    Few enough that a pattern is let through whose time grows with the square of the text. That is bounded
    where it is asked.
    """
    try:
        _try(pattern)
    except TimeoutError:
        return True
    return False


@lru_cache(maxsize=1024)
def _try(pattern: str) -> None:
    """Look through texts made to try a pattern. One that passed is not tried again: each list of rules asks.

    :raises TimeoutError: if one takes too long.
    """
    letters = "".join(dict.fromkeys(pattern))[:40]
    for one in {*letters, letters, *"a1 "}:
        for end in ("!", f"!{letters}"):
            compiled(pattern).search(one * (_TRIED // len(one)) + end, timeout=PATTERN_SECONDS)


def _pattern(condition: Pattern, facts: Facts) -> Asked:
    try:
        found = compiled(condition.pattern).search(facts.text[:MOST_READ], timeout=PATTERN_SECONDS)
    except TimeoutError:
        return Asked(False, "timeout")
    except regex.error:  # of a release that reads them otherwise
        return Asked(False, "unreadable")
    return Asked(found is not None)


# ---- what the conversation is --------------------------------------------------------------------------


def _is(condition: Is, facts: Facts) -> Asked:
    if condition.fields is None:
        return Asked(False, "unreadable")
    saw: list[str] = []
    holds = _let_through(condition.fields, facts, saw)
    return Asked(holds, ", ".join(saw))


def filter_in(condition: Is) -> ConversationFilter | None:
    """Return the filter of a condition; None: it cannot be read, or names what no rule may."""
    if not condition.filter.keys() <= _NAMED:
        return None
    try:
        return strictjson.convert(condition.filter, ConversationFilter)
    except msgspec.ValidationError:
        return None


def lets_through(filter_: ConversationFilter, facts: Facts) -> bool:
    """Tell whether *filter_* lets the conversation of *facts* through, as a query with it would.

    Nobody looks: what asks for whoever does finds nothing.
    """
    return _let_through(_given(filter_), facts, [])


def _given(filter_: ConversationFilter) -> Sequence[tuple[str, Any]]:
    return [(name, value) for name in _FIELDS if (value := getattr(filter_, name)) is not None]


def _let_through(given: Sequence[tuple[str, Any]], facts: Facts, saw: list[str]) -> bool:
    return all(_field(name, value, facts, saw) for name, value in given)


_FIELDS = tuple(ConversationFilter.__dataclass_fields__)
_NAMED = frozenset(_FIELDS) - {"contact", "accounts"}
"""The fields that a rule may ask for: no one customer, and not what somebody sees."""
_YES_OR_NO = frozenset({"snoozed", "spam", "needs_reply", "failed", "late", "scheduled"})


def _field(name: str, value: Any, facts: Facts, saw: list[str]) -> bool:
    """Tell whether one field of a filter lets a conversation through, and note what it saw."""
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
    return name == "accounts"  # those of a person; a contact is named by no rule


def _contact(condition: Contact, facts: Facts) -> Asked:
    value = facts.attributes.get(condition.attribute, "")
    wanted = folded(condition.value).strip()
    same = folded(value).strip() == wanted if wanted else bool(value)
    return Asked(same is not condition.negated, "same" if same else "other" if value else "none")


def _concerns(condition: Concerns, facts: Facts) -> Asked:
    wanted = {name: getattr(condition, name) for name in ("label", "team", "person")}
    given = {name: id_ for name, id_ in wanted.items() if id_}
    saw = ", ".join(f"{name}:{facts.concerns.get(name, 0)}" for name in given)
    return Asked(all(facts.concerns.get(name) == id_ for name, id_ in given.items()), saw)


_ASKS: Mapping[type[Any], Callable[[Any, Facts], Asked]] = {
    AnyOf: _any_of,
    Words: _words,
    Pattern: _pattern,
    Sent: lambda condition, facts: Asked(facts.kind in condition.kinds, facts.kind),
    Is: _is,
    Open: lambda condition, facts: Asked(
        facts.is_open is condition.open, "open" if facts.is_open else "closed"
    ),
    Window: lambda condition, facts: Asked(facts.window == condition.to, facts.window),
    WroteBefore: _wrote_before,
    Contact: _contact,
    Concerns: _concerns,
    By: lambda condition, facts: Asked(facts.actor == condition.actor, facts.actor),
    OnPost: _on_post,
    OfAddon: _of_addon,
}


def leaves(conditions: Iterable[Condition]) -> Iterable[One]:
    """Yield the conditions that ask for something, those of groups among them."""
    for condition in conditions:
        if isinstance(condition, AnyOf):
            yield from condition.of
        else:
            yield condition
