"""`lobby addon new` writes an addon that works, tests included, and `lobby addon check` says so."""

from __future__ import annotations

import re
import resource
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.authoring import scaffold
from host.cli.commands import main

pytestmark = pytest.mark.slow


EVERY_KIND = pytest.mark.parametrize("kind", scaffold.KINDS)


def _seconds() -> float:
    """Return the time this process and its children worked: other work on this machine doesn't count."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


@EVERY_KIND
def test_a_new_addon_passes_every_check_as_it_is(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "heron"
    made = CliRunner().invoke(main, ["addon", "new", "heron", "--kind", kind, "--folder", str(folder)])
    assert made.exit_code == 0, made.output
    began = _seconds()
    checked = CliRunner().invoke(main, ["addon", "check", str(folder)])
    assert checked.exit_code == 0, checked.output
    assert _seconds() - began < 60, "a check takes less than a minute"
    for name in ("addon.toml", "imports", "zip", "code", "migrations", "tests"):
        assert f"ok      {name}" in checked.output
    assert ("ok      parts" in checked.output) is (kind != "channel")
    assert ("ok      contract" in checked.output) is (kind == "channel")
    assert ("up, checked, up again, down, up: 0001 (sqlite)" in checked.output) is (kind != "panel")
    assert "deprecated" not in checked.output


def test_a_channel_is_the_default(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["addon", "new", "heron", "--folder", str(tmp_path / "heron")])
    assert made.exit_code == 0, made.output
    assert 'channels = ["heron"]' in (tmp_path / "heron/addon.toml").read_text()


@EVERY_KIND
def test_nothing_of_the_starters_name_is_left(tmp_path: Path, kind: str) -> None:
    written = scaffold.create("heron2", tmp_path / "heron2", kind)
    for path in written:
        assert "pigeon" not in f"{path.relative_to(tmp_path)} {path.read_text()}".lower()
    readme = (tmp_path / "heron2/README.md").read_text()
    named = {name.partition("heron2/")[2] for name in re.findall(r"`(heron2/\w+\.py)`", readme)}
    assert named
    assert named <= {path.name for path in written}
    assert readme.count("lobby addon check") == 1


@pytest.mark.parametrize(
    ("slug", "why"),
    [
        ("Heron", "lower-case"),
        ("h", "3 to 41"),
        ("grey-heron", "letters and digits"),
        ("class", "letters and digits"),
        ("email", "comes with Lobby"),
    ],
)
def test_what_no_addon_can_be_called_is_refused(tmp_path: Path, slug: str, why: str) -> None:
    answer = CliRunner().invoke(main, ["addon", "new", slug, "--folder", str(tmp_path / "new")])
    assert answer.exit_code == 1
    assert why in answer.output
    assert not (tmp_path / "new").exists()


def test_what_is_there_already_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    answer = CliRunner().invoke(main, ["addon", "new", "heron", "--folder", str(tmp_path)])
    assert answer.exit_code == 1
    assert "already" in answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
