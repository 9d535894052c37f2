"""``lobby-client listen``: every event once, in order, through every kind of trouble; and the end of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from clients.python.tests.standin import KEY, Asked, Reply, StandIn, refusal
from standardwebhooks.webhooks import Webhook as Oracle

from lobby_client import AsyncLobby, Event, Lobby, cli, errors, webhooks
from lobby_client.events import Position
from lobby_client.listening import Listener, Place

Start = Callable[..., StandIn]


class Events:
    """The events of a desk, served as the route does it; ``limit`` on a page of *most*."""

    def __init__(self, most: int = 200) -> None:
        self.all: list[dict[str, Any]] = []
        self.most = most
        self.trouble: list[Reply] = []

    def happen(self, *texts: str) -> None:
        for text in texts:
            data = {"text": text, "price": 12.5}
            number = len(self.all) + 1
            self.all.append(
                {
                    "id": f"evt_{number}",
                    "event": "message.received",
                    "data": data,
                    "at": "2026-01-15T10:30:00Z",
                }
            )

    def __call__(self, asked: Asked) -> Reply:
        if self.trouble:
            return self.trouble.pop(0)
        query = parse_qs(urlsplit(asked.path).query)
        start = int(query["cursor"][0].removeprefix("c")) if "cursor" in query else len(self.all)
        found = self.all[start : start + min(self.most, int(query["limit"][0]))]
        end = start + len(found)
        if not found:
            time.sleep(0.02)
        return Reply(200, {"data": found, "next": f"c{end}", "more": end < len(self.all)})


class Hook:
    """The program on this machine; *refuse* says which of the next posts it does not take."""

    def __init__(self) -> None:
        self.got: list[Asked] = []
        self.refuse: list[int] = []

    def __call__(self, asked: Asked) -> Reply:
        if self.refuse:
            return Reply(self.refuse.pop(0))
        self.got.append(asked)
        return Reply(204)

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.got]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state" / "place.json"


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def listening(
    stand_in: Start, place: Path, hook: Hook, events: Events, said: list[str]
) -> Iterator[Callable[[], Listener]]:
    """Start a listener at the place in the file, as a new process would."""
    desk, program = stand_in(answer=events), stand_in(answer=hook)
    client = Lobby(api_key=KEY, base_url=desk.url, max_retries=0)
    forward = f"{program.url}/hook"
    yield lambda: Listener(client, forward, Place.read(place), say=said.append, sleep=lambda _: None)
    client.close()


Listening = Callable[[], Listener]


def test_it_begins_now_and_goes_on_where_it_was(listening: Listening, events: Events, hook: Hook) -> None:
    events.happen("before")
    listening().turn()
    assert hook.got == []
    events.happen("first", "second")
    listening().turn()
    events.happen("while nobody listened")
    listening().turn()
    listening().turn()
    assert hook.ids == ["evt_2", "evt_3", "evt_4"]


def test_the_first_answer_is_asked_for_at_once(stand_in: Start, events: Events, place: Path) -> None:
    waits: list[str] = []

    def noted(asked: Asked) -> Reply:
        waits.append(parse_qs(urlsplit(asked.path).query)["wait"][0])
        return events(asked)

    desk = stand_in(answer=noted)
    with Lobby(api_key=KEY, base_url=desk.url, max_retries=0) as client:
        listener = Listener(client, "http://127.0.0.1:9/", Place.read(place), say=print)
        listener.turn()
        assert Place.read(place).after == "c0", "a restart of either goes on from here"
        listener.turn()
    assert waits == ["0", "25"]


def test_an_event_comes_as_the_webhook_it_would_be(
    listening: Listening, events: Events, hook: Hook, place: Path
) -> None:
    listening().turn()
    events.happen("Grüße 💙")
    listening().turn()
    (asked,) = hook.got
    secret = json.loads(place.read_text())["secret"]
    assert (asked.method, asked.path, asked.headers["Content-Type"]) == ("POST", "/hook", "application/json")
    assert asked.body == '{"event":"message.received","data":{"text":"Grüße 💙","price":12.5}}'.encode()
    assert Oracle(secret).verify(asked.body, dict(asked.headers)) == asked.json
    assert webhooks.verify(asked.headers, asked.body, secret).id == "evt_1"


def test_an_event_is_posted_until_it_is_taken_and_those_behind_it_wait(
    listening: Listening, events: Events, hook: Hook, said: list[str]
) -> None:
    listening().turn()
    events.happen("first", "second")
    hook.refuse = [500, 404, 302, 0, 410]
    listening().turn()
    assert hook.ids == ["evt_1", "evt_2"]
    assert [line.split()[0] for line in said] == ["500", "404", "302", "ProtocolError", "410", "204", "204"]


def test_what_was_taken_before_a_crash_is_not_posted_again(
    listening: Listening, events: Events, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening().turn()
    events.happen("first", "second", "third")
    real = Listener._post

    def crash(self: Listener, event: Any, body: bytes) -> str:
        if event.id == "evt_3":
            raise KeyboardInterrupt
        return real(self, event, body)

    monkeypatch.setattr(Listener, "_post", crash)
    with pytest.raises(KeyboardInterrupt):
        listening().turn()
    assert hook.ids == ["evt_1", "evt_2"]
    monkeypatch.setattr(Listener, "_post", real)
    events.happen("fourth")
    listening().turn()
    assert hook.ids == ["evt_1", "evt_2", "evt_3", "evt_4"]


def test_a_desk_in_trouble_is_asked_again(
    listening: Listening, events: Events, hook: Hook, said: list[str]
) -> None:
    listener = listening()
    listener.turn()
    events.happen("first")
    late = refusal(429, "rate_limited", **{"Retry-After": "600"})
    events.trouble = [refusal(503, "unavailable"), Reply(0), late, Reply(200, b"<html>")]
    listener.turn()
    assert hook.ids == ["evt_1"]
    assert len([line for line in said if "cannot be asked" in line]) == 4
    assert KEY not in "".join(said)


def test_a_desk_that_refuses_ends_it(listening: Listening, events: Events) -> None:
    events.trouble = [refusal(401, "key_revoked")]
    with pytest.raises(errors.KeyRevokedError):
        listening().run()


def test_the_place_is_for_this_user_alone_and_a_broken_one_is_told(listening: Listening, place: Path) -> None:
    listening().turn()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert list(place.parent.iterdir()) == [place]
    for broken in ("", "[]", "{}", "\x00"):
        place.write_text(broken)
        with pytest.raises(ValueError, match="remove it"):
            Place.read(place)


# Other conversations


def test_other_conversations_go_on_past_an_event_that_is_not_taken(
    stand_in: Start, place: Path, said: list[str]
) -> None:
    refused = ["evt_1"]
    got: list[str] = []

    def hook(asked: Asked) -> Reply:
        id_ = asked.headers["webhook-id"]
        if id_ in refused:
            return Reply(500)
        got.append(id_)
        return Reply(204)

    def page(asked: Asked) -> Reply:
        data = [] if "cursor=c1" in asked.path else [event(1, "ana"), event(2, "ben"), event(3, "ana")]
        return Reply(200, {"data": data, "next": "c1", "more": False})

    def listener() -> Listener:
        kept = Place.read(place)
        return Listener(client, program.url, kept, say=said.append, events=["a.b"], continue_others=True)

    desk, program = stand_in(answer=page), stand_in(answer=hook)
    with Lobby(api_key=KEY, base_url=desk.url, max_retries=0) as client:
        first = listener()
        first.turn()
        assert got == ["evt_2"], "the other conversation goes on, and this one waits in its order"
        assert [one["id"] for one in Place.read(place).waiting] == ["evt_1", "evt_3"]
        first.turn()
        assert got == ["evt_2"], "it is tried again after a pause only"
        refused.clear()
        listener().turn()
        assert got == ["evt_2", "evt_1", "evt_3"], "a restart loses nothing and keeps the order"
        assert Place.read(place).waiting == []
    assert all("events=a.b" in one.path for one in desk.asked)


def event(number: int, customer: str) -> dict[str, Any]:
    data = {"channelId": "c", "from": customer}
    return {"id": f"evt_{number}", "event": "a.b", "data": data, "at": "2026-01-15T10:30:00Z"}


@pytest.mark.parametrize("kind", [Lobby, AsyncLobby])
def test_a_handler_gets_each_event_once_and_can_leave_one_out(stand_in: Start, kind: Any) -> None:
    desk = stand_in(
        Reply(
            200, {"data": [event(1, "ana"), event(2, "ana"), event(3, "ben")], "next": "c1", "more": False}
        ),
        refusal(401, "key_revoked"),
    )
    seen: list[str] = []
    kept: list[Position] = []
    told: list[tuple[str, int]] = []

    def handle(one: Event) -> None:
        seen.append(one.id)
        if one.id == "evt_1":
            raise ValueError("not now")

    def decide(error: Exception, one: Event, attempt: int) -> Any:
        assert str(error) == "not now"
        told.append((one.id, attempt))
        return "skip"

    async def handled(one: Event) -> None:
        handle(one)

    async def save(position: Position) -> None:
        kept.append(position)

    async def in_loop() -> None:
        async with AsyncLobby(api_key=KEY, url=desk.url) as client:
            await client.events.listen(handled, save=save, on_error=decide)

    def listen() -> None:
        if kind is AsyncLobby:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, in_loop()).result()
        else:
            with Lobby(api_key=KEY, url=desk.url) as client:
                client.events.listen(handle, save=kept.append, on_error=decide)

    with pytest.raises(errors.KeyRevokedError):
        listen()
    assert (seen, told) == (["evt_1", "evt_2", "evt_3"], [("evt_1", 1)])
    assert [position.handled for position in kept] == [
        ["evt_1"],
        ["evt_1", "evt_2"],
        ["evt_1", "evt_2", "evt_3"],
        [],
    ]
    assert kept[-1] == Position("c1")


def test_the_command_asks_for_the_chosen_events(
    stand_in: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = stand_in(refusal(401, "key_revoked"))
    monkeypatch.setenv("LOBBY_API_KEY", KEY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    asked = ["listen", "--forward", "http://127.0.0.1:9/", "--url", desk.url]
    assert cli.main([*asked, "--events", "message.*, note.added", "--events", "contact.changed"]) == 1
    query = parse_qs(urlsplit(desk.asked[0].path).query)
    assert query["events"] == ["message.*,note.added,contact.changed"]
    assert cli.main(asked) == 1
    assert "events" not in parse_qs(urlsplit(desk.asked[1].path).query)
    assert len(list((tmp_path / "lobby-client").iterdir())) == 2, "another choice has another place"
    capsys.readouterr()


# The command


def environment(tmp_path: Path, url: str = "", key: str = KEY) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DESK_")}
    source = str(Path(str(cli.__file__)).parents[1])
    told = {"DESK_API_KEY": key, "DESK_URL": url, "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": source}
    return {**kept, **{name: value for name, value in told.items() if value}}


def command(*arguments: str) -> list[str]:
    return [
        sys.executable,
        "-u",
        "-c",
        "import sys; from lobby_client.cli import main; sys.exit(main())",
        *arguments,
    ]


def test_the_command_prints_the_secret_and_ends_cleanly_at_ctrl_c(
    stand_in: Start, hook: Hook, events: Events, tmp_path: Path
) -> None:
    desk, program = stand_in(answer=events), stand_in(answer=hook)
    arguments = command("listen", "--forward", f"{program.url}/hook")
    secrets = set()
    for number in (1, 2):
        listener = subprocess.Popen(
            arguments,
            env=environment(tmp_path, desk.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What runs in the background ignores the signal, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - the stand-in takes no lock
        )
        watchdog = threading.Timer(60, listener.kill)
        watchdog.start()
        try:
            assert listener.stdout is not None
            head = listener.stdout.readline() + listener.stdout.readline()
            secrets.add(re.findall(r"signed with (whsec_\S+)", head)[0])
            while not any("cursor=" in one.path for one in list(desk.asked)):
                time.sleep(0.01)
            events.happen(f"number {number}")
            assert f"evt_{number}" in listener.stdout.readline()
            listener.send_signal(signal.SIGINT)
            output, problem = listener.communicate(timeout=30)
        finally:
            watchdog.cancel()
            listener.kill()
        assert (listener.returncode, problem.strip()) == (0, "stopped")
        assert KEY not in head + output + problem
    assert hook.ids == ["evt_1", "evt_2"]
    assert len(secrets) == 1, "the program's settings hold through a restart"
    assert all(one.headers["Authorization"] == f"Bearer {KEY}" for one in desk.asked)
    assert all("Authorization" not in one.headers for one in hook.got)


@pytest.mark.parametrize(
    ("arguments", "key", "words"),
    [
        (["--forward", "http://127.0.0.1:9/hook"], "", "set DESK_API_KEY"),
        (["--forward", "localhost:9000"], KEY, "--forward has to be an address"),
        (["--forward", "http://127.0.0.1:9/", "--base-url", "http://desk.example.com"], KEY, "https"),
    ],
)
def test_the_command_says_what_is_missing(
    arguments: list[str],
    key: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DESK_API_KEY", key)
    monkeypatch.setenv("DESK_URL", "https://desk.example.com")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert cli.main(["listen", *arguments]) == 1
    printed = capsys.readouterr()
    assert words in printed.err
    assert not key or key not in printed.err + printed.out


@pytest.mark.parametrize(("status", "code"), [(400, "invalid_cursor"), (410, "events_gone")])
def test_a_place_the_desk_forgot_is_left_behind_when_asked(
    stand_in: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    code: str,
) -> None:
    desk = stand_in(refusal(status, code))
    place = tmp_path / "place.json"
    Place(place, webhooks.new_secret(), "old", ["evt_1"]).keep()
    monkeypatch.setenv("DESK_API_KEY", KEY)
    asked = ["listen", "--forward", "http://127.0.0.1:9/", "--base-url", desk.url, "--place", str(place)]
    assert cli.main(asked) == 1
    assert "--from-now begins anew" in capsys.readouterr().err
    assert "cursor=old" in desk.asked[0].path
    assert cli.main([*asked, "--from-now"]) == 1
    assert "after" not in desk.asked[1].path
