"""An optional feature can be deleted: what is installed of a copy without its folder is a desk without it."""

from __future__ import annotations

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
}
"""What is only about the feature, and goes with it."""
ABOUT_ALL = tuple(f"tests/features/test_{one}.py" for one in ("all_off", "commands_off", "deleting"))
"""What is about all of them together."""
HELD = (
    *("tests/features", "tests/events", "tests/inbox", "tests/search"),
    *("tests/delivery/test_end_of_workspace.py", "tests/delivery/test_keeping.py"),
    *("tests/instagram/test_unsend.py", "tests/api/test_document.py", "tests/api/test_isolation.py"),
)
"""Tests that a desk without it has to pass: of pages, of erasing, of deleting a workspace, of the API."""


_FIELDS = "tests/inbox/test_limited.py::test_every_id_in_a_form_is_known_to_belong_to_an_account_or_not"
_QUESTIONS = "tests/inbox/test_pages.py::test_the_number_of_questions_does_not_grow"
KNOWS_IT = {"assistants": (_FIELDS, _QUESTIONS)}
"""Tests that count or name what all features together do: fields of forms, statements of a page."""

LIST = "host/process/features.py"


def test_there_is_an_optional_one_and_each_is_deleted_below() -> None:
    assert {feature.name for feature in features.BUILT_IN if feature.optional} == set(ABOUT_IT)


def turn() -> str:
    """Return the feature whose turn it is: ``TEST_DELETED``, or by how many commits there were, ten each.

    A part of the longer loop comes back every ten commits.
    """
    if named := os.environ.get("TEST_DELETED"):
        return named
    command = ["git", "rev-list", "--count", "HEAD"]
    counted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    number = int(counted) // 10 if counted else datetime.now(UTC).toordinal()
    return sorted(ABOUT_IT)[number % len(ABOUT_IT)]


def tree_without(name: str, tree: Path) -> None:
    """Copy this checkout to *tree* without the folder of a feature, and what only it needs."""
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.rmtree(tree / "host" / name)
    for one in (*ABOUT_IT[name], *ABOUT_ALL):
        gone = tree / one
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    for file, line in (
        (LIST, f' *"host.{name}",\n'),
        ("pyproject.toml", rf' *"host\.{name}(\..*)?"(,| = .*)\n'),
    ):
        text = (tree / file).read_text()
        left = re.sub(f"^{line}", "", text, flags=re.M)
        assert left != text, file
        (tree / file).write_text(left)


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
    tests: list[str | Path] = [python, "-m", "pytest", "-q", "-n2", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*tests, *(f"--deselect={one}" for one in KNOWS_IT.get(name, (_FIELDS,))), *HELD], **run, check=False
    )
    assert done.returncode == 0, f"without {name}: {done.stdout[-3000:]}"
