"""Who may import whom, read from the source: the shape of docs/architecture.md, held to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.addons import imports
from host.addons import manifest as manifests

ROOT = Path(__file__).resolve().parents[2]

# Lower never imports higher. What stands beside each other may know each other.
LAYERS = (
    (
        "child",
        "child_limits",
        "config",
        "config_servers",
        "clock",
        "db",
        "errors",
        "filelock",
        "garbage",
        "guard",
        "logs",
        "mail",
        "migrations",
        "resealing",
        "secrets",
        "storage",
        "traces",
        "transport",
    ),
    (
        *(
            "accounts",
            "assets",
            "channels",
            "counters",
            "delivery",
            "error_pages",
            "headers",
            "health",
            "inbox",
        ),
        *("languages", "live", "media", "navigation", "notifications", "pieces", "telemetry", "web"),
    ),
    ("addons", "api", "assistants"),
    (
        "app",
        "authoring",
        "cli",
        "doctor",
        "ending",
        "cli_addon",
        "cli_base",
        "cli_secrets",
        "demo",
        "front",
        "server",
        "services",
        "serving",
    ),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

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
    for path in sorted((ROOT / folder).rglob("*.py")):
        if "__pycache__" in path.parts or "builtin" in path.parts[len(ROOT.parts) :]:
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(module: str, path: Path) -> Iterator[tuple[int, str]]:
    """Yield each module imported at run time; what only the type checker reads does not count."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
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


def level_of(module: str) -> int | None:
    parts = module.split(".")
    if len(parts) < 2 or parts[0] != "host":
        return None
    return LEVEL.get(parts[1])


def test_every_part_of_the_host_has_a_layer() -> None:
    found = {
        path.stem if path.is_file() else path.name
        for path in (ROOT / "host").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert found - {"__init__", "__main__", "sdk", "builtin"} <= set(LEVEL), "say in LAYERS where it stands"


def test_lower_layers_do_not_import_higher_ones() -> None:
    wrong = []
    for module, path in modules("host"):
        own = level_of(module)
        if own is None:
            continue
        for line, other in imported(module, path):
            theirs = level_of(other)
            if theirs is not None and theirs > own:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {other}")
    assert wrong == []


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


def test_the_sdk_stands_on_the_two_lower_layers_only() -> None:
    wrong = []
    for module, path in modules("host/sdk"):
        for line, other in imported(module, path):
            theirs = level_of(other)
            if theirs is not None and theirs > 1:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {other}")
    assert wrong == []


def addon_folders() -> list[Path]:
    return sorted(
        path.parent
        for pattern in ("addons/*/addon.toml", "host/builtin/*/addon.toml", "tests/toy/addon.toml")
        for path in ROOT.glob(pattern)
    )


def test_there_is_an_addon_and_a_built_in_one() -> None:
    assert len(addon_folders()) >= 3


@pytest.mark.parametrize("folder", addon_folders(), ids=lambda path: path.name)
def test_addons_import_the_sdk_what_they_declare_and_themselves(folder: Path) -> None:
    manifest = manifests.read(folder)
    if "builtin" in folder.parts:
        problems = [
            problem
            for path in sorted(folder.rglob("*.py"))
            for problem in imports.problems_in(
                manifest, f"{folder.name}/{path.relative_to(folder).as_posix()}", path.read_bytes()
            )
        ]
    else:
        problems = imports.check_folder(manifest, folder)
    assert problems == []


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
        name = folder / (
            "addon.py" if "builtin" in folder.parts else f"{manifests.read(folder).package}/addon.py"
        )
        for node in ast.parse(name.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                assert [ast.unparse(d) for d in node.decorator_list] == ["hookimpl"], f"{name}: {node.name}"
            else:
                assert isinstance(node, ast.Import | ast.ImportFrom | ast.Expr), f"{name}:{node.lineno}"


def test_only_the_settings_module_reads_the_environment() -> None:
    allowed = {"config.py", "cli.py"}
    wrong = [
        str(path.relative_to(ROOT))
        for _, path in modules("host")
        if path.name not in allowed and re.search(r"os\.(environ|getenv)\b", path.read_text())
    ]
    assert wrong == []


LONGEST = 400


def test_no_module_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for folder in ("host", "addons", "sandbox", "migrations")
        for path in (ROOT / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > LONGEST and path.parent.name != "versions"
    }
    assert long == {}


def test_the_checker_of_layers_finds_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from host import app\n"
        "def f():\n    from host.app import create_app\n"
    )
    assert [other for _, other in imported("host.inbox.x", path)] == [
        "typing",
        "typing.TYPE_CHECKING",
        "host.app",
        "host.app.create_app",
    ]
