"""The documentation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from host.cli import commands as cli
from host.core import config

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])


def settings_table() -> str:
    """Return the table docs/operate.md must hold."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for setting in config.SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(f"| `{setting.variable}` | {default} | {setting.help} |")
    return "\n".join(rows)


def commands(group: click.Group, prefix: str = "lobby") -> set[str]:
    found = set()
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        full = f"{prefix} {name}"
        found |= commands(command, full) if isinstance(command, click.Group) else {full}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


OF_AN_ADDON = {"tests/recorded/story.json"}
"""Paths the pages name that lie in the folder of somebody's addon."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_named_in_the_pages_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"(?<![\w@/.-])(?:host|tests|tools)/[\w./-]*[\w/]", text))
    named -= set(re.findall(r"^A new file, `([^`]+)`:", text, re.MULTILINE))
    assert [name for name in sorted(named - OF_AN_ADDON) if not (ROOT / name).exists()] == []


def test_operate_lists_every_setting_as_the_code_has_it() -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    between = text.split("<!-- settings -->")[1].split("<!-- /settings -->")[0].strip()
    assert between == settings_table()


def test_operate_lists_every_command_and_no_other() -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    listed = set(re.findall(r"^\| `(lobby [a-z ]+)`", text, re.MULTILINE))
    assert listed == commands(cli.main)


def test_settings_named_anywhere_exist() -> None:
    known = {setting.variable for setting in config.SETTINGS}
    tests_only = {"LOBBY_REQUIRE_SERVICES"}
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"\bLOBBY_[A-Z][A-Z_]*[A-Z]\b", page.read_text())
    }
    assert known <= {name for _, name in named}
    others = {(page, name) for page, name in named if not name.startswith("LOBBY_ADDON")}
    assert {(page, name) for page, name in others if name not in known | tests_only} == set()


def test_make_targets_named_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z$()A-Z/._-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"^make ([a-z]+)\b", page.read_text(), re.MULTILINE)
    }
    assert ("CONTRIBUTING.md", "test") in named
    assert {(page, name) for page, name in named if name not in targets} == set()
