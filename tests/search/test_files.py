"""A word that was taken back or erased stands in no file of the database afterwards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from host.core import db, sqlite_wipe
from host.inbox import erasure
from host.models.inbox import Contact, Conversation
from host.search.postings import DOCUMENTS, POSTINGS
from tests.helpers import do
from tests.inbox import toys
from tests.search.desk import found_texts, read_record

MARKERS = ("zyxwmarkertaken", "zyxwmarkererased", "zyxwmarkername")


def left_in_files(database: db.Database) -> list[str]:
    path = Path(str(database.url.database))
    files = [one.read_bytes() for one in path.parent.glob(f"{path.name}*")]
    return [word for word in MARKERS if any(word.encode() in content for content in files)]


def left_in_tables() -> list[str]:
    with db.read() as session:
        terms = set(session.scalars(sa.select(POSTINGS.c.term)))
        kept = " ".join(session.scalars(sa.select(DOCUMENTS.c.terms)))
    return [word for word in MARKERS if word in terms or word in kept]


def take_back_and_erase() -> int:
    workspace = toys.make_workspace()
    account = toys.make_account(workspace)
    filler = [
        toys.received(f"filler number {n} with some words", at=n, contact=f"f{n % 9}") for n in range(300)
    ]
    toys.apply(account, *filler)
    toys.apply(account, toys.received(f"{MARKERS[0]} once", contact="bob", external_id="m1"))
    toys.apply(account, toys.received(f"{MARKERS[1]} too", contact="eve", contact_name=MARKERS[2]))
    read_record()
    assert set(left_in_tables()) == set(MARKERS)
    toys.apply(account, toys.unsent("m1", contact="bob", at=5))
    with db.read() as session:
        contact = session.scalar(
            sa.select(Conversation.contact_id)
            .join(Contact, Contact.id == Conversation.contact_id)
            .where(Contact.name == MARKERS[2])
        )
    assert contact is not None
    do(erasure.erase, workspace, contact)
    return workspace


def test_no_table_has_the_word_right_after_the_write(any_database: db.Database) -> None:
    workspace = take_back_and_erase()
    assert left_in_tables() == []
    read_record()
    assert left_in_tables() == []
    assert [found_texts(workspace, one) for one in MARKERS] == [[], [], []]


def test_no_file_has_the_word_when_traces_were_wiped(database: db.Database) -> None:
    take_back_and_erase()
    sqlite_wipe.clear(database, lambda: timedelta(hours=1))
    assert left_in_files(database) == []
