"""Times of pages: by the clock of the page's zone, and the same moment when they come back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask, request
from flask_babel import format_datetime, format_time
from hypothesis import given, settings
from hypothesis import strategies as st

from host.api import key_form
from host.channels.pages import automation_views
from host.core import clock
from host.core.errors import InvalidError
from host.delivery.pages import event_views
from host.inbox.contacts.pages import list_views
from host.inbox.pages import durations, send_times, snooze_times
from host.rules.pages import campaign_forms
from host.sdk import i18n
from host.search.finding import filters
from host.web import languages, local_times
from host.web.languages import reader
from tests import helpers
from tools.translations import ROOT

ZONES = ("Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "UTC")
DAYS = (
    datetime(2026, 3, 8, 12, tzinfo=UTC),  # the clocks of New York go forward
    datetime(2026, 3, 29, 12, tzinfo=UTC),  # of Berlin
    datetime(2026, 4, 4, 12, tzinfo=UTC),  # of Lord Howe go back
    datetime(2026, 10, 3, 12, tzinfo=UTC),  # forward
    datetime(2026, 10, 25, 12, tzinfo=UTC),  # of Berlin go back
    datetime(2026, 11, 1, 12, tzinfo=UTC),  # of New York
    datetime(2026, 11, 20, 9, 8, tzinfo=UTC),
)
AROUND = [day + timedelta(days=days) for day in DAYS for days in (-1, 0, 1)]
MOMENTS = st.datetimes(
    min_value=datetime(2024, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC)
) | st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds), st.sampled_from(DAYS), st.integers(-130000, 130000)
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    app = Flask(__name__)
    languages.install(app, helpers.make_config(tmp_path_factory.mktemp("data")))
    return app


@contextmanager
def page(app: Flask, zone: str, form: dict[str, str] | None = None) -> Iterator[None]:
    """Be in a page of a browser of *zone*, which sends *form*."""
    with app.test_request_context(
        "/", method="POST", data=form or {}, headers={"Cookie": f"lobby-zone={zone}"}
    ):
        yield


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)


def shows(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%a %H:%M:%S}"


# The zone


@pytest.mark.parametrize("zone", [*ZONES, "Etc/GMT+3", "Asia/Calcutta", "US/Pacific"])
def test_the_pages_zone_is_the_one_of_the_clocks(app: Flask, zone: str) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    with page(app, zone):
        assert reader().zone is clock.zone(zone)
        there = noon.astimezone(ZoneInfo(zone))
        assert format_datetime(noon, "yyyy-MM-dd HH:mm") == f"{there:%Y-%m-%d %H:%M}"
        assert format_time(noon, "HH:mm") == f"{reader().local(noon):%H:%M}"


@pytest.mark.parametrize(
    "zone", ["Nowhere/Town", "America", "../UTC", "europe/berlin", "x" * 5000, "right/UTC"]
)
def test_what_is_no_zone_is_utc(app: Flask, zone: str) -> None:
    with page(app, zone):
        assert reader().zone.key == "UTC"
        assert format_time(datetime(2026, 7, 1, 12, tzinfo=UTC), "HH:mm") == "12:00"


@pytest.mark.parametrize("zone", ZONES)
def test_the_name_of_a_day_is_that_of_the_day(app: Flask, zone: str) -> None:
    with page(app, zone):
        for day in DAYS:
            assert reader().date_text(day.date(), "d MMM y") == f"{day.day} {day:%b %Y}"
        first = datetime(2026, 11, 1).date()
        assert reader().date_text(first, "LLLL") == "November"


# Clocks that skip, and show twice


def test_a_time_the_clocks_skip_or_show_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    skipped = clock.typed_moment("2026-03-29T02:30", berlin)
    assert skipped.astimezone(berlin).time() == time(3, 30)
    twice = clock.typed_moment("2026-10-25T02:30", berlin)
    assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01T00:00", "2026-01-01T00:00+02:00", "0001-01-01T00:00", "9" * 300]
)
def test_what_is_no_time_is_refused(app: Flask, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are not shown
        clock.typed_moment(text, ZoneInfo("Pacific/Auckland"))
    with page(app, "Pacific/Auckland", {"until": text}), pytest.raises(ValueError):  # noqa: PT011
        local_times.typed(request.form, "until")


# What a page offers is what it takes back


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(ZONES))
def test_a_field_left_as_it_is_means_the_same_moment(
    app: Flask, moment: datetime, zone: str, later: str
) -> None:
    with page(app, zone):
        sent = {"until": local_times.written(moment), "until_page": local_times.beside(moment)}
    with page(app, later, sent):  # whoever travels meanwhile too
        assert local_times.typed(request.form, "until") == moment


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(ZONES))
def test_a_field_that_was_changed_is_by_the_clock_of_its_page(
    app: Flask, moment: datetime, zone: str, later: str
) -> None:
    with page(app, zone):
        sent = {"until": "2026-11-20T09:00", "until_page": local_times.beside(moment)}
    with page(app, later, sent):
        typed = local_times.typed(request.form, "until")
    assert moment == typed or shows(typed, zone) == "Fri 09:00:00"


@pytest.mark.parametrize("beside", ["", "[]", "[Nowhere/Town]", "x[UTC", "[../UTC]", "[" * 90, "2026[UTC]"])
def test_what_was_sent_beside_and_is_no_time_does_no_harm(app: Flask, beside: str) -> None:
    with page(app, "UTC", {"until": "2026-11-20T09:00", "until_page": beside}):
        assert local_times.typed(request.form, "until") == datetime(2026, 11, 20, 9, tzinfo=UTC)


@settings(max_examples=30)
@given(MOMENTS, st.sampled_from(ZONES), st.integers(0, 20))
def test_a_snooze_is_at_the_time_its_button_said(app: Flask, now: datetime, zone: str, wait: int) -> None:
    with page(app, zone):
        offered = snooze_times.offered(now)
        own = snooze_times.own_time(now)
        fields = {"until": local_times.written(own), "until_page": local_times.beside(own)}
    pressed = now + timedelta(minutes=wait)
    for value, _name, when in offered:
        with page(app, zone, {"when": value}):
            until = snooze_times.snooze_from_form(pressed).until
            assert until is not None
            assert until > pressed
            if datetime.fromisoformat(value.partition("@")[2]) > pressed:
                assert snooze_times.when_text(until, now) == when
                if zone != "Australia/Lord_Howe":  # its clocks go forward by half an hour
                    assert until.astimezone(ZoneInfo(zone)).minute == 0
    with page(app, zone, {"when": "own", **fields}):
        assert snooze_times.snooze_from_form(pressed).until == own


@pytest.mark.parametrize(
    "value",
    ["tomorrow@", "tomorrow@x", "tomorrow@2026-11-21T09:00", "tomorrow@2036-01-01T00:00+00:00", "tomorrow"],
)
def test_a_preset_without_a_time_is_what_it_means_now(app: Flask, value: str) -> None:
    with page(app, "Asia/Kolkata", {"when": value}):
        until = snooze_times.snooze_from_form(DAYS[-1]).until
    assert until is not None
    assert shows(until, "Asia/Kolkata") == "Sat 09:00:00"


@pytest.mark.parametrize("zone", ZONES)
def test_what_is_offered_are_full_hours_on_the_clock(app: Flask, zone: str) -> None:
    for now in AROUND:
        with page(app, zone):
            said = {value.partition("@")[0]: when for value, _name, when in snooze_times.offered(now)}
        assert said["tomorrow"].endswith(", 09:00")
        assert said["week"].endswith(", 09:00")
        assert said.get("evening", "18:00") == "18:00"
        assert said.get("monday", ", 09:00").endswith(", 09:00")


@pytest.mark.parametrize("zone", ZONES)
def test_in_every_zone_the_next_minutes_can_be_chosen(app: Flask, zone: str) -> None:
    soon = DAYS[-1] + timedelta(minutes=2)
    with page(app, zone):
        text = f"{soon.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
    with page(app, zone, {"later": "own", "later_at": text}):
        assert send_times.time_from_form() == soon


# Days


def ends(zone: str, day: datetime) -> datetime:
    """Return the first moment of the next day, found on the clock."""
    there = ZoneInfo(zone)
    moment = (day - timedelta(hours=36)).replace(minute=0, second=0, microsecond=0)
    while moment.astimezone(there).date() <= day.date():
        moment += timedelta(minutes=15)
    return moment


@pytest.mark.parametrize("zone", ZONES)
def test_days_begin_and_end_at_midnight(app: Flask, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    there = ZoneInfo(zone)
    for day in AROUND:
        begins, end = ends(zone, day - timedelta(days=1)), ends(zone, day)
        assert (end - begins) / timedelta(hours=1) in {23, 23.5, 24, 24.5, 25}
        at(monkeypatch, begins + timedelta(hours=1))
        chosen = {"expires": "date", "expires_on": f"{day:%Y-%m-%d}", "scopes": "read"}
        with page(app, zone):
            chosen["expires_on_page"] = local_times.beside()
            assert list_views._midnight(0) == begins
            assert filters._begin(day.date(), reader().zone, behind=1) == end.timestamp()
        with page(app, "Asia/Tokyo", chosen):
            assert key_form.given().expires_at() == end
        filling = campaign_forms.CampaignFilling(zone=there, ends="until", until=f"{day:%Y-%m-%d}")
        assert filling._until() == end


def test_the_last_day_of_a_campaign_is_shown_as_it_was_typed() -> None:
    for zone in (*ZONES, "Africa/Cairo", "America/Havana", "Asia/Beirut"):  # some skip midnight
        for number in range(366):
            day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
            filling = campaign_forms.CampaignFilling(
                zone=ZoneInfo(zone), ends="until", until=f"{day:%Y-%m-%d}"
            )
            assert campaign_forms.last_day(filling._until(), ZoneInfo(zone)) == filling.until


@pytest.mark.parametrize("zone", ZONES)
def test_the_journal_is_searched_by_the_clock(app: Flask, zone: str) -> None:
    for moment in DAYS:
        with page(app, zone):
            text = local_times.written(moment)
            assert event_views._time({"since": text}, "since") == moment
            assert event_views._time({"since": moment.isoformat()}, "since") == moment
    with page(app, zone), pytest.raises(InvalidError):
        event_views._time({"since": "x"}, "since")


@pytest.mark.parametrize("zone", ZONES)
def test_a_preview_is_asked_by_the_clock(app: Flask, zone: str) -> None:
    for moment in DAYS:
        with page(app, zone):
            assert automation_views._moment({"at": local_times.written(moment)}) == moment
            assert automation_views._moment({"at": "1999-01-01T00:00"}) is None


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_page_has_one_clock(app: Flask, language: str) -> None:
    at = datetime(2026, 11, 29, 0, 32, tzinfo=UTC)
    with app.test_request_context(headers={"Accept-Language": language}):
        written = [languages.moment(at), i18n.format_datetime(at), durations.clock_time(at)]
        assert written[2] == "00:32"
        assert all(text.endswith("00:32") for text in written), written
        assert durations.moment(at, at).endswith("00:32")


def test_no_page_writes_times_in_a_style_of_its_own() -> None:
    other = re.compile(
        r"format_datetime\(.*\"(?:short|medium|long)\"|from flask_babel import .*\bformat_time\b"
    )
    found = [str(path) for path in (ROOT / "host").rglob("*.py") if other.search(path.read_text())]
    assert found == [], "host.web.languages.moment"
