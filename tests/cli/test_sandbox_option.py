"""`lobby run --sandbox` takes from the sandbox the settings it needs, and keeps what is set."""

from __future__ import annotations

import os

import click
import pytest

from demo.processes import Sandbox, sandbox_settings
from host.cli import desk
from sandbox.server import Server


def take(url: str | None) -> None:
    desk._use_sandbox(click.Context(desk.run), desk.run.params[0], url)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})


def test_one_option_points_a_desk_at_the_sandbox() -> None:
    server = Server().start()
    try:
        os.environ["LOBBY_ADDON_INSTAGRAM_FACEBOOK_APP_ID"] = "42"
        take(server.url)
        wanted = sandbox_settings(Sandbox(None, server.url))  # type: ignore[arg-type]
    finally:
        server.close()
    found = {name: value for name, value in os.environ.items() if name.startswith("LOBBY_")}
    own = {"LOBBY_ADDON_INSTAGRAM_FACEBOOK_APP_ID": "42", "LOBBY_SANDBOX": server.url}
    assert found == {**wanted, **own}
    assert found["LOBBY_ALLOW_HOSTS"] == server.url.removeprefix("http://")
    assert found["LOBBY_ADDON_INSTAGRAM_GRAPH_FACEBOOK_URL"] == f"{server.url}/graph.facebook.com"


def test_without_it_nothing_changes_and_a_sandbox_that_is_not_there_is_said() -> None:
    take(None)
    with pytest.raises(click.ClickException, match="No sandbox responds"):
        take("http://127.0.0.1:9")
    assert not [name for name in os.environ if name.startswith("LOBBY_")]
