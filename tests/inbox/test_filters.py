"""The filter of conversations: the list, known rows and counts agree about what it lets through."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from host.core import db
from host.inbox import queries
from host.inbox.pages.arguments import Filter
from host.inbox.queries import Assignee, ConversationFilter
from host.models.inbox import ConversationStatus
from tests import helpers
from tests.inbox import scenes, toys
from tests.inbox.desks import Desk, open_desk


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> scenes.Scene:
    return scenes.Scene(desk)


@pytest.fixture
def people(desk: Desk, scene: scenes.Scene) -> tuple[int, int]:
    """Two members, and conversations of each status with one of them, the other, or nobody."""
    mia, bo = desk.mia.id, helpers.make_user(name="Bo T.", workspace=desk.workspace).id
    for member, closed in product((mia, bo, None), (False, True)):
        contact = f"{member}-{closed}"
        scene.said(contact, contact, "Hi", scene.ago(hours=1))
        if member is not None:
            scene.assign(contact, member, bo, scene.now)
        if closed:
            scene.close(contact, bo, scene.now)
    return mia, bo


def listed(desk: Desk, filter_: ConversationFilter, user_id: int | None) -> set[str]:
    """Return the contacts a filter lets through; the list and a look at known rows must agree."""
    with db.read() as session:
        everything = queries.list_conversations(session, desk.workspace, None, ConversationFilter()).rows
        rows = queries.list_conversations(session, desk.workspace, user_id, filter_).rows
        ids = [row.id for row in everything]
        known = queries.matching_rows(session, desk.workspace, user_id, filter_, ids)
    assert list(everything) == sorted(everything, key=lambda row: (row.last_message_at, row.id), reverse=True)
    assert {row.id for row in known} == {row.id for row in rows}
    assert [row.id for row in rows] == [row.id for row in everything if row in rows]
    return {row.identity_external_id for row in rows}


def test_conditions_add_up(desk: Desk, people: tuple[int, int]) -> None:
    mia, bo = people
    assignees: dict[int | Assignee | None, set[int | None]] = {
        None: {mia, bo, None},
        Assignee.ME: {mia},
        Assignee.NOBODY: {None},
        bo: {bo},
    }
    statuses: dict[ConversationStatus | None, set[bool]] = {
        None: {False, True},
        ConversationStatus.OPEN: {False},
        ConversationStatus.CLOSED: {True},
    }
    for assignee, status in product(assignees, statuses):
        filter_ = ConversationFilter(status=status, assignee=assignee, channel="email")
        expected = {f"{member}-{one}" for member, one in product(assignees[assignee], statuses[status])}
        assert listed(desk, filter_, mia) == expected
    everybody = ConversationFilter(contact=f"{bo}-True", account_id=desk.account.id)
    assert listed(desk, everybody, None) == {f"{bo}-True"}


def test_an_account_of_another_workspace_has_no_conversations_here(
    desk: Desk, scene: scenes.Scene, people: tuple[int, int]
) -> None:
    other = toys.make_account(toys.make_workspace())
    scene.said("far", "Far", "Hi", scene.now, account=other)
    for filter_ in (
        ConversationFilter(account_id=other.id),
        ConversationFilter(contact="far"),
        ConversationFilter(contact="far", account_id=other.id),
    ):
        with db.read() as session:
            assert not queries.list_conversations(session, desk.workspace, None, filter_).rows


def test_a_program_has_no_conversations_of_its_own(desk: Desk) -> None:
    with db.read() as session, pytest.raises(ValueError, match="of its own"):
        queries.list_conversations(session, desk.workspace, None, ConversationFilter(assignee=Assignee.ME))


def test_the_counts_are_those_of_the_lists(desk: Desk, people: tuple[int, int]) -> None:
    mia, _bo = people
    with db.read() as session:
        for status in ConversationStatus:
            counts = queries.count(session, desk.workspace, mia, Filter(status=status, assignee=Assignee.ME))
            assert (counts.mine, counts.unassigned, counts.all) == (1, 1, 3)
            assert (counts.open, counts.closed, counts.channels) == (3, 3, {"email": 3})


@pytest.mark.parametrize(
    ("filter_", "arguments"),
    [
        (Filter(), []),
        (Filter(assignee=Assignee.ME), [("view", "mine")]),
        (
            Filter(assignee=Assignee.NOBODY, status=ConversationStatus.CLOSED, channel="email"),
            [("view", "unassigned"), ("status", "closed"), ("channel", "email")],
        ),
    ],
)
def test_an_address_names_a_filter(filter_: Filter, arguments: list[tuple[str, str]]) -> None:
    assert list(filter_.arguments().items()) == arguments
    assert Filter.read(dict(arguments)) == filter_


def test_a_link_changes_one_part_and_keeps_the_others() -> None:
    filter_ = Filter(assignee=Assignee.ME, channel="email")
    assert filter_.changed(status="closed") == Filter(
        status=ConversationStatus.CLOSED, assignee=Assignee.ME, channel="email"
    )
    assert filter_.changed(view="all") == Filter(channel="email")
    assert filter_.changed(channel=None) == Filter(assignee=Assignee.ME)
    assert filter_.changed(view="x", status="x") == Filter(channel="email")
