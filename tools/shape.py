"""Count how often ``host/`` writes one thing twice, and how much context it passes along by hand.

``python -m tools.structure`` prints it, so that a change of shape is measured before and after by the same
measure. It reads source only, and decides nothing.
"""

from __future__ import annotations

import ast
import io
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

CONTEXT = frozenset(
    {
        *("session", "workspace", "workspace_id", "accounts", "now"),
        *("actor", "by", "author", "author_id", "directory"),
    }
)
"""Arguments that say where and by whom, not what."""
MANY = 6
"""Parameters besides ``self`` from which on a function takes many."""
ANNOTATED = frozenset({"body", "answer", "query"})
"""Arguments of a route that its function's annotations say, too."""

_NOT_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def counts(root: Path) -> Counter[str]:
    """Return each count of the package ``host`` below *root*, by what it counts."""
    found: Counter[str] = Counter()
    trees = {}
    for path in sorted((root / "host").rglob("*.py")):
        text = path.read_text()
        trees[path.relative_to(root).as_posix()] = tree = ast.parse(text)
        found["lines of Python, without blank ones, docstrings and comments"] += code_lines(text, tree)
    wire = _wire_classes(trees.values())
    for name, tree in trees.items():
        found.update(_of_module(name, tree))
        found["wire classes"] += sum(
            isinstance(node, ast.ClassDef) and node.name in wire for node in ast.walk(tree)
        )
    rules = tomllib.loads((root / "tools/structure.toml").read_text())
    found["lists of names in structure.toml"] = sum(isinstance(one, list) for one in _values(rules)) - 1
    for suffix, folder in (("html", "templates"), ("js", "static"), ("css", "static")):
        shared = list((root / "host" / folder).rglob(f"*.{suffix}"))
        found[f"{suffix} files outside their feature's folder"] = len(shared)
    return found


def code_lines(text: str, tree: ast.Module) -> int:
    """Return how many lines of *text* have code: no blank ones, docstrings and comments."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def _of_module(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, _Function):
            yield from _of_function(node)
        elif isinstance(node, ast.Call):
            yield from ("arguments that only pass context" for one in node.keywords if _passes(one))
            yield from _of_call(path, ast.unparse(node.func))
        elif isinstance(node, ast.For | ast.comprehension) and ast.unparse(node.target) == "one":
            yield "loops over a variable called one"


def _of_function(node: _Function) -> Iterator[str]:
    arguments = node.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    if len([name for name in names if name not in {"self", "cls"}]) >= MANY:
        yield "functions with six or more parameters"
    for inner in ast.walk(node):
        if inner is not node and isinstance(inner, _Function) and inner.name == "use_case":
            yield "use_case closures inside functions"
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[0] in {"route", "routes"}:
            yield "decorators of routes"
            yield from ["lines of decorators of routes"] * ((call.end_lineno or 0) - call.lineno + 1)
            said = {one.arg for one in call.keywords} & ANNOTATED
            yield from ["arguments of routes that repeat an annotation"] * len(said)


def _of_call(path: str, called: str) -> Iterator[str]:
    name = called.rpartition(".")[2]
    if name == "audit" and ("views" in path or "/pages/" in path):
        yield "lines of the audit log written by pages"
    if path.startswith("host/inbox/apply/") and (name == "external_id" or name.startswith("clean")):
        yield "values cleaned again inside inbox/apply"


def _passes(keyword: ast.keyword) -> bool:
    """Return whether an argument hands on what its caller has under the same name."""
    value = keyword.value
    last = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
    return keyword.arg in CONTEXT and last == keyword.arg


def _wire_classes(trees: Iterable[ast.Module]) -> set[str]:
    """Return the names of the classes that are, or inherit from, ``Wire``."""
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"Wire"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found - {"Wire"}


def _values(value: object) -> Iterator[object]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _values(inner)


def table(root: Path) -> Iterator[str]:
    """Yield each count of the package below *root*, with what it counts."""
    for what, count in sorted(counts(root).items()):
        yield f"{count:7,} {what}"
