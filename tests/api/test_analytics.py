"""The figures of some days, for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from host.core import clock
from tests import helpers
from tests.api.desks import ApiDesk, Program, make_key
from tests.notifications.test_telling import team
from tests.reports.test_figures import span, store


def test_figures_and_series_are_those_of_the_page(desk: ApiDesk) -> None:
    account = desk.inbox.account.id
    start = clock.now() - timedelta(days=1)
    spans = [
        span("first", start, start + timedelta(seconds=seconds), account_id=account)
        for seconds in (60, 90, 600)
    ]
    store(desk.workspace, spans)
    found = desk.reader.get("/analytics")
    assert found["total"]["firstResponse"] == {"count": 3, "halfWithin": 90, "nineInTenWithin": 600}
    assert found["total"]["resolution"] == {"count": 0, "halfWithin": None, "nineInTenWithin": None}
    assert len(found["series"]) == 28
    assert sum(one["figures"]["firstResponse"]["count"] for one in found["series"]) == 3
    assert (found["before"], found["windows"]) == (None, 0)
    assert desk.reader.get("/analytics", account=account)["total"] == found["total"]


def test_hours_of_a_day_in_a_zone(desk: ApiDesk) -> None:
    found = desk.reader.get(
        "/analytics", **{"from": "2026-03-29", "to": "2026-03-29", "zone": "Europe/Berlin", "by": "hour"}
    )
    assert len(found["series"]) == 23
    assert found["series"][0]["begins"] == "2026-03-28T23:00:00Z"


def test_one_person(desk: ApiDesk) -> None:
    person = desk.program.get("/members")["data"][0]["id"]
    found = desk.reader.get("/analytics", agent=person)
    assert (found["total"]["received"], found["total"]["created"], found["total"]["sent"]) == (None, None, 0)


def test_one_team(desk: ApiDesk) -> None:
    kiln = team(desk.scene.desk, name="Kiln")
    assert kiln == 1, "the one that *of_team* means"
    store(desk.workspace, [], received=[clock.now()] * 2, of_team=[clock.now()])
    assert desk.reader.get("/analytics")["total"]["received"] == 2
    assert desk.reader.get("/analytics", team=kiln)["total"]["received"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-02-02", "to": "2026-02-01"}, "from"),
        ({"from": "2020-02-02", "to": "2026-02-01"}, "from"),
        ({"to": "0001-01-01"}, "from"),
        ({"from": "9999-12-31", "to": "9999-12-31"}, "from"),
        ({"from": "2026-01-01", "to": "2026-02-01", "by": "hour"}, "by"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"zone": "Nowhere/Atall"}, "zone"),
        ({"zone": ""}, "zone"),
        ({"agent": "99999"}, "agent"),
        ({"team": "99999"}, "team"),
        ({"by": "week"}, "by"),
        ({"from": "yesterday"}, "from"),
    ],
)
def test_what_makes_no_sense_is_refused(desk: ApiDesk, query: dict[str, Any], field: str) -> None:
    status, error = desk.reader.refused("GET", "/analytics", query_string=query)
    assert (status, error["code"], error["field"]) == (400, "invalid_query", field)


def test_another_workspace_is_not_seen(desk: ApiDesk) -> None:
    store(desk.workspace, [], received=[clock.now()])
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.get("/analytics")["total"]["received"] == 0
    account = {"account": desk.inbox.account.id}
    status, error = stranger.refused("GET", "/analytics", query_string=account)
    assert (status, error["code"], error["field"]) == (404, "account_not_found", "account")
    person = desk.program.get("/members")["data"][0]["id"]
    assert stranger.refused("GET", "/analytics", query_string={"agent": person})[0] == 400
