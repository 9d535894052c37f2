"""What people, automation and campaigns did is told apart, and equals a count by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.clock import Days
from host.events import reading
from host.models.inbox import Conversation, ConversationStatus, Message
from host.reports import figures, opened, tables
from host.reports.counting import Counting
from host.reports.figures import Figure, Selection
from host.reports.models import AUTOMATION, CAMPAIGN, Span
from host.reports.tables import Grouping
from host.sdk.messages import MessageEchoed, Program, Who
from tests.rules.below import LINK, WALL, Below, open_below


@pytest.fixture
def desk(database: db.Database, data: Path) -> Below:
    return open_below(data)


def told_of(desk: Below, contact: str) -> None:
    """Let the direct account report the private reply that somebody got below a post."""
    with db.read() as session:
        id_ = session.scalars(
            sa.select(Message.external_id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(Message.text == LINK, Conversation.id == desk.scene.conversation(contact))
        ).one()
    assert id_ is not None
    now = clock.now()
    change = MessageEchoed(contact, id_, now, text=LINK, sent_by=Program(Who.DESK))
    desk.scene._apply(desk.direct, WALL, change, now)


def selection(desk: Below) -> Selection:
    today = clock.now().date()
    return Selection(desk.desk.workspace, Days(today - timedelta(days=1), today, clock.zone("UTC")))


def count(desk: Below) -> figures.Figures:
    with db.read() as session:
        events = reading.after(session, reading.BEGINNING, 500).events
    db.write(Counting(lambda _account, _asked_at: None).consume, events)
    with db.read() as session:
        return figures.read_figures(session, selection(desk), clock.now())


def test_a_campaign_is_no_work_of_the_team(desk: Below) -> None:
    desk.writes("cleo", "Where is my order?")
    desk.campaign(texts=["Look into your messages"])
    for contact in ("ana", "bob", "cleo"):
        desk.comments(contact, "tide")
    desk.run()
    desk.sends()
    for contact in ("ana", "bob", "cleo"):
        told_of(desk, contact)
    desk.run()
    desk.sends()
    found = count(desk).total

    ours = desk.ours()
    assert [one for one, private in ours if private] == [LINK] * 3
    copies = 3
    sent = len(ours) - copies
    assert (found.sent, found.sent_by_campaigns, found.sent_automatically, found.answers) == (sent, 6, 0, 0)
    assert found.received == 4, "three comments and a question"
    assert (found.created, found.reopened) == (4, 0), "no more than customers began"
    assert (found.closed, found.closed_automatically, found.closed_by_team) == (3, 3, 0)
    assert (found.resolve.count, found.first.count, found.next.count) == (0, 0, 0)
    with db.read() as session:
        waits = sa.select(Span.conversation_id).where(Span.kind != "resolve", Span.ended_at.is_(None))
        rows = tables.read_table(session, selection(desk), clock.now(), Grouping.PERSON, {})
        left_out = opened.count_left_out(session, Figure.RESOLVE, selection(desk))
        (waiting,) = session.scalars(waits).all()
        asks = session.get_one(Conversation, waiting)
    assert (asks.account_id, asks.status) == (desk.direct.id, ConversationStatus.OPEN), "cleo still waits"
    assert {key: (one.answers, one.closed_by_team) for key, one in rows.items()} == {CAMPAIGN: (6, 3)}
    assert left_out.automatically == 3


def test_the_conversation_behind_a_private_reply_counts_once_its_customer_writes(desk: Below) -> None:
    desk.campaign(texts=[])
    desk.comments("ana", "tide")
    desk.run()
    desk.sends()
    told_of(desk, "ana")
    desk.writes("ana", "Do you ship to Spain?")
    found = count(desk).total
    assert (found.created, found.reopened, found.opened) == (1, 1, 2)
    with db.read() as session:
        wait = session.scalars(sa.select(Span).where(Span.kind == "first", Span.ended_at.is_(None))).one()
        listed = opened.list_opened(session, Figure.OPENED, selection(desk), clock.now(), most=9)
    assert wait.account_id == desk.direct.id
    assert len(listed.rows) == found.opened


def test_what_a_rule_says_and_closes_is_that_of_automation(desk: Below) -> None:
    desk.rule({"do": "say", "text": "Thank you"}, {"do": "close"}, name="Thanks")
    desk.writes("ana", "hello")
    desk.run()
    desk.sends()
    found = count(desk).total
    assert (found.sent, found.sent_automatically, found.sent_by_campaigns, found.answers) == (1, 1, 0, 0)
    assert (found.closed, found.closed_automatically, found.resolve.count) == (1, 1, 0)
    with db.read() as session:
        rows = tables.read_table(session, selection(desk), clock.now(), Grouping.PERSON, {})
        by_account = tables.read_table(session, selection(desk), clock.now(), Grouping.ACCOUNT, {})
        (closed,) = opened.list_opened(session, Figure.OPENED, selection(desk), clock.now(), most=9).rows
    assert {key: one.answers for key, one in rows.items()} == {AUTOMATION: 1}
    assert [one.answers for one in by_account.values()] == [0]
    assert closed.by == "automation"
