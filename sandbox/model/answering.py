"""The stand-in's answers, derived deterministically from the text it receives.

Pure functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SOURCE = re.compile(r"^\[(\d+)\] (.+)$", re.MULTILINE)
_WORD = re.compile(r"[^\W_]{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_VERBATIM = re.compile(r"answer (?:with )?this text verbatim:\s*(.+)", re.IGNORECASE)
_CALL = re.compile(r"call the tool (\w+) with (\{.*\})", re.IGNORECASE)
_COMMON = """
the and you your are for can how what when where with this that from have has does did will would could there
here they them their our was were not but any all out about into please hello thanks thank want get got let
may one der die das und ist sind ein eine einen mit von für auf wie was wann wo ich sie wir ihr nicht auch
bitte hallo danke kann gibt haben habt sell
"""
_STOP = frozenset(_COMMON.split())
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Source:
    """A numbered source of the instructions."""

    number: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """An answer of the stand-in.

    :param tool: a tool to use; empty: answer instead.
    :param text: plain text to answer with instead of the form.
    """

    answer: str = ""
    sources: tuple[int, ...] = ()
    hands_over: bool = False
    because: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] | None = None
    text: str | None = None


def sources(instructions: str) -> list[Source]:
    """Return the sources: each has a line ``[n] title (place, age)``, then its text."""
    found = list(_SOURCE.finditer(instructions))
    ends = [one.start() for one in found][1:] + [len(instructions)] * bool(found)
    return [
        Source(int(one[1]), one[2].strip(), instructions[one.end() : end].strip())
        for one, end in zip(found, ends, strict=True)
    ]


def words(text: str) -> set[str]:
    """Return the significant words of a text: those of three letters or more, without their endings."""
    return {word[:6].rstrip("s") for word in _WORD.findall(text.casefold()) if word not in _STOP}


def answered(instructions: str, question: str) -> ModelAnswer:
    """Answer from the source that shares the most words with the question; without one, hand over."""
    asked = words(question)
    scored = [(len(asked & words(f"{one.title} {one.text}")), one) for one in sources(instructions)]
    best = max(scored, key=lambda pair: (pair[0], -pair[1].number), default=None)
    if best is None or best[0] == 0:
        return ModelAnswer(hands_over=True, because="No source says anything about this")
    return ModelAnswer(answer=beginning(best[1].text), sources=(best[1].number,))


def beginning(text: str) -> str:
    """Return the first two sentences of a text."""
    first = " ".join(text.partition("\n\n")[0].split())
    return " ".join(_SENTENCE.split(first)[:2])[:_LONGEST]


def obeyed(texts: Sequence[str], used: Sequence[str]) -> ModelAnswer | None:
    """Return the answer that any of the texts demands, or None.

    :param used: tools already used; each is used once.
    """
    for text in texts:
        for name, arguments in _CALL.findall(text):
            if name not in used:
                return ModelAnswer(tool=name, arguments=_object(arguments))
    for text in texts:
        if said := _VERBATIM.search(text):
            return ModelAnswer(answer=said[1].strip(), sources=(1,))
    return None


def _object(text: str) -> dict[str, Any]:
    try:
        found, _end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
