"""While the store is away nothing is lost and nothing is said to have failed: it waits, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from host.backup import making, restoring
from host.backup.archive import BackupError, reading
from host.backup.restoring import Waiting
from host.channels.directory import Directory
from host.core import clock, db, secrets, storage
from host.core.errors import UnavailableError
from host.core.storage import FolderStore, Store, StoreAwayError, WatchedStore
from host.health import dependencies, metrics, problems
from host.media import claiming, fetching, uploads
from host.models.inbox import Attachment, AttachmentState
from tests import helpers
from tests.backup.test_backup import silent
from tests.delivery.desk import Desk
from tests.inbox import toys
from tests.media import samples
from tests.media.provider import Linking, Provider, serving
from tests.media.test_fetching import came


class Breakable(FolderStore):
    """A store that is away when it is told to be."""

    away = False

    def _answer(self) -> None:
        if self.away:
            raise StoreAwayError(f"{self.place} does not answer")

    def stage(self, stream: storage.Readable, *, most: int):  # type: ignore[no-untyped-def]
        self._answer()
        return super().stage(stream, most=most)

    def open_stored(self, key: str):  # type: ignore[no-untyped-def]
        self._answer()
        return super().open_stored(key)

    def size(self, key: str) -> int | None:
        self._answer()
        return super().size(key)

    def marker(self) -> str | None:
        self._answer()
        return super().marker()


@pytest.fixture
def store(database: db.Database, data: Path) -> Breakable:
    store = Breakable(data / "attachments")
    storage.use(store)
    return store


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as found:
        yield found


def test_a_file_that_came_is_fetched_however_long_it_takes(store: Breakable, provider: Provider) -> None:
    account = toys.make_account(toys.make_workspace())
    directory = Directory((Linking(),))
    came(account, provider.put("/a.jpg", samples.picture("JPEG")))
    store.away = True
    for turn in range(20):
        with clock.travel(timedelta(hours=turn)):
            fetching.fetch_due(directory)
    row = toys.only(Attachment)
    assert (row.state, row.failures) == (AttachmentState.WAITING, 0)
    store.away = False
    with clock.travel(timedelta(days=1)):
        fetching.fetch_due(directory)
    assert toys.only(Attachment).state == AttachmentState.STORED


def test_a_provider_is_not_asked_while_the_store_is_known_to_be_away(
    store: Breakable, provider: Provider
) -> None:
    account = toys.make_account(toys.make_workspace())
    came(account, provider.put("/a.jpg", samples.picture("JPEG")))
    watched = WatchedStore(store)
    storage.use(watched)
    store.away = True
    watched.look()
    assert fetching.fetch_due(Directory((Linking(),))) == 0
    assert provider.asked == []


def test_an_upload_is_refused_with_a_reason_and_leaves_no_row(store: Breakable) -> None:
    import io

    workspace = helpers.make_workspace()
    store.away = True
    with pytest.raises(UnavailableError, match="cannot store files"):
        uploads.keep_upload(io.BytesIO(samples.PDF), "a.pdf", workspace_id=workspace, user_id=None)
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(uploads.UploadRow)) == 0


def test_the_health_page_and_the_metrics_say_so(store: Breakable, tmp_path: Path) -> None:
    watched = WatchedStore(store)
    storage.use(watched)
    assert dependencies._files().tone == "pass"
    assert list(problems._files()) == []
    store.away = True
    watched.look()
    app = helpers.build_app(tmp_path)
    with app.test_request_context():
        line = dependencies._files()
        (problem,) = problems._files()
    assert (line.tone, problem.tone) == ("fail", "bad")
    assert "does not answer" in line.fact
    assert "does not answer" in problem.fact
    state = SimpleNamespace(serving=True, generation=1, failures=0, loop_held=0.0, streams=0, put_off=0)
    told: Any = metrics._own
    config = SimpleNamespace(data=tmp_path, spool_mb=1)
    database = SimpleNamespace(answers=True, migrated=True)
    own = {one.name: one.samples[0].value for one in told(state, database, config)}
    assert own["lobby_files_up"] == 0.0


def test_a_backup_says_that_the_files_cannot_be_read_and_is_made_without_them(
    store: Breakable, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = helpers.make_config(data, session_key="")
    secrets.use(secrets.load_keyring(settings))
    desk = Desk()
    from tests.backup.test_backup import with_a_file

    with_a_file(desk, b"a picture")
    store.away = True
    monkeypatch.setattr(storage, "opened", lambda *_: store)
    target = tmp_path / "desk.backup"
    with pytest.raises(BackupError, match="--no-files"):
        making.make(settings, target, passphrase=None, tell=silent)
    assert not target.exists()
    contents = making.make(settings, target, passphrase=None, tell=silent, files=False)
    assert (contents.files, contents.files_left_out, contents.missing) == (0, 1, [])


@pytest.mark.slow
def test_a_backup_goes_from_one_kind_of_store_to_another(
    store: Breakable,
    data: Path,
    tmp_path: Path,
    s3_server: str,
    bucket: str,
) -> None:
    from tests.backup.test_backup import with_a_file
    from tests.storage.servers import ACCESS_KEY, SECRET_KEY

    settings = helpers.make_config(data, session_key="")
    secrets.use(secrets.load_keyring(settings))
    key = with_a_file(Desk(), b"a picture")
    target = tmp_path / "desk.backup"
    making.make(settings, target, passphrase="a long one", tell=silent)
    there = helpers.make_config(
        tmp_path / "elsewhere",
        session_key="",
        files=f"s3://{bucket}/files",
        files_endpoint=s3_server,
        files_region="us-east-1",
        files_access_key=ACCESS_KEY,
        files_secret_key=SECRET_KEY,
    )
    with reading(target) as source:
        restoring.read_through(source)
        restoring.restore(there, source, waiting=Waiting.CHECK, passphrase="a long one", tell=silent)
    db.connect(there.database_url)
    other: Store = storage.opened(there)
    assert claiming.check(there, other)
    with other.open_stored(key) as file:
        assert file.read() == b"a picture"
    # And out of the bucket again.
    again = tmp_path / "again.backup"
    assert making.make(there, again, passphrase=None, tell=silent).files == 1
