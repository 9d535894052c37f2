"""Bytes of attachments: durable, stored once, and reached by nothing but their key."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from host.core import storage
from host.core.storage import FolderStore, NotStoredError


def test_what_is_stored_comes_back_under_its_hash(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "attachments")
    key = store.store(b"hello")
    assert key == hashlib.sha256(b"hello").hexdigest()
    assert (tmp_path / "attachments" / key[:2] / key).read_bytes() == b"hello"
    with store.open_stored(key) as file:
        assert file.read() == b"hello"


def test_storing_twice_is_storing_once(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    key = store.store(b"hello")
    before = (tmp_path / key[:2] / key).stat()
    assert store.store(b"hello") == key
    assert (tmp_path / key[:2] / key).stat().st_ino == before.st_ino
    assert os.listdir(tmp_path / key[:2]) == [key]


def test_a_crash_before_the_rename_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            store.store(b"hello")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".lock"]
    assert store.store(b"hello")


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
    FolderStore(tmp_path).store(b"hello")
    assert steps[:3] == ["fsync", "rename", "fsync"]


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "0" * 64])
def test_a_key_nothing_is_stored_under_opens_nothing(tmp_path: Path, key: str) -> None:
    with pytest.raises(NotStoredError):
        FolderStore(tmp_path).open_stored(key)


def test_the_process_has_one_store(tmp_path: Path) -> None:
    storage.use(FolderStore(tmp_path))
    key = storage.store(b"x")
    with storage.open_stored(key) as file:
        assert file.read() == b"x"
