"""The command behind the table of how long a backup and a restore take."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bench import moving
from bench.databases import SERVERS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operate.md").read_text()
NOWHERE = {
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:1/",
    "mariadb": "mariadb+pymysql://root@127.0.0.1:1/",
}


@pytest.mark.slow
def test_it_prints_the_table_of_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A desk of two hundred messages, where no server answers."""
    (columns,) = re.findall(r"^\| \| backup .*$", PAGE, re.M)
    assert "`python -m bench.moving`" in PAGE
    monkeypatch.setattr(sys, "argv", ["bench.moving", "200", "2"])
    monkeypatch.setattr(moving, "KINDS", ("sqlite", *NOWHERE))
    for kind, url in NOWHERE.items():
        monkeypatch.setitem(SERVERS, kind, url)
    moving.main()
    said, skipped = capsys.readouterr()
    assert said.splitlines()[1:3] == [columns, "|---|---|---|---|---|"]
    assert re.fullmatch(r"\| sqlite (\| \d+\.\d s ){4}\|", said.splitlines()[3])
    assert "no postgresql answers" in skipped
    assert "no mariadb answers" in skipped
