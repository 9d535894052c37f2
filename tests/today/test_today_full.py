"""What the statements of the Today page read in a workspace with 200,000 messages on PostgreSQL: the day."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.inbox import Conversation, Message
from tests.delivery.desk import Desk
from tests.reports.test_figures import span, store
from tests.today.test_today import automatic, look, noted, open_browser, path

TALKS, EACH = 20_000, 10
"""Conversations, and messages of each beside its first; one conversation in forty is of today."""
FEW_BLOCKS = 12_000
"""Five hundred conversations with their messages, each row on a page of its own. All messages: 400,000."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fresh_database,
    pytest.mark.parametrize("any_database", ["postgresql"], indirect=True),
]


def _copies(session: Session, table: str, where: str, count: int, **changed: str) -> None:
    """Copy rows *count* times; *changed* are expressions of their columns, with the number ``n``."""
    names = [column["name"] for column in sa.inspect(session.connection()).get_columns(table)]
    wanted = [name for name in names if name != "id"]
    values = ", ".join(changed.get(name, f"t.{name}") for name in wanted)
    session.execute(
        sa.text(
            f"INSERT INTO {table} ({', '.join(wanted)}) SELECT {values} FROM {table} t,"
            f" generate_series(1, {count}) n WHERE {where}"
        )
    )


def fill(desk: Desk) -> None:
    """Fill the workspace: its conversations reach back forty days."""
    first = desk.customer_wrote()
    message = automatic(desk, first, "auto-greeting-1")
    now = clock.now()
    begun = [span("first", now, now, account_id=desk.account.id, conversation_id=first, user_id=1)]
    store(desk.workspace_id, begun, received=[now])
    ago = f"- interval '1 minute' * (n * 40.0 * 24 * 60 / {TALKS})"

    def many(session: Session) -> None:
        at = f"t.last_message_at {ago}"
        more = {"waiting_since": f"CASE WHEN n % 100 = 0 THEN {at} END"}
        more["status"] = "CASE WHEN n % 20 = 0 THEN 'open' ELSE 'closed' END"
        _copies(
            session, "conversations", f"t.id = {first}", TALKS, last_message_at=at, last_inbound_at=at, **more
        )
        (low,) = session.execute(sa.text(f"SELECT min(id) FROM conversations WHERE id > {first}")).one()
        talk = f"{low} - 1 + (n - 1) % {TALKS} + 1"
        there = f"t.sent_at - interval '1 minute' * (((n - 1) % {TALKS} + 1) * 40.0 * 24 * 60 / {TALKS})"
        changed = {"conversation_id": talk, "sent_at": there, "reply_key": "'auto-greeting-' || (n + 1)"}
        origin = {"origin": "CASE WHEN n % 4 = 0 THEN 'system' ELSE 'agent' END"}
        state = {"state": "CASE WHEN n % 200 = 0 THEN 'failed' ELSE 'sent' END"}
        _copies(session, "messages", f"t.id = {message}", TALKS * EACH, **changed, **origin, **state)
        _copies(
            session,
            "spans",
            f"t.conversation_id = {first}",
            TALKS,
            conversation_id=f"{low} - 1 + n",
            started_at=f"t.started_at {ago}",
            ended_at=f"t.ended_at {ago}",
            hour=f"date_trunc('hour', t.hour {ago})",
        )

    db.write(many)
    with db.current().write_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def test_each_statement_reads_the_day_and_not_the_table(any_desk: Desk, tmp_path: Path) -> None:
    fill(any_desk)
    owner = open_browser(any_desk, tmp_path)
    look(owner, path(any_desk))
    with noted() as statements:
        look(owner, path(any_desk))
    with db.read() as session:
        assert (session.scalar(sa.select(sa.func.count()).select_from(Message)) or 0) > TALKS * EACH
        assert (session.scalar(sa.select(sa.func.count()).select_from(Conversation)) or 0) > TALKS
        for statement, parameters in statements:
            query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            (plan,) = session.connection().exec_driver_sql(query, parameters).scalar_one()
            read = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            assert read < FEW_BLOCKS, statement
