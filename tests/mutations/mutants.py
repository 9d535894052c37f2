"""Making mutants: a module's source with one expression or statement changed.

A mutant is known by its function and by what is changed into what, not by file or line, so that a record of
mutants outlives moves.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OTHERWISE: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
SILENT = ("log.", "logging.")
"""What begins so is said to the log: changing it is no mutation."""
LEFT_OUT = frozenset({"dramatiq_broker.py"})
"""Only tests with a broker enter it, and they take no part."""
NOT_RUN = frozenset({"annotation", "returns", "decorator_list", "bases"})
LONGEST = 100


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module.

    :param function: its qualified name; the module's where the code is in no function.
    :param start: the first byte that is replaced; *end* is behind the last.
    :param text: what stands there instead.
    :param change: what is changed into what, in a line.
    :param near: the names in the statement around it: what it may decide, or call.
    """

    path: Path
    function: str
    line: int
    start: int
    end: int
    text: str
    change: str
    near: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        return self.function, self.change

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def rank(self) -> str:
        """Its place in the sample: the same wherever its module lies and whatever is beside it."""
        return hashlib.sha256(repr(self.key).encode()).hexdigest()

    def applied(self, source: bytes) -> bytes:
        """Return *source* with the change in it."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def of_folders(root: Path, folders: tuple[str, ...]) -> list[Mutant]:
    """Return every mutant of the modules in those of *folders* that are there, in the order of a sample."""
    found = [
        mutant
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
        if path.name not in LEFT_OUT
        for mutant in of_source(path.relative_to(root), path.read_bytes())
    ]
    return sorted(found, key=lambda one: (one.rank, str(one.path), one.start))


def of_source(path: Path, source: bytes) -> Iterator[Mutant]:
    """Yield the mutants of one module."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    module = ast.parse(source)
    for function, statement, node in _running(module, "", module):
        if not function and isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            continue  # a setting: a test that knows its number would say the same twice
        for after in _changed(node):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(after)
            change = f"{_short(ast.unparse(node))} → {_short(text)}"
            if isinstance(after, ast.expr) and not isinstance(after, ast.Constant):
                text = f"({text})"
            names = _names(statement)
            yield Mutant(path, function or path.stem, node.lineno, start, end, text, change, names)


def _names(statement: ast.AST) -> frozenset[str]:
    inside = list(ast.walk(statement))
    names = {one.id for one in inside if isinstance(one, ast.Name)}
    return frozenset(names | {one.attr for one in inside if isinstance(one, ast.Attribute)})


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _running(node: ast.AST, function: str, statement: ast.AST) -> Iterator[tuple[str, ast.AST, Any]]:
    """Yield each node that does something when the code runs, with its function and its statement."""
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if name in NOT_RUN or not isinstance(child, ast.AST) or _is_silent(child):
                continue
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                yield from _running(child, f"{function}.{child.name}".lstrip("."), child)
            else:
                within = child if isinstance(child, ast.stmt) else statement
                yield function, within, child
                yield from _running(child, function, within)


def _is_silent(node: ast.AST) -> bool:
    """Tell whether *node* is there for people or for the type checker."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or ast.unparse(node.value).startswith(SILENT)
    return isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr)


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in the place of *node*."""
    other: Any = copy.copy(node)
    match node:
        case ast.Compare(ops=[op]) if type(op) in OTHERWISE:
            other.ops = [OTHERWISE[type(op)]()]
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OTHERWISE:
            other.op = OTHERWISE[type(op)]()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            other = operand
        case ast.IfExp(body=body, orelse=orelse):
            other.body, other.orelse = orelse, body
        case ast.Constant(value=bool(value)):
            other = ast.Constant(not value)
        case ast.Constant(value=int(value)):
            other = ast.Constant(value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in SWAPPED:
            other.func = ast.Name(SWAPPED[name])
        case ast.Return(value=value) if value is not None and ast.unparse(value) not in {"None", "False"}:
            other = ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()):
            other = ast.Pass()
        case ast.Continue():
            other = ast.Break()
        case _:
            return
    yield other
