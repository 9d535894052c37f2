"""Checkers of types refuse wrong values of calls, and know each event by its name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from addons.instagram.instagram import outgoing
from addons.instagram.instagram.comments import outgoing as comments
from clients.python.tests import typed_sequences
from clients.python.tests.standin import KEY, Asked, Reply, StandIn
from host.events.catalogue import KINDS
from host.sequences.body import Body, Step, Wait, given, plain

from lobby_client import Lobby, event_data, events, instagram, params

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("name", "least"), [("typed_calls", 25), ("typed_sequences", 5)])
def test_mypy_refuses_each_wrong_call_and_no_right_one(name: str, least: int, tmp_path: Path) -> None:
    path = ROOT / "tests" / f"{name}.py"
    lines = path.read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) >= least
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), str(path)]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    found = re.findall(rf"{name}\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
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


def test_names_of_events_are_those_that_the_desk_and_instagram_declare() -> None:
    assert typing.get_args(event_data.DeskEventName) == tuple(KINDS)
    adds = [kind.name for kind in (*outgoing.KINDS, *comments.KINDS)]
    assert typing.get_args(instagram.InstagramEventName) == tuple(adds)
    groups = {f"{name.partition('.')[0]}.*" for name in KINDS}
    assert set(typing.get_args(event_data.DeskEventGroup)) == groups
    assert typing.get_args(instagram.InstagramEventGroup) == ("instagram.*",)
    for known, names in (
        (event_data.DeskEvent, KINDS),
        (instagram.InstagramEvent, adds),
        (event_data.DeskWebhook, KINDS),
        (instagram.InstagramWebhook, adds),
    ):
        told = [typing.get_args(typing.get_args(one)[0]) for one in typing.get_args(known)]
        assert told == [(name,) for name in names]


def test_a_typed_sequence_is_made_read_and_written_back(stand_in: Callable[..., StandIn]) -> None:
    kept: dict[str, Any] = {}

    def answer(asked: Asked) -> Reply:
        if asked.method != "GET":
            body = given(asked.json["body"])
            kept.update(id=7, name=asked.json["name"], body=plain(body), changedAt="2026-01-15T10:30:00Z")
            made.append(body)
        return Reply(body=kept)

    made: list[Body] = []
    desk = stand_in(answer=answer)
    with Lobby(desk.url, api_key=KEY) as client:
        typed_sequences.round_trip(client)
    assert desk.paths == ["POST /sequences", "GET /sequences/7", "PUT /sequences/7"]
    steps = {type(step) for step in made[0].steps}
    assert steps == set(typing.get_args(Step)), "the typed sequence lacks a kind of step"
    assert made[0].starts.words == ("order",)
    waits = [step for step in made[0].steps if isinstance(step, Wait)]
    assert len(waits) == 1
    assert made[1] == msgspec.structs.replace(
        made[0], steps=tuple(step for step in made[0].steps if step not in waits)
    )


def test_an_event_of_any_name_is_read() -> None:
    data = {"id": "evt_1", "event": "new.kind", "data": {"a": [1]}, "at": "2026-01-15T10:30:00Z"}
    page = events.EventPage.from_wire({"data": [data], "next": "c1", "more": False})
    (event,) = page.data
    assert isinstance(event, events.Event)
    assert (event.event, dict(event.data), event.at.year) == ("new.kind", {"a": [1]}, 2026)
