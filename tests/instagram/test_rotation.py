"""Changing the key of secrets at rest while accounts are written: nothing is lost, nothing stays behind."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from host.cli.commands import main
from host.core import config, db, resealing, secrets
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret, seal, unseal
from tests.instagram import world
from tests.instagram.world import POTTERY, STUDIO, Addon


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Path]:
    """A file with one key, which this process uses."""
    path = tmp_path / "secret.keys"
    path.write_text(f"k1:{base64.b64encode(os.urandom(32)).decode()}\n")
    before = secrets.keyring()
    secrets.use(secrets.load_keyring(config.load({"LOBBY_SECRET_KEYS_FILE": str(path)})))
    yield path
    secrets.use(before)


def token_of(ig: Addon, account: AccountRef) -> str:
    with db.read() as session:
        row = ig.accounts.find(session, account.id)
        return unseal(row.token, ig.accounts.place(row, "token")).reveal()


def test_running_processes_take_up_a_new_key_by_themselves(
    any_desk: db.Database, keys: Path, ig: Addon
) -> None:
    account = world.connect(ig, POTTERY)
    assert secrets.keyring().active_id == "k1"
    assert resealing.add_key(keys) == "k2"
    assert secrets.keyring().ids == ("k2", "k1")
    assert secrets.keyring().active_id == "k2"
    assert token_of(ig, account) == world.TOKEN
    assert keys.stat().st_mode & 0o777 == 0o600


def test_everything_is_found_and_sealed_anew(any_desk: db.Database, keys: Path, ig: Addon) -> None:
    accounts = [world.connect(ig, POTTERY), world.connect(ig, STUDIO)]
    assert resealing.check_values().by_key == {"k1": 6}, "token, app secret and verify token of two accounts"
    resealing.add_key(keys)
    findings = resealing.check_values(reseal=True)
    assert (findings.resealed, findings.by_key, findings.unreadable) == (6, {"k2": 6}, [])
    resealing.remove_key(keys, "k1")
    assert secrets.keyring().ids == ("k2",)
    assert token_of(ig, accounts[0]) == world.TOKEN


@pytest.mark.slow
def test_four_writers_lose_nothing_while_the_key_changes(
    any_desk: db.Database, keys: Path, ig: Addon
) -> None:
    shops = ["17841400000000001", "17841400000000002", "17841400000000003", "17841400000000004"]
    accounts = [world.connect(ig, igid) for igid in shops]
    last: dict[int, str] = {}
    stop = threading.Event()

    def write(account: AccountRef) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            token = f"EAA{account.id}x{number}"

            def save(session: Session, token: str = token) -> None:
                row = ig.accounts.find(session, account.id)
                row.token = seal(Secret(token), ig.accounts.place(row, "token"))

            db.write(save)
            last[account.id] = token

    writers = [threading.Thread(target=write, args=(account,)) for account in accounts]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            resealing.add_key(keys)
            for _ in range(3):
                assert resealing.check_values(reseal=True).unreadable == []
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert {account.id: token_of(ig, account) for account in accounts} == last
    resealing.check_values(reseal=True)
    findings = resealing.check_values()
    assert set(findings.by_key) == {secrets.keyring().active_id}
    assert findings.unreadable == []


def test_a_value_in_a_strange_place_is_named_without_being_shown(
    any_desk: db.Database, keys: Path, ig: Addon
) -> None:
    one, other = world.connect(ig, POTTERY), world.connect(ig, STUDIO)

    def copy(session: Session) -> None:
        mine, theirs = ig.accounts.find(session, one.id), ig.accounts.find(session, other.id)
        theirs.token = mine.token

    db.write(copy)
    (line,) = resealing.check_values().unreadable
    assert line.startswith("instagram_accounts.token row ")
    assert "belongs to another row" in line
    with db.read() as session:
        assert ig.accounts.find(session, one.id).token not in line


class Command:
    """`lobby secrets` on a desk of its own."""

    def __init__(self, database: db.Database, keys: Path, data: Path) -> None:
        self._environment = {
            "LOBBY_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "LOBBY_SECRET_KEYS_FILE": str(keys),
            "LOBBY_DATA": str(data),
        }

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["secrets", *arguments], env=self._environment)


@pytest.fixture
def lobby(desk: db.Database, keys: Path, tmp_path: Path) -> Command:
    return Command(desk, keys, tmp_path)


def test_the_commands_lead_from_one_key_to_the_next(lobby: Command, ig: Addon, keys: Path) -> None:
    world.connect(ig, POTTERY)
    assert "k1 encrypts" in lobby("status").output
    assert lobby("verify").output == "3 values can be decrypted, 0 can't\n"
    assert "lobby secrets rotate" in lobby("retire", "k1").output
    assert "k2 now encrypts" in lobby("rotate").output
    early = lobby("retire", "k1")
    assert (early.exit_code, "Try again in 10 minutes" in early.output) == (1, True)
    os.utime(keys, (1, 1))
    held = lobby("retire", "k1")
    assert (held.exit_code, "3 values are encrypted with k1" in held.output) == (1, True)
    assert "3 values encrypted again with k2" in lobby("reencrypt").output
    facts = json.loads(lobby("status", "--json").output)
    assert facts == {"encrypts": "k2", "keys": {"k2": 3, "k1": 0}, "unreadable": []}
    assert lobby("retire", "k1").output == "Deleted k1.\n"
    assert lobby("verify").exit_code == 0
    assert "'k1' doesn't exist" in lobby("retire", "k1").output


def test_a_key_is_kept_while_something_needs_it_nobody_can_open(
    lobby: Command, ig: Addon, keys: Path
) -> None:
    account = world.connect(ig, POTTERY)
    lobby("rotate")
    lobby("reencrypt")
    os.utime(keys, (1, 1))

    def spoil(session: Session) -> None:
        table = ig.models.InstagramAccount.__table__
        value: Any = sa.func.replace(table.c.token, "v1:k2:", "v1:k1:")
        session.execute(sa.update(table).where(table.c.account_id == account.id).values(token=value))

    db.write(spoil)
    refused = lobby("retire", "k1")
    assert refused.exit_code == 1
    assert "can't be decrypted" in refused.output
    assert lobby("verify").exit_code == 1


def test_keys_in_the_environment_are_changed_by_hand(desk: db.Database, tmp_path: Path, ig: Addon) -> None:
    key = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
    environment = {
        "LOBBY_DATABASE_URL": desk.url.render_as_string(hide_password=False),
        "LOBBY_SECRET_KEYS": key,
        "LOBBY_DATA": str(tmp_path),
    }
    told = CliRunner().invoke(main, ["secrets", "rotate"], env=environment)
    assert "in front of them" in told.output
    fresh = told.output.strip().splitlines()[-1]
    assert secrets.parse_keys(f"{fresh},{key}").keys() == {"k2", "k1"}
