"""The files a public project is expected to have say what the project does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

import host

ROOT = Path(__file__).resolve().parents[2]


def of_make_check() -> set[str]:
    """Return the tools `make check` calls: programs, and modules of `python -m`."""
    target = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    assert target is not None
    return set(re.findall(r"\$\(BIN\)/(?:python -m )?([\w.]+)(?![\w.]| \])", target[1]))


def of_pre_commit() -> set[str]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    called = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    return {found for one in called for found in re.findall(r"\.venv/bin/(?:python -m )?([\w.]+)", one)}


def test_a_commit_is_held_to_what_make_check_holds() -> None:
    assert of_pre_commit() == of_make_check()
    assert {"ruff", "mypy", "tools.structure", "djlint", "oxlint", "biome"} <= of_make_check()


def test_the_workflow_runs_what_has_to_hold_with_every_server_it_starts() -> None:
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["ci"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert shlex.split(runs[-1]) == [".ci/run"]
    for package in ("postgresql", "mariadb-server", "redis-server", "rabbitmq-server"):
        assert package in runs[0]


def test_the_page_on_security_names_the_releases_there_are() -> None:
    release = host.__version__.rpartition(".")[0]
    assert f"| {release} | yes |" in (ROOT / "SECURITY.md").read_text()
