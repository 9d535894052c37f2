"""An author's mypy sees the types of the SDK and of the trial desk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host.authoring import scaffold

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def strict(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run mypy as an author does, who has Lobby installed and no configuration."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MYPY")}
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_a_new_addon_is_fully_typed(tmp_path: Path, kind: str) -> None:
    scaffold.create("heron", tmp_path / "heron", kind)
    ended = strict(tmp_path / "heron")
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert "no issues found" in ended.stdout


def test_a_wrong_type_is_found_in_code_and_in_tests(tmp_path: Path) -> None:
    scaffold.create("heron", tmp_path / "heron")
    (tmp_path / "heron/heron/wrong.py").write_text(
        "from host.sdk import settings\n\nlimit: int = settings.public_url()\n"
    )
    (tmp_path / "heron/tests/wrong.py").write_text(
        "from host.authoring.desk import TrialDesk\n\n\ndef one(desk: TrialDesk) -> int:\n"
        "    return desk.messages('ann')[0].text\n"
    )
    ended = strict(tmp_path / "heron")
    assert ended.returncode == 1
    assert "heron/wrong.py:3: error: Incompatible types" in ended.stdout
    assert "tests/wrong.py:5: error: Incompatible return value" in ended.stdout
