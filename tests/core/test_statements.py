"""Statements at the driver's price say and bring what SQLAlchemy's do, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.accounts import save_account
from host.core import db
from host.core.statements import MOST_ROWS, Insert, Statement
from host.inbox.apply.tables import CONTACTS, IDENTITIES
from host.models.queue import InboundEvent, Lane
from host.sdk.cards import Connection
from tests.helpers import make_workspace

LANES = Lane.metadata.tables["lanes"]
EVENTS = InboundEvent.metadata.tables["inbound_events"]
AT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)


def lane(number: int, **more: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": f"in:1:{number}",
        "direction": "in",
        "account_id": None,
        "next_at": AT + timedelta(minutes=number),
        "fence": number,
    }
    return row | more


def insert(*rows: dict[str, Any], **options: Any) -> list[tuple[Any, ...]]:
    return db.write(lambda session: Insert(LANES, **options).run(session.connection(), rows))


def found(statement: Statement, **values: Any) -> list[tuple[Any, ...]]:
    with db.read() as session:
        return statement.rows(session.connection(), values)


_of_keys = Statement(
    sa.select(LANES.c.key, LANES.c.next_at, LANES.c.fence)
    .where(LANES.c.key.in_(sa.bindparam("keys", expanding=True)), LANES.c.direction == "in")
    .order_by(LANES.c.key)
)


def test_rows_come_back_as_they_went_in(any_database: db.Database) -> None:
    insert(lane(1), lane(2, next_at=None))
    assert found(_of_keys, keys=["in:1:1", "in:1:2"]) == [
        ("in:1:1", AT + timedelta(minutes=1), 1),
        ("in:1:2", None, 2),
    ]
    with db.read() as session:
        assert session.scalar(sa.select(Lane.next_at).where(Lane.key == "in:1:1")) == AT + timedelta(
            minutes=1
        )


@pytest.mark.parametrize("keys", [[], ["in:1:1"], ["in:1:1"] * 4, ["in:1:3", "in:1:1", "nothing' --"]])
def test_a_list_may_have_any_length(any_database: db.Database, keys: list[str]) -> None:
    insert(lane(1), lane(2), lane(3))
    assert [row[0] for row in found(_of_keys, keys=keys)] == sorted({*keys} - {"nothing' --"})


def test_an_update_takes_values_constants_and_many_rows(any_database: db.Database) -> None:
    insert(lane(1), lane(2), lane(3))
    statement = Statement(
        sa.update(LANES)
        .where(LANES.c.key == sa.bindparam("b_key"))
        .values(fence=LANES.c.fence + 10, owner=sa.case((LANES.c.fence > 1, "late"), else_="early"))
    )
    rows = [{"b_key": f"in:1:{n}", "next_at": AT if n == 1 else None} for n in (1, 2)]
    db.write(lambda session: statement.run_many(session.connection(), rows))
    with db.read() as session:
        query = sa.select(Lane.fence, Lane.owner, Lane.next_at).order_by(Lane.key)
        assert [tuple(row) for row in session.execute(query)] == [
            (11, "early", AT),
            (12, "late", None),
            (3, None, AT + timedelta(minutes=3)),
        ]


def test_no_rows_are_no_statement(any_database: db.Database) -> None:
    def run(session: Session) -> None:
        Statement(sa.delete(LANES).where(LANES.c.key == sa.bindparam("b_key"))).run_many(
            session.connection(), []
        )
        assert Insert(LANES).run(session.connection(), []) == []

    db.write(run)


def test_many_rows_return_those_that_were_not_there(any_database: db.Database) -> None:
    insert(lane(3, fence=99))
    count = 2 * MOST_ROWS + 1
    made = insert(*(lane(n) for n in range(count)), returning=[LANES.c.key, LANES.c.next_at], ignore=True)
    fresh = {(key, at) for key, at in made if key != "in:1:3"}
    assert fresh == {(f"in:1:{n}", AT + timedelta(minutes=n)) for n in range(count) if n != 3}
    with db.read() as session:
        assert session.scalar(sa.select(Lane.fence).where(Lane.key == "in:1:3")) == 99
        assert session.scalar(sa.select(sa.func.count()).select_from(Lane)) == count


def test_text_and_json_are_kept_to_the_letter(any_database: db.Database) -> None:
    workspace = make_workspace()
    name, profile = "50% % %s %(a)s ? :a 'b\\", {"größe": [1, 2.5, None, True], "%s": "\N{GRINNING FACE}"}
    of_contact = Statement(
        sa.select(IDENTITIES.c.profile, IDENTITIES.c.seen_early, CONTACTS.c.name)
        .join_from(IDENTITIES, CONTACTS, CONTACTS.c.id == IDENTITIES.c.contact_id)
        .where(CONTACTS.c.id == sa.bindparam("contact"), CONTACTS.c.name != "%s")
    )

    def run(session: Session) -> None:
        connection = session.connection()
        account = save_account(
            session,
            workspace_id=workspace,
            channel="toy",
            connection=Connection("a", "Pottery", "@pottery", "way", lambda *_: None),
        )
        contact = {"workspace_id": workspace, "name": name, "email": None, "created_at": AT}
        ((id_, stored),) = Insert(CONTACTS, returning=[CONTACTS.c.id, CONTACTS.c.name]).run(
            connection, [contact]
        )
        assert stored == name
        identity = {
            "workspace_id": workspace,
            "contact_id": id_,
            "account_id": account.id,
            "external_id": name,
            "profile": profile,
            "profile_failures": 0,
            "seen_early": None,
            "created_at": AT,
        }
        Insert(IDENTITIES, ignore=True).run(connection, [identity])
        assert of_contact.rows(connection, {"contact": id_}) == [(profile, None, name)]

    db.write(run)


def test_a_default_of_the_model_has_to_be_given(any_database: db.Database) -> None:
    row = {"request_id": 1, "channel": "toy", "account_key": "", "lane": "l"}

    def run(session: Session) -> None:
        with pytest.raises(TypeError, match="attempts"):
            Insert(EVENTS).run(session.connection(), [row])
        with pytest.raises(TypeError, match="defaults"):
            Statement(sa.insert(EVENTS)).run(session.connection(), row)

    db.write(run)


def test_an_error_is_sqlalchemys(any_database: db.Database) -> None:
    insert(lane(1))
    with pytest.raises(sa.exc.IntegrityError) as caught:
        insert(lane(1))
    assert db.why_undone(caught.value) is None


def test_a_time_without_a_zone_is_refused(any_database: db.Database) -> None:
    with pytest.raises(TypeError, match="time zone"):
        insert(lane(1, next_at=datetime(2026, 1, 1)))
