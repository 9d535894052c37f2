"""Who may import whom, read from the source: the shape of docs/architecture.md, held to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.addons.package import imports
from host.addons.package import manifest as manifests

ROOT = Path(__file__).resolve().parents[2]

# Values that cross the line between host and addon: they must not drag the host along.
PURE_SDK = (
    "_results",
    "capabilities",
    "cards",
    "channel",
    "errors",
    "hookspecs",
    "messages",
    "pages",
    "text",
    "webhooks",
)


def modules(folder: str) -> Iterator[tuple[str, Path]]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths, f"there is nothing in {folder}"
    for path in paths:
        if "__pycache__" in path.parts:
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def named(node: ast.expr) -> str:
    """Return a name as it is written; empty for any other expression: writing all of them out takes long."""
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def imported(module: str, path: Path) -> Iterator[tuple[int, str]]:
    """Yield each module imported at run time; what only the type checker reads does not count."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.If) and named(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes:
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*anchor, base]) if base else ".".join(anchor)
            yield node.lineno, base
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def test_the_protocol_of_the_sdk_imports_nothing_of_the_host() -> None:
    wrong = []
    for module, path in modules("host/sdk"):
        if module.split(".")[-1] not in PURE_SDK:
            continue
        wrong += [
            f"{path.relative_to(ROOT)}:{line} imports {other}"
            for line, other in imported(module, path)
            if other.split(".")[0] == "host" and not other.startswith("host.sdk") and other != "host"
        ]
    assert wrong == []


def addon_folders() -> list[Path]:
    return sorted(
        path.parent
        for pattern in ("addons/*/addon.toml", "tests/toy/addon.toml")
        for path in ROOT.glob(pattern)
    )


def test_there_are_addons() -> None:
    assert len(addon_folders()) >= 4


@pytest.mark.parametrize("folder", addon_folders(), ids=lambda path: path.name)
def test_addons_import_the_sdk_what_they_declare_and_themselves(folder: Path) -> None:
    manifest = manifests.read_manifest(folder)
    assert imports.check_folder(manifest, folder) == []


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("sandbox", ("host", "addons", "_addons")), ("host", ("sandbox", "addons")), ("addons", ("sandbox",))],
)
def test_the_stand_in_and_the_product_do_not_know_each_other(folder: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for module, path in modules(folder)
        for line, other in imported(module, path)
        if other.split(".")[0] in forbidden
    ]
    assert wrong == []


def test_addon_modules_hold_hook_implementations_and_nothing_else() -> None:
    for folder in addon_folders():
        name = folder / manifests.read_manifest(folder).package / "addon.py"
        for node in ast.parse(name.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                assert [ast.unparse(d) for d in node.decorator_list] == ["hookimpl"], f"{name}: {node.name}"
            else:
                assert isinstance(node, ast.Import | ast.ImportFrom | ast.Expr), f"{name}:{node.lineno}"


def test_only_the_settings_module_reads_the_environment() -> None:
    allowed = {"config.py", "desk.py"}
    wrong = [
        str(path.relative_to(ROOT))
        for _, path in modules("host")
        if path.name not in allowed and re.search(r"os\.(environ|getenv)\b", path.read_text())
    ]
    assert wrong == []


def test_the_checker_of_layers_finds_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from host import app\n"
        "def f():\n    from host.process.app import create_app\n"
    )
    assert [other for _, other in imported("host.inbox.x", path)] == [
        "typing",
        "typing.TYPE_CHECKING",
        "host.process.app",
        "host.process.app.create_app",
    ]
