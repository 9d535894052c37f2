"""An installed Lobby has everything a checkout has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def code(folder: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_host_and_migrations(tmp_path: Path) -> None:
    copy = tmp_path / "tree"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    for name in ("host", "migrations", "dist"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = code("host") | {f"host/_{name}" for name in code("migrations") | code("dist")}
    assert {"host/__init__.py", "host/_migrations/env.py", "host/_dist/SHA256SUMS"} <= wanted
    assert wanted - names == set()


def test_every_pinned_version_is_a_plain_one() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    for line in lines:
        name, _, version = line.partition("==")
        assert name, line
        assert version[0].isdigit(), line
        assert "://" not in line


def test_every_dependency_is_pinned_and_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    reasons = (ROOT / "docs" / "architecture.md").read_text().lower()
    for requirement in project["dependencies"]:
        name = requirement.split(">")[0].split("[")[0].lower()
        assert name in pinned, f"{name} is not in constraints.txt"
        assert name in reasons, f"docs/architecture.md does not say what {name} is for"
