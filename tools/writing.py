"""Check docstrings, class names and texts for people against the writing guide: ``python -m tools.writing``.

It finds places worth reading again, by the lists in ``writing.toml``:

- docstrings and attribute docs that begin with *what*, *who*, *none* and the like instead of naming a thing;
- classes whose whole name is one vague word, such as ``Given``;
- texts for people with a phrase no product writer would use, such as "by itself".

Exceptions are named in ``writing.toml``, and an exception nothing needs any more is an error. The guide
itself is ``docs/writing.md``.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import translations

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = "/versions/"
"""Migrations, which are not edited once they are released."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A place to read again."""

    file: str
    line: int
    problem: str
    text: str
    """The docstring's first line, the class's name or the text for people; exceptions quote it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}: {self.text}"


@dataclass(frozen=True, slots=True)
class Guide:
    """The lists of ``writing.toml``."""

    folders: tuple[str, ...]
    beginnings: re.Pattern[str]
    vague: frozenset[str]
    phrases: re.Pattern[str]
    exceptions: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Guide:
        """Read the guide at *path*."""
        found: Mapping[str, Any] = tomllib.loads(path.read_text())
        return cls(
            folders=tuple(found["folders"]),
            beginnings=re.compile("|".join(found["beginnings"])),
            vague=frozenset(found["vague"].split()),
            phrases=re.compile(rf"\b({'|'.join(found['phrases'])})", re.IGNORECASE),
            exceptions=frozenset(found["exceptions"]),
        )


def in_code(file: str, source: str, guide: Guide) -> Iterator[Finding]:
    """Yield each docstring of *source* that begins badly, and each class with a vague name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name.lstrip("_") in guide.vague:
            yield Finding(file, node.lineno, "class with a vague name", node.name)
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    first = text.strip().partition("\n")[0]
                    if guide.beginnings.match(first):
                        yield Finding(file, statement.lineno, "docstring that names no thing first", first)


def in_texts(guide: Guide) -> Iterator[Finding]:
    """Yield each text for people that has a phrase of the guide."""
    for part in translations.parts():
        for message in translations.texts(part):
            text = message.id if isinstance(message.id, str) else message.id[0]
            if guide.phrases.search(text):
                file, line = message.locations[0]
                yield Finding(file, line or 0, "phrase", text)


def findings(guide: Guide) -> list[Finding]:
    """Return every place the guide objects to, exceptions included."""
    found = list(in_texts(guide))
    for folder in guide.folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if SKIPPED not in str(path):
                found += in_code(str(path.relative_to(ROOT)), path.read_text(), guide)
    return sorted(found)


def problems(found: list[Finding], guide: Guide) -> list[str]:
    """Return a sentence for each finding without an exception, and each exception without a finding."""
    unneeded = guide.exceptions - {one.text for one in found}
    return [
        *(str(one) for one in found if one.text not in guide.exceptions),
        *(f"writing.toml: nothing needs the exception {one!r} any more" for one in sorted(unneeded)),
    ]


def main() -> int:
    """Print what to read again; return 1 if there is anything."""
    guide = Guide.read(Path(__file__).with_name("writing.toml"))
    wrong = problems(findings(guide), guide)
    for sentence in wrong:
        print(f"writing: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
