"""Each table names the parts that write it, and no other part of host/ does.

Found in the source: ``insert``, ``update`` and ``delete`` of a table or model, statements in text, rows that
are made, and attributes set on a row whose model shows in the function: by an annotation, ``get``, ``select``
or the declared result of the function it comes from. Rows out of a tuple or dictionary are beyond this test.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.core.db import Base
from host.features import registry

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = {
    "insert",
    "update",
    "delete",
    "delete_some",
    "insert_ignore",
    "pg_insert",
    "sqlite_insert",
    "mysql_insert",
}
LOOKED_UP = {"get", "get_one", "get_or_404", "select"}
IN_TEXT = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")

registry.load_models()
MODELS = {mapper.class_.__name__: mapper.class_ for mapper in Base.registry.mappers}
TABLES = {model.__tablename__: name for name, model in MODELS.items()}


def last(node: ast.AST) -> str:
    """Return the last part of a dotted name; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


class Module:
    """The source of a module: which names stand for which model, and which models it writes."""

    def __init__(self, nodes: list[ast.AST], tables: dict[str, str], answers: dict[str, str]) -> None:
        """Read the *nodes* of its tree.

        :param tables: names of tables that other modules define -> model.
        :param answers: functions that return a row or rows -> model.
        """
        self.nodes = nodes
        self.answers = answers
        self.names = dict(tables)
        imports = [one for one in nodes if isinstance(one, ast.ImportFrom)]
        for imported in (
            alias for one in imports if "models" in str(one.module).split(".") for alias in one.names
        ):
            if imported.name in MODELS:
                self.names[imported.asname or imported.name] = imported.name
        self.own = {}
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                whole = node.value
                if isinstance(whole, ast.Call) and last(whole.func) == "cast":
                    whole = whole.args[-1]
                if isinstance(whole, ast.Attribute | ast.Subscript) and self.table(whole):
                    self.own[last(target)] = self.table(whole)
        self.names |= self.own

    def table(self, node: ast.Attribute | ast.Subscript) -> str:
        """Return the model of ``Model.__table__`` or ``....tables["name"]``; empty if it is neither."""
        if isinstance(node, ast.Attribute):
            return self.model(node) if node.attr == "__table__" else ""
        return TABLES.get(str(getattr(node.slice, "value", "")), "")

    def model(self, node: ast.AST) -> str:
        """Return the model that a class, its table or a name for that stands for; empty if none."""
        if isinstance(node, ast.Attribute) and node.attr == "__table__":
            node = node.value
        return self.names.get(last(node), "")

    def _looked_up(self, node: ast.AST) -> str:
        """Return the model of the row or rows that an expression reads or makes; empty if none."""
        for call in (one for one in ast.walk(node) if isinstance(one, ast.Call)):
            if last(call.func) in self.answers:
                return self.answers[last(call.func)]
            if last(call.func) in LOOKED_UP and call.args and self.model(call.args[0]) in MODELS:
                return self.model(call.args[0])
        return ""

    def _rows(self, function: ast.FunctionDef, nodes: list[ast.AST]) -> dict[str, str]:
        """Return which local names of a *function* of these *nodes* are rows, and of which model."""
        rows = {}
        for argument in (*function.args.args, *function.args.kwonlyargs):
            named = {self.model(one) for one in ast.walk(argument.annotation or ast.Pass())} - {""}
            if len(named) == 1:
                rows[argument.arg] = named.pop()
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                rows[node.targets[0].id] = self._looked_up(node.value)
            elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                rows[node.target.id] = self._looked_up(node.iter)
        return {name: model for name, model in rows.items() if model}

    def writes(self) -> Iterator[tuple[str, int]]:
        """Yield each model this module writes, and the line."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                named = node.args[1:2] if last(node.func) == "delete_some" else node.args[:1]
                if last(node.func) in STATEMENTS and named and self.model(named[0]):
                    yield self.model(named[0]), node.lineno
                elif isinstance(node.func, ast.Name) and node.func.id in self.names:
                    yield self.model(node.func), node.lineno
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                for table in IN_TEXT.findall(node.value):
                    if table in TABLES:
                        yield TABLES[table], node.lineno
            elif isinstance(node, ast.FunctionDef):
                yield from self._sets(node)

    def _sets(self, function: ast.FunctionDef) -> Iterator[tuple[str, int]]:
        nodes = list(ast.walk(function))
        rows = self._rows(function, nodes)
        for node in nodes:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if isinstance(node, ast.Call) and last(node.func) == "delete" and node.args:
                model = rows.get(last(node.args[0]))
                if model is not None:
                    yield model, node.lineno
            elif isinstance(node, (ast.Assign, ast.AugAssign)):
                for target in targets:
                    model = rows.get(last(target.value)) if isinstance(target, ast.Attribute) else None
                    if model is not None:
                        yield model, node.lineno


def written(root: Path) -> dict[str, dict[str, list[str]]]:
    """Return who writes what below *root*: model -> module -> lines."""
    sources = {
        ".".join(path.relative_to(root).with_suffix("").parts): path.read_text()
        for path in sorted((root / "host").rglob("*.py"))
        if "starter" not in path.parts and path.parts[-2] != "models" and path.name != "models.py"
    }
    trees = {name: list(ast.walk(ast.parse(text))) for name, text in sources.items()}
    shared: dict[str, str] = {}
    returned: dict[str, set[str]] = defaultdict(set)
    for nodes in trees.values():
        module = Module(nodes, {}, {})
        shared |= {name: model for name, model in module.own.items() if name.isupper()}
        for function in (one for one in nodes if isinstance(one, ast.FunctionDef)):
            named = {module.model(one) for one in ast.walk(function.returns or ast.Pass())} - {""}
            returned[function.name] |= named if len(named) == 1 else {"", *named}
    answers = {
        name: models.copy().pop()
        for name, models in returned.items()
        if len(models) == 1 and "" not in models
    }
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, nodes in trees.items():
        for model, line in Module(nodes, shared, answers).writes():
            found[model][name].append(f"{name}:{line}")
    return found


def is_in(module: str, part: str) -> bool:
    return f"{module}.".startswith(f"host.{part}.")


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[str]]]:
    return written(ROOT)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_table_is_written_by_the_parts_it_names_and_each_of_them_writes_it(
    name: str, found: dict[str, dict[str, list[str]]]
) -> None:
    writers = MODELS[name].__writers__
    others = [
        lines for module, lines in found[name].items() if not any(is_in(module, part) for part in writers)
    ]
    assert others == [], f"{name} is written by a part that it does not name in __writers__"
    idle = [part for part in writers if not any(is_in(module, part) for module in found[name])]
    assert idle == [], f"{name} names a part that does not write it"


IMPORTS = "import sqlalchemy as sa\nfrom host.models.users import User\n"


@pytest.mark.parametrize(
    "source",
    [
        "sa.insert(User)",
        "sa.update(User.__table__)",
        "rows = cast(sa.Table, User.__table__)\nsa.delete(rows)",
        "rows = User.metadata.tables['users']\ndb.insert_ignore(rows, 'sqlite')",
        "session.add(User(name='Mia'))",
        "execute('UPDATE users SET name = NULL')",
        "def forget(session):\n    db.delete_some(session, User, User.id == 1, 10)",
        "def rename(user: User) -> None:\n    user.name = 'Mia'",
        "def rename(session):\n    user = session.get(User, 1)\n    user.name = 'Mia'",
        "def rename(session):\n    for user in session.scalars(sa.select(User)):\n        user.name = 'Mia'",
        "def forget(session):\n    user = session.get(User, 1)\n    session.delete(user)",
        "def locked() -> User: ...\ndef rename():\n    user = locked()\n    user.name = 'Mia'",
    ],
)
def test_a_write_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/part.py").write_text(IMPORTS + source)
    assert set(written(tmp_path)["User"]) == {"host.part"}


@pytest.mark.parametrize(
    "source", ["sa.select(User)", "counts.update(name=User)", "def of(user: User):\n    user.name == 1"]
)
def test_reading_is_no_write(tmp_path: Path, source: str) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/part.py").write_text(IMPORTS + source)
    assert written(tmp_path) == {}
