"""Where the settings of a client come from, and what they do to its calls."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients.python.tests.standin import KEY, Asked, Reply, StandIn, refusal

from lobby_client import AsyncLobby, Lobby, cli, errors

Run = Callable[..., Any]
Start = Callable[..., StandIn]
LABEL = {"id": 3, "name": "Orders", "tone": "blue"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOBBY_URL", "LOBBY_API_KEY", "DESK_URL", "DESK_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("prefix", ["LOBBY", "DESK"])
@pytest.mark.parametrize("kind", [Lobby, AsyncLobby])
def test_key_and_address_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, kind: Any, prefix: str
) -> None:
    monkeypatch.setenv(f"{prefix}_URL", "https://desk.example.com")
    monkeypatch.setenv(f"{prefix}_API_KEY", KEY)
    assert "'https://desk.example.com/api/v1'" in repr(kind())
    assert "'https://other.example.com/api/v1'" in repr(kind("https://other.example.com"))


def test_the_newer_names_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBBY_URL", "https://new.example.com")
    monkeypatch.setenv("DESK_URL", "https://old.example.com")
    assert "new.example.com" in repr(Lobby(api_key=KEY))


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="LOBBY_API_KEY"):
        Lobby("https://desk.example.com")
    with pytest.raises(ValueError, match="LOBBY_URL"):
        Lobby(api_key=KEY)
    with pytest.raises(ValueError, match="one of them"):
        Lobby("https://desk.example.com", api_key=KEY, base_url="https://desk.example.com")
    with pytest.raises(ValueError, match=r"^url is http"):
        Lobby("http://desk.example.com", api_key=KEY)


def test_the_command_names_both_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["listen", "--forward", "http://127.0.0.1:9/hook"]) == 1
    assert "set LOBBY_API_KEY to an API key and LOBBY_URL" in capsys.readouterr().err


def test_a_page_has_as_many_entries_as_was_said(run: Run, stand_in: Start) -> None:
    desk = stand_in(Reply(200, {"data": [], "next": None}))
    run(desk, lambda client: client.posts.list(), page_size=7)
    run(desk, lambda client: client.with_options(page_size=9).posts.list(), page_size=7)
    assert [one.path.partition("?")[2] for one in desk.asked] == ["limit=7", "limit=9"]


def test_options_are_of_the_calls_they_were_given_for(run: Run, stand_in: Start, slept: list[float]) -> None:
    for retries in (0, 2):
        desk = stand_in(refusal(503, "unavailable"))
        with pytest.raises(errors.ServerError):
            run(desk, lambda client, most=retries: client.with_options(max_retries=most).members.list())
        assert len(desk.asked) == retries + 1
    desk = stand_in(Reply(200, {"data": []}))

    def call(client: Any) -> Any:
        assert client.with_options(timeout=1)._http.settings.timeout == 1
        assert client._http.settings.timeout == 30
        return client.members.list()

    assert run(desk, call) == []


def test_calls_go_through_the_proxy_and_nothing_is_read_from_the_environment(
    run: Run, stand_in: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused, proxy, desk = stand_in(), stand_in(Reply(200, {"data": []})), stand_in()
    monkeypatch.setenv("HTTP_PROXY", unused.url)
    address = proxy.url.replace("://", "://me:pass%20word@")
    run(desk, lambda client: client.members.list(), proxy=address)
    (asked,) = proxy.asked
    assert (asked.path, desk.asked, unused.asked) == (f"{desk.url}/api/v1/members", [], [])
    given = {name.lower(): value for name, value in asked.headers.items()}
    assert given["proxy-authorization"] == "Basic bWU6cGFzcyB3b3Jk"


@pytest.mark.parametrize("kind", [Lobby, AsyncLobby])
def test_certificates_that_cannot_be_read_are_refused(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        kind("https://desk.example.com", api_key=KEY, ca_file=str(tmp_path / "missing.pem"))


def test_a_change_names_the_version_that_was_read(run: Run, stand_in: Start, slept: list[float]) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(200, LABEL, {"ETag": '"abc"'})
        return Reply(503, b"") if asked.method == "PATCH" else Reply(204)

    desk = stand_in(answer=answer)
    tag = run(desk, lambda client: client.labels.get(3)).etag
    assert tag == '"abc"'
    with pytest.raises(errors.ServerError):
        run(desk, lambda client: client.labels.change(3, name="New", if_match=tag))
    run(desk, lambda client: client.labels.delete(3, if_match=tag))
    run(desk, lambda client: client.labels.delete(3))
    found = [(one.method, one.headers.get("If-Match")) for one in desk.asked]
    assert found == [("GET", None), ("PATCH", tag), ("DELETE", tag), ("DELETE", None)], "tried once only"


def test_any_call_can_be_made_and_has_its_headers(run: Run, stand_in: Start) -> None:
    desk = stand_in(Reply(200, LABEL, {"ETag": '"abc"'}))
    found = run(desk, lambda client: client.request("PATCH", "/labels/{}", 3, body={"name": "New"}))
    assert (found.status, found.data, found.headers["etag"]) == (200, LABEL, '"abc"')
    assert (desk.paths, desk.asked[0].json) == (["PATCH /labels/3"], {"name": "New"})


def test_an_error_has_the_headers_of_its_response(run: Run, stand_in: Start) -> None:
    desk = stand_in(refusal(429, "rate_limited", **{"RateLimit-Reset": "3"}))
    with pytest.raises(errors.RateLimitedError) as caught:
        run(desk, lambda client: client.members.list(), max_retries=0)
    assert caught.value.headers["ratelimit-reset"] == "3"


def test_a_desk_in_the_same_shell_passes_over_the_names_of_the_client() -> None:
    program = "from host.core import config; config.load()"
    environment = {**os.environ, "LOBBY_URL": "https://desk.example.com", "LOBBY_API_KEY": KEY}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[3])
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
