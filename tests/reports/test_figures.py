"""Figures equal a naive computation over the same spans, on every database and when clocks change."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.clock import Days
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.inbox.teams import teams
from host.models.inbox import Conversation
from host.reports import api as analytics
from host.reports import counting, figures
from host.reports.counting import hour_of
from host.reports.figures import Figure, Figures, Selection, Times, Totals
from host.reports.models import Span
from host.reports.pages import views
from host.reports.tables import Grouping, Key, read_before, read_table
from host.working_hours import hours
from tests.helpers import do
from tests.inbox import toys

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)
SPRING = Days(date(2026, 3, 27), date(2026, 3, 31), BERLIN)
"""Clocks go forward on its third day, which has 23 hours."""


def span(kind: str, start: datetime, end: datetime | None, **more: Any) -> dict[str, Any]:
    return {
        "account_id": 1,
        "conversation_id": 1,
        "kind": kind,
        "started_at": start,
        "ended_at": end,
        "hour": end and hour_of(end),
        "ended_by": end and ("closed" if kind == "resolve" else "answered"),
        "user_id": 0,
        "seconds": None if end is None else int((end - start).total_seconds()),
        "answered": False,
        "window_until": None,
        "team_id": None,
        **more,
    }


def random_spans(seed: int) -> list[dict[str, Any]]:
    """Return spans of ten days around the one when clocks change."""
    rng = random.Random(seed)
    spans = []
    for _ in range(400):
        start = datetime(2026, 3, 21, tzinfo=UTC) + timedelta(seconds=rng.randrange(86_400 * 12))
        length = timedelta(seconds=rng.choice([0, 59, 60, 3600, 86_400, 400_000]) * rng.random())
        kind = rng.choice(["first", "next", "resolve"])
        more: dict[str, Any] = {"account_id": rng.choice([1, 2]), "user_id": rng.choice([0, 1, 2])}
        more["team_id"] = rng.choice([None, 1, 2])
        if kind != "resolve":
            more["window_until"] = rng.choice([None, start, start + timedelta(hours=24)])
            if rng.random() < 0.2:
                more["ended_by"] = "closed"
        gone = rng.random() < 0.85
        spans.append(span(kind, start, start + length if gone else None, **more))
        if not gone:
            spans[-1]["ended_by"] = None
    return spans


@pytest.fixture
def workspace(any_database: db.Database) -> int:
    return toys.make_workspace()


def store(
    workspace: int,
    spans: Sequence[dict[str, Any]],
    *,
    received: Sequence[datetime] = (),
    of_team: Sequence[datetime] = (),
) -> None:
    """Store spans, and customers' messages as sums; *of_team*: those of the first team."""

    def write(session: Session) -> None:
        for start in range(0, len(spans), 50):
            rows = [{"workspace_id": workspace, **one} for one in spans[start : start + 50]]
            session.execute(sa.insert(Span), rows)
        sums = counting.new_sums()
        for at in received:
            sums[counting.Key(workspace, hour_of(at), 1, 0)]["received"] += 1
        for at in of_team:
            sums[counting.Key(workspace, hour_of(at), 1, 0, 1)]["received"] += 1
        counting.write_sums(session, sums)

    db.write(write)


def read(workspace: int, days: Days, *, by_hour: bool = False, **more: Any) -> Figures:
    with db.read() as session:
        return figures.read_figures(session, Selection(workspace, days, **more), NOW, by_hour=by_hour)


def naive(seconds: Sequence[int]) -> Times:
    """Return the smallest values that so many in ten do not exceed."""
    if not seconds:
        return Times()

    def within(part: int) -> int:
        enough = [
            one for one in seconds if sum(other <= one for other in seconds) * 10 >= part * len(seconds)
        ]
        return min(enough)

    return Times(len(seconds), within(1), within(5), within(9))


@pytest.mark.parametrize("seed", range(2))
def test_times_in_business_hours_equal_a_naive_computation(workspace: int, seed: int) -> None:
    week: hours.Week = (*(((hours.Span(540, 1020),),) * 5), (), ())
    night: hours.Week = ((hours.Span(0, 300), hours.Span(1200, 1440)),) * 7
    team = do(teams.create, workspace, name="Night", now=NOW).id
    do(hours.save, workspace, None, week=week, timezone="Europe/Berlin", now=NOW)
    do(hours.save, workspace, team, week=night, timezone="America/New_York", now=NOW)
    account = toys.make_account(workspace)
    toys.apply(account, toys.received("Hello"))
    with db.read() as session:
        theirs = session.scalars(sa.select(Conversation.id)).one()
    db.write(lambda session: session.execute(sa.update(Conversation).values(team_id=team)))
    spans = random_spans(seed)
    for one in spans[::3]:
        one["conversation_id"] = theirs
    for one in spans[1::3]:
        one["conversation_id"] = 10**6  # gone
    store(workspace, [one for one in spans if one["conversation_id"] != 1])
    with db.read() as session:
        ours, nights = (hours.of_team(session, workspace, one) for one in (None, team))
    found = read(workspace, SPRING, in_hours=True)
    by_clock = read(workspace, SPRING)
    for kind, ended_by in (("first", "answered"), ("next", "answered"), ("resolve", "closed")):
        seconds = [
            int(
                (nights if one["conversation_id"] == theirs else ours)
                .worked(one["started_at"], one["ended_at"])
                .total_seconds()
            )
            for one in spans
            if (one["kind"], one["ended_by"]) == (kind, ended_by) and one["conversation_id"] != 1
            if SPRING.first <= one["ended_at"].astimezone(BERLIN).date() <= SPRING.last
        ]
        assert getattr(found.total, kind) == naive(seconds)
    assert found.until_closed == by_clock.until_closed
    assert found.total.missed == by_clock.total.missed
    with db.read() as session:
        table = read_table(session, Selection(workspace, SPRING, in_hours=True), NOW, Grouping.ACCOUNT, {})
    assert sum(one.first.count for one in table.values()) == found.total.first.count
    assert max(one.first.nine or 0 for one in table.values()) >= (found.total.first.nine or 0)


def in_day(day: date) -> Callable[[datetime], bool]:
    return lambda at: at.astimezone(BERLIN).date() == day


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "chosen", [{}, {"accounts": [2]}, {"user_id": 1}, {"accounts": [1], "user_id": 2}, {"team_id": 1}]
)
def test_figures_equal_a_naive_computation(workspace: int, seed: int, chosen: dict[str, Any]) -> None:
    spans = random_spans(seed)
    store(workspace, spans)
    found = read(workspace, SPRING, **chosen)
    mine = [
        one
        for one in spans
        if one["account_id"] in chosen.get("accounts", [1, 2])
        and one["user_id"] == chosen.get("user_id", one["user_id"])
        and one["team_id"] == chosen.get("team_id", one["team_id"])
    ]

    def check(totals: figures.Totals, within: Callable[[datetime], bool]) -> None:
        for kind, ended_by in (("first", "answered"), ("next", "answered"), ("resolve", "closed")):
            seconds = [
                one["seconds"]
                for one in mine
                if one["kind"] == kind and one["ended_by"] == ended_by and within(one["ended_at"])
            ]
            assert getattr(totals, kind) == naive(seconds)
        assert totals.missed == sum(
            one["started_at"] < one["window_until"] < min(one["ended_at"] or NOW, NOW)
            for one in mine
            if one["window_until"] and within(one["window_until"])
        )

    check(found.total, lambda at: SPRING.first <= at.astimezone(BERLIN).date() <= SPRING.last)
    for begins, totals in found.steps:
        check(totals, in_day(begins.astimezone(BERLIN).date()))
    assert found.windows == sum(
        one["started_at"] < one["window_until"] and SPRING.first <= until.date() <= SPRING.last
        for one in mine
        if one["window_until"] and (until := one["window_until"].astimezone(BERLIN))
    )
    closed = [
        math.ceil(one["seconds"] / 3600)
        for one in mine
        if one["kind"] == "resolve"
        and one["ended_at"]
        and SPRING.first <= one["ended_at"].astimezone(BERLIN).date() <= SPRING.last
    ]
    classes = Counter(sum(hours > end for end in (1, 4, 24, 72)) for hours in closed)
    assert list(found.until_closed) == [classes[number] for number in range(5)]


@pytest.mark.parametrize("seed", range(2))
def test_the_rows_of_a_table_are_the_figures_of_each_alone(workspace: int, seed: int) -> None:
    spans = random_spans(seed)
    start, *_, end = SPRING.bounds()
    store(workspace, spans, received=[start, end - timedelta(hours=1), end], of_team=[start])
    assert apart(workspace, Grouping.ACCOUNT) == {
        one: read(workspace, SPRING, accounts=[one]).total for one in (1, 2)
    }
    assert apart(workspace, Grouping.PERSON) == {
        one: read(workspace, SPRING, user_id=one).total for one in range(3)
    }
    of_teams = apart(workspace, Grouping.TEAM)
    teams = {one: read(workspace, SPRING, team_id=one).total for one in (1, 2)}
    assert {one: of_teams[one] for one in teams} == teams
    assert apart(workspace, Grouping.TEAM, team_id=1) == {1: teams[1]}
    whole = read(workspace, SPRING).total
    for name in ("received", "missed", "promised"):
        assert sum(getattr(one, name) for one in of_teams.values()) == getattr(whole, name)
    assert (of_teams[1].received, of_teams[0].received) == (1, 1)
    assert sum(one.first.count for one in of_teams.values()) == whole.first.count
    assert apart(workspace, Grouping.CHANNEL) == {"toy": read(workspace, SPRING).total}
    of_one: dict[str, Any] = {"accounts": [2], "user_id": 1}
    assert apart(workspace, Grouping.ACCOUNT, **of_one) == {2: read(workspace, SPRING, **of_one).total}
    of_hours = apart(workspace, Grouping.HOUR)
    for hour in range(24):
        seconds = [
            one["seconds"]
            for one in spans
            if one["kind"] == "first" and one["ended_by"] == "answered" and start <= one["ended_at"] < end
            if one["ended_at"].astimezone(BERLIN).hour == hour
        ]
        assert (of_hours[hour].first if hour in of_hours else Times()) == naive(seconds)
    assert (of_hours[0].received, of_hours[23].received) == (1, 1)
    assert sum(one.missed for one in of_hours.values()) == read(workspace, SPRING).total.missed


def labelled_talks(workspace: int) -> tuple[list[int], list[int]]:
    """Return three conversations and two labels; the first has both, the second one, the third none."""
    account = toys.make_account(workspace)
    for contact in ("ana", "ben", "cem"):
        toys.apply(account, toys.received(contact=contact))
    tone, kept = LabelTone.RED, []
    for name in ("Complaint", "Order"):
        label = do(labels.create, workspace, name=name, tone=tone, now=NOW)
        kept.append(label.id)
    mine = Conversation.workspace_id == workspace
    with db.read() as session:
        talks = list(session.scalars(sa.select(Conversation.id).where(mine).order_by(Conversation.id)))
    for talk, add in ((talks[0], kept), (talks[1], kept[:1])):
        label_talk(workspace, talk, add)
    return talks, kept


def label_talk(workspace: int, talk: int, add: Sequence[int] = (), remove: Sequence[int] = ()) -> None:
    do(labels.set_labels, workspace, talk, add=add, remove=remove, now=NOW)


GONE = 10**6
"""The id of a deleted conversation."""


@pytest.mark.parametrize("in_hours", [False, True])
@pytest.mark.parametrize("chosen", [{}, {"accounts": [2]}, {"user_id": 1}, {"team_id": 1}])
def test_figures_by_label_equal_a_naive_computation(
    workspace: int, chosen: dict[str, Any], in_hours: bool
) -> None:
    talks, (complaint, order) = labelled_talks(workspace)
    spans = random_spans(5)
    for number, one in enumerate(spans):
        one["conversation_id"] = [*talks, GONE][number % 4]
    start, *_, end = SPRING.bounds()
    store(workspace, spans, received=[start])
    having = {complaint: talks[:2], order: talks[:1], figures.NO_LABEL: talks[2:]}
    table = apart(workspace, Grouping.LABEL, in_hours=in_hours, **chosen)
    assert set(table) == {complaint, order}
    for label, theirs in having.items():
        mine = [
            one
            for one in spans
            if one["conversation_id"] in theirs
            and one["account_id"] in chosen.get("accounts", [1, 2])
            and one["user_id"] == chosen.get("user_id", one["user_id"])
            and one["team_id"] == chosen.get("team_id", one["team_id"])
        ]
        alone = read(workspace, SPRING, in_hours=in_hours, label_id=label, **chosen)
        found = table.get(label, alone.total)
        assert found == alone.total, "a row is what its filter shows"
        assert sum(one.first.count for _at, one in alone.steps) == found.first.count
        for kind, ended_by in (("first", "answered"), ("next", "answered"), ("resolve", "closed")):
            seconds = [
                one["seconds"]
                for one in mine
                if (one["kind"], one["ended_by"]) == (kind, ended_by) and start <= one["ended_at"] < end
            ]
            times = getattr(found, kind)
            assert times.count == len(seconds)
            assert in_hours or times == naive(seconds)
        began = sum(one["kind"] == "resolve" and start <= one["started_at"] < end for one in mine)
        assert found.opened == (None if "user_id" in chosen else began)
        assert found.missed == sum(
            one["started_at"] < one["window_until"] < min(one["ended_at"] or NOW, NOW)
            for one in mine
            if one["window_until"] and start <= one["window_until"] < end
        )
        assert found.closed == found.resolve.count
        assert (found.received, found.sent, found.created, found.reopened) == (None,) * 4
        assert alone.week is None


def test_a_label_narrows_the_other_tables(workspace: int) -> None:
    talks, (complaint, order) = labelled_talks(workspace)
    spans = random_spans(6)
    for number, one in enumerate(spans):
        one["conversation_id"] = [*talks, GONE][number % 4]
    store(workspace, spans, received=[SPRING.bounds()[0]])
    for by, name in ((Grouping.PERSON, "user_id"), (Grouping.TEAM, "team_id")):
        table = apart(workspace, by, label_id=complaint)
        for key in (1, 2):
            assert table[key].first == read(workspace, SPRING, label_id=complaint, **{name: key}).total.first
        assert {one.sent for one in table.values()} == {None}
    assert set(apart(workspace, Grouping.LABEL, label_id=order)) == {complaint, order}, "it has both"
    assert apart(workspace, Grouping.LABEL, label_id=figures.NO_LABEL) == {}


def test_spans_have_the_labels_their_conversation_has_now(workspace: int) -> None:
    talks, (complaint, order) = labelled_talks(workspace)
    start = SPRING.bounds()[0]
    one = span("first", start, start + timedelta(minutes=5), conversation_id=talks[1])
    other = span("first", start, start + timedelta(minutes=9), conversation_id=talks[0])
    store(workspace, [one, other])

    def counts() -> dict[Key, int]:
        return {label: row.first.count for label, row in apart(workspace, Grouping.LABEL).items()}

    assert counts() == {complaint: 2, order: 1}
    do(labels.merge, workspace, complaint, into_id=order)
    assert counts() == {order: 2}, "the conversation that had both counts once"
    label_talk(workspace, talks[1], remove=[order])
    assert counts() == {order: 1}
    assert read(workspace, SPRING, label_id=figures.NO_LABEL).total.first.count == 1
    do(labels.delete, workspace, order)
    assert counts() == {}


def test_first_responses_of_the_days_before_by_label(workspace: int) -> None:
    talks, (complaint, order) = labelled_talks(workspace)
    start = SPRING.bounds()[0]
    days_before = [
        span("first", at, at + timedelta(minutes=length), conversation_id=talk)
        for at, length, talk in (
            (start - timedelta(days=1), 5, talks[0]),
            (start - timedelta(days=1), 7, talks[1]),
            (start - timedelta(days=30), 90, talks[0]),
            (start, 70, talks[0]),
        )
    ]
    store(workspace, days_before)
    with db.read() as session:
        found = read_before(session, Selection(workspace, SPRING), NOW)
    assert {label: (one.count, one.half) for label, one in found.items()} == {
        complaint: (2, 300),
        order: (1, 300),
    }


def test_a_table_leaves_out_what_adds_up_to_nothing(workspace: int) -> None:
    store(workspace, [], received=[SPRING.bounds()[0]])
    assert apart(workspace, Grouping.PERSON) == {}, "customers wrote, and nobody of the team did anything"
    assert set(apart(workspace, Grouping.HOUR)) == {0}


@pytest.mark.parametrize("by", Grouping)
def test_a_table_takes_as_many_queries_whatever_there_is(workspace: int, by: Grouping) -> None:
    def counted() -> int:
        said: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            said.append(statement)

        engine = db.current().read_engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            apart(workspace, by)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return sum(one.startswith("SELECT") for one in said)

    empty = counted()
    store(workspace, random_spans(2))
    assert counted() == empty == (7 if by is Grouping.TEAM else 6)


def apart(workspace: int, by: Grouping, **more: Any) -> dict[Key, Totals]:
    with db.read() as session:
        return read_table(session, Selection(workspace, SPRING, **more), NOW, by, {1: "toy", 2: "toy"})


def test_hours_of_the_day_when_clocks_change(workspace: int) -> None:
    midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)
    received = [midnight - timedelta(hours=1), midnight, midnight + timedelta(hours=22, minutes=59)]
    store(workspace, [], received=[*received, midnight + timedelta(hours=23)])
    day = Days(date(2026, 3, 29), date(2026, 3, 29), BERLIN)
    found = read(workspace, day, by_hour=True)
    assert (found.total.received, len(found.steps)) == (2, 23)
    assert [totals.received for _at, totals in found.steps] == [1, *[0] * 21, 1]
    assert found.week is not None
    assert (found.week[6][0], found.week[6][23]) == (1, 1)
    assert len(Days(date(2026, 10, 25), date(2026, 10, 25), BERLIN).hours()) == 26, "25 hours, and the end"


def test_the_days_before_are_as_many_and_end_where_these_begin(workspace: int) -> None:
    assert SPRING.before.bounds()[-1] == SPRING.bounds()[0]
    start = SPRING.bounds()[0]
    store(workspace, [], received=[start, start - timedelta(hours=1)])
    assert read(workspace, SPRING).before is None, "counting began later than those days"
    store(workspace, [], received=[start - timedelta(days=9)])
    before = read(workspace, SPRING).before
    assert before is not None
    assert before.received == 1


def test_what_customers_do_is_not_known_of_one_person(workspace: int) -> None:
    found = read(workspace, SPRING, user_id=1)
    assert (found.total.received, found.total.opened, found.total.sent, found.week) == (None, None, 0, None)


def test_an_empty_desk_has_no_times(workspace: int) -> None:
    found = read(workspace, SPRING)
    assert found.total.first == Times(0, None, None, None)
    assert (found.since, found.before, found.total.received, found.windows) == (None, None, 0, 0)


def test_other_workspaces_and_no_accounts_count_for_nothing(workspace: int) -> None:
    store(workspace, random_spans(1), received=[SPRING.bounds()[0]])
    other = read(toys.make_workspace(), SPRING)
    none = read(workspace, SPRING, accounts=[])
    for found in (other, none):
        assert (found.total.received, found.total.first.count, found.total.missed) == (0, 0, 0)


def test_however_long_the_time_the_queries_are_as_many(workspace: int) -> None:
    store(workspace, random_spans(2))
    said: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    engine = db.current().read_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        counts = []
        for days in (SPRING, Days(date(2025, 4, 3), date(2026, 4, 2), BERLIN)):
            said.clear()
            read(workspace, days)
            counts.append(sum(one.startswith("SELECT") for one in said))
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert counts[0] == counts[1] == 8


def test_with_a_label_a_table_takes_a_statement_less(workspace: int) -> None:
    _talks, (label, _order) = labelled_talks(workspace)
    statements = []
    for by in Grouping:
        said: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any, said: list[str] = said) -> None:
            said.append(statement)

        engine = db.current().read_engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            apart(workspace, by, label_id=label)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        statements.append(sum(one.startswith("SELECT") for one in said))
    assert statements == [6 if by is Grouping.LABEL else 5 for by in Grouping]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2025, 1, 1), date(2026, 3, 1)),
        (date(1999, 12, 31), date(2000, 1, 1)),
        (date(9999, 12, 31), date(9999, 12, 31)),
    ],
)
def test_days_that_make_no_sense_are_refused(first: date, last: date) -> None:
    with pytest.raises(ValueError, match="days"):
        Days(first, last)


def test_every_figure_has_its_conditions(workspace: int) -> None:
    chosen = Selection(workspace, SPRING)
    start, *_, end = SPRING.bounds()
    assert all(figures.conditions(one, chosen, start, end, NOW) for one in Figure)


def test_the_page_about_reports_defines_every_figure_by_its_name() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
    defined = {
        name
        for cell in re.findall(r"^\| [^|]+ \| (`[^|]+) \|", text, re.MULTILINE)
        for name in cell.split("`")[1::2]
    }
    fields = msgspec.structs.fields(analytics.Numbers)
    assert defined == {one.encode_name for one in fields} | {"windows"}
    named = set(re.findall(r"^\| ([A-Z][\w ]+) \|", text, re.MULTILINE))
    assert {str(title) for title, *_ in views.ABOUT.values()} <= named
    assert f"{clock.MOST_DAYS} days" in text
