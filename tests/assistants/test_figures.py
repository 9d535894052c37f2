"""What assistants did adds up the same on every database, day by day in the workspace's time zone."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.assistants import figures, ratings
from host.assistants.figures import Dearest, Spent, TurnCounts, WorkspaceUsage
from host.assistants.models import Mode, TurnOutcome, TurnState
from host.assistants.ratings import TurnFilter, TurnNotFoundError
from host.core import db
from host.models.users import Workspace
from tests.assistants.turns import Turns, made, put, turn
from tests.automation.automated import Automated
from tests.helpers import do

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 11, 10, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 19, 23, 0, tzinfo=UTC)
"""When the day began in Berlin."""


def zoned(desk: Automated, name: str | None) -> ZoneInfo:
    def use_case(session: Session) -> None:
        session.get_one(Workspace, desk.desk.workspace).timezone = name

    db.write(use_case)
    with db.read() as session:
        return figures.zone_of(session, desk.desk.workspace)


def test_days_are_those_of_the_workspace(any_desk: Automated) -> None:
    desk = any_desk
    desk.said()
    assert zoned(desk, None) == zoned(desk, "Nowhere/Else") == ZoneInfo("UTC")
    zone = zoned(desk, "Europe/Berlin")
    one = made(desk)
    turns = Turns(desk, one)
    second = timedelta(seconds=1)
    used = {"tokens_in": 900, "tokens_out": 100, "cost": 4_000}
    turns.add(at=MIDNIGHT, outcome=TurnOutcome.TAKEN, **used)
    turns.add(at=MIDNIGHT, outcome=TurnOutcome.EDITED, right=True, **used)
    turns.add(TurnState.DISMISSED, at=MIDNIGHT, outcome=TurnOutcome.DISMISSED, right=False)
    turns.add(TurnState.DISCARDED, at=MIDNIGHT, outcome=TurnOutcome.WRITTEN)
    turns.add(TurnState.DISCARDED, at=MIDNIGHT, reason="newer")
    turns.add(TurnState.READY, at=MIDNIGHT)
    turns.add(at=MIDNIGHT - second, mode=Mode.ANSWER, **used)
    turns.add(TurnState.HANDED_OVER, at=MIDNIGHT - second, mode=Mode.ANSWER)
    turns.add(TurnState.FAILED, at=MIDNIGHT - timedelta(days=29), **used)
    turns.add(at=MIDNIGHT - timedelta(days=29, hours=-1), outcome=TurnOutcome.TAKEN)  # before clocks changed
    turns.add(TurnState.FAILED, at=MIDNIGHT - timedelta(days=31))
    turns.add(outcome=TurnOutcome.TAKEN, at=MIDNIGHT, assistant_id=made(desk, "Another"))
    with db.read() as session:
        days = figures.by_day(session, one, NOW, zone)
        assert figures.by_day(session, one, NOW, zone, accounts=frozenset({0}))[-1][1] == TurnCounts()
    assert len(days) == 30
    assert [day for day, _counts in days][::29] == [date(2026, 10, 22), date(2026, 11, 20)]
    by_day = dict(days)
    assert by_day[date(2026, 11, 20)] == TurnCounts(
        suggested=5,
        taken=1,
        edited=1,
        dismissed=1,
        written=1,
        right=1,
        wrong=1,
        tokens=2_000,
        cost=8_000,
    )
    assert by_day[date(2026, 11, 19)] == TurnCounts(answered=1, handed_over=1, tokens=1_000, cost=4_000)
    assert by_day[date(2026, 10, 22)] == TurnCounts(suggested=1, taken=1, failed=1, tokens=1_000, cost=4_000)
    assert figures.total(days).tokens == 4_000


def test_use_counts_all_assistants_of_the_workspace_today_and_this_month(any_desk: Automated) -> None:
    desk = any_desk
    desk.said()
    zone = zoned(desk, "Europe/Berlin")
    first = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
    one, two = Turns(desk, made(desk)), Turns(desk, made(desk, "Another"))
    one.add(at=MIDNIGHT, tokens_in=10, tokens_out=1, cost=7)
    two.number = 100
    two.add(TurnState.THINKING, at=MIDNIGHT, cost=5)
    two.add(TurnState.WAITING, at=MIDNIGHT, fence=0)
    two.add(TurnState.HANDED_OVER, at=MIDNIGHT, reason="limit_day")
    one.add(TurnState.DISCARDED, at=first, tokens_in=100, cost=3)
    one.add(at=first - timedelta(seconds=1), tokens_in=1_000, cost=1_000)
    with db.read() as session:
        use = figures.use(session, desk.desk.workspace, NOW, zone)
        assert figures.use(session, 0, NOW, zone) == WorkspaceUsage()
    assert use == WorkspaceUsage(today=Spent(2, 11, 12), month=Spent(3, 111, 15))


def test_the_dearest_conversation_is_found(any_desk: Automated) -> None:
    desk = any_desk
    desk.said("ana")
    desk.said("bob")
    id_ = made(desk)
    turns = Turns(desk, id_)
    since = NOW - timedelta(days=1)
    with db.read() as session:
        assert figures.dearest(session, id_, since) is None
    turns.add(at=NOW, cost=5, contact="ana")
    turns.add(at=NOW, cost=4, tokens_in=9, contact="bob")
    turns.add(at=NOW, cost=3, tokens_out=1, contact="bob")
    turns.add(at=since - timedelta(seconds=1), cost=100, contact="ana")
    with db.read() as session:
        found = figures.dearest(session, id_, since)
        assert figures.dearest(session, id_, since, accounts=frozenset()) is None
    assert found == Dearest(desk.scene.conversation("bob"), Spent(2, 10, 7))


def test_questions_are_counted_by_assistant_and_account(any_desk: Automated) -> None:
    desk = any_desk
    desk.said()
    id_ = made(desk)
    turns = Turns(desk, id_)
    turns.add(TurnState.WAITING, at=NOW)
    turns.add(TurnState.FAILED, at=NOW)
    turns.add(at=NOW - figures.WEEK - timedelta(seconds=1))
    with db.read() as session:
        found = figures.asked(session, desk.desk.workspace, NOW - figures.WEEK)
    assert found == {(id_, desk.desk.account.id): 2}


ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Santiago", "Pacific/Apia"]


@given(at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), zone=st.sampled_from(ZONES))
def test_days_follow_one_another_and_today_is_the_last(at: datetime, zone: str) -> None:
    now, there = at.replace(tzinfo=UTC), ZoneInfo(zone)
    found = figures.days(now, there)
    assert len(found) == 30
    assert found[-1][1] <= now < found[-1][1] + timedelta(hours=25)
    assert all(before < after for (_a, before), (_b, after) in itertools.pairwise(found))
    assert found[-1][0] == now.astimezone(there).date()


# ---- what was said lately ------------------------------------------------------------------------------


def test_turns_are_listed_newest_first_by_what_became_of_them(any_desk: Automated) -> None:
    desk = any_desk
    desk.said()
    id_ = made(desk)
    put(desk, id_)
    turns = Turns(desk, id_)
    sources = [{"number": 1, "title": "Shipping"}, {"number": 2, "title": "Returns", "used": False}]
    taken = turns.add(outcome=TurnOutcome.TAKEN, sources=sources)
    handed = turns.add(TurnState.HANDED_OVER, reason="no_source", text="")
    failed = turns.add(TurnState.FAILED, reason="model_timeout")
    turns.add(TurnState.WAITING)
    turns.add(assistant_id=made(desk, "Another"))

    def listed(show: TurnFilter = TurnFilter.ALL, **more: object) -> list[int]:
        with db.read() as session:
            return [one.id for one in ratings.lately(session, id_, show=show, **more)]  # type: ignore[arg-type]

    assert listed() == [failed, handed, taken]
    assert listed(limit=1) == [failed]
    assert listed(before=failed) == [handed, taken]
    assert (listed(TurnFilter.TAKEN), listed(TurnFilter.HANDED_OVER), listed(TurnFilter.FAILED)) == (
        [taken],
        [handed],
        [failed],
    )
    assert listed(accounts=frozenset()) == []
    assert listed(TurnFilter.WRONG) == []
    workspace = desk.desk.workspace
    for _twice in range(2):
        assert do(ratings.judge, workspace, id_, taken, right=False).right is False
    assert listed(TurnFilter.WRONG) == [taken]
    do(ratings.judge, workspace, id_, taken, right=True)
    assert turn(taken).right is True
    for wrong in ((0, id_), (workspace, 0)):
        with pytest.raises(TurnNotFoundError):
            do(ratings.judge, *wrong, taken, right=True)
    with db.read() as session:
        (newest,) = ratings.lately(session, id_, show=TurnFilter.TAKEN)
        assert session.scalar(sa.select(sa.literal(1))) == 1
    assert (newest.contact, newest.account, [one.title for one in newest.sources]) == (
        "Ana Q.",
        "@sample.pottery",
        ["Shipping"],
    )
    assert ratings.state(newest) == "Accepted unchanged"
