"""Measure, cut and split text by limits counted in UTF-8 bytes, or in another unit."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import regex

_GRAPHEME = regex.compile(r"\X")
_AFTER_SENTENCE = regex.compile(r"(?<=[.!?…]['\"”’)\]]*)\s|(?<=[。！？])|\n")
_SPACE = regex.compile(r"\s")


class TextUnit(StrEnum):
    """Unit in which a provider counts the length of a text."""

    # A text is never longer in a later unit than in an earlier one.
    BYTES = "bytes"
    """Bytes of UTF-8."""
    UTF16 = "utf16"
    """Code units of UTF-16: most emoji count as two or more."""
    CHARACTERS = "characters"
    """Code points of Unicode."""


class TextLimit(int):
    """The maximum length of a text, with its unit. A plain integer is a limit in bytes."""

    unit: TextUnit

    def __new__(cls, most: int, unit: TextUnit = TextUnit.BYTES) -> Self:
        made = super().__new__(cls, most)
        made.unit = unit
        return made


def unit_of(limit: int) -> TextUnit:
    """Return the unit of *limit*."""
    return limit.unit if isinstance(limit, TextLimit) else TextUnit.BYTES


def length(text: str, unit: TextUnit) -> int:
    """Return the length of *text* in *unit*."""
    if unit is TextUnit.BYTES:
        return byte_length(text)
    if unit is TextUnit.CHARACTERS:
        return len(text)
    return len(text) + sum(char > "\uffff" for char in text)


def byte_length(text: str) -> int:
    """Return the length of *text* in UTF-8 bytes. A lone surrogate counts as U+FFFD."""
    return len(text.encode("utf-8", "surrogatepass"))


def fit(text: str, limit: int) -> int:
    """Return the length in code points of the longest prefix of *text* within *limit*.

    It ends before the first grapheme that does not fit. If even the first one is too long, it ends at a code
    point, so that the prefix is not empty.

    :param limit: in bytes, or a :class:`TextLimit`.
    """
    unit = unit_of(limit)
    if length(text, unit) <= limit:
        return len(text)
    used = end = 0
    for match in _GRAPHEME.finditer(text):
        size = length(match.group(), unit)
        if used + size > limit:
            break
        used += size
        end = match.end()
    if end:
        return end
    used = 0
    for index, char in enumerate(text):
        used += length(char, unit)
        if used > limit:
            return index
    return len(text)


def truncate(text: str, limit: int) -> str:
    """Cut *text* to at most *limit* (see :func:`fit`), never inside a grapheme unless one alone is longer."""
    return text[: fit(text, limit)].rstrip()


def split(text: str, limit: int) -> list[str]:
    """Split *text* into parts of at most *limit*: between sentences, else words, else graphemes.

    Only white space at the seams is lost. Empty text has no parts.

    :param limit: as in :func:`fit`.
    """
    parts: list[str] = []
    rest = text.strip()
    while rest:
        end = fit(rest, limit)
        if end < len(rest):
            end = _seam(rest, end)
        part = rest[:end].rstrip()
        if part:
            parts.append(part)
        rest = rest[end:].lstrip()
    return parts


def _seam(text: str, end: int) -> int:
    """Return the best place to split at or before *end*: after a sentence, else at a space, else *end*."""
    for pattern, least in ((_AFTER_SENTENCE, end // 2), (_SPACE, end // 4)):
        best = max(
            (m.start() for m in pattern.finditer(text, 0, end + 1) if least <= m.start() <= end), default=0
        )
        if best:
            return best
    return end
