"""Print how the modules of ``host/`` hang together, and fail where ``structure.toml`` does not allow it.

Run it with ``python -m tools.structure``; ``-v`` adds every import inside a function. It reads source only.

- Layers: a module may import what stands in a lower layer or in its own, never above.
- Circles: modules that import each other. Imports for types, inside functions and of names given as strings
  (``"host.x.y"``, ``"host.x.y:name"``) count like any other.
- Imports inside functions, and modules that lie flat in one folder, have a limit.

Each exception is named in ``structure.toml``. One that is needed no more is an error: the list only shrinks.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

PACKAGE = "host"
SKIPPED = ("host/authoring/starter", "host/builtin/email/migrations")
"""Not part of the program: an example that is copied, and revisions that Alembic loads."""

_STRING = re.compile(r"host(\.\w+)+(:\w+)?")


class When(StrEnum):
    """When an import happens."""

    IMPORT = "import"
    TYPES = "types"
    LATE = "late"
    STRING = "string"


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """One import of a module of the package by another."""

    module: str
    target: str
    line: int
    when: When


@dataclass(frozen=True, slots=True)
class Structure:
    """The modules of the package, by name, and every import between them."""

    modules: Mapping[str, Path]
    imports: tuple[Import, ...]

    def pairs(self) -> dict[str, set[str]]:
        """Return each module with the modules it imports, whenever it does."""
        found: dict[str, set[str]] = {name: set() for name in self.modules}
        for one in self.imports:
            found[one.module].add(one.target)
        return found


@dataclass(frozen=True, slots=True)
class Rules:
    """What ``structure.toml`` says.

    :param layers: from the ground up, each with the modules and packages in it.
    :param purposes: what each layer is for.
    :param upward: ``module -> module`` pairs that may import upward.
    :param flat: the limit of modules in one folder, by folder; ``*`` for all others.
    """

    layers: tuple[tuple[str, ...], ...]
    purposes: tuple[str, ...]
    upward: frozenset[str]
    circles: frozenset[str]
    late: int
    flat: Mapping[str, int]

    def level(self, module: str) -> int | None:
        """Return the layer of *module*: of the longest name that it is, or lies in."""
        best, found = -1, None
        for level, names in enumerate(self.layers):
            for name in names:
                if (module == name or module.startswith(f"{name}.")) and len(name) > best:
                    best, found = len(name), level
        return found


def read_rules(path: Path) -> Rules:
    """Return the rules written in *path*."""
    data: dict[str, Any] = tomllib.loads(path.read_text())
    return Rules(
        layers=tuple(tuple(layer["holds"]) for layer in data["layer"]),
        purposes=tuple(layer["why"] for layer in data["layer"]),
        upward=frozenset(data["exceptions"]["upward"]),
        circles=frozenset(data["exceptions"]["circles"]),
        late=data["limits"]["late"],
        flat=data["limits"]["flat"],
    )


def read_structure(root: Path) -> Structure:
    """Return the modules below *root*/host and what they import of each other."""
    modules = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        relative = path.relative_to(root)
        if not relative.as_posix().startswith(SKIPPED):
            parts = relative.with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: set[Import] = set()
    for name, path in modules.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for target, line, when in _imports(ast.parse(path.read_text()), package, When.IMPORT):
            known = _known(target, modules)
            # What imports a module of a package loads the package as well; that arrow says nothing.
            if known is not None and known not in {name, PACKAGE}:
                found.add(Import(name, known, line, when))
    return Structure(modules, tuple(sorted(found)))


def _known(name: str, modules: Mapping[str, Path]) -> str | None:
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def _imports(node: ast.AST, package: str, when: When) -> Iterator[tuple[str, int, When]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _imports(ast.Module(child.body, []), package, When.TYPES)
            yield from _imports(ast.Module(child.orelse, []), package, when)
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno, when) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            anchor = package.split(".")[: len(package.split(".")) - child.level + 1] if child.level else []
            base = ".".join([*anchor, *([child.module] if child.module else [])])
            yield from ((f"{base}.{alias.name}", child.lineno, when) for alias in child.names)
        elif isinstance(child, ast.Constant) and (named := _named_module(child.value)) is not None:
            yield named, child.lineno, When.STRING
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, package, When.LATE if inside and when is When.IMPORT else when)


def _named_module(value: object) -> str | None:
    """Return the dotted name that *value* spells, if it is a string that does."""
    return value.replace(":", ".") if isinstance(value, str) and _STRING.fullmatch(value) else None


def circles(pairs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of names that reach each other , largest first (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(one: str) -> None:
        index[one] = low[one] = len(index)
        stack.append(one)
        for other in pairs.get(one, ()):
            if other not in index:
                visit(other)
                low[one] = min(low[one], low[other])
            elif other in stack:
                low[one] = min(low[one], index[other])
        if low[one] == index[one]:
            start = stack.index(one)
            if len(stack) - start > 1:
                found.append(sorted(stack[start:]))
            del stack[start:]

    for one in pairs:
        if one not in index:
            visit(one)
    return sorted(found, key=len, reverse=True)


def flat(structure: Structure) -> Counter[str]:
    """Return how many modules lie in each folder, its ``__init__`` not counted."""
    return Counter(
        name.rpartition(".")[0] for name, path in structure.modules.items() if path.name != "__init__.py"
    )


def problems(structure: Structure, rules: Rules) -> list[str]:
    """Return a sentence for everything that *rules* does not allow, or that it allows without need."""
    found = []
    levels = {name: rules.level(name) for name in structure.modules if name != PACKAGE}
    found += [
        f"{name} has no layer: say in structure.toml where it stands"
        for name in levels
        if levels[name] is None
    ]
    upward = {}
    for one in structure.imports:
        own, theirs = levels.get(one.module), levels.get(one.target)
        if own is not None and theirs is not None and theirs > own:
            upward[f"{one.module} -> {one.target}"] = one.line
    found += [
        f"{pair} (line {line}): it stands above" for pair, line in upward.items() if pair not in rules.upward
    ]
    found += [f"the exception {pair} is needed no more: remove it" for pair in rules.upward - set(upward)]
    around = {", ".join(circle) for circle in circles(structure.pairs())}
    found += [f"a circle: {circle}" for circle in around - rules.circles]
    found += [f"the exception for the circle {circle} is needed no more" for circle in rules.circles - around]
    late = sum(one.when is When.LATE for one in structure.imports)
    if late != rules.late:
        more = "too many" if late > rules.late else "fewer than the limit: lower it"
        found.append(f"{late} imports inside functions, {rules.late} allowed: {more}")
    for folder, count in flat(structure).items():
        limit = rules.flat.get(folder, rules.flat["*"])
        if count > limit:
            found.append(f"{count} modules lie in {folder}, {limit} allowed")
    return found


def table(structure: Structure, rules: Rules) -> Iterator[str]:
    """Yield the layers from the top down, with the size of each."""
    sizes: Counter[int | None] = Counter(rules.level(name) for name in structure.modules)
    lines: Counter[int | None] = Counter()
    for name, path in structure.modules.items():
        lines[rules.level(name)] += len(path.read_text().splitlines())
    for level in reversed(range(len(rules.layers))):
        holds = ", ".join(rules.layers[level])
        shown = holds if len(holds) <= 70 else f"{holds[:67]}..."
        yield f"{level:3}  {sizes[level]:4} modules {lines[level]:6} lines  {shown}"


def path_of(name: str) -> str:
    """Return the folder or the file of a package or module."""
    path = name.replace(".", "/")
    return path if (Path(__file__).resolve().parents[1] / path).is_dir() else f"{path}.py"


def markdown(rules: Rules) -> str:
    """Return the layers as the table of docs/architecture.md, highest first."""
    rows = ["| layer | holds |", "|---|---|"]
    for names, purpose in zip(reversed(rules.layers), reversed(rules.purposes), strict=True):
        if "host.sdk.messages" in names:
            shown = "`host/sdk`: values"
        else:
            shown = ", ".join(f"`{path_of(name)}`" for name in names)
        rows.append(f"| {shown} | {purpose} |")
    return "\n".join(rows)


def main() -> int:
    """Print the structure and what is wrong with it; return 1 if anything is."""
    root = Path(__file__).resolve().parents[1]
    structure, rules = read_structure(root), read_rules(Path(__file__).with_name("structure.toml"))
    print("\n".join(table(structure, rules)))
    late = [one for one in structure.imports if one.when is When.LATE]
    if "-v" in sys.argv:
        print("\n".join(f"inside a function: {one.module}:{one.line} -> {one.target}" for one in late))
    folder, most = flat(structure).most_common(1)[0]
    print(
        f"{len(structure.modules)} modules; circles {len(circles(structure.pairs()))}; "
        f"exceptions {len(rules.upward) + len(rules.circles)}; imports inside functions {len(late)}; "
        f"fullest folder {folder} with {most}; directly in {PACKAGE}: {flat(structure)[PACKAGE]}"
    )
    wrong = problems(structure, rules)
    for sentence in wrong:
        print(f"structure: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
