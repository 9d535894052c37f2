"""A desk that took part in a journey: backed up while it runs, restored on each kind of database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from demo.__main__ import desk_settings, play
from demo.journey import ADMIN, PASSWORD, SHIPPED, Journey
from demo.outside import Outside
from demo.person import Person
from demo.processes import CHECKOUT, Host, Sandbox, clean_environment, free_port
from host.automation import restored
from host.backup.making import MADE_AGAIN
from host.core import migrations
from tests.conftest import MARIADB, POSTGRESQL, fresh_server_database

pytestmark = [pytest.mark.slow, pytest.mark.services]
KINDS = ("sqlite", "postgresql", "mariadb")
PASSING = {"processes", "addon_calls", "login_sessions", "push_devices", "push_deliveries"}
SEALED = {"instagram_accounts", "email_accounts", "language_models", "endpoints"}
"""Tables with sealed values of which the journey leaves some; a mailbox is held anew while it is read."""
MOVES_ON = {
    "email_mailboxes",
    "lanes",
    "domain_events",
    "consumers",
    "health_minutes",
    "counters",
    "audit_entries",
    "catch_ups",
    "notifications",
    "notification_keys",
}


@contextmanager
def fresh(kind: str, data: Path) -> Iterator[str]:
    """Yield the address of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{data / 'lobby.sqlite3'}"
        return
    yield from fresh_server_database(POSTGRESQL if kind == "postgresql" else MARIADB)


def lobby(*arguments: str, environment: dict[str, str], status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row, in terms all three databases share."""
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    metadata.reflect(engine, resolve_fks=False)
    with engine.connect() as connection:
        found = {
            name: [
                {key: same(value) for key, value in row.items()}
                for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            ]
            for name, table in metadata.tables.items()
        }
    engine.dispose()
    return found


def same(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, str) and value[:1] in ("[", "{"):  # MariaDB's JSON is text
        return json.dumps(json.loads(value), sort_keys=True)
    return None if value == "null" else value


ONTO = {"sqlite": KINDS, "postgresql": ("sqlite",), "mariadb": ("postgresql",)}
"""What each is restored on; the other pairs differ from these in nothing that either half sees."""


@pytest.fixture(scope="module", params=KINDS)
def backed_up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp(request.param)
    data = folder / "data"
    data.mkdir()
    sandbox, outside = Sandbox.start(), Outside()
    with ExitStack() as ending:
        ending.callback(sandbox.program.stop)
        outside.start()
        ending.callback(outside.stop)
        url = ending.enter_context(fresh(request.param, data))
        settings = {**desk_settings(sandbox, outside, free_port()), "LOBBY_DATABASE_URL": url}
        host = Host.start(data, port=free_port(), settings=settings)
        ending.callback(host.program.stop)
        smtp = int(settings["LOBBY_SMTP_LISTEN"].rpartition(":")[2])
        assert not play(Journey(sandbox, host, outside, smtp))
        (folder / "passphrase").write_text("a long one\n")
        before = rows(url)
        said = lobby(
            "backup",
            str(folder / "desk.backup"),
            "--passphrase-file",
            str(folder / "passphrase"),
            environment={**clean_environment(), **settings, "LOBBY_DATA": str(data)},
        )
        assert "rows" in said
        host.program.stop()
        after = rows(url)
        still = {name: found for name, found in after.items() if found == before[name]}
        yield folder, settings, still, ONTO[request.param]


def test_a_desk_comes_back_on_another_database(backed_up: Any, tmp_path: Path) -> None:
    folder, settings, before, kinds = backed_up
    for kind in kinds:
        data = tmp_path / kind
        data.mkdir()
        come_back(kind, folder, settings, before, data)


def come_back(kind: str, folder: Path, settings: dict[str, str], before: Any, data: Path) -> None:
    with fresh(kind, data) as url:
        environment = {**clean_environment(), **settings, "LOBBY_DATA": str(data), "LOBBY_DATABASE_URL": url}
        keys = ("--passphrase-file", str(folder / "passphrase"))
        said = lobby("restore", str(folder / "desk.backup"), *keys, environment=environment)
        assert "wait until someone sends them" in said
        assert "Restored." in said
        assert {name for name, found in before.items() if found} >= SEALED
        said = lobby("secrets", "verify", environment=environment)
        assert re.fullmatch(r"[1-9]\d* values can be decrypted, 0 can't\n", said)
        after = rows(url)
        assert {"users", "workspaces", "addon_archive_parts", "inbound_requests"} <= set(before)
        added = [one for one in after["installation_values"] if one["name"] == restored.NAME]
        assert len(added) == 1  # from then on it says something by itself
        after["installation_values"].remove(added[0])
        for values in (before.get("installation_values", []), after["installation_values"]):
            values[:] = [one for one in values if one["name"] != migrations.SERVES]  # of an upgrade
        assert before["push_devices"]
        # The desk it is a copy of may still push to them.
        assert after["push_devices"] == after["push_deliveries"] == []
        assert after["catch_up_threads"] == []  # what came since is asked for anew
        assert any(one["next_at"] for one in after["catch_ups"])
        for name in set(before) - PASSING - MOVES_ON - MADE_AGAIN - {"endpoints", "catch_up_threads"}:
            waited = set()
            if name == "assistant_turns":  # what nobody had thought about yet is left to people
                waited = {one["id"] for one in before[name] if one["state"] == "waiting"}
                assert {one["reason"] for one in after[name] if one["id"] in waited} <= {"restored"}
            was, came = (
                [one for one in found[name] if one.get("id") not in waited] for found in (before, after)
            )
            assert came == was, name
        assert after["endpoints"] == [
            one | {"state": "paused", "changed_at": come["changed_at"]}
            for one, come in zip(before["endpoints"], after["endpoints"], strict=True)
        ]  # the desk it is a copy of may still tell them
        host = Host.start(data, port=free_port(), settings={**settings, "LOBBY_DATABASE_URL": url})
        try:
            person = Person(host.url)
            person.open("/login")
            person.press("Sign in", {"email": ADMIN, "password": PASSWORD})
            shipped = next(one["id"] for one in after["messages"] if one["text"] == SHIPPED)
            assert SHIPPED in person.open(f"/w/1/search/messages/{shipped}")
            assert host.setup_link is None
            again = lobby("restore", str(folder / "desk.backup"), *keys, environment=environment, status=1)
            assert "already" in again or "not empty" in again
        finally:
            host.program.stop()
    assert os.stat(data / "secret.keys").st_mode & 0o077 == 0
