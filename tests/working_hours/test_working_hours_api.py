"""Business hours by a program: read and set, of the workspace and of a team."""

from __future__ import annotations

from typing import Any

from host.core import db
from host.users import audit
from host.working_hours.hours import DAY_KEYS
from tests.api.conftest import _nothing_counted, _store, desk
from tests.api.desks import ApiDesk

__all__ = ["_nothing_counted", "_store", "desk"]

NINE = [{"starts": "09:00", "ends": "12:30"}, {"starts": "13:30", "ends": "24:00"}]
CLOSED: dict[str, Any] = {key: [] for key in DAY_KEYS}
HOLIDAYS = {"first": "2030-12-24", "last": "2030-12-27", "hours": [], "name": "Holidays", "yearly": True}


def test_a_program_sets_hours_of_the_workspace_and_of_a_team(desk: ApiDesk) -> None:
    team = desk.program.send("POST", "/teams", {"name": "Shop"}, 201)["id"]
    unset = desk.reader.get("/hours")
    assert (unset["week"], unset["version"], unset["open"], unset["until"]) == (None, 0, True, None)
    body = {"timezone": "Europe/Berlin", "week": {**CLOSED, "monday": NINE}, "exceptions": [HOLIDAYS]}
    made = desk.program.send("PUT", "/hours", body)
    assert (made["version"], made["exceptions"], made["week"]["monday"]) == (1, [HOLIDAYS], NINE)
    assert made == desk.reader.get("/hours")
    assert made["until"] is not None
    assert desk.program.send("PUT", "/hours", body) == made, "what changes nothing is no change"
    ours = desk.reader.get(f"/teams/{team}/hours")
    assert (ours["week"], ours["open"], ours["until"]) == (None, made["open"], made["until"])
    always = {key: [{"starts": "00:00", "ends": "24:00"}] for key in DAY_KEYS}
    own = desk.program.send("PUT", f"/teams/{team}/hours", {"week": always, "version": 0})
    assert (own["version"], own["open"], own["until"], own["timezone"]) == (1, True, None, "UTC")
    stale = desk.program.refused("PUT", f"/teams/{team}/hours", {"week": None, "version": 0})
    assert (stale[0], stale[1]["code"]) == (409, "saved_meanwhile")
    back = desk.program.send("PUT", f"/teams/{team}/hours", {"week": None, "version": 1})
    assert (back["week"], back["version"]) == (None, 2)
    with db.read() as session:
        lines, _more = audit.page(session, audit.AuditFilter(kinds=("hours",)))
    assert [one.subject for one in lines] == ["Shop", "Shop", lines[2].subject]
    assert lines[2].details["monday"] == "09:00 – 12:30, 13:30 – 24:00"
    assert lines[2].details["exceptions"] == "2030-12-24 – 2030-12-27"


def test_what_cannot_be_kept_is_refused_with_its_place(desk: ApiDesk) -> None:
    def refused(code: str = "hours", **other: Any) -> str | None:
        given = {"timezone": "Europe/Berlin", "week": {**CLOSED, "monday": NINE}, **other}
        status, error = desk.program.refused("PUT", "/hours", given)
        assert (status, error["code"]) == (400, code), error
        field: str | None = error.get("field")
        return field

    def monday(*spans: tuple[str, str]) -> dict[str, Any]:
        return {**CLOSED, "monday": [{"starts": starts, "ends": ends} for starts, ends in spans]}

    assert refused(timezone="Nowhere/Town") == "timezone"
    assert refused(week=CLOSED) == "week"
    assert refused(week=monday(("09:00", "08:00"))) == "week.monday"
    assert refused(week=monday(("09:00", "12:00"), ("11:59", "13:00"))) == "week.monday"
    assert refused(week=monday(*((f"{hour:02}:00", f"{hour:02}:30") for hour in range(7)))) == "week.monday"
    assert refused("invalid_body", week=monday(("9:00", "12:00"))) == "week.monday[0].starts"
    assert refused(exceptions=[HOLIDAYS, {**HOLIDAYS, "last": "2030-12-23"}]) == "exceptions[1]"
    assert refused(exceptions=[HOLIDAYS, {**HOLIDAYS, "first": "2031-12-27", "last": "2031-12-27"}]) == (
        "exceptions[1]"
    )
    assert refused(exceptions=[{**HOLIDAYS, "last": "2032-12-24"}]) == "exceptions[0]"
    assert refused(exceptions=[{**HOLIDAYS, "first": "1999-12-24", "last": "1999-12-24"}]) == "exceptions[0]"
    assert refused(exceptions=[{**HOLIDAYS, "name": "x" * 81}]) == "exceptions[0]"
    assert refused(exceptions=[HOLIDAYS] * 201) == "exceptions"
    assert desk.program.refused("PUT", "/teams/999999/hours", {"week": None})[1]["code"] == "team_not_found"
    assert desk.reader.refused("PUT", "/hours", {"week": None})[0] == 403
    assert desk.reader.get("/hours")["version"] == 0
