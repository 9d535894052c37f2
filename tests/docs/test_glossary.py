"""The glossary: its words are used, lie where it says, and those that were given up do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import host.models  # noqa: F401  registers every table
from host.core.db import Base

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
WORDS = dict(re.findall(r"^\| \*\*([^*]+)\*\* \| (.+) \|$", GLOSSARY.read_text(), re.MULTILINE))

RETIRED = (
    "adopting",
    "borrowing",
    "gate",
    "helping",
    "helpings",
    "parking",
    "rota",
    "set_back",
    "settling",
)
"""Words that have another name now."""


def sources() -> dict[str, str]:
    """Return the text of the host and of its docs, by path."""
    pages = [*(ROOT / "host").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    return {str(page.relative_to(ROOT)): page.read_text() for page in pages if page != GLOSSARY}


def test_it_has_words_each_once_in_order() -> None:
    named = re.findall(r"^\| \*\*([^*]+)\*\*", GLOSSARY.read_text(), re.MULTILINE)
    assert named == list(WORDS), "each row has a word and its meaning"
    assert named == sorted(set(named))
    assert len(named) > 20


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_used(word: str) -> None:
    words = "[ _-]".join(map(re.escape, word.split()))
    pattern = re.compile(rf"\b{words}s?\b", re.IGNORECASE)
    assert any(pattern.search(text) for text in sources().values())


@pytest.mark.parametrize("word", WORDS)
def test_a_word_lies_where_it_says(word: str) -> None:
    for name in re.findall(r"`([^`]+)`", WORDS[word]):
        if "/" in name:
            assert (ROOT / name).exists()
        elif not name.startswith("host."):
            table, _, column = name.partition(".")
            assert table in Base.metadata.tables
            assert not column or column in Base.metadata.tables[table].columns


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_newcomers_are_led_to_it(page: str) -> None:
    assert "glossary.md)" in (ROOT / page).read_text()


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_stays_away(word: str) -> None:
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])")
    assert [path for path, text in sources().items() if pattern.search(text)] == []
