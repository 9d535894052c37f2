"""The host knows no channel: no file of it holds a word of any addon."""

from __future__ import annotations

import re
from pathlib import Path

from host.addons.package import manifest as manifests

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("host", "migrations")
ORDINARY = {"email", "lobby_mail", "shop"}
"""Words of any desk: people have an email address, Lobby sends mail of its own, examples are of a shop."""


def words() -> set[str]:
    """Return the words of the addons in this repository: slugs, channels, packages, hosts."""
    found: set[str] = set()
    for path in ROOT.glob("addons/*/addon.toml"):
        manifest = manifests.read_manifest(path.parent)
        found |= {manifest.slug, manifest.package, *manifest.channels}
        found |= {host.split(":")[0].split(".")[-2] for host in manifest.declares.hosts}
    return found - ORDINARY


def holds(text: str, found: set[str]) -> set[str]:
    return {word for word in found if re.search(re.escape(word), text, re.IGNORECASE)}


def test_no_file_of_the_host_holds_a_word_of_an_addon() -> None:
    known = words()
    assert known, "there is no addon to be neutral about"
    wrong = {}
    for folder in FOLDERS:
        paths = [*(ROOT / folder).rglob("*")]
        assert paths, f"there is nothing in {folder}"
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(ROOT).as_posix()
                text = path.read_bytes().decode("utf-8", "ignore")
                if found := holds(f"{name}\n{text}", known):
                    wrong[name] = found
    assert wrong == {}


def test_the_search_finds_a_word_in_any_spelling() -> None:
    assert holds("class InstaGramAdapter", {"instagram"}) == {"instagram"}
    assert words() >= {"instagram"}
