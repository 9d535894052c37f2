"""Teams by a program: made, filled, given conversations, asked for and deleted."""

from __future__ import annotations

from host.inbox.bulk import actions
from tests import helpers
from tests.api.conftest import _nothing_counted, _store, desk
from tests.api.desks import ApiDesk
from tests.inbox import toys

__all__ = ["_nothing_counted", "_store", "desk"]


def found(desk: ApiDesk, **query: str) -> list[str]:
    return [one["contact"]["externalId"] for one in desk.program.get("/conversations", **query)["data"]]


def test_a_program_keeps_teams(desk: ApiDesk) -> None:
    mia, account = desk.inbox.mia, desk.inbox.account.id
    made = desk.program.send(
        "POST", "/teams", {"name": "Orders", "members": [{"id": mia.id, "lead": True}]}, 201
    )
    assert made == {
        "id": made["id"],
        "name": "Orders",
        "members": [{"id": mia.id, "name": "Mia R.", "lead": True}],
        "accounts": [],
        "openCount": 0,
    }
    at = f"/teams/{made['id']}"
    changed = desk.program.send("PATCH", at, {"name": "Returns", "accounts": [account], "members": []})
    assert (changed["name"], changed["accounts"], changed["members"]) == ("Returns", [account], [])
    assert desk.reader.get("/teams")["data"] == [changed]
    foreign = toys.make_account(helpers.make_workspace("Other")).id
    for body, status, code in (
        ({"name": " "}, 400, "team_name"),
        ({"name": "Theirs", "members": [{"id": 10**9}]}, 400, "not_a_member"),
        ({"name": "Theirs", "accounts": [foreign]}, 400, "team_account"),
    ):
        got, error = desk.program.refused("PATCH", at, body)
        assert (got, error["code"]) == (status, code)
    assert desk.reader.get("/teams")["data"] == [changed], "what was refused changed nothing"
    assert desk.program.refused("POST", "/teams", {"name": "RETURNS"})[1]["code"] == "team_name"
    assert desk.reader.refused("POST", "/teams", {"name": "x"})[0] == 403
    assert desk.program.call("DELETE", at).status_code == 204
    assert desk.program.refused("PATCH", at, {"name": "x"})[1]["code"] == "team_not_found"


def test_a_program_gives_conversations_to_a_team(desk: ApiDesk) -> None:
    for name in ("ana", "ben"):
        desk.scene.said(name, name.title(), "Hello", desk.scene.now)
    ana = f"/conversations/{desk.scene.conversation('ana')}"
    team = desk.program.send("POST", "/teams", {"name": "Orders"}, 201)
    desk.program.send("PATCH", ana, {"assignee": desk.inbox.mia.id})
    changed = desk.program.send("PATCH", ana, {"team": team["id"]})
    assert (changed["team"], changed["assignee"]) == ({"id": team["id"], "name": "Orders"}, None)
    assert (found(desk, team=str(team["id"])), found(desk, team="none")) == (["ana"], ["ben"])
    assert desk.program.refused("PATCH", ana, {"team": 10**9})[1]["code"] == "team_not_found"
    wish = {"action": "team", "team": team["id"], "filter": {"team": "none"}}
    desk.program.send("POST", "/bulk-actions", wish, 201)
    while actions.step():
        pass
    assert sorted(found(desk, team=str(team["id"]))) == ["ana", "ben"]
    wish = {"name": "Ours", "filter": {"team": str(team["id"])}}
    view = desk.program.send("POST", "/views", wish, 201)
    assert view["condition"]["team"] == team["id"]
    assert desk.program.send("PATCH", ana, {"team": None})["team"] is None
