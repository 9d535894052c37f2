"""Decide what becomes of what a model said. Everything here is pure.

A model may say whatever a customer or a document told it to. So nothing of it is believed: an answer goes out
only where it rests on a source that was given to it, and names no address that stands in none.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import regex

from host.automation.assistants.values import Cited, Said, Source
from host.core.cleaning import clean_written
from host.search.words import fold

LONGEST = 4000
"""Most letters of an answer."""
LONG_NUMBER = 7
"""Digits of a number that somebody could be called by, or pay to."""

_GAP = r"[\s\u200c\u200d]*"
_BETWEEN = rf"{_GAP}(?:[,;&+/–—-]|and){_GAP}"
_LISTED = rf"\d{{1,3}}(?:{_BETWEEN}\^?\d{{1,3}})*{_GAP}"
_SOURCE = rf"sources?{_GAP}:?{_GAP}"
_CITATION = re.compile(
    rf"[\[【［]{_GAP}\^?{_GAP}(?:{_SOURCE})?{_LISTED}[\]】］]|[(（]{_GAP}{_SOURCE}{_LISTED}[)）]",
    re.IGNORECASE,
)
"""A citation, as a model is told to write it, ``[2]``, and as models write it besides."""
_DEEP = 6
"""How often citations are cut out, with those that cutting left. What has some even then is no answer."""
_READ = 4 * LONGEST
"""Letters that are looked at for citations. A longer answer is none, whatever they leave of it."""
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an answer.

    :param text: what goes to the customer; empty: nothing.
    :param cited: every source there was, and whether the answer rests on it.
    :param reason: why it goes to nobody, a key of the reasons; empty: it may.
    """

    text: str
    cited: Sequence[Cited]
    reason: str = ""


def judge(
    said: Said,
    sources: Sequence[Source],
    *,
    words_of_owner: Iterable[str] = (),
    phrases: Iterable[str] = (),
    said_before: Iterable[str] = (),
) -> Verdict:
    """Return what becomes of what a model said.

    :param sources: all it was given, results of tools among them.
    :param words_of_owner: other texts whose addresses it may repeat.
    :param phrases: what it may say without a source.
    :param said_before: what it said by itself in this conversation lately.
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
    # A citation alone makes no source of anything: what names none in `sources` was refused above.
    used |= {number for _place, number in citations}
    return Verdict(text, [_cited(one, one.number in used, citations) for one in sources])


def without_citations(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return an answer as it is sent, and what it cited: letters before each place, and the source's number.

    What is sent has no citation, and nothing that nobody sees. Cutting one out may leave another, so it goes
    on until there is none.
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
    """Return the citations of *text* with the blanks before each: beginning, end, and numbers."""
    found = list[tuple[int, int, list[int]]]()
    for one in _CITATION.finditer(text):
        start, least = one.start(), found[-1][1] if found else 0
        while start > least and text[start - 1].isspace():
            start -= 1
        found.append((start, one.end(), [int(number) for number in re.findall(r"\d+", one.group())]))
    return found


def _moved(at: int, starts: Sequence[int], ends: Sequence[int], gone: Sequence[int]) -> int:
    """Return where the place *at* is once what stands between *starts* and *ends* is cut out.

    :param gone: how many letters are cut out before each.
    """
    before = bisect_left(starts, at)
    inside = max(ends[before - 1] - at, 0) if before else 0
    return at - gone[before] + inside


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer, as it is shown.

    :param sources: what it rests on, in the order of their numbers.
    """

    text: str
    sources: Sequence[Cited] = ()


def in_parts(text: str, cited: Iterable[Cited]) -> list[Part]:
    """Return an answer in parts that end where it cites sources. Together they are *text*."""
    at: dict[int, list[Cited]] = {}
    for one in cited:
        for place in one.citations if one.used else ():
            if 0 <= place <= len(text):
                at.setdefault(place, []).append(one)
    parts, began = list[Part](), 0
    for place, ones in sorted(at.items()):
        parts.append(Part(text[began:place], sorted(ones, key=lambda one: one.number)))
        began = place
    return [*parts, Part(text[began:])] if began < len(text) or not parts else parts


def unknown_addresses(text: str, known: Iterable[str]) -> list[str]:
    """Return the addresses, handles and long numbers of *text* that stand in none of the *known* texts."""
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
    """Return what can be opened or written to in *text*, each in one form."""
    plain = unicodedata.normalize("NFKC", text).translate(_DOTS)
    return {_address(one.group()) for one in _ADDRESS.finditer(plain)} - {""}


def long_numbers(text: str) -> set[str]:
    """Return the numbers of *text* that somebody could be called by, or pay to. A date is none."""
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
