"""What tests cost is counted, and too much of it fails the run."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import costs

ROOT = Path(__file__).parents[2]


def test_a_sentence_for_each_count_that_is_too_high() -> None:
    allowed = {"processes": 3, "databases": 1, "pages": 0}
    assert costs.too_much({"processes": 3, "databases": 2}, allowed) == ["2 databases, and 1 are allowed"]


def test_the_budget_is_of_what_is_counted() -> None:
    makefile = (ROOT / "Makefile").read_text()
    found = costs.budget("not medium and not slow")
    assert set(found) == set(costs.COUNTED)
    assert '-p tests.costs $(if $(SLOWEST),--costs,) -m "not medium and not slow"' in makefile
    assert costs.budget("slow") == {}


def test_the_dearest_files_come_first() -> None:
    of_file = {
        "tests/a.py": Counter(cpu=400, wall=900, pages=2),
        "tests/b.py": Counter(cpu=1600, wall=100, forks=1),
    }
    _heading, total, *files = costs.table(of_file)
    assert total.split() == ["2.0", "1.0", "1", "2", "all", "of", "them"]
    assert [line.split()[-1] for line in files] == ["tests/b.py", "tests/a.py"]


@pytest.mark.slow
def test_a_run_over_its_budget_is_red(tmp_path: Path) -> None:
    test = tmp_path / "test_starting.py"
    test.write_text("import subprocess\n\n\ndef test_one():\n    subprocess.run(['true'], check=True)\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\nmarkers = cheap: none\n")
    code = (
        "import sys, pytest; from pathlib import Path; from tests import costs; "
        "costs.BUDGET = Path('budget.toml'); sys.exit(pytest.main(['-m', 'not cheap'], plugins=[costs]))"
    )
    for most, status in ((1, 0), (0, 1)):
        (tmp_path / "budget.toml").write_text(f'["not cheap"]\nprocesses = {most}\n')
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stdout
        assert ("1 processes, and 0 are allowed" in done.stdout) is bool(status)
