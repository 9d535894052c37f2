"""Read text with soft line breaks: ``format=flowed`` (RFC 3676), where a trailing space joins two lines."""

from __future__ import annotations

import re

_SIGNATURE = "-- "
_QUOTED = re.compile(r">*")


def unflowed(text: str, *, delete_space: bool) -> str:
    """Return *text* with each paragraph on one line; quoted lines keep their quote marks.

    :param text: text with lines separated by line feeds.
    :param delete_space: whether ``DelSp=yes``: the space at the end of a line is not part of the text.
    """
    paragraphs: list[str] = []
    parts: list[str] = []
    depth: int | None = None
    """Quote depth of the unfinished paragraph; None if there is none."""
    for line in text.split("\n"):
        marks = _QUOTED.match(line).end()  # type: ignore[union-attr]  # it matches nothing, too
        words = line[marks:].removeprefix(" ")
        ends = words == _SIGNATURE or not words.endswith(" ")
        if depth is not None and (marks != depth or words == _SIGNATURE):
            # The line claims to continue but doesn't: a program that doesn't know the format wrote it.
            paragraphs.append("".join(parts))
            depth = None
        if depth is None:
            parts = [f"{'>' * marks} " if marks and words else ">" * marks]
        parts.append(words[:-1] if delete_space and not ends else words)
        depth = None if ends else marks
        if ends:
            paragraphs.append("".join(parts))
    if depth is not None:
        paragraphs.append("".join(parts))
    return "\n".join(paragraphs)
