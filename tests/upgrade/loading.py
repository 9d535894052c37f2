"""Recorded desks, put in place as the Lobby of then left them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from host.backup import archive, making, restoring
from host.backup.archive import Reading
from host.core import migrations
from tests import helpers
from tests.conftest import MARIADB, POSTGRESQL, fresh_server_database
from tests.upgrade.record import PASSPHRASE
from tests.whole.rig import Rig, running

DESKS = Path(__file__).parent / "desks"
SERVERS = {"postgresql": POSTGRESQL, "mariadb": MARIADB}


@dataclass
class Old:
    """A recorded desk; its tables and files are in place."""

    rig: Rig
    url: str
    source: Reading
    notes: dict[str, str]

    def recorded(self, table: str) -> list[dict[str, Any]]:
        return [{name: same(value) for name, value in row.items()} for row in self.source.rows(table)]

    def rows(self, table: str) -> list[dict[str, Any]]:
        engine = sa.create_engine(self.url, poolclass=sa.pool.NullPool)
        try:
            with engine.connect() as connection:
                found = sa.Table(table, sa.MetaData(), autoload_with=connection, resolve_fks=False)
                return [
                    {name: same(archive.plain(value)) for name, value in row.items() if value is not None}
                    for row in making._rows(connection, found)
                ]
        finally:
            engine.dispose()

    def page(self, path: str, *, cookie: bool = True) -> requests.Response:
        headers = {"Cookie": self.notes["cookie"]} if cookie else {}
        return requests.get(f"{self.rig.url}{path}", headers=headers, timeout=30, allow_redirects=False)

    def api(self, path: str, key: str = "key") -> requests.Response:
        headers = {"Authorization": f"Bearer {self.notes[key]}"}
        return requests.get(f"{self.rig.url}/api/v1{path}", headers=headers, timeout=30)


def same(value: Any) -> Any:
    """Return a value in terms all three databases share."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return value


@contextmanager
def loaded(desk: str, kind: str, folder: Path, *, then: bool) -> Iterator[Old]:
    """Yield the recorded *desk* on a database of *kind*, not migrated, beside a sandbox.

    :param then: its clock is at the time of the recording.
    """
    server = SERVERS.get(kind)
    file = f"sqlite:///{folder / 'data' / 'lobby.sqlite3'}"
    for url in [file] if server is None else fresh_server_database(server):
        with archive.reading(DESKS / f"{desk}.backup") as source:
            restoring.read_through(source)
            settings = helpers.make_config(folder / "data", database_url=url)
            with restoring.as_it_was(
                settings, source, passphrase=PASSPHRASE, tell=lambda _: None, unverified=True
            ) as (
                _,
                left_out,
            ):
                assert left_out == []
            assert migrations.state(url) is migrations.State.BEHIND
            given = {"LOBBY_DATABASE_URL": url, "LOBBY_PUBLIC_FILES": "0"}
            command = ("-m", "host.cli")
            if then:
                given["THEN"] = source.contents.made_at
                command = ("-m", "tests.upgrade.then")
            for rig in running(folder, settings=given, command=command):
                yield Old(rig, url, source, json.loads((DESKS / f"{desk}.json").read_text()))
