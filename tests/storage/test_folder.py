"""Files in a folder: durable before they have their name, and written only where they belong."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from host.core import storage
from host.core.storage import FolderStore, StoreAwayError, bytes_staged


def put(store: FolderStore, content: bytes = b"hello") -> str:
    with bytes_staged(store, content) as staged:
        staged.keep()
        return staged.key


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_file_has_its_key_as_its_name(tmp_path: Path) -> None:
    key = put(FolderStore(tmp_path / "attachments"))
    assert (tmp_path / "attachments" / key[:2] / key).read_bytes() == b"hello"
    assert files(tmp_path / "attachments") == [f"{key[:2]}/{key}"]


def test_a_crash_before_the_rename_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        with pytest.raises(StoreAwayError, match="its disk reports an error"):
            put(store)
    assert files(tmp_path) == []
    assert put(store)


def test_the_bytes_are_on_the_disk_before_they_get_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        steps.append("fsync")
        fsync(descriptor)

    def noted_replace(source: str, target: Path) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    put(FolderStore(tmp_path))
    assert steps[:3] == ["fsync", "rename", "fsync"]


def test_what_a_process_that_died_had_begun_to_write_goes_with_a_walk(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    put(store)
    (tmp_path / ".new-left").write_bytes(b"half")
    store.keys("00", older_than=None)
    assert (tmp_path / ".new-left").exists()
    store.keys("00", older_than=(tmp_path / ".new-left").stat().st_mtime + 1)
    assert not (tmp_path / ".new-left").exists()


def test_a_disk_that_is_full_is_a_store_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    key = put(store)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        with pytest.raises(StoreAwayError, match="no room on its disk") as raised:
            put(store, b"more")
    assert raised.value.passing
    assert files(tmp_path) == [f"{key[:2]}/{key}"]


def test_a_file_system_that_knows_no_fsync_of_folders_is_none_the_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def of_files(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files)
    assert put(FolderStore(tmp_path))


def test_a_shared_folder_is_not_made(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "mnt" / "lobby", shared=True)
    with pytest.raises(StoreAwayError, match="is not there") as raised:
        store.marker()
    assert not raised.value.passing
    with pytest.raises(StoreAwayError):
        put(store)
    assert not (tmp_path / "mnt").exists()


def test_nothing_is_written_below_a_mount_point_that_has_lost_its_mount(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    store = FolderStore(share, shared=True)
    store.mark("ours")
    put(store)
    share.rename(tmp_path / "unmounted")
    share.mkdir()
    with pytest.raises(StoreAwayError, match="is it mounted"):
        store.stage(io.BytesIO(b"x"), most=1)
    assert list(share.iterdir()) == []


def test_another_machines_removal_that_is_not_seen_yet_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of NFS may take a file for there that another has set aside: it is put there all the same."""
    store = FolderStore(tmp_path)
    with bytes_staged(store, b"hello") as staged:
        store.remove(staged.key, in_use=lambda: False)
        monkeypatch.setattr(Path, "exists", lambda _: True)
        staged.keep()
    monkeypatch.undo()
    with store.open_stored(staged.key) as file:
        assert file.read() == b"hello"


def test_a_key_alone_is_no_way_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("no")
    with pytest.raises(storage.NotStoredError):
        FolderStore(tmp_path / "files").open_stored("../secret")
