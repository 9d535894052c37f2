from __future__ import annotations

from pathlib import Path

from host import counters
from host.core import db


def test_counters_survive_and_grow(any_database: db.Database) -> None:
    before = counters.generation()
    db.write(lambda session: counters.bump(session, counters.GENERATION))
    assert counters.generation() == before + 1


def test_what_is_committed_to_sqlite_survives_a_power_cut(tmp_path: Path) -> None:
    """The fixtures of other tests switch this off for speed."""
    database = db.Database(f"sqlite:///{tmp_path / 'lobby.sqlite3'}")
    for engine in (database.write_engine, database.read_engine):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2, "it is not FULL"
    database.dispose()
