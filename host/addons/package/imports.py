"""Check which modules an addon's source imports, from its syntax tree, without running it.

It finds mistakes, not malice: code can hide an import.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from host.addons.package import archive
from host.addons.package.archive import Archive
from host.addons.package.manifest import Manifest


def imported(source: bytes) -> Iterator[tuple[int, str, int]]:
    """Yield the line, the module and the number of leading dots of each import in *source*.

    :raises SyntaxError: if it is not Python.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, 0
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield node.lineno, module, node.level
            if module == "host" and not node.level:
                for alias in node.names:
                    yield node.lineno, f"host.{alias.name}", 0


@lru_cache(maxsize=1)
def _providers() -> dict[str, list[str]]:
    return {
        module: [canonicalize_name(name) for name in names]
        for module, names in metadata.packages_distributions().items()
    }


def may_import(manifest: Manifest, module: str) -> bool:
    """Return whether the addon of *manifest* may import *module*: stdlib, declared packages, ``host.sdk``."""
    top = module.partition(".")[0]
    if top == "host":
        return module in ("host", "host.sdk") or module.startswith("host.sdk.")
    if top in sys.stdlib_module_names:
        return True
    declared = {canonicalize_name(Requirement(text).name) for text in manifest.requires}
    return any(name in declared for name in _providers().get(top, []))


def problems_in(manifest: Manifest, name: str, source: bytes) -> list[str]:
    """Return the forbidden imports of the file *name*, one sentence each."""
    try:
        found = list(imported(source))
    except SyntaxError as error:
        return [f"{name}, line {error.lineno}: it is not Python that can be read ({error.msg})."]
    except (ValueError, RecursionError, MemoryError):
        return [f"{name} is not Python that can be read."]
    problems = []
    for line, module, level in found:
        if level:
            if level >= name.count("/") + 1:
                problems.append(f"{name}, line {line}: it imports from outside its package.")
        elif (top := module.partition(".")[0]) == manifest.package and top not in sys.stdlib_module_names:
            problems.append(
                f"{name}, line {line}: import the addon's own modules relatively (from . import ...)."
            )
        elif module != "__future__" and not may_import(manifest, module):
            problems.append(
                f"{name}, line {line}: it imports {module}, which is neither part of Python, nor declared in "
                "requires, nor host.sdk."
            )
    return problems


def check_archive(found: Archive) -> list[str]:
    """Return the forbidden imports of the code in *found*, one sentence each; ten at most."""
    data = found.path.read_bytes()
    problems: list[str] = []
    for entry in found.entries:
        if entry.name.endswith(".py"):
            problems.extend(problems_in(found.manifest, entry.name, archive.content(data, entry)))
    return problems[:10]


def check_folder(manifest: Manifest, folder: Path) -> list[str]:
    """Check the unpacked addon in *folder* like :func:`check_archive`."""
    problems: list[str] = []
    for part in (manifest.package, "migrations"):
        for path in sorted((folder / part).rglob("*.py")):
            problems.extend(problems_in(manifest, path.relative_to(folder).as_posix(), path.read_bytes()))
    return problems[:10]
