"""Find uses of deprecated SDK names in an addon's source, without running it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import host.sdk
from host.addons.package.manifest import Manifest
from host.sdk.deprecation import Deprecated, all_deprecated


def known() -> dict[str, Deprecated]:
    """Return the deprecated names of the SDK; hooks only by name."""
    for info in pkgutil.iter_modules(host.sdk.__path__, "host.sdk."):
        if info.name != "host.sdk.testing":  # needs pytest, which a desk may not have
            importlib.import_module(info.name)
    return {each.name: each for each in all_deprecated()}


def uses(manifest: Manifest, folder: Path, names: dict[str, Deprecated] | None = None) -> list[str]:
    """Return one sentence for each place in the addon in *folder* that uses one of *names*."""
    names = known() if names is None else names
    found = []
    for part in (manifest.package, "migrations"):
        for path in sorted((folder / part).rglob("*.py")):
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue  # the step "imports" names it
            for line, name in _named(tree):
                if name in names:
                    place = path.relative_to(folder).as_posix()
                    found.append(f"{place}, line {line}: {names[name].sentence}")
    return found


def _named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and full name of each SDK name that is imported, used through a module, or implemented."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("host"):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.FunctionDef) and any(
            ast.unparse(each).startswith("hookimpl") for each in node.decorator_list
        ):
            yield node.lineno, node.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            head, _dot, rest = ast.unparse(node).partition(".")
            if head in modules:
                yield node.lineno, f"{modules[head]}.{rest}"
