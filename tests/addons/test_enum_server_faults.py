"""Widening an ENUM while the server is killed, and while the disk is full."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from host.core import migrations
from tests.addons.own_servers import Server
from tests.addons.talks import column, content, convert, execute, fill, make

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lobby-server-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    made = Server(request.param, folder)
    made.start()
    yield made
    made.close()


def test_the_server_may_be_killed_meanwhile(server: Server) -> None:
    engine = migrations.migration_engine(server.url)
    make(engine)
    fill(engine, 150_000)
    before = content(engine)
    interrupted = 0
    for pause in (0.0, 0.05, 0.2, 0.5, 1.0):
        killer = threading.Timer(pause, server.kill)

        def when_it_begins(
            _c: object, _cursor: object, statement: str, *_: object, timer: Any = killer
        ) -> None:
            if statement.startswith("ALTER TABLE") and "VARCHAR" in statement and not timer.ident:
                timer.start()

        event.listen(engine, "before_cursor_execute", when_it_begins)
        try:
            convert(engine)
        except DBAPIError:
            interrupted += 1
        event.remove(engine, "before_cursor_execute", when_it_begins)
        killer.join()
        server.start()
        assert content(engine) == before
        if isinstance(column(engine)["type"], sa.VARCHAR):
            break
    assert interrupted, "the server was never killed in the middle"
    convert(engine)
    assert content(engine) == before
    assert isinstance(column(engine)["type"], sa.VARCHAR)
    with engine.connect() as connection:
        if server.kind == "mariadb":
            assert connection.exec_driver_sql("CHECK TABLE talks").one()[3] == "OK"
            left = list(server.folder.glob("mysql_test/#sql*"))
            assert left == [], "the copy it was making is still there"
    engine.dispose()


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 300 MB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300m,mode=755", "none", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs more rights")
    yield folder
    for _ in range(50):
        if subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_a_full_disk_leaves_everything_as_it_was(small_disk: Path, kind: str) -> None:
    server = None
    if kind == "sqlite":
        url = f"sqlite:///{small_disk / 'x.sqlite3'}"
    else:
        server = Server(kind, small_disk)
        server.start()
        url = server.url
    try:
        engine = migrations.migration_engine(url)
        make(engine)
        fill(engine, 200_000)
        if kind == "postgresql":
            with engine.connect() as connection:
                execute(connection, "COMMIT", "CHECKPOINT")
        before = content(engine)
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file, suppress(OSError):
            while True:
                file.write(bytes(1024 * 1024))
                file.flush()
        with ballast.open("rb+") as file:
            file.truncate(max(ballast.stat().st_size - 3 * 1024 * 1024, 0))
        with pytest.raises(DBAPIError):
            convert(engine)
        ballast.unlink()
        if server is not None and server.process is not None and not server.answers():
            server.kill()
            server.start()
        assert content(engine) == before
        assert kind == "sqlite" or not isinstance(column(engine)["type"], sa.VARCHAR)
        convert(engine)
        assert content(engine) == before
        engine.dispose()
    finally:
        if server is not None:
            server.close()
