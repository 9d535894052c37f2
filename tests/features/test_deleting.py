"""An optional feature can be deleted: what is installed of a copy without its folder is a desk without it."""

from __future__ import annotations

import ast
import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from host.process import features

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "data")
"""What a copy of this checkout does without: what is no part of it."""
ABOUT_IT = {
    "reports": (
        "tests/reports",
        "tests/cli/test_reports.py",
        "tests/api/test_analytics.py",
        "tests/features/test_switch.py",
    ),
    "webhooks": (
        "tests/webhooks",
        "tests/features/test_webhooks_off.py",
        "tests/features/test_adding_an_event.py",
        "tests/features/test_switch.py",
    ),
    "assistants": (
        "tests/assistants",
        "tests/api/test_assistants.py",
        "tests/api/test_both_ways_assistants.py",
        "tests/docs/test_assistants.py",
        "tests/features/test_assistants_off.py",
        "tests/features/test_switch.py",
    ),
    "rules": (
        "tests/rules",
        "tests/api/test_rules.py",
        "tests/docs/test_rules.py",
        "tests/instagram/test_campaigns_refused.py",
        "tests/webhooks/test_rules.py",
    ),
    "sequences": ("tests/sequences", "tests/docs/test_sequences.py", "tests/features/test_switch.py"),
}
"""What is only about the feature, and goes with it; else the folder of its tests."""
OPTIONAL = {one.name: one.package for one in features.BUILT_IN if one.optional}
ABOUT_ALL = tuple(f"tests/features/test_{one}.py" for one in ("all_off", "commands_off", "deleting"))
"""What is about all of them together."""
HELD = (
    *("tests/features", "tests/events", "tests/inbox", "tests/search"),
    *("tests/delivery/test_end_of_workspace.py", "tests/delivery/test_keeping.py"),
    *("tests/instagram/test_unsend.py", "tests/api/test_document.py", "tests/api/test_isolation.py"),
)
"""Tests that a desk without it has to pass: of pages, of erasing, of deleting a workspace, of the API."""


KNOW_ALL = (
    # Docs, the catalogue, what is pinned, and the map of the code.
    *("tests/docs", "tests/web/test_catalogues.py", "tests/pins", "tests/architecture", "tests/bench"),
    # Fields of forms, statements of pages, and routes, of all features together.
    "tests/inbox/test_limited.py::test_every_id_in_a_form_is_known_to_belong_to_an_account_or_not",
    "tests/inbox/test_pages.py::test_the_number_of_questions_does_not_grow",
    "tests/users/test_confirmed_routes.py",
    "tests/web/test_account_picker.py",
    "tests/web/test_find_settings.py",
    # Names, scopes and words of all routes.
    "tests/api/test_generators.py",
    "tests/api/test_scopes.py::test_the_reviewed_table_names_what_each_route_needs",
    "tests/whole/test_channel_words.py",
)
"""Tests that hold all features together: no desk without one passes them."""
KNOW_IT = {
    "reports": (
        "tests/addons/test_report_sections.py",
        "tests/today",
        "tests/api/test_errors.py::test_what_a_body_or_query_names_is_422_since_the_second_version",
        *("tests/features/test_switching.py", "tests/web/test_shell.py"),
    ),
    "webhooks": (
        *("tests/api/test_idempotency.py", "tests/features/test_assistants_off.py"),
        *("tests/rules", "tests/web/test_full_workspace.py"),
        "tests/api/test_errors.py::test_the_field_leads_to_the_wrong_value_of_a_list",
        "tests/api/test_rules.py::test_who_asks_hears_whom_a_rule_tells_and_not_which_endpoint_it_calls",
        "tests/api/test_syncing.py::test_old_parameters_are_deprecated_in_the_document",
    ),
    "assistants": (
        "tests/api/test_errors.py::test_the_field_leads_to_the_wrong_value_of_a_list",
        *("tests/automation/test_words.py", "tests/users/test_audit.py", "tests/web/test_shell.py"),
        "tests/today/test_today.py",
    ),
    "rules": (
        "tests/features/test_off_pages.py::test_a_form_sent_from_a_tab_left_open_says_that_nothing_was_saved",
        "tests/today/test_today.py",
        "tests/web/test_shell.py",
    ),
    "sequences": ("tests/today/test_today.py", "tests/web/test_shell.py"),
}
"""Tests of other features that use the deleted one on the way, besides those that import it."""

LIST = "host/process/features.py"


def test_each_that_stands_here_is_there() -> None:
    assert set(ABOUT_IT) <= set(OPTIONAL)


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_no_other_code_needs_it(name: str) -> None:
    own = ROOT / "host" / name
    assert own.is_dir()
    imported = re.compile(rf"^ *(?:from|import) host(?:\.{name}\b| import .*\b{name}\b)", re.M)
    others = (path for part in ("host", "addons", "sandbox") for path in (ROOT / part).rglob("*.py"))
    code = [path for path in others if own not in path.parents and not {"tests", "starter"} & {*path.parts}]
    assert [str(path.relative_to(ROOT)) for path in code if imported.search(path.read_text())] == []


def turn() -> str:
    """Return the feature whose turn it is: ``TEST_DELETED``, or by how many commits there were, ten each.

    A part of the longer loop comes back every ten commits.
    """
    if named := os.environ.get("TEST_DELETED"):
        return named
    return sorted(OPTIONAL)[_commits() // 10 % len(OPTIONAL)]


def share() -> str:
    """Return the part of all other tests whose turn it is; the next time the feature is deleted, the next."""
    return f"{_commits() // (10 * len(OPTIONAL))}/10"


def _commits() -> int:
    command = ["git", "rev-list", "--count", "HEAD"]
    counted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return int(counted) if counted else 10 * datetime.now(UTC).toordinal()


def tree_without(name: str, tree: Path) -> None:
    """Copy this checkout to *tree* without the folder of a feature, and what only it needs."""
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.rmtree(tree / "host" / name)
    for one in (*ABOUT_IT.get(name, (f"tests/{name}",)), *ABOUT_ALL):
        gone = tree / one
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    for file, line in ((LIST, f' *"host.{name}",\n'),):
        text = (tree / file).read_text()
        left = re.sub(f"^{line}", "", text, flags=re.M)
        assert left != text, file
        (tree / file).write_text(left)


def importing(tree: Path, name: str) -> set[str]:
    """Return the test files of *tree* that import a feature, also by a helper; of a conftest, its folder."""
    gone, found = {f"host.{name}", f"tests.{name}"}, set[str]()
    tests = (path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
    gone |= {".".join(path.with_suffix("").parts) for path in tests if not (tree / path).exists()}
    while True:
        before = len(gone)
        for path in (tree / "tests").rglob("*.py"):
            where = path.relative_to(tree)
            if not any(one == part or one.startswith(f"{part}.") for one in imports(path) for part in gone):
                continue
            gone.add(".".join(where.with_suffix("").parts))
            if path.name == "conftest.py":
                found.add(str(where.parent))
            elif path.name.startswith("test_"):
                found.add(str(where))
        if len(gone) == before:
            return found


@functools.cache
def imports(path: Path) -> set[str]:
    """Return the names a module imports when it is imported."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return found


def environment_with(tree: Path, folder: Path) -> Path:
    """Install *tree*, not editable, into an environment of its own; return its Python.

    What Lobby needs is taken from the environment of this test, but for its own editable install.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    # Paths of a .pth file are searched, but .pth files there are not read.
    (site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", site, tree], check=True)
    # Tests look into the code; they find what is installed.
    shutil.rmtree(tree / "host")
    shutil.rmtree(tree / "build", ignore_errors=True)
    (tree / "host").symlink_to(site / "host")
    return python


@pytest.mark.slow
def test_an_installed_desk_without_its_folder_passes_the_tests_of_all_others(tmp_path: Path) -> None:
    name = turn()
    print(f"deleted: {name}")
    tree = tmp_path / "tree"
    tree_without(name, tree)
    python = environment_with(tree, tmp_path / "env")
    kept = {one: value for one, value in os.environ.items() if not one.startswith(("PYTEST_", "PYTHON"))}
    run: dict[str, Any] = {"cwd": tree, "env": kept, "capture_output": True, "text": True}
    where = f"import host; print(host.__file__); import host.{name}"
    found = subprocess.run([python, "-c", where], **{**run, "cwd": tmp_path}, check=False)
    assert found.stdout.startswith(str(tmp_path / "env")), "what is installed is tested"
    assert "ModuleNotFoundError" in found.stderr
    tests = [python, "-m", "pytest", "-q", "-n2", "--dist=loadfile", "--no-loadscope-reorder"]
    known = (*KNOW_ALL, *KNOW_IT.get(name, ()), *importing(tree, name))
    left_out = [one for one in known if (tree / one.partition("::")[0]).exists()]
    skipped = [f"--deselect={one}" if "::" in one else f"--ignore={one}" for one in left_out]
    for some, others in ((HELD, {}), (("tests", "addons"), {"TEST_SHARE": share()})):
        command = [*tests, "-p", "no:cacheprovider", *skipped, *some]
        done = subprocess.run(command, **{**run, "env": kept | others}, check=False)
        assert done.returncode == 0, f"without {name}, {others}: {done.stdout[-3000:]}"
