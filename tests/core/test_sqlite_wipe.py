"""What was deleted does not stay in an SQLite file or its log."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db, sqlite_wipe
from tests.inbox import toys
from tests.inbox.toys import apply, echoed, edited, received, unsent

QUIET = timedelta(hours=1)


def files(database: db.Database) -> bytes:
    path = Path(str(database.url.database))
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


@pytest.fixture
def erased(database: db.Database) -> str:
    """A word of a message that was taken back a moment ago."""
    account = toys.make_account(toys.make_workspace())
    word = secrets.token_hex(16)
    apply(account, received(f"my number is {word}", external_id="m1"))
    apply(account, unsent("m1", at=5))
    return word


def test_the_log_is_emptied_and_the_file_written_anew(database: db.Database, erased: str) -> None:
    assert erased.encode() in files(database), "the log holds the row as it was"
    assert sqlite_wipe.clear(database, timedelta)
    assert erased.encode() not in files(database)
    assert not Path(f"{database.url.database}-deleted").exists()


def test_readers_in_the_way_only_put_it_off(database: db.Database, erased: str) -> None:
    with database.read_engine.connect() as reader:
        reader.execute(sa.text("SELECT count(*) FROM messages")).scalar()
        assert not sqlite_wipe.clear(database, lambda: QUIET)
    assert sqlite_wipe.clear(database, lambda: QUIET)
    assert erased.encode() not in files(database)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_wipe, "SMALL", 1)
    return


@pytest.mark.usefixtures("large")
def test_a_large_file_is_written_anew_when_nothing_comes_or_after_a_day(
    database: db.Database, erased: str
) -> None:
    note = Path(f"{database.url.database}-deleted")
    assert not sqlite_wipe.clear(database, lambda: timedelta(minutes=1))
    assert note.exists()
    with clock.travel(timedelta(hours=25)):
        assert sqlite_wipe.clear(database, lambda: timedelta(minutes=1))
    sqlite_wipe.note_deletion(database)
    assert sqlite_wipe.clear(database, lambda: QUIET)
    assert erased.encode() not in files(database)


def test_a_file_that_cannot_be_written_anew_now_is_tried_again(
    database: db.Database, erased: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_wipe, "compact", lambda _database: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sqlite_wipe.clear(database, lambda: QUIET)
    assert sqlite_wipe.clear(database, lambda: QUIET)
    assert erased.encode() not in files(database)


def test_no_copy_of_a_row_that_moved_is_left(database: db.Database) -> None:
    """Rows that grow push others to other pages; the pages they leave keep their bytes."""
    account = toys.make_account(toys.make_workspace())
    words = {f"m{n}": secrets.token_hex(12) for n in range(400)}
    for n, (mid, word) in enumerate(words.items()):
        said = received if n % 3 else echoed
        text = f"{word} {'x' * (n * 37 % 900)}"
        changes = [said(text, at=n, external_id=mid)]
        if n % 4 == 3:
            changes.append(edited(f"m{n // 2}", f"{words[f'm{n // 2}']} {'y' * 2500}", at=n))  # type: ignore[arg-type]
        apply(account, *changes)
    gone = list(words)[::3]
    apply(account, *(unsent(mid, at=999) for mid in gone))
    assert sqlite_wipe.clear(database, lambda: QUIET)
    found = files(database)
    assert [mid for mid in gone if words[mid].encode() in found] == []
    assert words["m1"].encode() in found
