"""Starting the programs of the demo: on a slow machine, and when one ends instead."""

from __future__ import annotations

import subprocess
import sys

import pytest

from demo import processes
from demo.processes import DidNotStartError, Program, clean_environment


def test_start_waits_as_long_as_program_lives_and_says_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "WAITING_SECONDS", 0.001)
    monkeypatch.setattr(processes, "START_SECONDS", 0.0)
    program = Program("lobby", subprocess.Popen([sys.executable, "-c", ""], text=True))
    printed: list[str] = []

    def next_line(text: str, *, flush: bool) -> None:
        """Print as a program would that goes on each time somebody was told of it."""
        assert flush
        printed.append(text.split(". ", 1)[1])
        lines = ["Setting up the database: SQLite.", "20 of 55 steps done.", "lobby listening on http://x"]
        program.lines.append(lines[len(program.lines)])

    monkeypatch.setattr(processes, "print", next_line, raising=False)
    assert program.wait_for_start(r"listening on (\S+)")[1] == "http://x"
    assert printed == [
        "It has printed nothing yet.",
        "Setting up the database: SQLite.",
        "20 of 55 steps done.",
    ]
    program.process.wait()


def test_program_that_ends_instead_of_starting_is_shown_with_its_words() -> None:
    code = "print('The database is empty.')"
    program = Program.start("lobby", [sys.executable, "-c", code], clean_environment())
    with pytest.raises(DidNotStartError, match=r"ended instead of starting:\nThe database is empty\."):
        program.wait_for_start("listening")
    program.process.wait()
