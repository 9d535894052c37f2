"""Judge a model's answer. Everything here is pure.

A model may say anything a customer or a document told it to, so nothing is trusted: an answer is sent only if
it cites a source the model was given, and contains no address that is in none of them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec
import regex

from host.assistants.values import Cited, ModelAnswer, Source
from host.core.cleaning import clean_written
from host.search.words import fold

LONGEST = 4000
"""Longest answer in characters."""
LONG_NUMBER = 7
"""Minimum number of digits of a possible phone or bank account number."""

_GAP = r"[\s\u200c\u200d]*"
_BETWEEN = rf"{_GAP}(?:[,;&+/–—-]|and){_GAP}"
_LISTED = rf"\d{{1,3}}(?:{_BETWEEN}\^?\d{{1,3}})*{_GAP}"
_SOURCE = rf"sources?{_GAP}:?{_GAP}"
_CITATION = re.compile(
    rf"[\[【［]{_GAP}\^?{_GAP}(?:{_SOURCE})?{_LISTED}[\]】］]|[(（]{_GAP}{_SOURCE}{_LISTED}[)）]",
    re.IGNORECASE,
)
"""A citation, as requested from the model, ``[2]``, and in other forms that models write."""
_DEEP = 6
"""Passes of removing citations, including those that removal creates. An answer that still has some is
invalid.
"""
_READ = 4 * LONGEST
"""Characters searched for citations. A longer answer is invalid."""
_ADDRESS = regex.compile(
    r"(?:[a-z][a-z0-9+.-]*:/?/?|www\.)[^\s<>\"”“]+"
    r"|[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"
    r"|(?<![\p{L}\p{N}.@])(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+\p{L}{2,}(?:[/?#:][^\s<>\"”“]*)?"
    r"|(?<![\p{L}\p{N}])[@＠][\p{L}\p{N}_][\p{L}\p{N}_.]*",
    regex.IGNORECASE,
)
_SCHEMES = ("http://", "https://", "www.")
_WORDY = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NUMBER = regex.compile(r"\p{Nd}(?:[\p{Nd}\s().\-/–—·]*\p{Nd})?")
_DATE = re.compile(r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{4})\b")
_DOTS = str.maketrans("。｡．", "...")
_ENDS = ".,;:!?)]}'\"’”»…。、！？"


class Verdict(msgspec.Struct, frozen=True):
    """The verdict on an answer.

    :param text: text for the customer; empty if nothing is sent.
    :param cited: every source given, and whether the answer cites it.
    :param reason: why it is not sent, a key of the reasons; empty if it may be.
    """

    text: str
    cited: Sequence[Cited]
    reason: str = ""


def judge(
    said: ModelAnswer,
    sources: Sequence[Source],
    *,
    words_of_owner: Iterable[str] = (),
    phrases: Iterable[str] = (),
    said_before: Iterable[str] = (),
) -> Verdict:
    """Return the verdict on a model's answer.

    :param sources: all sources the model was given, including results of tools.
    :param words_of_owner: other texts whose addresses it may repeat.
    :param phrases: sentences it may say without a source.
    :param said_before: its recent automatic answers in this conversation.
    """
    text, citations = without_citations(said.answer)
    used = {number for number in said.sources if isinstance(number, int)}
    cited = [_cited(one, one.number in used) for one in sources]
    if said.hands_over:
        return Verdict("", cited, "doubt" if any(one.used for one in cited) else "no_source")
    if not text:
        return Verdict("", cited, "no_source")
    if len(text) > LONGEST:
        return Verdict("", cited, "too_long")
    is_phrase = _plain(text) in {_plain(one) for one in phrases}
    resting = [one for one in sources if one.number in used]
    if not resting and not is_phrase:
        return Verdict("", cited, "no_source")
    known = [*(one.text for one in sources if one.kind != "contact"), *words_of_owner, *phrases]
    if unknown_addresses(text, known):
        return Verdict("", cited, "address")
    if not is_phrase and _plain(text) in {_plain(one) for one in said_before}:
        return Verdict("", cited, "loop")
    # A citation alone proves nothing: an answer that names no number in `sources` was refused above.
    used |= {number for _place, number in citations}
    return Verdict(text, [_cited(one, one.number in used, citations) for one in sources])


def without_citations(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the text to send, and its citations: character offset and source number.

    The text has no citations and no invisible characters. Removing a citation can create another one, so this
    repeats until none is left.
    """
    seen = "".join(char for char in text if unicodedata.category(char) != "Cf" or char in "\u200c\u200d")
    left, citations = clean_written(seen), list[tuple[int, int]]()
    if len(left) > _READ:
        return left, citations
    for _ in range(_DEEP):
        cuts = _cuts(left)
        if not cuts:
            break
        citations += [(start, number) for start, _end, numbers in cuts for number in numbers]
        starts, ends = [one[0] for one in cuts], [one[1] for one in cuts]
        gone = [0, *accumulate(end - start for start, end in zip(starts, ends, strict=True))]
        citations = [(_moved(at, starts, ends, gone), number) for at, number in citations]
        kept = zip([0, *ends], [*starts, len(left)], strict=True)
        left = "".join(left[begins:stops] for begins, stops in kept)
    else:
        return "", []
    sent = clean_written(left)
    edge = left.index(sent)
    places = {(min(max(at - edge, 0), len(sent)), number) for at, number in citations}
    return sent, sorted(places)


def _cuts(text: str) -> list[tuple[int, int, list[int]]]:
    """Return the citations of *text* including the blanks before them: start, end and numbers."""
    found = list[tuple[int, int, list[int]]]()
    for one in _CITATION.finditer(text):
        start, least = one.start(), found[-1][1] if found else 0
        while start > least and text[start - 1].isspace():
            start -= 1
        found.append((start, one.end(), [int(number) for number in re.findall(r"\d+", one.group())]))
    return found


def _moved(at: int, starts: Sequence[int], ends: Sequence[int], gone: Sequence[int]) -> int:
    """Return the offset *at* after removing the text between *starts* and *ends*.

    :param gone: number of characters removed before each.
    """
    before = bisect_left(starts, at)
    inside = max(ends[before - 1] - at, 0) if before else 0
    return at - gone[before] + inside


class AnswerPart(msgspec.Struct, frozen=True):
    """A part of an answer on a page.

    :param sources: the sources it cites, ordered by number.
    """

    text: str
    sources: Sequence[Cited] = ()


def in_parts(text: str, cited: Iterable[Cited]) -> list[AnswerPart]:
    """Return an answer split after its citations. Joined, the parts are *text*."""
    at: dict[int, list[Cited]] = {}
    for one in cited:
        for place in one.citations if one.used else ():
            if 0 <= place <= len(text):
                at.setdefault(place, []).append(one)
    parts, began = list[AnswerPart](), 0
    for place, ones in sorted(at.items()):
        parts.append(AnswerPart(text[began:place], sorted(ones, key=lambda one: one.number)))
        began = place
    return [*parts, AnswerPart(text[began:])] if began < len(text) or not parts else parts


def unknown_addresses(text: str, known: Iterable[str]) -> list[str]:
    """Return the addresses, handles and long numbers of *text* that occur in none of the *known* texts."""
    names, numbers = addresses(text), long_numbers(text)
    if not names and not numbers:
        return []
    there, digits = set[str](), list[str]()
    for one in known:
        there |= addresses(one)
        digits.append(_digits(one))
    unknown = [one for one in names if not any(have == one or have.startswith(f"{one}/") for have in there)]
    unknown += [one for one in numbers if not any(one in have for have in digits)]
    return sorted(unknown)


def addresses(text: str) -> set[str]:
    """Return the links, email addresses and handles in *text*, normalized."""
    plain = unicodedata.normalize("NFKC", text).translate(_DOTS)
    return {_address(one.group()) for one in _ADDRESS.finditer(plain)} - {""}


def long_numbers(text: str) -> set[str]:
    """Return the numbers in *text* that could be phone or account numbers. Dates are left out."""
    plain = _DATE.sub(" , ", unicodedata.normalize("NFKC", text))
    found = {_digits(one.group()) for one in _NUMBER.finditer(plain)}
    return {one for one in found if len(one) >= LONG_NUMBER}


def _digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())


def _address(text: str) -> str:
    kept = text.strip().casefold().rstrip(_ENDS)
    for scheme in _SCHEMES:
        kept = kept.removeprefix(scheme)
    if _WORDY.fullmatch(kept):
        return ""  # a word before a colon
    return kept.rstrip("/")


def _plain(text: str) -> str:
    return " ".join(fold(text).split()).strip(_ENDS + " ")


def _cited(source: Source, used: bool, citations: Iterable[tuple[int, int]] = ()) -> Cited:
    at = "" if source.at is None else source.at.isoformat()
    return Cited(
        number=source.number,
        title=source.title,
        kind=source.kind,
        place=source.place,
        at=at,
        entry=source.entry_id,
        used=used,
        citations=tuple(place for place, number in citations if number == source.number),
    )
