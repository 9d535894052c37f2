"""Comments are counted as messages are, under their own account, and answers of either kind with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import db
from host.events import reading
from host.reports.counting import Counting
from host.reports.models import ReportHour, Span, SpanEnd, SpanKind
from host.sdk.messages import MessageEchoed
from tests.inbox import desks, toys
from tests.inbox.boards import Board
from tests.inbox.desks import Desk


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.PUBLIC)


def test_comments_and_both_kinds_of_answers_are_counted(desk: Desk) -> None:
    board = Board(desk)
    board.post()
    _publicly, privately = (
        board.said(name, name, "How much?", board.ago(hours=5), mid=f"c-{name}") for name in ("ana", "ben")
    )
    board._apply(
        MessageEchoed("ana", "ours-1", board.ago(hours=4), text="Twelve.", reply_to="c-ana"),
        board.ago(hours=4),
    )
    board.private(privately, "Here", board.ago(hours=3), "ours-2")
    with db.read() as session:
        events = reading.after(session, reading.BEGINNING, 500).events
    db.write(Counting(lambda _account, _asked_at: None).consume, events)
    with db.read() as session:
        hours = ReportHour.__table__.c
        sums = sa.select(
            *(sa.func.sum(hours[name]) for name in ("received", "sent", "created", "first_count"))
        )
        found = session.execute(sums.where(hours.account_id == desk.account.id)).one()
        spans = session.scalars(sa.select(Span).where(Span.kind == SpanKind.FIRST)).all()
    assert tuple(found) == (2, 2, 2, 2)
    assert {one.ended_by for one in spans} == {SpanEnd.ANSWERED}
    assert {one.account_id for one in spans} == {desk.account.id}
