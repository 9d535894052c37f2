"""Split a text into passages small enough for a model, without losing a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

LONGEST = 1_200
"""Longest passage in characters."""
ENOUGH = 400
"""Minimum length at which the text before a heading becomes a separate passage."""
LONGEST_PLACE = 64
PAGE_END = "\f"
"""Separator between pages."""

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_HEADING = re.compile(r"#{1,6}\s+(?P<words>[^\n]*\S)")
_AROUND_HEADING = re.compile(r"^(#{1,6}[^\S\n][^\n]*)$", re.MULTILINE)
_LINE_END = re.compile(r"\n+")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？।])\s*")
_SPACE = re.compile(r"\s+")


class EntryPart(msgspec.Struct, frozen=True):
    """A part of a text.

    :param place: its position, such as ``p. 4`` or the heading above it; empty if unknown.
    """

    place: str
    text: str


def cut(text: str) -> list[EntryPart]:
    """Return the parts of *text* in order, split at pages, headings, paragraphs and sentences.

    Only white space between them is lost. A word longer than a part is split.
    """
    pages = text.split(PAGE_END)
    found: list[EntryPart] = []
    for number, page in enumerate(pages, 1):
        for piece in _of_page(page):
            found.append(EntryPart(f"p. {number}", piece.text) if len(pages) > 1 else piece)
    return found


def _of_page(text: str) -> Iterator[EntryPart]:
    """Yield the parts of a page. A heading stays with the text below it."""
    parts: list[str] = []
    size, place, heading, below = 0, "", "", False
    for part in _paragraphs(text):
        words = _HEADING.match(part)
        fits = size + len(part) + 2 <= LONGEST
        # A heading at the end of a part is moved to the next one if possible: it belongs to what follows.
        if parts and (not fits or (words is not None and size >= ENOUGH and below)):
            carried = parts.pop() if not below and len(parts) > 1 else None
            if carried is not None and len(carried) + len(part) + 2 > LONGEST:
                parts.append(carried)
                carried = None
            yield EntryPart(place, "\n\n".join(parts))
            parts = [] if carried is None else [carried]
            size, place = sum(len(one) + 2 for one in parts), heading
        if words is not None:
            heading, below = words["words"][:LONGEST_PLACE].rstrip(), False
            place = place if parts and place else heading
        else:
            below = True
        parts.append(part)
        size += len(part) + 2
    if parts:
        yield EntryPart(place, "\n\n".join(parts))


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a text, headings separately, long ones in parts."""
    for paragraph in _BLANK_LINE.split(text.strip()):
        for part in _AROUND_HEADING.split(paragraph):
            if rest := part.strip():
                yield from _shorter(rest)


def _shorter(text: str) -> Sequence[str]:
    """Return *text* in parts that fit: lines, then sentences, then words, then letters."""
    if len(text) <= LONGEST:
        return [text]
    for ends, glue in ((_LINE_END, "\n"), (_SENTENCE_END, " "), (_SPACE, " ")):
        pieces = [one for one in ends.split(text) if one]
        if len(pieces) > 1:
            return _packed(pieces, glue)
    return [text[at : at + LONGEST] for at in range(0, len(text), LONGEST)]


def _packed(pieces: Sequence[str], glue: str) -> list[str]:
    """Return *pieces* joined into the fewest that fit."""
    packed: list[str] = []
    for piece in pieces:
        for one in _shorter(piece):
            if packed and len(packed[-1]) + len(glue) + len(one) <= LONGEST:
                packed[-1] += glue + one
            else:
                packed.append(one)
    return packed
