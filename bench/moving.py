"""How long a backup, a restore and a migration take: ``python -m bench.moving [MESSAGES] [FILES]``.

The table of docs/operate.md. These are seconds of one machine, to plan a night by; `make bench` has ratios.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from bench.databases import KINDS, fresh
from bench.seed import seed
from bench.servers import SkippedError, prepare
from host.backup import archive, making, restoring
from host.backup.restoring import Waiting
from host.core import config, db, migrations, secrets, storage
from host.core.config import Config

FILE_BYTES = 5 * 1024**2
"""How large each file of a message is: what a phone makes of a short film."""


def main() -> None:
    messages, files = (int(given) for given in (*sys.argv[1:], "100000", "100")[:2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = prepare(folder, people=1)
        seed(desk.data / "lobby.sqlite3", desk.workspace, messages)
        settings = config.load({"LOBBY_DATA": str(desk.data)})
        use(settings)
        add_files(files)
        source = folder / "sqlite.backup"
        print(
            f"{messages} messages, {files} files of {FILE_BYTES // 1024**2} MB, {os.cpu_count()} processors"
        )
        print("| | backup | restore | a column | an index |\n|---|---|---|---|---|")
        first = seconds(partial(back_up, settings, source))
        for kind in KINDS:
            try:
                with fresh(kind) as url:
                    there = folder / kind
                    there.mkdir()
                    (there / "secret.keys").write_bytes((desk.data / "secret.keys").read_bytes())
                    moved = config.load({"LOBBY_DATA": str(there), "LOBBY_DATABASE_URL": url})
                    restored = seconds(partial(restore, moved, source))
                    use(moved)
                    backed_up = (
                        first if kind == "sqlite" else seconds(partial(back_up, moved, there / "copy"))
                    )
                    took = [backed_up, restored, *migrate(moved.database_url)]
                    print(f"| {kind} | " + " | ".join(f"{one:.1f} s" for one in took) + " |", flush=True)
                    db.current().dispose()
            except SkippedError as error:
                print(error, file=sys.stderr)


def use(settings: Config) -> None:
    """Work on the desk of *settings* from now on."""
    db.connect(settings.database_url)
    secrets.use(secrets.load_keyring(settings))
    storage.use(storage.FolderStore(settings.data / "attachments"))


def add_files(count: int) -> None:
    """Give the first messages a file each."""
    keys = [storage.store(os.urandom(FILE_BYTES)) for _ in range(count)]
    insert = sa.text(
        "INSERT INTO attachments (workspace_id, message_id, kind, name, content_type, size, storage_key, "
        "state, failures) SELECT workspace_id, id, 'video', '', 'video/mp4', :size, :key, 'stored', 0 "
        "FROM messages WHERE id = :id"
    )
    rows = [{"id": id_, "size": FILE_BYTES, "key": key} for id_, key in enumerate(keys, 1)]
    db.write(lambda session: session.execute(insert, rows) and None)


def back_up(settings: Config, target: Path) -> None:
    making.make(settings, target, passphrase=None, tell=lambda _: None)


def restore(settings: Config, file: Path) -> None:
    with archive.reading(file) as source:
        restoring.read_through(source)
        restoring.restore(settings, source, waiting=Waiting.CHECK, passphrase=None, tell=lambda _: None)


def migrate(url: str) -> list[float]:
    """Return how long the two usual changes of the largest table take."""

    def change(step: Callable[[Operations], Any]) -> float:
        with migrations.locked(url) as engine, engine.begin() as connection:
            operations = Operations(MigrationContext.configure(connection))
            return seconds(lambda: step(operations))

    column = sa.Column("later", sa.Integer(), nullable=False, server_default="0")
    return [
        change(lambda op: op.add_column("messages", column)),
        change(lambda op: op.create_index("ix_messages_later", "messages", ["later", "sent_at"])),
    ]


def seconds(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
