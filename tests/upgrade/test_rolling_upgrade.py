"""A desk of several processes goes from one release to the next, and to the one after, under traffic.

The releases to come are this tree with another version and migrations of their own: one that only adds, and
one that takes away what the first does without.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import host
from demo.processes import CHECKOUT, free_port
from host.core import migrations
from host.core.config import Exit
from tests.upgrade.beside import Process, stay_signed_in, subscribe
from tests.upgrade.loading import Old, loaded
from tests.whole.rig import Rig, until

pytestmark = [pytest.mark.slow, pytest.mark.services]

NEXT, AFTER = "1.1.0", "1.2.0"
TABLES = ("messages", "conversations", "contacts", "outbox", "inbound_events", "processes", "lanes")

REVISION = '''"""A step."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
{contract}

def upgrade() -> None:
    for table in {tables}:
        {step}
'''
ADD = 'op.add_column(table, sa.Column("later", sa.Integer(), nullable=False, server_default="7"))'
DROP = 'op.drop_column(table, "later")'


def release(folder: Path, version: str, *revisions: str) -> Path:
    """Make the tree of a release to come in *folder*."""
    for name in ("host", "migrations"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    init = folder / "host" / "__init__.py"
    init.write_text(init.read_text().replace(f'"{host.__version__}"', f'"{version}"'))
    newest = list(migrations.revisions())[-1]
    for number, text in enumerate(revisions, 1):
        revision, before = f"9{number:03}", newest if number == 1 else f"9{number - 1:03}"
        path = folder / "migrations" / "versions" / f"{revision}_later.py"
        path.write_text(text.replace("{revision}", revision).replace("{before}", before))
    return folder


class Customers(threading.Thread):
    """Customers who write all the time."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(daemon=True)
        self.rig = rig
        self.wrote: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(0.2):
            text = f"While upgrading {len(self.wrote)}"
            self.rig.control("POST", "dm", {"customer": "ana.sample", "text": text})
            self.wrote.append(text)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_releases_are_taken_one_process_after_the_other(kind: str, tmp_path: Path) -> None:
    adds = REVISION.replace("{contract}", "").replace("{tables}", repr(TABLES)).replace("{step}", ADD)
    takes = REVISION.replace("{contract}", f'contract = "{NEXT}"\n').replace("{tables}", repr(TABLES))
    trees = {
        host.__version__: CHECKOUT,
        NEXT: release(tmp_path / NEXT, NEXT, adds),
        AFTER: release(tmp_path / AFTER, AFTER, adds, takes.replace("{step}", DROP)),
    }
    with ExitStack() as stack:
        old = stack.enter_context(loaded("house", kind, tmp_path / "desk", then=False))
        old.rig.lobby("migrate")
        stay_signed_in(old)
        first, second, third = (Process(old.rig, tree, free_port()) for tree in trees.values())
        for one in (first, second, third):
            stack.callback(one.stop)
        first.start()
        subscribe(old)
        first.receive_webhooks()
        customers = Customers(old.rig)
        customers.start()
        stack.callback(customers.stopping.set)

        upgrade_to_the_next(first, second, old)
        contract_comes_later(first, second, third)

        customers.stopping.set()
        customers.join(60)
        assert len(customers.wrote) > 10
        wrote = set(customers.wrote)

        def missing() -> set[str]:
            texts = [row["text"] for row in old.rows("messages") if row.get("text") in wrote]
            assert len(texts) == len(set(texts))
            return wrote - set(texts)

        until(lambda: not missing(), "everything customers wrote")
        go_back(second, tmp_path / "back", old)


def upgrade_to_the_next(first: Process, second: Process, old: Old) -> None:
    """Migrate beside the first process, which goes on, and starts again; then the second joins it."""
    refused = second.lobby("run")
    assert refused.returncode == Exit.SETTINGS
    assert "from an older Lobby" in refused.stderr + refused.stdout
    migrated = second.lobby("migrate")
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    assert "backup: " in migrated.stdout
    assert "host 9001" in migrated.stdout
    assert first.get("/readyz").status_code == 200
    first.stop()
    first.start()
    assert first.program is not None
    first.program.wait_for("a newer Lobby migrated the database")
    inbox = first.get("/w/1/inbox", Cookie=old.notes["cookie"])
    assert inbox.url.endswith("/w/1/inbox"), "and not the page to sign in"
    warned = first.lobby("doctor", "--no-accounts")
    assert "migrated by a newer Lobby; 1.0.0" in warned.stdout

    second.start()
    told = "Processes are running different versions of Lobby: 1.1.0, and 1.0.0 on"
    cookie = old.notes["cookie"]
    until(lambda: told in second.get("/admin/health", Cookie=cookie).text, "both versions on Health")
    assert told in first.get("/admin/health", Cookie=cookie).text
    second.receive_webhooks()
    assert "newer Lobby" in first.lobby("migrate").stderr


def contract_comes_later(first: Process, second: Process, third: Process) -> None:
    """What takes something away waits until nobody runs who needs it."""
    refused = third.lobby("migrate")
    assert refused.returncode == Exit.BUSY, refused.stdout + refused.stderr
    assert re.search(r"Lobby before 1\.1\.0 can't use the new tables, .*1\.0\.0 on", refused.stderr)
    first.stop()
    migrated = third.lobby("migrate", "--no-backup")
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    assert second.get("/readyz").status_code == 200
    refused = first.lobby("run")
    assert refused.returncode == Exit.SETTINGS
    assert "from a newer Lobby than this one, 1.0.0" in refused.stdout + refused.stderr
    second.stop()
    second.start()
    third.start()
    third.receive_webhooks()


def go_back(process: Process, data: Path, old: Old) -> None:
    """The backup made before a migration goes back into the release before."""
    (backup,) = sorted((old.rig.data / "backups").glob("*"))[-1:]
    data.mkdir()
    shutil.copy(old.rig.data / "secret.keys", data)
    environment: dict[str, Any] = {
        **process.environment,
        "LOBBY_DATA": str(data),
        "LOBBY_DATABASE_URL": f"sqlite:///{data / 'lobby.sqlite3'}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", "restore", str(backup), "--waiting", "check"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Restored." in done.stdout
