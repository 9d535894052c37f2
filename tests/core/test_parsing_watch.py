"""The watch over parsing: it notices what is parsed inside a write, and its exceptions are real."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.inbox.kept_drafts import content
from host.sdk.formatting import to_html
from host.sequences import toml_form
from tests import parsing_watch


def noticed() -> list[str]:
    """Return the parsers that were noticed, and forget them."""
    found, parsing_watch.found[:] = parsing_watch.found[:], []
    return [one.partition(" was called")[0] for one in found]


# Parsers that the host calls: one that a test calls itself doesn't count, so each goes through the host.
@pytest.mark.parametrize(
    ("parse", "names"),
    [
        (lambda: toml_form._parsed("a = 1"), ["tomllib.loads"]),
        (lambda: to_html("*hi*"), ["MarkdownIt.parse", "nh3.clean"]),
        (lambda: content.check("{}"), ["msgspec.json.decode"]),
        (lambda: content.read("{}"), []),
    ],
)
def test_a_text_parsed_inside_a_write_is_noticed(
    database: db.Database, parse: Callable[[], Any], names: list[str]
) -> None:
    parse()
    assert not noticed(), "no write has begun"
    db.write(lambda _session: bool(parse()))
    assert noticed() == names


def test_a_json_column_is_not_what_a_person_wrote(database: db.Database) -> None:
    query = sa.select(sa.type_coerce('{"a": 1}', sa.JSON()))
    assert db.write(lambda session: session.scalar(query.limit(1)) is not None)
    assert not noticed()


def test_each_exception_is_still_there() -> None:
    """An exception whose function is gone would cover another one of that name."""
    files = {place.partition(":")[0] for place in parsing_watch.OWN}
    known: set[str] = set()
    for folder in ("host", "addons"):
        for path in (parsing_watch.ROOT / folder).rglob("*.py"):
            if (name := parsing_watch._name(str(path))) in files:
                tree = ast.walk(ast.parse(path.read_text()))
                known.update(f"{name}:{node.name}" for node in tree if isinstance(node, ast.FunctionDef))
    assert set(parsing_watch.OWN) <= known
