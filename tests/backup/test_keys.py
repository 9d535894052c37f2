"""API keys of a restored desk may do what those of its original may, on every database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from host.backup import archive, restoring
from host.backup.restoring import Waiting
from host.core import clock, db, secrets
from host.core.config import Config
from host.inbox.teams import teams
from host.models.users import Role
from host.users import api_keys as keys
from host.users.api_keys import GRANTABLE, NO_LIMIT, Limit, Scope
from tests import helpers
from tests.backup import test_backup as plain
from tests.conftest import fresh_server_database
from tests.helpers import do
from tests.inbox import toys
from tests.upgrade.loading import SERVERS

_nobody_tries_passphrases = plain._nobody_tries_passphrases
file = plain.file


@pytest.fixture
def settings(database: db.Database, data: Path) -> Config:
    return helpers.make_config(data, session_key="")


def found(tokens: list[str]) -> list[keys.Caller | None]:
    with db.read() as session:
        return [keys.find_key(session, token) for token in tokens]


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("kind", SERVERS)
def test_keys_keep_scopes_limits_and_expiry(kind: str, settings: Config, file: Path, tmp_path: Path) -> None:
    secrets.use(secrets.load_keyring(settings))
    workspace = helpers.make_workspace("Pottery")
    owner = helpers.make_user(workspace=workspace, role=Role.OWNER)
    account = toys.make_account(workspace, "toy").id
    team = do(teams.create, workspace, name="Kiln", accounts=[account])
    until = clock.now() + timedelta(hours=1)
    tokens = [
        do(
            keys.create,
            workspace,
            f"Key {number}",
            scopes,
            expires_at=expires_at,
            limit=limit,
            actor=owner.id,
        )
        for number, (scopes, expires_at, limit) in enumerate(
            [
                ((Scope.READ,), None, NO_LIMIT),
                (GRANTABLE, None, NO_LIMIT),
                ((Scope.EXPORT,), until, Limit(accounts=(account,))),
                ((Scope.MESSAGES_READ,), until, Limit(teams=(team.id,))),
            ]
        )
    ]
    before = found(tokens)
    assert [None if one is None else one.accounts for one in before] == [None, None, {account}, {account}]
    plain.make(settings, file)
    for url in fresh_server_database(SERVERS[kind]):
        there = helpers.make_config(tmp_path / kind, session_key="", database_url=url)
        with archive.reading(file) as source:
            restoring.restore(
                there, source, waiting=Waiting.CHECK, passphrase=plain.PASSPHRASE, tell=plain.silent
            )
        db.connect(url)
        assert found(tokens) == before
        with clock.travel(timedelta(hours=1, seconds=1)):
            assert [one and one.ended for one in found(tokens)] == [None, None, "expired", "expired"]
            with db.read() as session:
                names = [row.name for row in keys.listing(session, workspace)]
                assert names == ["Key 1", "Key 0", "Key 3", "Key 2"], "keys that work come first"
                assert len(keys.listing(session, workspace, holder_id=owner.id)) == 2
        db.current().dispose()
