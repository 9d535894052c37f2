"""The files of a release, made as `make wheel` makes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from host import __version__

ROOT = Path(__file__).resolve().parents[2]


def build(tree: Path, version: str = __version__) -> Path:
    """Copy this checkout to *tree* as *version*; return the folder with what was built there."""
    tree.mkdir(exist_ok=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "Makefile", "constraints.txt"):
        shutil.copy(ROOT / name, tree / name)
    for name in ("host", "migrations", "dist", "clients"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    named = tree / "host" / "__init__.py"
    named.write_text(named.read_text().replace(f'"{__version__}"', f'"{version}"'))
    # Newer than all it is made of: nothing is to be installed from here into the environment of the tests.
    stamp = tree / "stamp"
    stamp.touch()
    os.utime(stamp, (time.time() + 3600,) * 2)
    command = ["make", "wheel", f"BIN={Path(sys.executable).parent}", f"STAMP={stamp}"]
    done = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True)
    assert "pip install" not in done.stdout
    return tree / "build" / "wheel"
