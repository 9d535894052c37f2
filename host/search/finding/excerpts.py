"""Excerpts of found texts, with the search words marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from host.search import words
from host.search.finding.finder import phrase_places
from host.search.finding.query import Phrase

LENGTH = 180
"""Approximate length of an excerpt in characters."""
BEFORE = 50
"""Characters before the first search word."""


class ExcerptPart(NamedTuple):
    """A part of an excerpt.

    :param hit: whether it is a search word.
    """

    text: str
    hit: bool


def excerpt(texts: Sequence[str], phrases: Sequence[Phrase], length: int = LENGTH) -> list[ExcerptPart]:
    """Return the first of *texts* with a search word, cut to about *length* characters around it."""
    best: tuple[str, list[tuple[int, int]]] = (words.composed(texts[0]) if texts else "", [])
    for text in texts:
        plain = words.composed(text)
        spans = hits(plain, phrases)
        if spans:
            best = plain, spans
            break
    return _cut(*best, length)


def hits(text: str, phrases: Sequence[Phrase]) -> list[tuple[int, int]]:
    """Return the positions of search words in a composed text, in order and without overlaps."""
    atoms = list(words.atoms(text))
    found = sorted(
        (atoms[first].start, atoms[last].end)
        for phrase in phrases
        for first, last in phrase_places(atoms, phrase)
    )
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _cut(text: str, spans: Sequence[tuple[int, int]], length: int) -> list[ExcerptPart]:
    begin = max(0, spans[0][0] - BEFORE) if spans else 0
    if begin:
        space = text.find(" ", begin, spans[0][0])
        begin = space + 1 if space >= 0 else begin
    end = min(len(text), begin + length)
    if end < len(text):
        space = text.rfind(" ", begin + length // 2, end)
        end = space if space >= 0 else end
    pieces: list[ExcerptPart] = []
    at = begin
    for start, stop in spans:
        if start >= end:
            break
        pieces += [ExcerptPart(text[at:start], False), ExcerptPart(text[start : min(stop, end)], True)]
        at = min(stop, end)
    pieces.append(ExcerptPart(text[at:end], False))
    if begin:
        pieces.insert(0, ExcerptPart("…", False))
    if end < len(text):
        pieces.append(ExcerptPart("…", False))
    return [ExcerptPart(" ".join(one.text.split("\n")), one.hit) for one in pieces if one.text]
