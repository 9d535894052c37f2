"""Print how the modules of ``host/`` hang together, and fail where ``structure.toml`` does not allow it.

Run it with ``python -m tools.structure``; ``-v`` adds every import inside a function, and who imports each
feature. It reads source only, and ends with what :mod:`tools.shape` counts.

- Layers: a module may import modules of a lower layer or its own, never above.
- Circles: modules that import each other. Imports for types, inside functions and of names given as strings
    (``"host.x.y"``, ``"host.x.y:name"``) count like any other, but those in a ``feature.py``: a declaration
    names modules above it, and imports nothing.
- Imports inside functions, and modules directly in one folder, have a limit.

Each exception is named in ``structure.toml``. An unused exception is an error: the list only shrinks.
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

from tools import shape

PACKAGE = "host"
SKIPPED = ("host/authoring/starter",)
"""Folders outside the program: an example that is copied, and revisions that Alembic loads."""

KIT = "host.features"
"""The kit features are made with, which also has a module ``feature``."""
LIST_OF_FEATURES = "host.process.features"

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
        """Return each module with the modules it imports, at any time."""
        found: dict[str, set[str]] = {name: set() for name in self.modules}
        for one in self.imports:
            found[one.module].add(one.target)
        return found


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in ``structure.toml``.

    :param layers: from the bottom up, each with its modules and packages.
    :param purposes: the purpose of each layer.
    :param rest: the layer of what none names: a feature that nothing imports.
    :param upward: ``module -> module`` pairs that may import upward.
    :param flat: the limit of modules in one folder, by folder; ``*`` for all others.
    """

    layers: tuple[tuple[str, ...], ...]
    purposes: tuple[str, ...]
    upward: frozenset[str]
    circles: frozenset[str]
    late: int
    flat: Mapping[str, int]
    rest: int | None = None

    def level(self, module: str) -> int | None:
        """Return the layer of *module*, by the longest listed name that is the module or contains it.

        A name such as ``*.api`` stands for the part of *module* that ends so. A module that none names is in
        the layer :attr:`rest`.
        """
        best, found = 0, self.rest
        for level, names in enumerate(self.layers):
            for name in names:
                covered = _covered(name, module)
                if covered > best:
                    best, found = covered, level
        return found


def _covered(name: str, module: str) -> int:
    """Return how many characters of *module* a name of a layer stands for; 0 if it is not one of its own."""
    if name.startswith("*."):
        role = name.removeprefix("*")
        at = f"{module}.".find(f"{role}.")
        return at + len(role) if at >= 0 else 0
    return len(name) if f"{module}.".startswith(f"{name}.") else 0


def read_rules(path: Path) -> Rules:
    """Return the rules in *path*."""
    data: dict[str, Any] = tomllib.loads(path.read_text())
    return Rules(
        layers=tuple(tuple(layer["holds"]) for layer in data["layer"]),
        purposes=tuple(layer["why"] for layer in data["layer"]),
        rest=next((at for at, layer in enumerate(data["layer"]) if layer.get("rest")), None),
        upward=frozenset(data["exceptions"]["upward"]),
        circles=frozenset(data["exceptions"]["circles"]),
        late=data["limits"]["late"],
        flat=data["limits"]["flat"],
    )


def read_structure(root: Path) -> Structure:
    """Return the modules below *root*/host and their imports of each other."""
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
            # An import of a module also loads its package; that edge means nothing.
            declared = when is When.STRING and name.endswith(".feature")
            if known is not None and known not in {name, PACKAGE} and not declared:
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
    """Return the dotted module name in *value*, if it is a string with one."""
    return value.replace(":", ".") if isinstance(value, str) and _STRING.fullmatch(value) else None


def circles(pairs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of names that reach each other, largest first (Tarjan)."""
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
    """Return how many modules are in each folder, without those every feature has."""
    return Counter(
        name.rpartition(".")[0]
        for name, path in structure.modules.items()
        if path.name not in {"__init__.py", "feature.py", "data.py"}
    )


def problems(structure: Structure, rules: Rules) -> list[str]:
    """Return a sentence for each violation of *rules*, and for each unused exception."""
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


def owners(structure: Structure) -> dict[str, str]:
    """Return the feature of each module that belongs to one: the innermost whose folder contains it."""
    names = [name.removesuffix(".feature") for name in structure.modules if name.endswith(".feature")]
    found = {}
    for module in structure.modules:
        around = [name for name in names if f"{module}.".startswith(f"{name}.") and name != KIT]
        if around:
            found[module] = max(around, key=len)
    return found


def users_of(structure: Structure) -> dict[str, list[str]]:
    """Return each feature with the modules outside its folder that import it."""
    owner = owners(structure)
    found: dict[str, set[str]] = {name: set() for name in sorted(set(owner.values()))}
    for one in structure.imports:
        feature = owner.get(one.target)
        if feature and owner.get(one.module) != feature and one.module != LIST_OF_FEATURES:
            found[feature].add(one.module)
    return {name: sorted(modules) for name, modules in found.items()}


def features(structure: Structure, *, verbose: bool = False) -> Iterator[str]:
    """Yield each feature with the lines of its folder and how many modules outside import it.

    :param verbose: also list these modules.
    """
    lines: Counter[str] = Counter()
    for module, feature in owners(structure).items():
        lines[feature] += len(structure.modules[module].read_text().splitlines())
    for name, users in users_of(structure).items():
        yield f"{path_of(name):28} {lines[name]:6} lines, imported by {len(users):3} modules outside"
        if verbose:
            yield from (f"    {user}" for user in users)


def path_of(name: str) -> str:
    """Return the folder or the file of a package or module."""
    path = name.replace(".", "/")
    return (
        path
        if path.startswith("*") or (Path(__file__).resolve().parents[1] / path).is_dir()
        else f"{path}.py"
    )


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
    """Print the structure and its problems; return 1 if there are any."""
    root = Path(__file__).resolve().parents[1]
    structure, rules = read_structure(root), read_rules(Path(__file__).with_name("structure.toml"))
    print("\n".join(table(structure, rules)))
    print("\n".join(features(structure, verbose="-v" in sys.argv)))
    late = [one for one in structure.imports if one.when is When.LATE]
    if "-v" in sys.argv:
        print("\n".join(f"inside a function: {one.module}:{one.line} -> {one.target}" for one in late))
    folder, most = flat(structure).most_common(1)[0]
    print(
        f"{len(structure.modules)} modules; circles {len(circles(structure.pairs()))}; "
        f"exceptions {len(rules.upward) + len(rules.circles)}; imports inside functions {len(late)}; "
        f"fullest folder {folder} with {most}; directly in {PACKAGE}: {flat(structure)[PACKAGE]}"
    )
    print("\n".join(shape.table(root)))
    wrong = problems(structure, rules)
    for sentence in wrong:
        print(f"structure: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
