"""Read a query: words, phrases in quotation marks, beginnings with a star, and filters such as ``is:open``. A
minus before the first three says what must not be there. A number after ``#`` or of four digits, and a handle
after ``@``, are beginnings without a star.

Whatever is typed means something: what is no filter is words, a lone quotation mark is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec
import regex

from host.search import words
from host.search.words import Atom, AtomKind

MOST_LETTERS = 1_000
MOST_WORDS = 16
"""Most words searched for; further ones are left out, and the page says so."""

_PIECE = re.compile(
    r'(?P<no>-(?=[^\s-]))?(?:(?P<name>[a-z]+):(?:"(?P<quoted>[^"]*)"|(?P<value>\S+))|"(?P<phrase>[^"]+)"|(?P<word>\S+))'
)
_SOME_DIGIT, _LONG_NUMBER = re.compile(r"[0-9]"), re.compile(r"[0-9]{4}$")
_UNSTORABLE = regex.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\p{Cs}")

FILTERS = ("is", "from", "account", "channel", "assignee", "team", "label", "post", "has", "before", "after")
"""Names of filters as they are typed. What each takes is with :mod:`host.search.finding.filters`."""


class Need(msgspec.Struct, frozen=True):
    """A document must have one of these terms.

    :param beginning: whether a term may also begin with the first of them.
    :param whole: a term may also begin so; empty: none.
    """

    terms: tuple[str, ...]
    beginning: bool = False
    whole: str = ""

    @property
    def beginnings(self) -> Sequence[str]:
        """The beginnings of further terms."""
        return [*self.terms[: self.beginning], *filter(None, [self.whole])]


class Phrase(msgspec.Struct, frozen=True):
    """Atoms in a row, or one word that is all of them.

    :param beginning: whether the last atom may be a prefix.
    """

    atoms: tuple[Atom, ...]
    whole: str | None = None
    beginning: bool = False

    @property
    def whole_beginning(self) -> str:
        """The beginning of a word that is all of it: ``ab12`` of the number ``AB-12``; empty: none."""
        return self.whole or "" if self.beginning and self.atoms[-1].text.isdecimal() else ""


class Typed(msgspec.Struct, frozen=True):
    """A filter as it was typed: ``is:open``."""

    name: str
    value: str

    def __str__(self) -> str:
        return f'{self.name}:"{self.value}"' if " " in self.value else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search query.

    :param text: as typed, without invalid characters.
    :param words: required words and phrases, without filters.
    :param unwanted: excluded words; *without_words*: as typed.
    :param shortened: whether more was typed than is searched for.
    :param strange: text that looks like a filter with an unknown name; it is searched for as words.
    """

    text: str
    words: str
    needs: Sequence[Need]
    phrases: Sequence[Phrase]
    filters: Sequence[Typed] = field(default=())
    shortened: bool = False
    unwanted: Sequence[Phrase] = ()
    without_words: str = ""
    strange: Sequence[Typed] = ()

    @property
    def empty(self) -> bool:
        """Whether it is empty."""
        return not self.needs and not self.filters and not self.unwanted

    @property
    def exact(self) -> Sequence[Phrase]:
        """Phrases that terms alone cannot decide."""
        return [one for one in self.phrases if len(one.atoms) > 1]

    @property
    def barred(self) -> Sequence[str]:
        """Excluded terms."""
        return [one.atoms[0].text for one in self.unwanted if _is_term(one)]

    @property
    def barred_exactly(self) -> Sequence[Phrase]:
        """Excluded phrases that terms alone cannot decide."""
        return [one for one in self.unwanted if not _is_term(one)]

    @property
    def said(self) -> str:
        """The typed text without filters, required words first."""
        return _text((), self.words, self.without_words)

    def without(self, typed: Typed) -> str:
        """Return the text of this query without one of its filters."""
        return _text([one for one in self.filters if one != typed], self.said)

    def having(self, typed: Typed | None, instead: Sequence[Typed] = ()) -> str:
        """Return the text of this query with *typed* added, if any, and *instead* removed."""
        kept = [one for one in self.filters if one != typed and one not in instead]
        return _text(kept if typed is None else [*kept, typed], self.said)

    def meaning(self, strange: Typed, meant: Typed) -> str:
        """Return the text of this query with *meant* in place of the unknown filter."""
        pieces = _PIECE.finditer(self.said)
        rest = [one.group() for one in pieces if (one["name"], _value(one)) != (strange.name, strange.value)]
        return _text([*self.filters, meant], *rest)

    @property
    def only_filters(self) -> str:
        """The text of this query without words."""
        return _text(self.filters)

    @property
    def sought(self) -> Sequence[str]:
        """The required words, as typed."""
        return [word for one in self.words.replace('"', " ").split() if (word := one.rstrip("*"))]

    @property
    def beginnings(self) -> str:
        """The text of this query with each word as a prefix."""
        return self.beginning(self.sought)

    def beginning(self, beginnings: Sequence[str]) -> str:
        """Return the text of this query with *beginnings* in place of its words."""
        return _text(self.filters, *(f"{one}*" for one in beginnings), self.without_words)


def _text(filters: Sequence[Typed], *said: str) -> str:
    return " ".join(one for one in (*map(str, filters), *said) if one)


def _value(piece: re.Match[str]) -> str:
    return (piece["quoted"] or piece["value"] or "").strip()


def read_query(text: str) -> Query:
    """Return the query in *text*."""
    clean = " ".join(_UNSTORABLE.sub(" ", text).split())
    shortened = len(clean) > MOST_LETTERS
    clean = clean[:MOST_LETTERS]
    filters: list[Typed] = []
    strange: list[Typed] = []
    typed: list[str] = []
    phrases: list[Phrase] = []
    not_typed: list[str] = []
    unwanted: list[Phrase] = []
    for piece in _PIECE.finditer(clean):
        value = _value(piece)
        if piece["name"] in FILTERS and value:
            one = Typed(f"{piece['no'] or ''}{piece['name']}", value)
            if one not in filters:
                filters.append(one)
            continue
        # An address is no filter.
        if piece["name"] and value and not value.startswith("//"):
            strange.append(Typed(piece["name"], value))
        (not_typed if piece["no"] else typed).append(piece.group())
        if piece["phrase"] is not None:
            found = _atoms(piece["phrase"])
            meant = [Phrase(found)] if found else []
        else:
            meant = _phrases(piece.group().removeprefix(piece["no"] or ""), begins=not piece["no"])
        if piece["no"]:
            unwanted += meant
        else:
            phrases += meant
    # Emoji beside words are how people write, not what they look for.
    phrases = list(dict.fromkeys([one for one in phrases if not _is_emoji(one)] or phrases))
    needs: dict[Need, None] = {}
    kept: list[Phrase] = []
    for phrase in phrases:
        more = dict.fromkeys(_needs(phrase))
        if len(needs | more) > MOST_WORDS:
            shortened = True
            break
        needs |= more
        kept.append(phrase)
    if not kept and phrases:
        # One phrase too long to be looked for as a whole: by its first words.
        kept = [Phrase(phrases[0].atoms[:MOST_WORDS])]
        needs = dict.fromkeys(_needs(kept[0])[:MOST_WORDS])
    unwanted = list(dict.fromkeys(unwanted))
    return Query(
        clean,
        " ".join(typed),
        tuple(needs),
        tuple(kept),
        tuple(filters),
        shortened or len(unwanted) > MOST_WORDS,
        tuple(unwanted[:MOST_WORDS]),
        " ".join(not_typed),
        tuple(one for one in strange if one.name not in FILTERS),
    )


def _atoms(text: str) -> tuple[Atom, ...]:
    """Return the atoms of *text*, wherever they stand in it."""
    return tuple(one._replace(start=0, end=0) for one in words.atoms(words.composed(text)))


def _phrases(typed: str, *, begins: bool) -> list[Phrase]:
    """Return the phrases of one piece without spaces.

    :param begins: whether a number or handle stands for what it begins, even without a star.
    """
    phrases = [Phrase(tuple(chain), words.joined(chain)) for chain in words.chains(_atoms(typed))]
    if phrases and (typed.endswith("*") or (begins and _is_number_or_handle(typed, phrases[-1].atoms[-1]))):
        last = phrases[-1]
        phrases[-1] = Phrase(last.atoms, last.whole, beginning=True)
    return phrases


def _is_number_or_handle(typed: str, last: Atom) -> bool:
    """Return whether *typed* is one of those that few people type to the end.

    :param last: its last word.
    """
    if last.kind is not AtomKind.WORD:
        return False
    if typed.startswith("@"):
        return True
    return bool((_SOME_DIGIT if typed.startswith("#") else _LONG_NUMBER).search(last.text))


def _is_term(phrase: Phrase) -> bool:
    """Return whether *phrase* stands in a text exactly where its one word is a term of it."""
    return len(phrase.atoms) == 1 and not _needs(phrase)[0].beginning


def _is_emoji(phrase: Phrase) -> bool:
    return all(one.kind is AtomKind.EMOJI for one in phrase.atoms)


def _needs(phrase: Phrase) -> list[Need]:
    """Return the terms a document with *phrase* has."""
    needs: list[Need] = []
    for chain in words.chains(phrase.atoms):
        begins = phrase.beginning and chain[-1] is phrase.atoms[-1]
        kind = chain[0].kind
        if len(chain) > 1 and kind in {AtomKind.LETTER, AtomKind.CLUSTER}:
            needs += [Need((pair,)) for pair in words.pairs(chain)]
            continue
        whole = () if phrase.whole is None else (phrase.whole,)
        needs += [Need((one.text, *whole), whole=phrase.whole_beginning) for one in chain]
        # Pairs are the terms of a script whose letters mean nothing by themselves.
        if begins or kind is AtomKind.CLUSTER:
            needs[-1] = Need(needs[-1].terms, beginning=True, whole=needs[-1].whole)
    return needs


def read_day(value: str) -> date | None:
    """Return a day as it is typed: ``2026-11-20``; None for anything else."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
