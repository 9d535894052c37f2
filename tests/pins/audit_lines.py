"""The entries of the audit log that the code writes, with the keys of their details, read from the source.

Not found by pressing every button: many are written only where something goes wrong.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
API = re.compile(r"/api(/|\.py$)")
ACTION = re.compile(r"^[a-z_]+\.[a-z_]+$")
WRITERS = {"audit", "record"}
OPEN = "…"
"""Stands for keys that are only known when the code runs."""

Lines = dict[str, set[str]]
"""The keys of the details of each action; ``?`` after one that not every line of it has."""


def written() -> tuple[Lines, Lines]:
    """Return the lines that routes of the API write, and all others."""
    api: dict[str, list[set[str]]] = defaultdict(list)
    others: dict[str, list[set[str]]] = defaultdict(list)
    for folder in ("host", "addons"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if "audit" not in source and "record(" not in source:
                continue
            into = api if API.search(path.relative_to(ROOT).as_posix()) else others
            for action, keys in calls(source):
                into[action].append(keys)
    return _merged(api), _merged(others)


def _merged(found: dict[str, list[set[str]]]) -> Lines:
    merged = {}
    for action, each in found.items():
        names = {key.rstrip("?") for keys in each for key in keys}
        always = {name for name in names if all(name in keys and f"{name}?" not in keys for keys in each)}
        merged[action] = {name if name in always else f"{name}?" for name in names}
    return merged


def calls(source: str) -> Iterator[tuple[str, set[str]]]:
    """Yield action and keys of each call in *source* that writes a line of the audit log."""
    yield from _calls(ast.parse(source), ())


def _calls(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[tuple[str, set[str]]]:
    if isinstance(node, (ast.Module, ast.FunctionDef)):
        around = (*around, node)
    if isinstance(node, ast.Call) and _name(node.func) in WRITERS:
        keys = _keys(node, around)
        for action in _actions(node):
            yield action, keys
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, around)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _actions(call: ast.Call) -> list[str]:
    """Return the actions a call may write: a condition has two."""
    for given in call.args[:3]:
        found = [
            one.value
            for one in ast.walk(given)
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and ACTION.match(one.value)
        ]
        if found:
            return found
    return []


def _keys(call: ast.Call, around: tuple[ast.AST, ...]) -> set[str]:
    keys: set[str] = set()
    for keyword in call.keywords:
        if keyword.arg in {"details", None}:
            keys |= _of(keyword.value, around)
        elif keyword.arg not in {"workspace_id", "user_id", "remote", "named", "person"}:
            keys.add(keyword.arg)
    if len(call.args) > 3 and not isinstance(call.args[-1], (ast.Name, ast.Constant)):
        keys |= _of(call.args[-1], around)
    return keys


def _of(value: ast.expr | None, around: tuple[ast.AST, ...], depth: int = 0) -> set[str]:
    """Return the keys of a dictionary, as far as they stand in the source."""
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return set()
    if isinstance(value, ast.Dict):
        return {
            key
            for one, inner in zip(value.keys, value.values, strict=True)
            for key in (_of(inner, around, depth) if one is None else [_key(one)])
        }
    if isinstance(value, ast.IfExp):
        both = _of(value.body, around, depth), _of(value.orelse, around, depth)
        return {
            key if all(key in one for one in both) else f"{key.rstrip('?')}?" for key in both[0] | both[1]
        }
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        return _of(value.left, around, depth) | _of(value.right, around, depth)
    if isinstance(value, ast.BoolOp):
        return set().union(*(_of(one, around, depth) for one in value.values))
    if isinstance(value, ast.Call) and _name(value.func) == "dict":
        named = {key for one in value.keywords if one.arg for key in [one.arg]}
        return named | set().union(*(_of(one, around, depth) for one in value.args))
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and depth < 3:
        return _returned(value.func.id, around, depth + 1)
    if isinstance(value, ast.Name) and depth < 3:
        return _of_name(value.id, around, depth + 1)
    return {OPEN}


def _of_name(name: str, around: tuple[ast.AST, ...], depth: int) -> set[str]:
    found: list[set[str]] = []
    for function in reversed(around[1:]):
        if found:
            break
        for node in ast.walk(function):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id == name:
                    found.append(_of(node.value, around, depth))  # type: ignore[attr-defined]
                if isinstance(target, ast.Subscript) and _name(target.value) == name:
                    found.append({f"{_key(target.slice)}?"})
    return set().union(*found) if found else {OPEN}


def _returned(name: str, around: tuple[ast.AST, ...], depth: int) -> set[str]:
    """Return the keys of what a function of the same module returns."""
    module = around[0]
    for function in ast.iter_child_nodes(module):
        if isinstance(function, ast.FunctionDef) and function.name == name:
            found = [
                _of(node.value, (module, function), depth)
                for node in ast.walk(function)
                if isinstance(node, ast.Return)
            ]
            return _merged({"": found})[""]
    return {OPEN}


def _key(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else OPEN
