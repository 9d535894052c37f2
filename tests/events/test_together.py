"""What is recorded together is written with one statement, in order, and dropped with what is rolled back."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.events.models import DomainEvent
from host.events.writing import show, together
from tests import helpers


def topics() -> list[str | None]:
    with db.read() as session:
        return list(session.scalars(sa.select(DomainEvent.topic).order_by(DomainEvent.id)))


@pytest.fixture
def workspace(database: db.Database) -> int:
    return helpers.make_workspace("Pottery")


def test_it_is_one_statement_in_the_order_in_which_it_happened(workspace: int) -> None:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "INTO domain_events" in statement:
            seen.append(statement)

    def use_case(session: Session) -> None:
        with together(session):
            show(session, workspace, "one")
            with together(session):
                show(session, workspace, "two")
            show(session, workspace, "three")
        show(session, workspace, "four")

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        db.write(use_case)
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)
    assert topics() == ["one", "two", "three", "four"]
    assert len(seen) == 2


def fails(session: Session, workspace: int) -> None:
    with together(session), session.begin_nested():
        show(session, workspace, "undone")
        raise ValueError("no")


def test_what_a_savepoint_rolls_back_is_not_recorded(workspace: int) -> None:
    def use_case(session: Session) -> None:
        with together(session):
            show(session, workspace, "before")
            with pytest.raises(ValueError, match="no"):
                fails(session, workspace)
            show(session, workspace, "after")

    db.write(use_case)
    assert topics() == ["before", "after"]


def test_nothing_is_kept_of_a_write_that_fails(workspace: int) -> None:
    def use_case(session: Session) -> None:
        with together(session):
            show(session, workspace, "lost")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        db.write(use_case)
    db.write(lambda session: show(session, workspace, "kept"))
    assert topics() == ["kept"]
