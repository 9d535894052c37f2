"""Going back after an upgrade, as ``docs/upgrade.md`` promises it, on each kind of database.

Without losing anything: the older Lobby starts on the tables of the newer one. With the backup: the older one
restores what the migration saved first. The older one is this checkout's own of some migrations ago.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.processes import CHECKOUT, free_port
from tests.conftest import fresh_server_database
from tests.upgrade.beside import (
    People,
    Process,
    nothing_is_dead,
    release_before,
    stay_signed_in,
    stopping,
    subscribe,
)
from tests.upgrade.loading import SERVERS, Old, loaded

pytestmark = [pytest.mark.slow, pytest.mark.services]


def opens(web: Process, old: Old) -> None:
    """Whoever was signed in still is, and sees every conversation."""
    cookie = old.notes["cookie"]
    inbox = web.get("/w/1/inbox", Cookie=cookie)
    assert inbox.url.endswith("/w/1/inbox"), "and not the page to sign in"
    for row in old.rows("conversations"):
        answer = web.get(f"/w/{row['workspace_id']}/inbox/{row['id']}", Cookie=cookie)
        assert answer.status_code in (200, 404 if row["workspace_id"] != 1 else 200), (row["id"], answer)
    for path in ("/admin/health", "/admin/addons", "/w/1/settings/channels", "/w/1/reports"):
        assert web.get(path, Cookie=cookie).status_code == 200, path


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
def test_the_older_one_goes_on_with_what_the_newer_one_wrote(kind: str, tmp_path: Path) -> None:
    tree = release_before(tmp_path / "before")
    with ExitStack() as stack:
        old = stack.enter_context(loaded("house", kind, tmp_path / "desk", then=False))
        older, newer = (Process(old.rig, folder, free_port()) for folder in (tree, CHECKOUT))
        stopping(stack, older, newer)
        assert older.lobby("migrate", "--no-backup").returncode == 0
        stay_signed_in(old)
        subscribe(old)
        people = People(old)
        serve(older, people)
        stack.enter_context(people)
        people.go_on()
        replace(older, None, people)
        kept = {row["id"]: row["text"] for row in old.rows("messages") if row.get("text")}

        migrated = newer.lobby("migrate")
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        assert "backup: " in migrated.stdout
        serve(newer, people)
        people.go_on()
        opens(newer, old)

        replace(newer, older, people)
        assert older.program is not None
        older.program.wait_for("a newer Lobby migrated the database")
        people.go_on()
        opens(older, old)
        replace(older, newer, people)
        people.go_on()
        people.__exit__()
        people.nothing_is_lost()
        now = {row["id"]: row.get("text") for row in old.rows("messages")}
        assert {number: now.get(number) for number in kept} == kept
        nothing_is_dead(old, (older, newer))
        newer.stop()
        with fresh(old, kind, tmp_path / "back") as back:
            the_backup_goes_into_the_older(old, Process(back, tree, free_port()), kept)


def serve(process: Process, people: People) -> None:
    process.start()
    process.receive_webhooks()
    people.webs[:] = [process]


def replace(process: Process, other: Process | None, people: People) -> None:
    """Stop *process* and start *other*, while people go on."""
    people.webs.clear()
    process.stop()
    if other is not None:
        serve(other, people)


@contextmanager
def fresh(old: Old, kind: str, folder: Path) -> Iterator[Any]:
    """Yield the rig with an empty database and data folder, and the keys."""
    rig, before, url = old.rig, old.rig.folder, old.url
    (folder / "data").mkdir(parents=True)
    shutil.copy(rig.data / "secret.keys", folder / "data")
    server = SERVERS.get(kind)
    place = f"sqlite:///{folder / 'data' / 'lobby.sqlite3'}"
    for empty in [place] if server is None else fresh_server_database(server):
        rig.folder, old.url = folder, empty
        rig.settings["LOBBY_DATABASE_URL"] = empty
        try:
            yield rig
        finally:
            rig.folder, old.url = before, url
            rig.settings["LOBBY_DATABASE_URL"] = url


def the_backup_goes_into_the_older(old: Old, older: Process, kept: dict[int, str]) -> None:
    """What the migration saved is restored by the older Lobby, which serves it, and sends nothing."""
    (backup,) = (old.rig.folder.parent / "desk" / "data" / "backups").glob("*.backup")
    sent = len(old.rig.control("GET", "ledger?kind=send&limit=10000")["entries"])
    done = older.lobby("restore", str(backup), "--waiting", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Restored." in done.stdout
    stay_signed_in(old)
    texts = {row["id"]: row.get("text") for row in old.rows("messages")}
    assert {number: texts.get(number) for number in kept} == kept
    older.start()
    try:
        assert older.get("/readyz").status_code == 200
        headers = {"Authorization": f"Bearer {old.notes['key']}"}
        read = older.get("/api/v1/conversations", **headers).json()["data"]
        assert len(read) >= 3
    finally:
        older.stop()
    assert len(old.rig.control("GET", "ledger?kind=send&limit=10000")["entries"]) == sent
