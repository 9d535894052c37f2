"""A store belongs to one desk, and every process of the desk has the same one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from host import counters
from host.core import db, storage
from host.core.config import CannotGoOnError, Config, Exit
from host.core.storage import FolderStore, StoreAwayError
from host.media import claiming
from tests import helpers
from tests.media.test_uploads import take


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    share.mkdir()
    return share


@pytest.fixture
def settings(database: db.Database, data: Path, share: Path) -> Config:
    """The settings of a desk whose files are on a share."""
    return helpers.make_config(data, files=str(share))


def require(settings: Config) -> None:
    """Start a process with *settings*."""
    claiming.require(settings, storage.opened(settings))


def refused(settings: Config) -> CannotGoOnError:
    with pytest.raises(CannotGoOnError) as raised:
        require(settings)
    return raised.value


def test_the_first_start_marks_the_store_and_the_next_know_it(settings: Config, share: Path) -> None:
    require(settings)
    number = counters.files()
    assert number is not None
    assert claiming.number_in((share / "lobby.desk").read_text()) == number
    require(settings)
    assert counters.files() == number
    assert [path.name for path in share.rglob("*") if path.is_file()] == ["lobby.desk"]


def test_only_a_start_marks_a_store(settings: Config, share: Path) -> None:
    with pytest.raises(CannotGoOnError, match="not marked as this desk's yet"):
        claiming.check(settings, storage.opened(settings))
    assert counters.files() is None
    assert list(share.iterdir()) == []


def test_a_share_that_is_not_mounted_is_refused(settings: Config, share: Path) -> None:
    require(settings)
    share.rename(share.with_name("unmounted"))
    gone = refused(settings)
    assert (gone.code, "it is not there" in str(gone)) == (Exit.FOLDER, True)
    share.mkdir()
    empty = refused(settings)
    assert empty.code is Exit.SETTINGS
    assert "Is it mounted" in str(empty)
    assert list(share.iterdir()) == []


def test_a_store_of_another_desk_is_refused(settings: Config, share: Path) -> None:
    (share / "lobby.desk").write_text(claiming.written(7))
    assert "another desk" in str(refused(settings))
    assert counters.files() is None
    (share / "lobby.desk").write_text("\n")
    assert "another desk" in str(refused(settings))


def test_a_marker_that_changed_is_refused(settings: Config, share: Path) -> None:
    require(settings)
    (share / "lobby.desk").write_text(claiming.written(7))
    assert refused(settings).code is Exit.SETTINGS


def test_a_process_without_the_setting_is_told_where_the_files_are(settings: Config, data: Path) -> None:
    require(settings)
    assert "Set LOBBY_FILES" in str(refused(helpers.make_config(data)))


def test_a_desk_that_never_did_otherwise_needs_no_marker(database: db.Database, data: Path) -> None:
    require(helpers.make_config(data))
    assert counters.files() is None
    assert not (data / "attachments").exists()


def test_a_folder_this_user_may_not_write_is_refused(
    settings: Config, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(settings)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", denied)
    error = refused(settings)
    assert error.code is Exit.FOLDER
    assert str(error) == f"The files cannot be used: {share} cannot be used: this user may not do that."


def test_a_store_that_does_not_answer_is_no_reason_not_to_start(
    database: db.Database, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = helpers.make_config(
        data,
        files="s3://desk/files",
        files_endpoint="http://127.0.0.1:1",
        files_region="us-east-1",
        files_access_key="access-key",
        files_secret_key="secret-key",
    )
    require(settings)
    assert "Lobby goes on without them" in caplog.text
    assert "secret-key" not in caplog.text


def test_a_store_that_does_not_give_what_it_was_given_is_refused(
    settings: Config, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(settings)
    opened = FolderStore.open_stored

    def other(store: FolderStore, key: str) -> object:
        (share / key[:2] / key).write_bytes(b"something else")
        return opened(store, key)

    monkeypatch.setattr(FolderStore, "open_stored", other)
    assert "could not be read back unchanged" in str(refused(settings))


def test_files_that_were_not_copied_yet_are_not_left_behind(
    settings: Config, share: Path, data: Path
) -> None:
    from tests.media.test_uploads import message_with

    storage.use(FolderStore(data / "attachments"))
    workspace = helpers.make_workspace()
    message_with(workspace, take(workspace))
    error = refused(settings)
    assert f"lobby files copy {share}" in str(error)
    assert counters.files() is None
    shutil.copytree(data / "attachments", share, dirs_exist_ok=True)
    require(settings)


@pytest.mark.services
def test_of_two_that_start_at_once_with_different_folders_one_is_refused(
    any_database: db.Database, data: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    require(helpers.make_config(data, database_url=url(any_database), files=str(tmp_path / "one")))
    assert "Is it mounted" in str(
        refused(helpers.make_config(data, database_url=url(any_database), files=str(tmp_path / "two")))
    )


def url(database: db.Database) -> str:
    return database.url.render_as_string(hide_password=False)


def test_what_hangs_is_away_and_no_page_waits_for_it(
    settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    require(settings)
    ends = threading.Event()
    store = storage.WatchedStore(storage.opened(settings), claiming.expected)
    monkeypatch.setattr(FolderStore, "marker", lambda _: ends.wait(30) and None)
    try:
        away = store.look(patience=0.05)
        assert away is not None
        assert "has not answered" in away.words
        store.start()
        with pytest.raises(StoreAwayError):
            store.open_stored("0" * 64)
    finally:
        ends.set()
        store.stop()


def test_a_share_that_loses_its_mount_is_away_until_it_is_back(settings: Config, share: Path) -> None:
    require(settings)
    store = storage.WatchedStore(storage.opened(settings), claiming.expected)
    assert store.look() is None
    share.rename(share.with_name("away"))
    share.mkdir()
    away = store.look()
    assert away is not None
    assert "its marker is another's or missing" in away.words
    share.rmdir()
    share.with_name("away").rename(share)
    assert store.look() is None
