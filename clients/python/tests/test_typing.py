"""Checkers of types refuse wrong values of calls, and know each event by its name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing
from pathlib import Path

from lobby_client import events, params

ROOT = Path(__file__).resolve().parents[1]
CALLS = ROOT / "tests" / "typed_calls.py"


def test_mypy_refuses_each_wrong_call_and_no_right_one(tmp_path: Path) -> None:
    lines = CALLS.read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) > 25
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), str(CALLS)]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    found = re.findall(r"typed_calls\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    # What follows a name that no event has is unreachable; that is part of the same mistake.
    refused = {int(number) for number, code in found if code != "unreachable"}
    assert refused == wrong, done.stdout + done.stderr


def test_every_hint_of_a_dict_can_be_read_by_programs() -> None:
    for module in (params, events):
        for value in vars(module).values():
            if isinstance(value, type) and typing.is_typeddict(value):
                assert typing.get_type_hints(value)
    body = typing.get_type_hints(params.RuleBody)
    assert "note.added" in typing.get_args(body["when"])


def test_an_event_of_any_name_is_read() -> None:
    data = {"id": "evt_1", "event": "new.kind", "data": {"a": [1]}, "at": "2026-01-15T10:30:00Z"}
    page = events.EventPage.from_wire({"data": [data], "next": "c1", "more": False})
    (event,) = page.data
    assert isinstance(event, events.Event)
    assert (event.event, dict(event.data), event.at.year) == ("new.kind", {"a": [1]}, 2026)
