"""Hours of a team: what its clocks show decides, held against whoever looks at the clock each minute."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.core import clock, db
from host.core.errors import NotFoundError
from host.inbox.teams import teams
from host.models.users import Role
from host.users import audit
from host.users.workspaces import SavedMeanwhileError
from host.working_hours import hours
from host.working_hours.hours import ALL_DAY, ALWAYS, CLOSED, DAY, ExceptionalDays, Hours, Span
from tests import helpers
from tests.helpers import do
from tests.inbox.desks import Desk, open_desk

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "UTC")
MINUTE = timedelta(minutes=1)
DAYTIME = (Span(540, 750), Span(810, 1080))
WEEK = (*(DAYTIME,) * 5, (Span(600, 840),), CLOSED)


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# ---- the clock on the wall -----------------------------------------------------------------------------


def naive(spans_of: Mapping[date, tuple[Span, ...]], week: hours.Week, zone: str, moment: datetime) -> bool:
    """Say whether it is open as somebody does who looks at the clock and at the sign on the door."""
    wall = moment.astimezone(ZoneInfo(zone))
    sign = spans_of.get(wall.date(), week[wall.weekday()])
    return any(one.starts <= wall.hour * 60 + wall.minute < one.ends for one in sign)


@st.composite
def days(draw: st.DrawFn) -> tuple[Span, ...]:
    # Edges in the small hours are where clocks are changed.
    edges = st.one_of(st.integers(0, DAY), st.integers(0, 240), st.sampled_from([0, 60, 120, 150, 180, DAY]))
    found = sorted(draw(st.sets(edges, max_size=6)))
    return tuple(Span(a, b) for a, b in zip(found[::2], found[1::2], strict=False))


def changes_of(zone: str) -> list[datetime]:
    found: list[datetime] = []
    since = at("2026-01-01")
    while len(found) < 6 and (change := clock.next_change(zone, since, timedelta(days=500))):
        found.append(change[0])
        since = change[0]
    return found


MOMENTS = {zone: changes_of(zone) for zone in ZONES}


@st.composite
def cases(draw: st.DrawFn) -> tuple[Hours, dict[date, tuple[Span, ...]], datetime]:
    zone = draw(st.sampled_from(ZONES))
    week = tuple(draw(days()) for _ in range(7))
    start = draw(st.sampled_from(MOMENTS[zone] or [at("2026-06-01")])) - timedelta(
        minutes=draw(st.integers(-200, 3000))
    )
    around = st.integers(-1, 3).map(lambda step: start.date() + timedelta(days=step))
    exceptions = draw(st.dictionaries(around, days(), max_size=2))
    return Hours(week, exceptions, zone), exceptions, start


@settings(max_examples=40)
@given(cases())
def test_it_is_open_as_the_clock_on_the_wall_says(
    case: tuple[Hours, dict[date, tuple[Span, ...]], datetime],
) -> None:
    work, exceptions, start = case
    moments = [start + MINUTE * step for step in range(3 * DAY)]
    flags = [naive(exceptions, work.week, work.timezone, one) for one in moments]
    assert [work.is_open(one) for one in moments[::7]] == flags[::7]
    end = moments[-1] + MINUTE
    assert work.worked(start, end) == MINUTE * sum(flags)
    worked = hours.WorkedTime(work, start, end)
    for since, until in ((0, 100), (700, 3000), (1440, 4000), (DAY, DAY), (90, 60)):
        assert worked.between(moments[since], moments[until]) == work.worked(moments[since], moments[until])
    found = list(work.openings(start, end))
    assert found == sorted(found)
    assert all(a[1] < b[0] for a, b in pairwise(found)), "what touches is one"
    for step in {0, 1, DAY - 61, DAY, DAY + 59} | {
        one for one in range(1, 2 * DAY) if flags[one] != flags[one - 1]
    }:
        moment = moments[step]
        following = flags[step:]
        if True in following:
            assert work.opens_at(moment) == moments[step + following.index(True)]
        if not flags[step]:
            assert work.closes_at(moment) is None
        elif False in following:
            assert work.closes_at(moment) == moments[step + following.index(False)]


@pytest.mark.parametrize("zone", ZONES)
def test_clocks_are_changed_when_the_zone_says_so(zone: str) -> None:
    there = ZoneInfo(zone)
    for moment in MOMENTS[zone]:
        before, after = (moment - timedelta(seconds=1)).astimezone(there), moment.astimezone(there)
        assert before.utcoffset() != after.utcoffset()
        change = clock.next_change(zone, moment - timedelta(days=1, seconds=0.25), timedelta(days=7))
        assert change is not None
        assert change == (moment, after.utcoffset() - before.utcoffset())  # type: ignore[operator]
    assert bool(MOMENTS[zone]) == (zone not in {"Asia/Kathmandu", "UTC"})


# ---- said once, in words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "opens", "closes"),
    [
        ("2026-11-20T07:59", "2026-11-20T08:00", None),
        ("2026-11-20T08:00", "2026-11-20T08:00", "2026-11-20T11:30"),
        ("2026-11-20T11:30", "2026-11-20T12:30", None),
        ("2026-11-20T17:00", "2026-11-21T09:00", None),
        ("2026-11-22T12:00", "2026-11-23T08:00", None),
    ],
)
def test_a_week_in_berlin(moment: str, opens: str, closes: str | None) -> None:
    work = Hours(WEEK, {}, BERLIN)
    assert work.opens_at(at(moment)) == at(opens)
    assert work.closes_at(at(moment)) == (at(closes) if closes else None)
    assert work.is_open(at(moment)) == (closes is not None)


def test_the_day_wins_over_the_week_and_each_year_comes_last() -> None:
    holidays = ExceptionalDays(date(2026, 12, 24), date(2027, 1, 2), CLOSED, "Holidays", yearly=True)
    market = ExceptionalDays(date(2027, 12, 24), date(2027, 12, 24), ALL_DAY, "Market")
    work = Hours(WEEK, hours.by_day([holidays, market]), BERLIN)
    assert work.on(date(2025, 12, 24)) == DAYTIME, "from the first on"
    assert work.on(date(2026, 12, 24)) == work.on(date(2029, 1, 2)) == CLOSED
    assert work.on(date(2026, 12, 23)) == work.on(date(2029, 1, 3)) == DAYTIME
    assert work.on(date(2027, 12, 24)) == ALL_DAY
    leap = ExceptionalDays(date(2027, 2, 28), date(2027, 3, 1), CLOSED, yearly=True)
    assert hours.falls_on(leap, date(2028, 2, 29))


def test_hours_that_meet_at_midnight_are_one_opening() -> None:
    nights = Hours(((Span(1200, DAY),), (Span(0, 120),), *((),) * 5), {}, BERLIN)
    assert nights.closes_at(at("2026-11-23T20:00")) == at("2026-11-24T01:00")
    assert list(nights.openings(at("2026-11-23T00:00"), at("2026-11-25T00:00"))) == [
        (at("2026-11-23T19:00"), at("2026-11-24T01:00"))
    ]


def test_always_and_never() -> None:
    now = at("2026-11-20T12:00")
    assert ALWAYS.is_open(now)
    assert ALWAYS.opens_at(now) == now
    assert ALWAYS.closes_at(now) is None
    assert ALWAYS.worked(now, now + timedelta(days=900, microseconds=5)) == timedelta(
        days=900, microseconds=5
    )
    assert ALWAYS.worked(now, now - MINUTE) == timedelta()
    never = Hours((CLOSED,) * 7, {}, BERLIN)
    assert never.opens_at(now) is never.closes_at(now) is None
    assert not never.worked(now, now + timedelta(days=900))


# ---- typed, checked, kept ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", ()),
        ("9-17", (Span(540, 1020),)),
        ("09:00 – 12:30, 13.30—18", (Span(540, 750), Span(810, 1080))),
        ("0:00 - 24:00;", (Span(0, DAY),)),
        ("18 – 0", (Span(1080, DAY),)),
    ],
)
def test_hours_are_read_as_people_type_them(text: str, spans: tuple[Span, ...]) -> None:
    assert hours.spans_in(text) == spans
    assert hours.spans_in(hours.text_of(spans)) == spans


@pytest.mark.parametrize("text", ["closed", "9", "9:60 - 10", "24 - 25", "9-12 13-15", "9" * 300, "١-٢"])
def test_what_says_no_hours_is_none(text: str) -> None:
    with pytest.raises(hours.NotHoursError):
        hours.spans_in(text)


@settings(max_examples=60)
@given(st.tuples(*[days()] * 7), st.lists(st.tuples(st.dates(date(2026, 1, 1), date(2029, 1, 1)), days())))
def test_what_is_kept_is_what_was_said(
    week: tuple[tuple[Span, ...], ...], some: list[tuple[date, tuple[Span, ...]]]
) -> None:
    exceptions = [ExceptionalDays(day, day, spans, "x", yearly=len(spans) == 1) for day, spans in some]
    now = at("2026-11-20T12:00")
    days_named = [one.first if not one.yearly else (one.first.month, one.first.day) for one in exceptions]
    if len(set(days_named)) < len(days_named) or not any(week):
        with pytest.raises(hours.HoursError):
            hours.checked(week, [one for one in exceptions if any(week) or not one.spans], BERLIN, now)
        return
    kept, others = hours.checked(week, exceptions, BERLIN, now)
    assert kept == week
    assert sorted(one.first for one in exceptions) == [one.first for one in others]
    assert [ExceptionalDays.of(one.plain()) for one in others] == list(others)
    work = Hours(kept, hours.by_day(others), BERLIN)
    for one in others:
        if not one.yearly:
            assert work.on(one.first) == one.spans


def test_hours_are_kept_for_workspaces_and_teams(any_database: db.Database) -> None:
    now = at("2026-11-20T12:00")
    shop, other = helpers.make_workspace(), helpers.make_workspace("Books")
    team = do(teams.create, shop, name="Orders", now=now).id
    quiet = do(teams.create, shop, name="Returns", now=now).id
    with db.read() as session:
        assert hours.of_workspace(session, shop) is ALWAYS
        assert hours.of_team(session, shop, team) is ALWAYS
    night = (*(((Span(1200, DAY)),),) * 7,)
    market = ExceptionalDays(date(2026, 12, 12), date(2026, 12, 13), ALL_DAY, "Market\u0000")
    do(hours.save, shop, None, week=WEEK, exceptions=[market], timezone=BERLIN, version=0, now=now)
    do(hours.save, shop, team, week=night, timezone="Asia/Kathmandu", now=now)
    with pytest.raises(SavedMeanwhileError):
        do(hours.save, shop, None, week=None, version=0, now=now)
    with pytest.raises(NotFoundError):
        do(hours.save, other, team, week=None, now=now)
    with db.read() as session:
        loaded = hours.load(session, [shop, other])
        assert hours.of_team(session, shop, None).week == WEEK
        assert hours.of_team(session, shop, None).timezone == BERLIN
    assert loaded.of(shop, quiet).on(date(2026, 12, 13)) == ALL_DAY
    assert loaded.of(shop, team).week == night
    assert loaded.own(shop).exceptions[0].name == "Market"
    assert loaded.of(other) is ALWAYS
    do(hours.save, shop, team, week=None, version=1, now=now)
    with db.read() as session:
        [last, *_], _more = audit.page(session, audit.AuditFilter(kinds=("hours",)))
        assert (last.subject, last.details) == ("Orders", {"own": "no"})
        assert hours.of_team(session, shop, team).week == WEEK
        assert hours.load(session, [shop]).own(shop, team).version == 2
    do(teams.delete, shop, team)
    with db.read() as session:
        assert (shop, team) not in hours.load(session, [shop]).kept


# ---- the pages -----------------------------------------------------------------------------------------


def lead_of(desk: Desk) -> helpers.Browser:
    lead = helpers.make_user(name="Bo T.", workspace=desk.workspace, role=Role.LEAD)
    return helpers.client_for(desk.app, lead)


def typed(**other: str) -> dict[str, str]:
    return {"own": "1", "timezone": BERLIN, "version": "0", "monday": "9-17", **other}


def test_leads_save_hours_and_others_read_them(desk: Desk) -> None:
    lead = lead_of(desk)
    page = f"/w/{desk.workspace}/settings/hours"
    assert lead.post_form(page, **typed()).status_code == 303
    for browser in (desk.browser, lead):
        text = browser.get(page).text
        assert "09:00 – 17:00" in text
        assert ("data-own>" in text) == (browser is lead)
    assert desk.browser.post_form(page, **typed()).status_code == 403


def test_what_was_typed_wrong_is_shown_again_with_its_place(desk: Desk) -> None:
    lead = lead_of(desk)
    page = f"/w/{desk.workspace}/settings/hours"
    for place, wrong, sentence in (
        ("wednesday", {"wednesday": "from 9"}, "Wednesday: “from 9” isn't a valid time range."),
        ("wednesday", {"wednesday": "9-8"}, "Wednesday: 09:00 – 08:00 ends before it begins."),
        ("first-4", {"first-4": "", "name-4": "Market"}, "The exception needs a start date."),
        ("first-4", {"first-4": "2026-12-24", "open-4": "x"}, "2026-12-24: “x” isn't a valid time range."),
        ("timezone", {"timezone": ""}, "Choose one of the time zones."),
        ("", {"monday": ""}, "With these hours you would be closed"),
    ):
        answer = lead.post_form(page, **typed(**wrong))
        assert answer.status_code == 400
        assert sentence in html.unescape(answer.text)
        assert not place or re.search(rf'name="{place}"[^>]*aria-invalid', answer.text)
        assert 'value="9-17"' in answer.text or wrong.get("monday") == ""
    assert lead.post_form(page, **typed()).status_code == 303
    late = lead.post_form(page, **typed(monday="10-18"))
    assert late.status_code == 409
    assert 'value="10-18"' in late.text
    assert (
        lead.post_form(page, **typed(version="1", **{"first-0": "2026-12-24", "name-0": "<b>"})).status_code
        == 303
    )
    text = lead.get(page).text
    assert "&lt;b&gt;" in text
    assert (
        lead.post_form(page, **typed(version="2", **{"first-0": "2026-12-24", "gone-0": "1"})).status_code
        == 303
    )
    with db.read() as session:
        assert hours.load(session, [desk.workspace]).own(desk.workspace).exceptions == ()


# ---- so long after, as somebody works ------------------------------------------------------------------

HOUR = timedelta(hours=1)


@settings(max_examples=200)
@given(cases(), st.integers(1, 4 * DAY))
def test_after_so_much_work_it_is_the_first_moment_with_that_much(
    case: tuple[Hours, dict[date, tuple[Span, ...]], datetime], minutes: int
) -> None:
    """Also across a change of clocks, which *cases* begin around."""
    work, _exceptions, since = case
    length = MINUTE * minutes
    found = work.after(since, length)
    if found is None:
        assert work.worked(since, since + hours.AHEAD) < length
        return
    assert work.worked(since, found) == length
    assert work.worked(since, found - timedelta(seconds=1)) < length


NIGHT = Hours((*((),) * 6, (Span(60, 240),)), {}, BERLIN)
"""Sundays from 01:00 to 04:00, when clocks are changed."""


@pytest.mark.parametrize(
    ("work", "since", "length", "found"),
    [
        (Hours(WEEK, {}, BERLIN), "2026-11-20T10:30", 2 * HOUR, "2026-11-20T13:30"),  # over the break
        (Hours(WEEK, {}, BERLIN), "2026-11-20T11:30", 4 * HOUR, "2026-11-20T16:30"),
        (Hours(WEEK, {}, BERLIN), "2026-11-20T06:00", HOUR, "2026-11-20T09:00"),  # before they open
        (ALWAYS, "2026-11-20T12:00", 30 * HOUR, "2026-11-21T18:00"),
        # The hour between two and three is there twice: four hours are worked that night.
        (NIGHT, "2026-10-24T12:00", 4 * HOUR, "2026-10-25T03:00"),
        (NIGHT, "2026-10-25T00:30", HOUR, "2026-10-25T01:30"),
        # It is skipped: two are, and the third a week later.
        (NIGHT, "2026-03-28T12:00", 2 * HOUR, "2026-03-29T02:00"),
        (NIGHT, "2026-03-28T12:00", 3 * HOUR, "2026-04-05T00:00"),
    ],
)
def test_so_many_hours_of_work_later(work: Hours, since: str, length: timedelta, found: str) -> None:
    assert work.after(at(since), length) == at(found)


def test_never_is_never_after() -> None:
    assert Hours((CLOSED,) * 7, {}, BERLIN).after(at("2026-11-20T12:00"), MINUTE) is None
    one_day = Hours((CLOSED,) * 7, {date(2026, 12, 24): (Span(0, 60),)}, "UTC")
    assert one_day.after(at("2026-11-20T12:00"), HOUR) == at("2026-12-24T01:00")
    assert one_day.after(at("2026-11-20T12:00"), HOUR + MINUTE) is None
