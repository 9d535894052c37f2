"""A golden file that says something else fails its pin, and is written anew only when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pins import pinning


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a pin, with two facts."""
    monkeypatch.setattr(pinning, "GOLDEN", tmp_path)
    monkeypatch.delenv("REWRITE_GOLDEN", raising=False)
    path = tmp_path / "some.txt"
    path.write_text("one\ntwo\n")
    return path


def test_facts_that_went_or_came_fail_the_pin_and_stand_in_what_it_says(golden: Path) -> None:
    pinning.hold("some", ["one", "two"])
    with pytest.raises(pytest.fail.Exception, match=r"-two\n\+three"):
        pinning.hold("some", ["one", "three"])
    with pytest.raises(pytest.fail.Exception, match="-two"):
        pinning.hold("some", ["one"])
    assert golden.read_text() == "one\ntwo\n"


def test_it_is_written_when_that_is_asked_for(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWRITE_GOLDEN", "1")
    pinning.hold("some", ["one", "three"])
    assert golden.read_text() == "one\nthree\n"
