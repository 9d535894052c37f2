from __future__ import annotations

from host import counters, db


def test_counters_survive_and_grow(any_database: db.Database) -> None:
    before = counters.generation()
    db.write(lambda session: counters.bump(session, counters.GENERATION))
    assert counters.generation() == before + 1
