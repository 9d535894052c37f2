"""Measure, cut and split text by limits counted in UTF-8 bytes."""

from __future__ import annotations

import regex

_GRAPHEME = regex.compile(r"\X")
_AFTER_SENTENCE = regex.compile(r"(?<=[.!?…]['\"”’)\]]*)\s|(?<=[。！？])|\n")
_SPACE = regex.compile(r"\s")


def byte_length(text: str) -> int:
    """Return the length of *text* in UTF-8 bytes. A lone surrogate counts as U+FFFD."""
    return len(text.encode("utf-8", "surrogatepass"))


def fit(text: str, limit: int) -> int:
    """Return the length in code points of the longest prefix of *text* within *limit* bytes.

    It ends before the first grapheme that does not fit. If even the first one is too long, it ends at a code
    point, so that the prefix is not empty.
    """
    if byte_length(text) <= limit:
        return len(text)
    used = end = 0
    for match in _GRAPHEME.finditer(text):
        size = byte_length(match.group())
        if used + size > limit:
            break
        used += size
        end = match.end()
    if end:
        return end
    used = 0
    for index, char in enumerate(text):
        used += byte_length(char)
        if used > limit:
            return index
    return len(text)


def truncate(text: str, limit: int) -> str:
    """Cut *text* to at most *limit* bytes, never inside a grapheme unless one alone is longer."""
    return text[: fit(text, limit)].rstrip()


def split(text: str, limit: int) -> list[str]:
    """Split *text* into parts of at most *limit* bytes: between sentences, else words, else graphemes.

    Only white space at the seams is lost. Empty text has no parts.
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
