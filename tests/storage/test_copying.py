"""Files are copied to another store while the desk runs: what rows name, whole, and nothing erased."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import db, storage
from host.core.storage import FolderStore, NotStoredError, Store, StoreAwayError
from host.core.storage.s3 import S3Store
from host.media import copying
from host.models.media import Upload
from tests import helpers
from tests.media.test_uploads import take


@pytest.fixture
def source(database: db.Database, data: Path) -> FolderStore:
    store = FolderStore(data / "attachments")
    storage.use(store)
    return store


@pytest.fixture
def keys(source: FolderStore) -> list[str]:
    """The keys of files that rows name."""
    workspace = helpers.make_workspace()
    return [take(workspace, b"file %d" % number).storage_key for number in range(5)]


def silent(_: str) -> None:
    pass


def test_every_file_a_row_names_is_there_afterwards(
    source: FolderStore, keys: list[str], s3: Callable[[], S3Store]
) -> None:
    stray = storage.store(b"named by nothing")
    said: list[str] = []
    copied = copying.copy(source, s3(), said.append)
    assert (copied.files, copied.there, copied.damaged) == (5, 0, set())
    assert copied.bytes == 5 * len(b"file 0")
    assert said[-1].startswith("pass 2, 100 %")
    for number, key in enumerate(keys):
        with s3().open_stored(key) as file:
            assert file.read() == b"file %d" % number
    assert s3().size(stray) is None
    with source.open_stored(keys[0]) as file:
        assert file.read() == b"file 0"


def test_what_was_broken_off_goes_on_where_it_was(
    source: FolderStore, keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = FolderStore(tmp_path / "other")
    stage, left = FolderStore.stage, [3]

    def breaking(store: FolderStore, stream: io.BytesIO, *, most: int) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise StoreAwayError("gone")
        return stage(store, stream, most=most)

    with monkeypatch.context() as patched:
        patched.setattr(FolderStore, "stage", breaking)
        with pytest.raises(StoreAwayError):
            copying.copy(source, target, silent)
    copied = copying.copy(source, target, silent)
    assert copied.there == 3
    assert copied.files == 2
    assert copying.copy(source, target, silent).there == 5


def test_a_damaged_file_is_said_and_not_copied(
    source: FolderStore, keys: list[str], tmp_path: Path, data: Path
) -> None:
    (data / "attachments" / keys[0][:2] / keys[0]).write_bytes(b"file X")
    target: Store = FolderStore(tmp_path / "other")
    copied = copying.copy(source, target, silent)
    assert copied.damaged == {keys[0]}
    assert copied.files == 4
    assert target.size(keys[0]) is None


def test_a_file_that_was_cut_off_at_the_target_is_copied_again(
    source: FolderStore, keys: list[str], tmp_path: Path
) -> None:
    target = FolderStore(tmp_path / "other")
    copying.copy(source, target, silent)
    (tmp_path / "other" / keys[0][:2] / keys[0]).write_bytes(b"fi")
    assert copying.copy(source, target, silent).files == 1
    assert target.size(keys[0]) == len(b"file 0")


def test_what_is_erased_while_it_is_copied_does_not_come_along(
    source: FolderStore, keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = FolderStore(tmp_path / "other")
    opened = FolderStore.open_stored

    def erased(store: FolderStore, key: str) -> object:
        file = opened(store, key)
        if key == keys[0]:
            db.write(lambda session: session.execute(sa.delete(Upload).where(Upload.storage_key == key)))
            source.remove(key, in_use=lambda: False)
        return file

    monkeypatch.setattr(FolderStore, "open_stored", erased)
    assert copying.copy(source, target, silent).files == 5
    monkeypatch.undo()
    with pytest.raises(NotStoredError):
        target.open_stored(keys[0])
