"""Pages that walk through a change are followed in a copy of the tree; then their own tests run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/first-change.md", "docs/a-feature.md")
COPIED = (
    *("host", "migrations", "addons", "sandbox", "bench", "demo", "tests", "tools", "docs"),
    *("pyproject.toml", "setup.py", "babel.cfg", "constraints.txt", "README.md", "CHANGELOG.md", "Makefile"),
)
HELD = (
    *("tests/features/test_declarations.py", "tests/features/test_off_pages.py", "tests/architecture"),
    *(
        "tests/users/test_confirmed_routes.py",
        "tests/users/test_audit.py",
        "tests/models/test_host_schema.py",
    ),
    "tests/pins",
)
"""Tests that hold lists of everything."""
NOT_HELD = "not wheel and not test_work and not test_medium"
"""Of those: what takes long and cannot change."""

STEP = re.compile(
    r"""
    ^In\ `(?P<path>[^`]+)`,\ (?P<where>below|above|instead\ of):\n\n
    ```\w*\n(?P<found>.*?)```\n\n
    write:\n\n
    ```\w*\n(?P<written>.*?)```
    |
    ^A\ new\ file,\ `(?P<new>[^`]+)`:\n\n
    ```\w*\n(?P<whole>.*?)```
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def numbered(page: str, tree: Path) -> str:
    """Return *page* with the numbers of migrations that *tree* asks for."""
    last = max(int(file.name[:4]) for file in (tree / "migrations/versions").glob("[0-9]*.py"))
    return page.replace("NEXT", f"{last + 1:04}").replace("LAST", f"{last:04}")


def follow(page: str, tree: Path) -> list[str]:
    """Do in *tree* what *page* says; return the files that were touched, in order."""
    touched = []
    for step in STEP.finditer(page):
        if step["new"] is not None:
            target = tree / step["new"]
            assert not target.exists(), f"{step['new']} is there already"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(step["whole"])
            touched.append(step["new"])
            continue
        target = tree / step["path"]
        text = target.read_text()
        assert text.count(step["found"]) == 1, (
            f"{step['path']} has this {text.count(step['found'])} times:\n{step['found']}"
        )
        follows = {
            "below": step["found"] + step["written"],
            "above": step["written"] + step["found"],
            "instead of": step["written"],
        }
        target.write_text(text.replace(step["found"], follows[step["where"]]))
        touched.append(step["path"])
    return list(dict.fromkeys(touched))


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_walkthrough_works_as_it_is_written(tmp_path: Path, name: str) -> None:
    walkthrough = ROOT / name
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            # With what is compiled: it is as old as its source there, too.
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("pictures"))
        else:
            shutil.copy(source, tmp_path / name)
    page = numbered(walkthrough.read_text(), tmp_path)
    touched = follow(page, tmp_path)
    said = sum(int(number) for number in re.findall(r"(\d+) files", page.partition("## 1.")[0]))
    assert said == len(touched), f"the page says how many files the change touches: {len(touched)}"
    tests = [name for name in touched if name.startswith("tests/") and name.endswith(".py")]
    assert tests
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"]
    for command in (
        ["-m", "ruff", "check", "--quiet", *(name for name in touched if name.endswith(".py"))],
        ["-m", "tools.structure"],
        ["-m", "tools.writing"],
        [*run, *tests],
        ["-c", "import os, pytest; os.environ['REWRITE_GOLDEN'] = '1'; pytest.main(['-q', 'tests/pins'])"],
        [*run, "-k", NOT_HELD, *HELD],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("where", "result"), [("below", "a\nb\nx\n"), ("above", "x\na\nb\n"), ("instead of", "x\n")]
)
def test_a_step_is_done_where_it_says(tmp_path: Path, where: str, result: str) -> None:
    (tmp_path / "a.py").write_text("a\nb\n")
    page = f"In `a.py`, {where}:\n\n```python\na\nb\n```\n\nwrite:\n\n```python\nx\n```\n"
    assert follow(page, tmp_path) == ["a.py"]
    assert (tmp_path / "a.py").read_text() == result


def test_a_step_that_fits_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a\n")
    with pytest.raises(AssertionError, match="0 times"):
        follow("In `a.py`, below:\n\n```\nc\n```\n\nwrite:\n\n```\nx\n```\n", tmp_path)


def test_the_migration_takes_the_number_after_the_newest(tmp_path: Path) -> None:
    versions = tmp_path / "migrations/versions"
    versions.mkdir(parents=True)
    for name in ("0098_one.py", "0099_two.py", "__init__.py"):
        (versions / name).touch()
    assert numbered('NEXT_priority.py revision = "NEXT" down_revision = "LAST"', tmp_path) == (
        '0100_priority.py revision = "0100" down_revision = "0099"'
    )
