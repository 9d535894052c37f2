"""`lobby doctor`: the desk and its accounts, for people and for machines."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from host.cli.commands import main
from host.core import clock, db, migrations, secrets
from host.health.problems import ADVICE
from host.models.channels import AccountState, ChannelAccount
from host.models.health import Kind
from host.queue import lanes
from host.queue.wakeups import OUT
from host.sdk.channel import AccountRef
from tests.health import pretend
from tests.instagram import world
from tests.instagram.world import Addon


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    import base64

    from tests.conftest import KEYS

    (tmp_path / "spool").mkdir()
    keys = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in KEYS.items())
    return {
        "LOBBY_DATA": str(tmp_path),
        "LOBBY_SECRET_KEYS": keys,
        "LOBBY_PUBLIC_URL": "https://desk.example.com",
    }


def run(settings: dict[str, str], *arguments: str) -> Result:
    before = secrets.keyring()
    try:
        return CliRunner().invoke(main, ["doctor", *arguments], env=settings)
    finally:
        secrets.use(before)


def checks(result: Result) -> dict[str, str]:
    return {line["check"]: line["verdict"] for line in json.loads(result.stdout)}


def test_a_desk_in_order_passes_on_every_database(any_desk: db.Database, settings: dict[str, str]) -> None:
    db.write(pretend.process, "a", Kind.WEB)
    settings["LOBBY_DATABASE_URL"] = any_desk.url.render_as_string(hide_password=False)
    result = run(settings, "--json", "--no-accounts")
    assert result.exit_code == 0, result.output
    assert set(checks(result)) == {
        "address",
        "files",
        "versions",
        "broker",
        "disk",
        "database",
        "connections",
        "channel-column",
        "secrets",
        "spool",
        "limits",
        "backlog",
        "replies",
        "dead-letters",
        "health",
        "private-files",
    }
    assert [line for line in json.loads(result.stdout) if line["verdict"] != "pass"] == []


def test_what_processes_say_of_spools_and_limits_is_told(desk: db.Database, settings: dict[str, str]) -> None:
    settings["LOBBY_DATABASE_URL"] = desk.url.render_as_string(hide_password=False)
    for name in ("a", "b"):
        db.write(pretend.process, name, Kind.WORKER, counts_at="", machine="m2", spool_aside=3)
    (Path(settings["LOBBY_DATA"]) / "spool" / "1.refused").touch()
    found = {line["check"]: line for line in json.loads(run(settings, "--json", "--no-accounts").stdout)}
    assert found["spool"]["verdict"] == "fail"
    assert found["spool"]["evidence"] == (
        "0 requests and 1 set aside, 0.0 of 1,024 MB; m2: 0 requests and 3 set aside, 0.0 of 1,024 MB"
    )
    assert (found["limits"]["verdict"], found["limits"]["evidence"]) == (
        "unknown",
        "2 processes send, counting in memory",
    )
    assert "LOBBY_LIMITS_URL" in found["limits"]["fix"]


def test_it_says_what_health_says(desk: db.Database, settings: dict[str, str]) -> None:
    settings["LOBBY_DATABASE_URL"] = desk.url.render_as_string(hide_password=False)
    with clock.travel(-timedelta(minutes=9)):
        db.write(pretend.process, "a", Kind.WORKER)
    result = run(settings, "--json", "--no-accounts")
    assert result.exit_code == 1
    said = [line["title"] for line in json.loads(result.stdout) if line["check"] == "health"]
    assert said[0] == "No worker has reported for 9 min."
    assert said[1].startswith("A worker on ")


def test_it_ends_with_what_to_do_next_the_worst_first(desk: db.Database, settings: dict[str, str]) -> None:
    settings["LOBBY_DATABASE_URL"] = desk.url.render_as_string(hide_password=False)
    settings["LOBBY_PUBLIC_URL"] = "http://127.0.0.1:8080"
    with clock.travel(-timedelta(minutes=9)):
        db.write(pretend.process, "a", Kind.WORKER)
        db.write(pretend.process, "b", Kind.WEB, machine="m2", spooled=2, spooled_since=clock.now())
    result = run(settings, "--no-accounts")
    assert result.exit_code == 1
    steps = result.output.partition("\nWhat to do next:\n")[2].splitlines()
    assert [step[:3] for step in steps] == ["1. ", "2. ", "3. ", "1 m"]
    assert steps[0].startswith("1. 2 provider requests have been waiting on m2 since ")
    assert steps[0].endswith(f"{ADVICE['LobbySpoolWaits']} (docs/runbook.md#lobbyspoolwaits)")
    assert steps[1] == (
        "2. No worker has reported for 9 min. "
        "Start `lobby worker`, or `lobby run` with LOBBY_WORKERS above 0. "
        "(docs/runbook.md#lobbynothingdelivers)"
    )
    assert steps[3].startswith("1 more")
    told = json.loads(run(settings, "--json", "--no-accounts").stdout)
    assert {line["runbook"] for line in told if line["verdict"] == "pass"} == {""}
    assert {line["runbook"] for line in told if line["check"] == "spool"} == {
        "docs/runbook.md#lobbyspoolwaits"
    }


def test_a_database_that_is_away_is_the_one_next_step(settings: dict[str, str]) -> None:
    settings["LOBBY_DATABASE_URL"] = "postgresql://nobody:pass-word-1@127.0.0.1:1/none"
    result = run(settings)
    assert result.exit_code == 1
    assert result.output.splitlines()[-2:] == [
        "What to do next:",
        "1. Start the database, or correct LOBBY_DATABASE_URL. (docs/runbook.md#lobbydatabaseaway)",
    ]


def test_a_desk_in_order_has_nothing_to_be_done(desk: db.Database, settings: dict[str, str]) -> None:
    db.write(pretend.process, "a", Kind.WEB)
    settings["LOBBY_DATABASE_URL"] = desk.url.render_as_string(hide_password=False)
    result = run(settings, "--no-accounts")
    assert result.exit_code == 0
    assert result.output.endswith("\n\nEverything is fine.\n")


def test_a_redis_that_does_not_count_limits_is_named(desk: db.Database, settings: dict[str, str]) -> None:
    settings["LOBBY_DATABASE_URL"] = desk.url.render_as_string(hide_password=False)
    settings["LOBBY_LIMITS_URL"] = "redis://:pass-word-1@127.0.0.1:1/0"
    result = run(settings, "--json", "--no-accounts")
    (line,) = [one for one in json.loads(result.stdout) if one["check"] == "limits"]
    assert (line["verdict"], line["evidence"]) == ("fail", "redis://127.0.0.1:1/0 does not answer")
    assert "pass-word-1" not in result.output


@pytest.mark.parametrize(("state", "verdict"), [("connected", "fail"), ("needs_reconnect", "pass")])
def test_replies_that_wait_on_purpose_are_not_late(
    desk: db.Database, settings: dict[str, str], account: AccountRef, state: str, verdict: str
) -> None:
    settings["LOBBY_DATABASE_URL"] = desk.url.render_as_string(hide_password=False)
    due = clock.now() - timedelta(minutes=9)
    db.write(lanes.schedule, "out:x:y", OUT, account.id, due)
    db.write(lambda session: session.execute(sa.update(ChannelAccount).values(state=state)) and None)
    result = run(settings, "--json", "--no-accounts")
    (line,) = [one for one in json.loads(result.stdout) if one["check"] == "replies"]
    assert line["verdict"] == verdict
    wanted = "the oldest has waited" if verdict == "fail" else "1 waiting for Reconnect"
    assert line["evidence"].startswith(wanted)


def test_a_column_that_takes_no_new_channel_is_named(
    any_database: db.Database, settings: dict[str, str], ig: Addon
) -> None:
    """Before the addon's migrations, with an account of its channel: the data that would be truncated."""
    settings["LOBBY_DATABASE_URL"] = any_database.url.render_as_string(hide_password=False)
    workspace = world.workspace()

    def account(session: sa.orm.Session) -> None:
        from host.core import clock

        now = clock.now()
        values = {
            "uuid": "u",
            "workspace_id": workspace,
            "channel": "instagram",
            "external_id": "1",
            "name": "n",
        }
        more = {"handle": "@n", "way": "pasted", "state": AccountState.CONNECTED, "settings": {}}
        session.add(ChannelAccount(**values, **more, created_at=now, connected_at=now))

    db.write(account)
    result = run(settings, "--json", "--no-accounts")
    assert result.exit_code == 1
    assert checks(result)["channel-column"] == "fail"
    (line,) = [one for one in json.loads(result.stdout) if one["check"] == "channel-column"]
    assert "instagram" in line["evidence"]
    assert "Activate the addon again" in line["fix"]


def test_an_account_whose_addon_is_not_active_is_said(
    desk: db.Database, settings: dict[str, str], account: AccountRef
) -> None:
    settings["LOBBY_DATABASE_URL"] = desk.url.render_as_string(hide_password=False)
    (Path(settings["LOBBY_DATA"]) / "spool" / "1.request").touch()
    settings["LOBBY_PUBLIC_URL"] = "http://127.0.0.1:8080"
    result = run(settings)
    assert result.exit_code == 1
    assert "FAIL  @sample.pottery: Its addon is active: instagram" in result.output
    assert "FAIL  desk: The spool is empty: 1 requests" in result.output
    assert "FAIL  desk: Lobby has an https address" in result.output


def test_a_database_without_tables_ends_it_there(settings: dict[str, str]) -> None:
    settings["LOBBY_DATABASE_URL"] = f"sqlite:///{settings['LOBBY_DATA']}/empty.sqlite3"
    result = run(settings, "--json")
    assert result.exit_code == 1
    assert checks(result)["database"] == "fail"
    assert migrations.state(settings["LOBBY_DATABASE_URL"]) is migrations.State.EMPTY
