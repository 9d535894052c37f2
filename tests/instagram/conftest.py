"""The addon as an installation has it, an account that is connected, and the stand-in for Meta."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons.package import manifest
from host.addons.running import loader
from host.core import db, guard
from host.sdk import settings
from host.sdk.accounts import beside
from host.sdk.channel import AccountRef
from sandbox.server import Server
from tests.conftest import made_once
from tests.instagram import world
from tests.instagram.world import ADDON, Addon


@pytest.fixture(scope="session")
def ig() -> Addon:
    """The addon's modules, imported as an installed release is."""
    found = manifest.read_manifest(ADDON)
    values = {name: setting.default for name, setting in found.settings.items()}
    settings.provide("instagram", values)
    return Addon(loader.load(found, ADDON, "0" * 64, None), values)


@pytest.fixture(autouse=True)
def _defaults(ig: Addon) -> Iterator[None]:
    settings.provide("instagram", ig.defaults)
    settings.provide("", {"public_url": "https://desk.example.com"})
    yield
    guard.allow(())


@pytest.fixture(scope="session")
def widened_file(migrated_file: Path, run_folder: Path) -> Path:
    """An SQLite file with the host's tables and the addon's."""

    def make(path: Path) -> None:
        shutil.copy(migrated_file, path)
        world.migrate(f"sqlite:///{path}")

    return made_once(run_folder, "instagram.sqlite3", make)


@pytest.fixture
def desk(widened_file: Path, database: db.Database, ig: Addon) -> db.Database:
    """The process's database, with the addon's tables."""
    assert database.url.database is not None
    database.dispose()
    shutil.copy(widened_file, database.url.database)
    settings.provide("", {"public_url": "https://desk.example.com"})
    return database


@pytest.fixture
def any_desk(any_database: db.Database, ig: Addon) -> db.Database:
    """The same, once for each kind of server."""
    world.migrate(any_database.url.render_as_string(hide_password=False))
    settings.provide("", {"public_url": "https://desk.example.com"})
    return any_database


@pytest.fixture(autouse=True)
def alone(ig: Addon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the app's webhook alone when an account is connected: nobody answers for the desk here."""
    monkeypatch.setattr(ig.connect.app_webhook.AppWebhook, "set", lambda *_: None)


@pytest.fixture
def account(desk: db.Database, ig: Addon) -> AccountRef:
    """@sample.pottery, connected, with the credentials the stand-in knows."""
    return world.connect(ig)


@pytest.fixture(scope="session")
def meta_server() -> Iterator[Server]:
    server = Server().start()
    yield server
    server.close()


@pytest.fixture
def meta(meta_server: Server, ig: Addon) -> Iterator[world.Meta]:
    """The stand-in for Meta, as at its start, and the addon set to talk to it."""
    meta_server.box.reset()
    guard.allow([f"127.0.0.1:{meta_server.port}"])
    settings.provide(
        "instagram",
        {
            **ig.defaults,
            "graph_facebook_url": f"{meta_server.url}/graph.facebook.com",
            "graph_instagram_url": f"{meta_server.url}/graph.instagram.com",
        },
    )
    others = set(threading.enumerate())  # a server of another test may have a connection open
    yield world.Meta(meta_server)
    meta_server.box.faults.remove()
    # What a fault held back is written down only now: it must not land in the next test's ledger.
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(
        "process_request_thread" in thread.name for thread in set(threading.enumerate()) - others
    ):
        time.sleep(0.01)


@pytest.fixture
def comments(account: AccountRef, ig: Addon, meta: world.Meta) -> AccountRef:
    """The account for comments of @sample.pottery."""
    ig.connect.comments_switch.switch(account, {"on": "1"})
    found = beside(account.id, "instagram-comments")
    assert found is not None
    return found


@pytest.fixture
def statements(desk: db.Database) -> Iterator[list[str]]:
    """Every SQL statement sent while the test runs."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engines = desk.engines
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)
