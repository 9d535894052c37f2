"""``lobby reports rebuild`` counts anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from host.cli.commands import main
from host.core import clock, db
from host.events.models import Consumer, DomainEvent
from host.reports.models import ReportHour
from tests.helpers import make_workspace


@pytest.fixture
def workspace(database: db.Database) -> int:
    """A workspace with two messages in the record, which the consumer has done, and sums that are wrong."""
    made = make_workspace()

    def write(session: Session) -> None:
        now = clock.now()
        row = {"workspace_id": made, "kind": "message.received", "account_id": 1, "at": now, "depth": 0}
        session.execute(sa.insert(DomainEvent), [row, row])
        session.add(Consumer(name="reports", place=0, event_id=2, moved_at=now))

    db.write(write)
    return made


def rebuild(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["reports", "rebuild", *arguments], env={"LOBBY_DATA": str(data)})


def received() -> list[int]:
    with db.read() as session:
        return list(session.scalars(sa.select(ReportHour.received)))


def test_sums_are_made_of_the_record(workspace: int, data: Path) -> None:
    assert received() == []
    found = rebuild(data, "--workspace", str(workspace))
    assert found.exit_code == 0, found.output
    assert f"workspace {workspace}: 1 rows" in found.output
    assert received() == [2]
    assert rebuild(data).exit_code == 0
    assert received() == [2], "twice is as once"


def test_a_workspace_that_is_not_there_is_told(workspace: int, data: Path) -> None:
    found = rebuild(data, "--workspace", "999")
    assert found.exit_code == 1
    assert "There is no such workspace." in found.output
