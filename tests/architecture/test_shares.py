"""Which tenths of the longer loop were green, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import shares
from tests.shares import Green


@pytest.mark.parametrize(("share", "found"), [("1357/10", "7/10"), ("10/10", "0/10"), ("1357/30", "7/30")])
def test_each_part_has_one_name(share: str, found: str) -> None:
    assert shares.reduced(share) == found


def test_the_table_tells_what_has_not_run() -> None:
    greens = [
        Green("3/10", 100, "aaaaaaaa", "2026-11-01"),
        Green("3/10", 90, "bbbbbbbb", "2026-10-30"),
        Green("13/30", 109, "cccccccc", "2026-11-02"),
        Green("4/10", 110, "dddddddd", "2026-11-03"),
        Green("24/30", 105, "eeeeeeee", "2026-11-02"),
    ]
    assert list(shares.table(greens, 110)) == [
        "0/10  not known to have been green",
        "1/10  not known to have been green",
        "2/10  not known to have been green",
        "3/10  green 10 commits ago, at aaaaaaaa on 2026-11-01",
        "  13/30  green 1 commit ago, at cccccccc on 2026-11-02",
        "4/10  green now, at dddddddd on 2026-11-03",
        *(f"{tenth}/10  not known to have been green" for tenth in range(5, 10)),
    ]


def test_what_was_green_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "_git", lambda *words: "1357" if "--count" in words else "abcdef01")
    path = tmp_path / "shares.tsv"
    assert shares.read(path) == []
    green = shares.note("1357/10", path)
    assert green[:3] == ("7/10", 1357, "abcdef01")
    assert shares.read(path) == [green]
    assert shares.read()  # what this tree keeps
