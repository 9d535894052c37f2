"""The disk that forgets takes back what was not synced, and nothing else."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture import powerloss

WRITER = """
import os, sqlite3, sys, time
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("PRAGMA journal_mode=WAL")
file.execute("PRAGMA synchronous=" + sys.argv[2])
for number in range(50):
    file.execute("INSERT INTO t VALUES (?)", (number,))
print("written", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("synchronous", "kept"), [("FULL", 50), ("OFF", 0)])
def test_what_was_not_synced_is_gone_after_a_power_cut(tmp_path: Path, synchronous: str, kept: int) -> None:
    shim = powerloss.build(tmp_path / "shim")
    if shim is None:
        pytest.skip("there is no C compiler")
    data = tmp_path / "data"
    data.mkdir()
    path = data / "lobby.sqlite3"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("CREATE TABLE t (n INTEGER)")
    file.close()
    unsynced = tmp_path / "unsynced"
    environment = {**os.environ, **powerloss.settings(shim, data, unsynced)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), synchronous], env=environment, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()

    forgotten = powerloss.forget(data, unsynced)

    assert (forgotten > 0) == (synchronous == "OFF")
    file = sqlite3.connect(path)
    assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert file.execute("SELECT COUNT(*) FROM t").fetchone() == (kept,)
    file.close()
