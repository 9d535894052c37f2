"""What lies in dist/ is what the tree builds, byte for byte."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from host.addons.package import manifest
from host.addons.package.build import build_release

ROOT = Path(__file__).resolve().parents[2]
ADDONS = sorted(path.parent for path in ROOT.glob("addons/*/addon.toml"))


def committed(folder: Path) -> Path:
    """Return the zip of the addon in *folder* as it lies in dist/."""
    found = manifest.read_manifest(folder)
    return ROOT / "dist" / f"{found.slug}-addon-v{found.version}.zip"


@pytest.mark.parametrize("folder", ADDONS, ids=lambda path: path.name)
def test_the_committed_zip_is_what_the_tree_builds(folder: Path, tmp_path: Path) -> None:
    built, _ = build_release(folder, tmp_path)
    assert built.name == committed(folder).name
    assert built.read_bytes() == committed(folder).read_bytes(), "run `make addon` and commit dist/"


@pytest.mark.parametrize("folder", ADDONS, ids=lambda path: path.name)
def test_the_checksum_beside_it_is_its_own(folder: Path) -> None:
    digest = hashlib.sha256(committed(folder).read_bytes()).hexdigest()
    sums = (ROOT / "dist" / "SHA256SUMS").read_text().splitlines()
    assert f"{digest}  {committed(folder).name}" in sums


def test_nothing_else_lies_there() -> None:
    names = {path.name for path in (ROOT / "dist").iterdir()}
    assert names == {"SHA256SUMS", *(committed(folder).name for folder in ADDONS)}


@pytest.mark.parametrize("folder", ADDONS, ids=lambda path: path.name)
def test_times_and_modes_of_the_tree_do_not_reach_the_zip(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "addon"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o755)
    cache = copy / manifest.read_manifest(folder).package / "__pycache__"
    cache.mkdir()
    (cache / "addon.cpython-311.pyc").write_bytes(b"left over")
    built, _ = build_release(copy, tmp_path / "out")
    assert built.read_bytes() == committed(folder).read_bytes()
