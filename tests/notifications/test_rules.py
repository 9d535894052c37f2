"""What somebody chose: the table, quiet hours in their own time zone, and the tests of each way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from host.core import db, mail
from host.notifications import rules
from host.notifications.rules import KINDS, Kind, Quiet, Way
from tests import helpers
from tests.inbox.desks import Desk

NIGHT = Quiet(22 * 60, 7 * 60, frozenset(range(7)), frozenset(), "Europe/Berlin")
WEEKEND = Quiet(18 * 60, 8 * 60, frozenset(range(5)), frozenset({5, 6}), "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-11-20T20:59", None),
        (NIGHT, "2026-11-20T21:00", "2026-11-21T06:00"),
        (NIGHT, "2026-11-21T05:59", "2026-11-21T06:00"),
        (NIGHT, "2026-11-21T06:00", None),
        # The night in which the clocks go back has an hour more, the one in which they go on an hour less.
        (NIGHT, "2026-10-24T20:00", "2026-10-25T06:00"),
        (NIGHT, "2026-03-28T21:00", "2026-03-29T05:00"),
        # Quiet is while the clocks show a quiet time: one they show twice is so twice, one they skip never.
        (Quiet(0, 150, frozenset({6}), frozenset(), "Europe/Berlin"), "2026-10-25T00:29", "2026-10-25T00:30"),
        (Quiet(0, 150, frozenset({6}), frozenset(), "Europe/Berlin"), "2026-10-25T00:30", None),
        (Quiet(0, 150, frozenset({6}), frozenset(), "Europe/Berlin"), "2026-10-25T01:29", "2026-10-25T01:30"),
        (Quiet(0, 150, frozenset({6}), frozenset(), "Europe/Berlin"), "2026-03-29T00:59", "2026-03-29T01:00"),
        # Evenings and the weekend are one quiet, from Friday to Monday.
        (WEEKEND, "2026-11-20T17:00", "2026-11-22T23:00"),
        (WEEKEND, "2026-11-22T22:59", "2026-11-22T23:00"),
        (WEEKEND, "2026-11-22T23:00", None),
        # Without an end a week is as good.
        (Quiet(0, 0, frozenset(), frozenset(range(7)), "UTC"), "2026-11-20T12:00", "2026-11-27T12:00"),
        # From a time to the same is a day.
        (Quiet(600, 600, frozenset({0}), frozenset(), "UTC"), "2026-11-24T09:59", "2026-11-24T10:00"),
    ],
)
def test_quiet_hours_end_when_the_clocks_there_say_so(quiet: Quiet, now: str, until: str | None) -> None:
    assert quiet.until(at(now)) == (None if until is None else at(until))


@pytest.fixture
def browser(desk: Desk) -> helpers.Browser:
    return desk.browser


def test_the_table_is_saved_and_goes_back_to_what_is_usual(desk: Desk, browser: helpers.Browser) -> None:
    page = browser.get("/notifications/settings").text
    for kind, about in KINDS.items():
        for way in Way:
            ticked = f'value="{kind}.{way}" checked' in page
            assert ticked == (way in about.usual), (kind, way)
    answer = browser.post_form(
        "/notifications/settings", told=["new.desk", "new.sound", "mention.mail", "x.y"]
    )
    assert answer.status_code == 303
    with db.read() as session:
        chosen = rules.chosen(session, [desk.mia.id])[desk.mia.id]
    assert chosen[Kind.NEW] == {Way.DESK, Way.SOUND}
    assert chosen[Kind.MENTION] == {Way.MAIL}
    assert chosen[Kind.REPLY] == frozenset()
    browser.post_form("/notifications/settings", usual="1")
    with db.read() as session:
        assert rules.chosen(session, [desk.mia.id])[desk.mia.id] == {k: a.usual for k, a in KINDS.items()}


def test_quiet_hours_are_saved_and_bad_ones_lose_nothing(desk: Desk, browser: helpers.Browser) -> None:
    given = {
        "from": "18:30",
        "to": "08:00",
        "day": ["0", "4"],
        "whole_day": ["6", "9"],
        "timezone": "Asia/Tokyo",
    }
    assert browser.post_form("/notifications/quiet", **given).status_code == 303
    with db.read() as session:
        kept = rules.quiet_hours(session, [desk.mia.id])[desk.mia.id]
    assert kept == Quiet(1110, 480, frozenset({0, 4}), frozenset({6}), "Asia/Tokyo")
    for wrong in ({"from": "25:00"}, {"timezone": "Nowhere/Town"}, {"timezone": ""}, {"to": ""}):
        answer = browser.post_form("/notifications/quiet", **{**given, **wrong})
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert 'name="day" value="4" checked' in answer.text, "what was ticked stays ticked"
    with db.read() as session:
        assert rules.quiet_hours(session, [desk.mia.id])[desk.mia.id] == kept
    browser.post_form("/notifications/quiet", **{**given, "day": [], "whole_day": []})
    with db.read() as session:
        assert rules.quiet_hours(session, [desk.mia.id]) == {}


def test_each_way_can_be_tried(desk: Desk, browser: helpers.Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(way: str) -> tuple[int, dict[str, object]]:
        fields = {"csrf_token": browser.csrf(), "way": way}
        answer = browser.post("/notifications/test", data=fields, headers={"Accept": "application/json"})
        return answer.status_code, answer.get_json()

    status, answer = tried("desk")
    assert (status, answer["worked"]) == (200, True)
    assert "This is a test notification. The bell works." in browser.get("/notifications").text
    assert browser.get("/notifications/news").get_json()["unread"] == 1
    assert tried("mail")[1]["worked"] is False, "there is no mail server"
    assert tried("pigeon")[0] == 400

    server = mail.Server("127.0.0.1", 1, False, "desk@example.com")
    monkeypatch.setattr(mail, "server_of", lambda _config: server)
    sent: list[str] = []
    monkeypatch.setattr(mail, "send", lambda _server, message: sent.append(message["To"]))
    assert tried("mail")[1]["worked"] is True
    assert sent == [desk.mia.email]

    def refuse(_server: object, _message: object) -> None:
        raise mail.NotSentError("SMTP 535", "login")

    monkeypatch.setattr(mail, "send", refuse)
    assert tried("mail")[1] == {
        "worked": False,
        "sentence": "The test email was not sent. The server rejected the user name or password.",
    }
    browser.post_form("/notifications/test", way="mail")
    page = browser.get("/notifications/settings").text
    assert "The server rejected the user name or password." in page, "without scripts, too"
