"""List the migrations of an addon, and whether each has run, without running any of its code."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import sqlalchemy as sa

from host.core import db
from host.core.migrations import addon_version_table


class PlannedRevision(msgspec.Struct, frozen=True):
    """One revision: its id, the first line of its docstring, and whether it ran."""

    revision: str
    title: str
    applied: bool


class PlanError(Exception):
    """The revisions do not form a linear sequence. The message is one sentence."""


def revisions(folder: Path, slug: str) -> list[PlannedRevision]:
    """Return the revisions in ``folder/migrations/versions``, oldest first.

    :raises PlanError: if a file is not a revision, or the revisions branch.
    """
    after: dict[str | None, tuple[str, str]] = {}
    for path in sorted((folder / "migrations" / "versions").glob("*.py")):
        revision, previous, title = _facts(path)
        if previous in after:
            raise PlanError(
                f"The migrations {after[previous][0]} and {revision} both follow {previous or 'nothing'}."
            )
        after[previous] = (revision, title)
    applied = _applied(slug)
    planned: list[PlannedRevision] = []
    done = bool(applied)
    last: str | None = None
    while last in after:
        last, title = after.pop(last)
        planned.append(PlannedRevision(last, title, done))
        if last in applied:
            done = False
    if after:
        raise PlanError("The migrations do not follow one another.")
    # The database may be ahead of an older release: each migration leaves the schema usable by the previous
    # release.
    return planned


def before(folder: Path, revision: str) -> str | None:
    """Return the revision that *revision* follows, None for the first.

    :raises PlanError: if a file is not a revision.
    """
    facts = map(_facts, sorted((folder / "migrations" / "versions").glob("*.py")))
    return next((previous for name, previous, _ in facts if name == revision), None)


def has_downgrade(folder: Path, revision: str) -> bool:
    """Return whether the file of *revision* has a function ``downgrade``."""
    for path in (folder / "migrations" / "versions").glob("*.py"):
        if _facts(path)[0] == revision:
            tree = ast.parse(path.read_bytes())
            return any(isinstance(node, ast.FunctionDef) and node.name == "downgrade" for node in tree.body)
    return False


def _facts(path: Path) -> tuple[str, str | None, str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise PlanError(f"The migration {path.name} is not Python.") from None
    values: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in {"revision", "down_revision"}:
                values[target.id] = value.value if isinstance(value, ast.Constant) else ...
    revision, down = values.get("revision"), values.get("down_revision")
    if not isinstance(revision, str) or not (down is None or isinstance(down, str)):
        raise PlanError(f"The migration {path.name} does not name its revision and the one before.")
    lines = (ast.get_docstring(tree) or "").strip().splitlines()
    return revision, down, lines[0] if lines else path.stem


def _applied(slug: str) -> set[str]:
    name = addon_version_table(slug)
    with db.read() as session:
        connection = session.connection()
        if not sa.inspect(connection).has_table(name):
            return set()
        table = sa.table(name, sa.column("version_num"))
        return set(session.scalars(sa.select(table.c.version_num)))
