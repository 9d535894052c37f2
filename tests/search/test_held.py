"""While somebody holds a row of one customer, search locks nobody out, and others are found."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from host.core import db
from host.events import reading
from host.events.consuming import _make_rows
from host.events.reading import BEGINNING, Position, Recorded
from host.models.inbox import Contact, ContactIdentity, Message
from host.models.search import SearchBuild
from host.search import building
from host.search.documents import Indexing
from host.search.finding import finder
from host.search.finding.query import read_query
from tests.delivery.test_held_rows import holding
from tests.inbox import toys
from tests.search.desk import find, read_record

pytestmark = [
    pytest.mark.services,
    pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True),
]


@pytest.fixture
def workspace(any_database: db.Database) -> int:
    workspace = toys.make_workspace()
    account = toys.make_account(workspace)
    toys.apply(account, toys.received("blue mug", at=1, contact="anna", contact_name="Anna"))
    toys.apply(account, toys.received("blue vase", at=2, contact="bert", contact_name="Bert"))
    return workspace


def consume(position: Position) -> tuple[list[Recorded], Position]:
    """Have the consumer do the events behind *position* once; return them and where they end."""
    reading.number_all()
    with db.read() as session:
        batch = reading.after(session, position, Indexing.batch, shown=True)
    db.write(Indexing().consume, batch.events)
    return list(batch.events), batch.end


def texts(workspace: int) -> list[str]:
    return sorted(one.texts[0] for one in find(workspace, "blue").hits)


def people(workspace: int) -> list[str]:
    with db.read() as session:
        asked = [read_query(name) for name in ("anna", "bert")]
        found = [finder.find_people(session, workspace, one, accounts=None) for one in asked]
    return [one.name for each in found for one in each]


@pytest.mark.parametrize("held", ["message", "contact"])
def test_others_are_found_at_once_and_the_held_one_afterwards(workspace: int, held: str) -> None:
    with db.read() as session:
        anna = session.scalars(
            sa.select(ContactIdentity.contact_id).where(ContactIdentity.external_id == "anna")
        ).one()
    row = (Message, Message.text == "blue mug") if held == "message" else (Contact, Contact.id == anna)
    with holding(*row):
        _events, end = consume(BEGINNING)
        again, _end = consume(end)
        assert len(again) == 1, "what is held is recorded once more, and nothing else"
        assert texts(workspace) == (["blue vase"] if held == "message" else ["blue mug", "blue vase"])
        assert people(workspace) == (["Anna", "Bert"] if held == "message" else ["Bert"])
    read_record()
    assert texts(workspace) == ["blue mug", "blue vase"]
    assert people(workspace) == ["Anna", "Bert"]
    _events, end = consume(BEGINNING)
    assert consume(end)[0] == []


def test_what_was_there_before_waits_at_the_held_row(workspace: int) -> None:
    db.write(_make_rows, [Indexing()])
    with holding(Message, Message.text == "blue mug"):
        assert [building.build_some() for _ in range(3)] == [True, False, False], "no more to do for now"
        assert texts(workspace) == ["blue vase"]
        with db.read() as session:
            assert [one.done_at is None for one in session.scalars(sa.select(SearchBuild))].count(True) == 1
    while building.build_some():
        pass
    assert texts(workspace) == ["blue mug", "blue vase"]
