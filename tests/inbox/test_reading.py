"""What each member has read: their own marks, what an answer and closing do to them, on every database."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.core import db
from host.inbox import queries
from host.inbox.conversation_actions import mark_read, mark_unread, set_fields
from host.inbox.queries import ConversationFilter, Order, Stretch
from host.models.inbox import Conversation, ConversationRead, ConversationStatus
from host.models.users import Workspace
from host.sdk.channel import AccountRef
from tests.helpers import do, queue_reply
from tests.inbox import toys
from tests.inbox.toys import apply, echoed, received

NOW = toys.START + timedelta(days=30)


class People:
    """A workspace with two members, and one customer who wrote."""

    def __init__(self) -> None:
        self.workspace = toys.make_workspace()
        self.account = toys.make_account(self.workspace)
        self.mia, self.bo = (toys.make_user(self.workspace, name) for name in ("Mia R.", "Bo T."))
        apply(self.account, received("one"))
        self.id = toys.only(Conversation).id
        self.number = 0

    def news(self, user: int) -> int:
        with db.read() as session:
            row = queries.get_row(session, self.workspace, self.id, user, accounts=None)
        assert row is not None
        return row.news

    def both(self) -> tuple[int, int]:
        return self.news(self.mia), self.news(self.bo)

    def read(self, user: int, until: int | None = None) -> bool:
        return do(mark_read, self.workspace, self.id, user_id=user, until=until or toys.thread()[-1].id)

    def mark(self, user: int) -> None:
        do(mark_unread, self.workspace, self.id, user_id=user)

    def answer(self, user: int) -> None:
        self.number += 1
        do(
            queue_reply,
            self.workspace,
            self.id,
            "Yes",
            reply_key=f"reply-{self.number:08d}",
            adapter=toys.TOY,
            actor=user,
            now=toys.START + timedelta(seconds=90),
        )

    def set(self, user: int, **changes: object) -> None:
        do(set_fields, self.workspace, self.id, changes, actor=user, now=NOW)  # type: ignore[arg-type]

    def unread(self, user: int) -> int:
        with db.read() as session:
            rows = queries.list_conversations(session, self.workspace, user, ConversationFilter()).rows
            return sum(row.news > 0 for row in rows)


@pytest.fixture
def people(any_database: db.Database) -> People:
    return People()


def test_each_member_reads_for_themselves(people: People) -> None:
    mia, bo = people.mia, people.bo
    apply(people.account, received("two", at=1))
    assert people.both() == (2, 2)
    assert people.read(mia), "the first of the team"
    assert (people.both(), people.unread(mia), people.unread(bo)) == ((0, 2), 0, 1)
    assert not people.read(bo)
    apply(people.account, received("three", at=2))
    assert people.both() == (1, 1)
    people.read(mia, toys.thread()[0].id)  # a tab that is behind takes nothing back
    assert people.both() == (1, 1)
    # Marked until they read it again.
    people.read(mia)
    people.mark(mia)
    assert (people.both(), people.unread(mia)) == ((1, 1), 1)
    people.read(mia)
    assert people.both() == (0, 1)


def test_an_answer_is_read_by_everybody_but_a_mark_stays(people: People) -> None:
    mia, bo = people.mia, people.bo
    people.mark(bo)
    people.answer(mia)
    assert (people.both(), people.unread(mia), people.unread(bo)) == ((0, 1), 0, 1)
    people.read(bo)
    assert people.both() == (0, 0)
    apply(people.account, received("two", at=1))
    assert people.both() == (1, 1)
    people.set(bo, status=ConversationStatus.CLOSED)
    assert people.both() == (0, 0)
    assert toys.everything_of(ConversationRead) == []


def test_who_waits_for_an_answer(people: People) -> None:
    def waiting() -> object:
        return toys.only(Conversation).waiting_since

    first = toys.START
    assert waiting() == first
    apply(people.account, received("two", at=60))
    assert waiting() == first, "since the first message that was not answered"
    people.answer(people.mia)
    assert waiting() is None
    apply(people.account, received("three", at=120))
    assert waiting() == first + timedelta(seconds=120)
    apply(people.account, echoed("from the app", at=130))
    assert waiting() is None
    apply(people.account, received("four", at=140))
    people.set(people.mia, status=ConversationStatus.CLOSED)
    assert waiting() is None


def test_answering_takes_a_conversation_nobody_has_where_the_workspace_wants_it(people: People) -> None:
    people.answer(people.mia)
    assert toys.only(Conversation).assignee_id is None
    toys.change_row(Workspace, people.workspace, assigns_on_reply=True)
    people.answer(people.mia)
    assert toys.only(Conversation).assignee_id == people.mia
    people.answer(people.bo)
    assert toys.only(Conversation).assignee_id == people.mia, "who has it keeps it"
    assert [one.content["what"] for one in toys.thread() if one.kind == "activity"] == ["took"]


def write(account: AccountRef, contact: str, ago: timedelta) -> None:
    at = (NOW - ago - toys.START).total_seconds()
    apply(account, received("hi", at=at, contact=contact, contact_name=contact))


def names(workspace: int, order: Order, limit: int, **values: object) -> list[str]:
    """Return the names of the whole list, read page by page."""
    found: list[str] = []
    before = None
    for _ in range(20):
        with db.read() as session:
            filter_ = ConversationFilter(status=ConversationStatus.OPEN)
            if order is Order.CLOSING:
                page = queries.list_closing(
                    session,
                    workspace,
                    1,
                    filter_,
                    before=before,
                    limit=limit,
                    now=NOW,
                    **values,  # type: ignore[arg-type]
                )
            else:
                page = queries.list_conversations(
                    session, workspace, 1, filter_, before=before, limit=limit, order=order
                )
        found += [row.contact_name or "" for row in page.rows]
        before = page.next
        if before is None:
            return found
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_the_list_by_who_waits_and_whose_window_closes(any_database: db.Database, limit: int) -> None:
    workspace = toys.make_workspace()
    short, long = toys.make_account(workspace), toys.make_account(workspace)
    hour = timedelta(hours=1)
    write(short, "late", 23 * hour)
    write(short, "fresh", hour)
    write(short, "people", 30 * hour)
    write(short, "over", 200 * hour)
    write(long, "open end", 50 * hour)
    write(short, "again", 40 * hour)
    write(short, "again", 2 * hour)
    ids = {one.id for one in toys.everything(Conversation)}
    assert len(ids) == 6
    assert names(workspace, Order.NEWEST, limit)[0] == "fresh"
    waiting = ["over", "open end", "again", "people", "late", "fresh"]
    assert names(workspace, Order.WAITING, limit) == waiting
    own = frozenset({short.id})
    stretches = [
        Stretch(own, timedelta(0), 24 * hour),
        Stretch(own, 24 * hour, 168 * hour),
        Stretch(frozenset({long.id}), timedelta(0), None),
    ]
    closing = ["late", "again", "fresh", "people", "open end"]
    assert names(workspace, Order.CLOSING, limit, stretches=stretches) == closing


def test_what_the_migration_makes_of_the_team_s_flag(people: People) -> None:
    """Unread for the team becomes unread for everybody; what somebody had read is read for everybody."""
    texts = (
        "UPDATE conversations SET arrived_count = 0, waiting_since = NULL",
        "UPDATE conversations SET arrived_count = unread_count WHERE unread_count > 0",
    )

    def as_before(session: object) -> None:
        for text in texts:
            session.execute(sa.text(text))  # type: ignore[attr-defined]

    db.write(as_before)
    assert people.both() == (1, 1)
