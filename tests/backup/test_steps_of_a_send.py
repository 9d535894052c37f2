"""A backup made at any step of sending a reply can be restored, on each database and across them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.backup import archive, restoring
from host.backup.restoring import Waiting
from host.core import db, secrets, storage
from host.core.config import Config
from host.models.queue import OutboxEntry
from host.sdk.channel import SendRequest, SendResult, Sent, Unknown
from tests import helpers
from tests.backup import test_backup as plain
from tests.conftest import fresh_server_database
from tests.delivery.desk import PROBLEM, Desk
from tests.upgrade.loading import SERVERS

_nobody_tries_passphrases = plain._nobody_tries_passphrases

STEPS = {
    "queued": "unknown",
    "being sent": "unknown",
    "echo before the answer": "sent",
    "answered": "sent",
    "sent, and open as an older release left it": "sent",
    "unconfirmed": "unknown",
    "echo of an unconfirmed one": "sent",
}
"""What becomes of the reply when a backup made at that step is restored with ``--waiting check``."""


@pytest.fixture
def settings(any_database: db.Database, data: Path) -> Config:
    settings = helpers.make_config(
        data, session_key="", database_url=any_database.url.render_as_string(False)
    )
    secrets.use(secrets.load_keyring(settings))
    storage.use(storage.FolderStore(data / "attachments"))
    return settings


def backups_of_each_step(settings: Config, folder: Path) -> tuple[Desk, dict[str, Path], int]:
    """Return the desk, a backup for each of :data:`STEPS`, and the id of the reply."""
    desk = Desk()
    files: dict[str, Path] = {}

    def keep(step: str) -> None:
        files[step] = folder / f"{len(files)}.backup"
        plain.make(settings, files[step])

    def answer(_request: SendRequest) -> SendResult:
        keep("being sent")
        desk.echo("mid-1", "Yes, three.")
        keep("echo before the answer")
        return Sent("mid-1")

    def break_off(_request: SendRequest) -> SendResult:
        return Unknown(PROBLEM)

    conversation = desk.customer_wrote()
    desk.toy.script = [answer]
    message = desk.reply("Yes, three.", conversation)
    keep("queued")
    desk.drain()
    assert desk.state(message) == "sent"
    keep("answered")
    db.write(set_open, True)
    keep("sent, and open as an older release left it")
    db.write(set_open, False)
    desk.toy.script = [break_off]
    second = desk.reply("Or four.", conversation)
    desk.drain()
    assert desk.state(second) == "unknown"
    keep("unconfirmed")
    desk.echo("mid-2", "Or four.")
    keep("echo of an unconfirmed one")
    assert files.keys() == STEPS.keys()
    return desk, files, message


def set_open(session: Session, is_open: bool) -> None:
    session.execute(sa.update(OutboxEntry).values(open=is_open))


@contextmanager
def place(kind: str, data: Path) -> Iterator[Config]:
    """Yield the settings of a desk that is not there yet, on a database of *kind*."""
    if kind == "sqlite":
        yield helpers.make_config(data, session_key="")
        return
    for url in fresh_server_database(SERVERS[kind]):
        yield helpers.make_config(data, session_key="", database_url=url)
        db.current().dispose()


def restored(file: Path, kind: str, data: Path, check: Callable[[], None]) -> None:
    with place(kind, data) as there:
        with archive.reading(file) as source:
            restoring.read_through(source)
            restoring.restore(
                there, source, waiting=Waiting.CHECK, passphrase=plain.PASSPHRASE, tell=plain.silent
            )
        db.connect(there.database_url)
        check()


def open_messages() -> list[int]:
    with db.read() as session:
        query = sa.select(OutboxEntry.message_id).where(OutboxEntry.open.is_(True))
        return list(session.scalars(query.order_by(OutboxEntry.id)))


def check_each_step(settings: Config, kind: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    desk, files, message = backups_of_each_step(settings, tmp_path / "files")
    already = len(desk.toy.sent)
    for number, (step, becomes) in enumerate(STEPS.items()):
        about = message if number < 5 else message + 1

        def check(step: str = step, becomes: str = becomes, about: int = about) -> None:
            assert desk.state(about) == becomes, step
            assert open_messages() == ([about] if becomes == "unknown" else []), step
            if becomes == "unknown":
                plain.with_time(desk)
                assert desk.state(about) == becomes, step
            assert len(desk.toy.sent) == already, step

        restored(files[step], kind, tmp_path / f"there-{number}", check)


@pytest.mark.slow
@pytest.mark.parametrize("any_database", ["sqlite"], indirect=True)
def test_a_backup_of_each_step_is_restored(settings: Config, tmp_path: Path) -> None:
    check_each_step(settings, "sqlite", tmp_path)


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize(
    ("any_database", "kind"),
    [
        ("sqlite", "postgresql"),
        ("postgresql", "mariadb"),
        ("mariadb", "sqlite"),
        ("postgresql", "postgresql"),
        ("mariadb", "mariadb"),
    ],
    indirect=["any_database"],
)
def test_a_backup_of_each_step_is_restored_across_databases(
    settings: Config, kind: str, tmp_path: Path
) -> None:
    check_each_step(settings, kind, tmp_path)


def test_an_echo_closes_the_entry_of_the_message_it_confirms(any_database: db.Database) -> None:
    desk = Desk()
    seen: list[list[int]] = []

    def answer(_request: SendRequest) -> SendResult:
        desk.echo("mid-1", "Yes, three.")
        seen.append(open_messages())
        return Sent("mid-1")

    desk.toy.script = [answer]
    message = desk.reply("Yes, three.", desk.customer_wrote())
    desk.drain()
    assert (seen, desk.state(message)) == ([[]], "sent")
