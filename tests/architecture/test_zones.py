"""Time zones are those of ``zoneinfo``; ``datetime.combine`` gives one of pytz its oldest offset."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("host", "addons", "sandbox", "demo", "bench", "tools", "clients")
PYTZ = {"get_timezone", "to_user_timezone", "to_utc", "localize"}
"""Names under which libraries hand out zones of pytz, or work with them."""


def found(source: str) -> Iterator[int]:
    """Yield the lines of *source* that use zones of pytz."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                wrong = any(one.name.partition(".")[0] == "pytz" for one in names)
            case ast.ImportFrom(module=module, names=names):
                wrong = (module or "").partition(".")[0] == "pytz" or any(one.name in PYTZ for one in names)
            case ast.Attribute(attr=name):
                wrong = name in PYTZ
            case _:
                wrong = False
        if wrong:
            yield node.lineno


def test_no_code_uses_zones_of_pytz() -> None:
    files = [one for folder in FOLDERS for one in (ROOT / folder).rglob("*.py")]
    assert len(files) > 500
    assert not [
        f"{file.relative_to(ROOT)}:{line}"
        for file in files
        for line in found(file.read_text())
        if file.is_file()
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import pytz",
        "from pytz import UTC",
        "from flask_babel import get_timezone",
        "from babel.dates import format_date, get_timezone as their_zone",
        "import flask_babel\nflask_babel.get_timezone()",
        "zone.localize(at)",
    ],
)
def test_the_check_finds(source: str) -> None:
    assert list(found(source))


def test_the_check_leaves_the_rest() -> None:
    assert not list(
        found("from zoneinfo import ZoneInfo\nfrom host.web.languages import reader\nreader().zone")
    )
