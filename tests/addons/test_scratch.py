"""The folders in which zips are unpacked: gone after a kill, left alone while somebody works in one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host.addons.package import store

WORKS = """
import sys
from pathlib import Path
from host.addons.package import store
with store.scratch(Path(sys.argv[1])) as folder:
    (folder / "release.zip").write_bytes(b"half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_process_that_starts_leaves_the_folder_of_another_and_deletes_that_of_a_killed_one(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", WORKS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        store.clean(tmp_path)
        assert (folder / "release.zip").read_bytes() == b"half"
        os.kill(other.pid, signal.SIGKILL)
    assert store.staged(tmp_path) != []
    store.clean(tmp_path)
    assert store.staged(tmp_path) == []


def test_what_an_earlier_lobby_left_without_a_lock_is_deleted(tmp_path: Path) -> None:
    left = store.root(tmp_path) / "staging" / "tmp1"
    left.mkdir(parents=True)
    (left / "release.zip").write_bytes(b"half")
    store.clean(tmp_path)
    assert store.staged(tmp_path) == []


def test_a_folder_that_was_deleted_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, late = store.file_lock, [True]

    @contextmanager
    def deleted_first(path: Path) -> Iterator[bool]:
        with lock(path) as free:
            if late and late.pop():
                shutil.rmtree(path.parent)
            yield free

    monkeypatch.setattr(store, "file_lock", deleted_first)
    with store.scratch(tmp_path) as folder:
        assert folder.is_dir()
    assert store.staged(tmp_path) == []
