"""F8's lines say what was measured, and the helpdesk beside it may be away."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import helpdesk, load, peers, processing
from bench.plan import Plan
from bench.processing import Round

ALONE = Round(product=6600.0, floor=33000.0, cpu_us=143.0, bytes_each=2000.0)


def plan(folder: Path, *, quick: bool = False) -> Plan:
    nobody: Any = None
    return Plan(nobody, folder, rounds=1, seconds=1.0, quick=quick)


def beside(api: float, loop: float) -> Round:
    return Round(6600.0, 33000.0, 143.0, 2000.0, api, loop, 4000.0)


def test_events_are_held_against_the_follow_ups_of_the_same_round() -> None:
    found = processing.figures([beside(200.0, 300.0), beside(132.0, 220.0), beside(300.0, 400.0)])
    assert [(one.key, one.value, one.target) for one in found] == [
        ("F8", 0.2, 0.35),
        ("F8 django-helpdesk", 33.0, 25),
        ("F8 django-helpdesk, loop", 22.0, None),
    ]
    assert found[1].ratios == (33.0, 50.0, 22.0)
    assert found[1].met
    assert not processing.figures([beside(300.0, 300.0)])[1].met
    assert "6,600/s ÷ 200/s; theirs over HTTP" in found[1].detail


def test_without_the_peer_there_is_only_the_floor() -> None:
    assert [one.key for one in processing.figures([ALONE])] == ["F8"]


def test_a_peer_pip_cannot_fetch_is_skipped_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(command: Sequence[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="ERROR: no such package")

    monkeypatch.setattr(helpdesk, "PLACE", tmp_path / "helpdesk")
    monkeypatch.setattr(peers.subprocess, "run", fails)
    here = plan(tmp_path)
    assert processing._peer(here) is None
    assert len(here.skipped) == 1
    assert here.skipped[0].startswith("F8 django-helpdesk skipped: ")
    assert here.skipped[0].endswith("could not fetch it: ERROR: no such package")


def test_a_quick_round_is_without_the_peer(tmp_path: Path) -> None:
    here = plan(tmp_path, quick=True)
    assert processing._peer(here) is None
    assert here.skipped == ["F8 django-helpdesk skipped: a quick round is without it"]


def test_packages_are_fetched_once_into_an_environment_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []
    monkeypatch.setattr(peers.subprocess, "run", lambda command, **_: asked.append(command))
    for _ in range(2):
        peers.fetch_venv(tmp_path / "helpdesk", helpdesk.PACKAGES)
    assert [one[1:3] for one in asked] == [["-m", "venv"], ["-m", "pip"]]
    assert "django-helpdesk==2.6.1" in asked[1]


def test_what_is_sent_is_a_public_follow_up_on_each_ticket_in_turn(tmp_path: Path) -> None:
    made = helpdesk.Helpdesk(tmp_path / "file", "t0ken")._requests()
    sent = [next(made).partition(b"\r\n\r\n") for _ in range(helpdesk.TICKETS + 1)]
    bodies = [json.loads(body) for _, _, body in sent]
    assert all(one["public"] for one in bodies)
    assert len({one["ticket"] for one in bodies}) == helpdesk.TICKETS
    assert bodies[0]["ticket"] == bodies[-1]["ticket"]
    assert bodies[0]["comment"] != bodies[-1]["comment"]
    head, _, body = sent[0]
    assert b"Authorization: Token t0ken" in head
    assert f"Content-Length: {len(body)}".encode() in head


def test_an_answer_other_than_the_one_awaited_ends_the_run() -> None:
    result = load.Result(1.0, [0.1])
    result.statuses[201] += 1
    assert load._check(result, 201) is result
    with pytest.raises(load.WrongAnswerError, match="other than 200"):
        load._check(result)
