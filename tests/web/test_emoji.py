"""The emoji of the picker: their names, their groups, and what they are found by."""

from __future__ import annotations

import json

import pytest

from host.web import emoji_names
from host.web.languages import available


def found(language: str, word: str) -> list[str]:
    table = json.loads(emoji_names.table(language))
    return [char for some in table.values() for char, _name, words in some if word in words.split()]


@pytest.mark.parametrize("language", available())
def test_every_emoji_has_a_name_and_a_group(language: str) -> None:
    table = json.loads(emoji_names.table(language))
    assert list(table) == list(emoji_names.GROUPS)
    every = [one for some in table.values() for one in some]
    assert 1700 < len(every) == len({char for char, *_rest in every})
    assert all(name and not name.startswith(":") for _char, name, _words in every)
    assert len(table["signs"]) < 200, "what has no group of its own"
    assert table["faces"][0][0] == "😀"


def test_one_is_found_in_the_readers_language_and_in_english() -> None:
    assert "🎂" in found("de", "geburtstagskuchen")
    assert "🎂" in found("de", "birthday")
    assert "👍" in found("en", "thumbsup")
    assert found("en", "geburtstagskuchen") == []
    assert emoji_names.table("xx") == emoji_names.table("en")
