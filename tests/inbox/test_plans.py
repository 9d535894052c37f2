"""What the inbox reads in a workspace of 300,000 conversations on PostgreSQL: pages, not the table.

A page of a list may read a few thousand blocks of eight kilobytes, most of them again and again for the names
of the accounts. Reading every conversation takes more than a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox import queries
from host.inbox.queries import AnyTeam, Assignee, ConversationFilter, Order, Stretch
from host.inbox.teams.models import Team, TeamMember
from host.models.inbox import ConversationStatus
from host.queue import lanes
from host.queue.wakeups import IN
from tests.delivery.desk import Desk
from tests.inbox.toys import make_user

COUNT = 300_000
FEW_BLOCKS = 4_000
"""A page with everything that is joined to its 26 rows; every conversation: 300,000 and more."""

OPEN, CLOSED = ConversationStatus.OPEN, ConversationStatus.CLOSED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fresh_database,
    pytest.mark.parametrize("any_database", ["postgresql"], indirect=True),
]


@dataclass(frozen=True)
class Full:
    """A workspace with :data:`COUNT` conversations, one in a hundred open."""

    workspace: int
    quiet_account: int
    member: int
    team: int
    contact: int


def _copies(session: Session, table: str, row_id: int, **changed: str) -> None:
    """Copy a row :data:`COUNT` times; *changed* are expressions of its columns, with the number ``n``."""
    names = [column["name"] for column in sa.inspect(session.connection()).get_columns(table)]
    wanted = [name for name in names if name != "id"]
    values = ", ".join(changed.get(name, f"t.{name}") for name in wanted)
    session.execute(
        sa.text(
            f"INSERT INTO {table} ({', '.join(wanted)}) SELECT {values} FROM {table} t,"
            f" generate_series(1, {COUNT}) n WHERE t.id = {row_id}"
        )
    )


def fill() -> Full:
    """Return a full workspace; each use case that made its first rows is the product's own."""
    desk = Desk()
    other = desk.connect("200")
    first = desk.customer_wrote()
    member = make_user(desk.workspace_id)

    def many(session: Session) -> Full:
        get = lambda query: session.execute(sa.text(query)).one()  # noqa: E731
        contact, identity = get(f"SELECT contact_id, identity_id FROM conversations WHERE id = {first}")
        team = Team(workspace_id=desk.workspace_id, name="Sales", name_key="sales", created_at=clock.now())
        session.add(team)
        session.flush()
        session.add(
            TeamMember(workspace_id=desk.workspace_id, team_id=team.id, user_id=member, since=clock.now())
        )
        session.flush()
        _copies(session, "contacts", contact)
        (low,) = get(f"SELECT min(id) FROM contacts WHERE id > {contact}")
        _copies(session, "contact_identities", identity, external_id="'c' || n", contact_id=f"{low} - 1 + n")
        (lower,) = get(f"SELECT min(id) FROM contact_identities WHERE id > {identity}")
        _copies(
            session,
            "conversations",
            first,
            identity_id=f"{lower} - 1 + n",
            contact_id=f"{low} - 1 + n",
            account_id=f"CASE WHEN n % 10000 = 7 THEN {other.id} ELSE t.account_id END",
            status="CASE WHEN n % 100 = 0 THEN 'open' ELSE 'closed' END",
            waiting_since="CASE WHEN n % 200 = 0 THEN t.last_message_at - n * interval '1 minute' END",
            last_message_at="t.last_message_at - n * interval '1 minute'",
            last_inbound_at="t.last_message_at - n * interval '1 minute'",
            assignee_id=f"CASE WHEN n % 1000 = 0 THEN {member} END",
            team_id=f"CASE WHEN n % 2000 = 0 THEN {team.id} END",
        )
        return Full(desk.workspace_id, other.id, member, team.id, low + 5)

    full = db.write(many)
    with db.current().write_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    return full


@contextmanager
def noted() -> Iterator[list[tuple[str, Any]]]:
    """Note every statement, with its parameters."""
    found: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        found.append((statement, parameters))

    engine = db.current().write_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def blocks(read: Callable[[Session], object]) -> int:
    """Return how many blocks of tables and indexes *read* touches."""
    with noted() as statements, db.read() as session:
        read(session)
    total = 0
    with db.read() as session:
        for statement, parameters in statements:
            query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            (plan,) = session.connection().exec_driver_sql(query, parameters).scalar_one()
            total += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return total


def test_every_list_reads_a_page_and_not_the_table(any_database: db.Database, tmp_path: Path) -> None:
    full = fill()
    w, me = full.workspace, full.member
    now = clock.now()
    day = Stretch(frozenset({full.quiet_account - 1, full.quiet_account}), timedelta(0), timedelta(days=1))

    def page(order: Order = Order.NEWEST, **values: Any) -> Callable[[Session], object]:
        filter_ = ConversationFilter(**values)
        return lambda session: queries.list_conversations(session, w, me, filter_, order=order)

    looks: dict[str, Callable[[Session], object]] = {
        "newest, open": page(status=OPEN),
        "newest, closed": page(status=CLOSED),
        "waiting": page(Order.WAITING, status=OPEN),
        "window closing": lambda session: queries.list_closing(
            session, w, me, ConversationFilter(), [day], now
        ),
        "mine": page(status=OPEN, assignee=Assignee.ME),
        "mine, closed": page(status=CLOSED, assignee=Assignee.ME),
        "nobody's": page(status=OPEN, assignee=Assignee.NOBODY),
        "team": page(status=OPEN, team=full.team),
        "my teams": page(status=OPEN, team=AnyTeam.MINE),
        "one account, open": page(status=OPEN, account_id=full.quiet_account),
        "one account, closed": page(status=CLOSED, account_id=full.quiet_account),
        "one channel": page(status=OPEN, channel="email"),
        "one contact": lambda session: queries.of_contacts(session, w, [full.contact]),
        "one post": page(status=OPEN, post=1),
        "lanes to claim": lambda session: lanes.is_due(session, IN),
    }
    read = {name: blocks(look) for name, look in looks.items()}
    assert {name: number for name, number in read.items() if number > FEW_BLOCKS} == {}, read
    with db.read() as session:
        counted = queries.count(session, w, me, ConversationFilter(status=OPEN))
    assert (counted.open, counted.closed) == (COUNT // 100 + 1, COUNT - COUNT // 100)
    tally = blocks(lambda session: queries.count(session, w, me, ConversationFilter(status=OPEN)))
    assert tally < 12_000, "the index is read, and not the table"
