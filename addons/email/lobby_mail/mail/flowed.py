"""Read text with soft line breaks: ``format=flowed`` (RFC 3676), where a trailing space joins two lines."""

from __future__ import annotations

import re

_SIGNATURE = "-- "
_QUOTED = re.compile(r">*")


def unflowed(text: str, *, delete_space: bool) -> str:
    """Return *text* with each paragraph in one line, as it was written; quoted lines keep their marks.

    :param text: with lines that end in a line feed.
    :param delete_space: what ``DelSp=yes`` says: the space at the end of a line is no part of the text.
    """
    paragraphs: list[str] = []
    parts: list[str] = []
    depth: int | None = None
    """How deep the paragraph that goes on is quoted; None: none does."""
    for line in text.split("\n"):
        marks = _QUOTED.match(line).end()  # type: ignore[union-attr]  # it matches nothing, too
        words = line[marks:].removeprefix(" ")
        ends = words == _SIGNATURE or not words.endswith(" ")
        if depth is not None and (marks != depth or words == _SIGNATURE):
            # It says that it goes on, and does not: what a program did that knows nothing of the format.
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
