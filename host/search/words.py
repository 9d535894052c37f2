"""Split text into words, the same for every script and every database.

A word is folded: without case, marks above and below letters (of scripts that are read without them), widths
and forms of digits. Chinese, Japanese and Korean have no reliable spaces: there each letter is an atom, and
two neighbours make a term too. The same holds for Thai, Lao, Khmer and Burmese, in pairs only. A number in
a word is a term of its own too: ``1182`` of ``ORD1182``.

Names have more terms, see :func:`name_terms`.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

import regex

VERSION = 3
"""Increase it when the same text yields other terms: every desk then rebuilds its index."""
MOST_TEXT = 100_000
"""Most characters of a text that are indexed."""
MOST_TERMS = 2_000
"""Most terms of a document."""
LONGEST_PLAIN = 2 * MOST_TERMS
"""Longest text in characters that cannot exceed the maximum number of terms."""
LONGEST = 48
"""Longest term in characters; anything beyond is ignored in a search."""
FEWEST_DIGITS = 3
"""Digits of a number that is found within a word."""
PART = "~"
"""Begins the term of an end of a word, see :func:`name_terms`: no word has it."""
FEWEST_LETTERS = 3
"""Letters of an end of a word that is a term."""
MOST_PARTS = 24
"""Most ends of one word that are terms: the longest."""


class AtomKind(Enum):
    """How an atom becomes terms."""

    WORD = auto()
    LETTER = auto()
    """A letter of a script without spaces that has a meaning of its own: Han, Kana, Hangul."""
    CLUSTER = auto()
    """A letter of a script without spaces that has no meaning of its own: Thai, Lao, Khmer, Burmese."""
    EMOJI = auto()


class Atom(NamedTuple):
    """The smallest part of a text that can be found.

    :param start: and *end*: where it stands in the text given to :func:`atoms`, as :func:`composed` makes it.
    :param glued: whether it continues the atom before it: without a space in scripts that have none, or
        behind a hyphen, dot, apostrophe or underscore inside a word.
    """

    text: str
    kind: AtomKind
    start: int
    end: int
    glued: bool


_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\u30FC\uFF70\u3005-\u3007"
_CLUSTERS = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_HIDDEN = r"\u00AD\u200B-\u200D\u2060\uFEFF"
_MARKS = r"\p{M}\uFF9E\uFF9F"
_PARTS = regex.compile(
    rf"(?P<letters>(?:[{_SPACELESS}][{_MARKS}]*)+)"
    rf"|(?P<clusters>(?:[{_CLUSTERS}][{_MARKS}{_HIDDEN}]*)+)"
    rf"|(?P<word>(?:(?![{_SPACELESS}{_CLUSTERS}])[\p{{L}}\p{{N}}{_MARKS}{_HIDDEN}])+)"
    r"|(?P<emoji>\p{Extended_Pictographic}|[\U0001F1E6-\U0001F1FF]{2})"
)
_ASCII = re.compile(r"[A-Za-z0-9]+")
_ASCII_JOINED = re.compile(r"[A-Za-z0-9][-_.'][A-Za-z0-9]")
_NUMBER = re.compile(rf"[0-9]{{{FEWEST_DIGITS},}}")
_MIXED = re.compile(rf"[a-z][0-9]{{{FEWEST_DIGITS}}}|[0-9]{{{FEWEST_DIGITS}}}[a-z]")
_SPELLED_OUT = re.compile(r"a[ae]+|oe+|ue+")
_LETTER = regex.compile(rf"[{_SPACELESS}{_CLUSTERS}][{_MARKS}{_HIDDEN}]*")
_PIECE = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_JOINTS = frozenset("-_.'’·\u2010\u2011")
_IGNORED = regex.compile(
    r"[\p{Zinh}--[\u3099\u309A]]|[\p{Hebrew}&&\p{Mn}]|[\p{Arabic}&&\p{Mn}]|[\u0640\u00AD\u200B\u2060\uFEFF]",
    regex.V1,
)
_SPECIAL = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ı": "i",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        # Kana: Katakana is looked for as Hiragana.
        **{chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)},
    }
)


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Return *text* without case, ignored marks, widths and forms of digits."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = _IGNORED.sub("", plain)
    if not plain.isascii() and any(one.isdecimal() for one in plain):
        plain = "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in plain)
    return unicodedata.normalize("NFC", plain).translate(_SPECIAL)


def composed(text: str) -> str:
    """Return *text* in the form that the places of :class:`Atom` count in."""
    return unicodedata.normalize("NFC", text[:MOST_TEXT])


def atoms(text: str) -> Iterator[Atom]:
    """Yield the atoms of a text that :func:`composed` made."""
    last_word = -2
    if text.isascii():
        for part in _ASCII.finditer(text):
            start, end = part.span()
            glued = last_word == start - 1 and text[last_word] in _JOINTS
            yield Atom(part.group().lower()[:LONGEST], AtomKind.WORD, start, end, glued)
            last_word = end
        return
    for found in _PARTS.finditer(text):
        kind = found.lastgroup
        if kind == "word":
            pieces = _PIECE.findall(fold(found.group()))
            joined = last_word == found.start() - 1 and text[last_word] in _JOINTS
            for number, piece in enumerate(pieces):
                glued = joined and number == 0
                yield Atom(piece[:LONGEST], AtomKind.WORD, found.start(), found.end(), glued)
            if pieces:
                last_word = found.end()
        elif kind == "emoji":
            yield Atom(found.group(), AtomKind.EMOJI, found.start(), found.end(), False)
        else:
            one_kind = AtomKind.LETTER if kind == "letters" else AtomKind.CLUSTER
            for number, letter in enumerate(_LETTER.finditer(found.group())):
                start = found.start() + letter.start()
                end = found.start() + letter.end()
                folded = fold(letter.group())
                if folded:
                    yield Atom(folded[: LONGEST // 2], one_kind, start, end, number > 0)


def chains(found: Sequence[Atom]) -> Iterator[Sequence[Atom]]:
    """Yield *found* cut where one atom does not continue the one before it, or is of another kind."""
    begin = 0
    for place in range(1, len(found) + 1):
        if place == len(found) or not found[place].glued or found[place].kind is not found[begin].kind:
            yield found[begin:place]
            begin = place


def joined(chain: Sequence[Atom]) -> str | None:
    """Return what a chain of words is in one word: ``AB-12`` is ``ab12``. None: it is one already."""
    if len(chain) < 2 or chain[0].kind is not AtomKind.WORD:
        return None
    return "".join(one.text for one in chain)[:LONGEST]


def pairs(chain: Sequence[Atom]) -> list[str]:
    """Return each two neighbours of a chain of letters as one term."""
    return [f"{one.text}{other.text}" for one, other in itertools.pairwise(chain)]


def numbers(word: str) -> list[str]:
    """Return the numbers within a word of letters and digits: ``1182`` of ``ord1182``."""
    return [] if word.isdecimal() else _NUMBER.findall(word)


def terms(text: str) -> set[str]:
    """Return the search terms of *text*."""
    found: set[str] = set()
    if text.isascii() and _ASCII_JOINED.search(text) is None and len(text) <= LONGEST_PLAIN:
        # As most messages are: words and nothing between them. A fifth of the time of what follows.
        plain = text.lower()
        found = {word[:LONGEST] for word in _ASCII.findall(plain)}
        if _MIXED.search(plain):
            found.update([number for word in found for number in numbers(word)])
        return found if len(found) <= MOST_TERMS else set(sorted(found)[:MOST_TERMS])
    for chain in chains(list(atoms(composed(text)))):
        kind = chain[0].kind
        if kind is AtomKind.CLUSTER and len(chain) > 1:
            found.update(pairs(chain))
        else:
            found.update(one.text for one in chain)
            if kind is AtomKind.LETTER:
                found.update(pairs(chain))
            elif kind is AtomKind.WORD:
                found.update(number for one in chain for number in numbers(one.text))
        whole = joined(chain)
        if whole is not None:
            found.add(whole)
        if len(found) >= MOST_TERMS:
            break
    return found if len(found) <= MOST_TERMS else set(sorted(found)[:MOST_TERMS])


def short_spelling(word: str) -> str:
    """Return a folded word without the letters that spell out ä, ö, ü, å, æ and ø.

    It is the same for ``muller`` and ``mueller``, and a beginning of a word has one that begins the word's.
    """
    return _SPELLED_OUT.sub(lambda found: found[0][0], word)


def name_terms(text: str, *, parts: bool = True) -> set[str]:
    """Return the search terms of a name, handle or address.

    They are its words, their short spellings, and the ends of both, each behind :data:`PART`: what begins an
    end is a part of the name. Of an address only what stands before the ``@`` has ends: many share the rest.

    :param parts: False leaves the ends out.
    """
    plain = terms(text)
    found = plain | {short_spelling(one) for one in plain}
    if not parts:
        return found
    for one in atoms(composed(text.rpartition("@")[0].strip() or text)):
        if one.kind is AtomKind.WORD and len(found) < MOST_TERMS:
            for word in {one.text, short_spelling(one.text)}:
                begins = range(1, min(len(word) - FEWEST_LETTERS, MOST_PARTS) + 1)
                found.update(PART + word[begin:] for begin in begins)
    return found
