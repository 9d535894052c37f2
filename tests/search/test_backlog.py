"""How far search is behind, as it is counted on every database and said on every page."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.core import db
from host.events import reading
from host.events.consuming import _make_rows
from host.search import backlog as counting
from host.search import building
from host.search.backlog import Backlog, backlog
from host.search.documents import Indexing
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.search.desk import build_all, read_record


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count an event as late as soon as it is written."""
    monkeypatch.setattr(counting, "USUAL", -timedelta(minutes=1))


def behind(workspace: int, most: int = 1000) -> Backlog:
    with db.read() as session:
        return backlog(session, workspace, most)


def test_what_is_not_yet_indexed_is_counted(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, other = toys.make_workspace(), toys.make_workspace("Another")
    account, elsewhere = toys.make_account(workspace), toys.make_account(other)
    toys.apply(account, *(toys.received(f"mug {n}", at=n, contact=f"c{n % 5}") for n in range(25)))
    assert behind(workspace) == Backlog(25, 5), "no worker has begun"
    assert behind(other) == Backlog()
    assert behind(workspace, most=3) == Backlog(4, 4)
    monkeypatch.setattr(building, "PORTION", 10)
    reading.number_all()
    db.write(_make_rows, [Indexing()])
    left = []
    while building.build_some():
        left.append(behind(workspace))
    assert left == [Backlog(15), Backlog(5)]
    assert behind(workspace) == Backlog()
    # What comes now stands in the event log until its reader has passed it.
    toys.apply(account, toys.received("later", at=30, contact="c1"), toys.received("new", at=31, contact="x"))
    assert behind(workspace) == Backlog(2, 2)
    toys.apply(elsewhere, toys.received("not theirs", at=32))
    assert behind(workspace) == Backlog(2, 2)
    assert behind(other) == Backlog(1, 1)
    assert behind(workspace, most=0) == Backlog(1, 1)
    read_record()
    assert behind(workspace) == behind(other) == Backlog()
    db.write(building.rebuild)
    assert behind(workspace) == Backlog(27, 6)
    build_all()
    assert behind(workspace) == Backlog()


def test_a_message_found_within_the_usual_time_is_not_behind(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = toys.make_workspace()
    build_all()
    toys.apply(toys.make_account(workspace), toys.received("mug"))
    assert behind(workspace) == Backlog(1, 1)
    monkeypatch.setattr(counting, "USUAL", timedelta(hours=1))
    assert behind(workspace) == Backlog()


def test_counting_takes_three_statements_along_indexes(database: db.Database) -> None:
    workspace = toys.make_workspace()
    toys.apply(toys.make_account(workspace), toys.received("mug"))
    build_all()
    with toys.Statements(database) as asked:
        behind(workspace)
    assert len(asked.seen) == 3, "the progress of the builds, of the reader, and the count"
    with db.read() as session:
        places = (1,) * asked.seen[-1].count("?")
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.seen[-1]}", places)
        read = [row[3] for row in plan if {"messages", "contacts", "domain_events"} & set(row[3].split())]
    assert len(read) == 4
    assert all(line.startswith("SEARCH") and "INDEX" in line for line in read), read


def test_pages_say_how_many_are_left_in_place_of_no_results(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.sign_in()
    toys.apply(
        desk.account,
        *(toys.received(f"mug {n}", at=n, contact=f"c{n % 2}", contact_name="Anna") for n in range(3)),
    )

    def page(path: str, **arguments: str) -> str:
        answer = desk.browser.get(f"/w/{desk.workspace}/{path}", query_string=arguments)
        assert answer.status_code == 200
        return html.unescape(answer.text)

    contact = db.write(lambda session: session.scalar(sa.text("SELECT min(id) FROM contacts")))
    places = [
        ("search", {"q": "mug"}, "3 messages"),
        ("search", {"q": "mug*", "part": "1"}, "3 messages"),
        ("contacts", {"q": "anna"}, "2 contacts"),
        (f"contacts/{contact}/merge", {"q": "anna"}, "2 contacts"),
    ]
    for path, arguments, left in places:
        found = page(path, **arguments)
        assert f"Still indexing, {left} left." in found
        assert "No results." not in found
        assert "No contacts found." not in found
    assert 'data-behind="Still indexing, 2 contacts left."' in page("search", q="mug"), "for the palette"
    assert 'data-number="Still indexing, 3 messages left."' in page("search", q="mug*", part="1")
    # A filter that names nothing finds nothing, however much is indexed.
    assert "Still indexing" not in page("search", q="label:nonesuch")
    monkeypatch.setattr(counting, "MOST", 2)
    monkeypatch.setattr(counting.backlog, "__defaults__", (2,))
    assert "Still indexing, more than 2 messages left." in page("search", q="mug")
    monkeypatch.undo()
    build_all()
    assert "Still indexing" not in page("search", q="nobodywrotethis")
    assert "No results." in page("search", q="nobodywrotethis")
    assert "No contacts found." in page("contacts", q="nobody")
