"""Reading columns past the ORM."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.users import User
from tests.helpers import make_user


def _query() -> sa.Select[str]:
    return sa.select(User.email).where(User.name == sa.bindparam("name"))


def test_rows_are_read_in_the_transaction_of_the_session_with_what_it_did_not_write_yet(
    any_database: db.Database,
) -> None:
    make_user(name="Mia R.")

    def rename(session: Session) -> list[str]:
        session.scalars(sa.select(User)).one().name = "Bo T."
        return [row.email for row in db.read_rows(session, _query(), name="Bo T.")]

    assert len(db.write(rename)) == 1
    with db.read() as session:
        assert db.read_rows(session, _query(), name="Mia R.") == []


def test_a_moment_comes_back_as_it_was_stored(any_database: db.Database) -> None:
    person = make_user()
    whole = datetime(2026, 11, 21, 10, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    for at in (whole, whole.replace(microsecond=1), clock.now()):
        db.write(lambda session, at=at: session.execute(sa.update(User).values(created_at=at)))
        with db.read() as session:
            ((read,),) = db.read_rows(session, sa.select(User.created_at).where(User.id == person.id))
        assert read == at
        assert read.tzinfo is UTC
