"""Labels, snoozes, spam, shared views and bulk actions, by a program."""

from __future__ import annotations

from datetime import timedelta

from host.core import clock
from host.inbox.bulk import actions
from tests.api.conftest import _nothing_counted, _store, desk
from tests.api.desks import ApiDesk

__all__ = ["_nothing_counted", "_store", "desk"]


def found(desk: ApiDesk, **query: str) -> list[str]:
    return [one["contact"]["externalId"] for one in desk.program.get("/conversations", **query)["data"]]


def test_a_program_labels_snoozes_and_finds_by_it(desk: ApiDesk) -> None:
    for name in ("ana", "ben"):
        desk.scene.said(name, name.title(), "Hello", desk.scene.now)
    ana = f"/conversations/{desk.scene.conversation('ana')}"
    label = desk.program.send("POST", "/labels", {"name": "order", "tone": "orange"}, 201)
    changed = desk.program.send("PATCH", ana, {"addLabels": [label["id"]]})
    assert changed["labels"] == [label]
    assert found(desk, labels=str(label["id"])) == ["ana"]
    assert found(desk, noLabels=str(label["id"])) == ["ben"]
    status, error = desk.program.refused("PATCH", ana, {"addLabels": [10**9]})
    assert (status, error["code"]) == (404, "label_not_found")

    until = (clock.now() + timedelta(hours=3)).replace(microsecond=0)
    changed = desk.program.send("PATCH", ana, {"snooze": {"kind": "fixed", "until": until.isoformat()}})
    assert changed["snooze"]["kind"] == "fixed"
    assert (found(desk, snoozed="true"), found(desk, snoozed="false")) == (["ana"], ["ben"])
    past = (clock.now() - timedelta(hours=3)).isoformat()
    status, error = desk.program.refused("PATCH", ana, {"snooze": {"kind": "until", "until": past}})
    assert (status, error["code"]) == (400, "snooze_time")
    assert desk.program.send("PATCH", ana, {"snooze": None})["snooze"] is None

    assert desk.program.send("PATCH", ana, {"spam": True})["spam"]
    assert (found(desk), found(desk, spam="true")) == (["ben"], ["ana"])


def test_labels_and_views_of_the_workspace(desk: ApiDesk) -> None:
    one = desk.program.send("POST", "/labels", {"name": "orders"}, 201)
    two = desk.program.send("POST", "/labels", {"name": "order"}, 201)
    assert desk.program.refused("POST", "/labels", {"name": "Order"})[1]["code"] == "label_name"
    assert desk.reader.refused("POST", "/labels", {"name": "x"})[0] == 403
    view = desk.program.send(
        "POST", "/views", {"name": "Orders", "filter": {"labels": str(one["id"]), "needsReply": True}}, 201
    )
    desk.program.send("POST", f"/labels/{one['id']}/merge", {"into": two["id"]})
    assert desk.program.get("/labels")["data"] == [two]
    (listed,) = desk.program.get("/views")["data"]
    assert listed["condition"] == {"labels": [two["id"]], "needs_reply": True, "spam": False}
    assert desk.program.send("PATCH", f"/views/{view['id']}", {"name": "To do"})["name"] == "To do"
    search = desk.program.send("PATCH", f"/views/{view['id']}", {"search": " label:order  glaze "})
    assert search["condition"] == {"search": "label:order glaze"}
    assert desk.program.send("POST", "/views", {"name": "Glaze", "search": "glaze"}, 201)["name"] == "Glaze"
    for wrong in ({}, {"search": "a", "filter": {}}):
        assert desk.program.refused("POST", "/views", {"name": "W", **wrong})[1]["code"] == "invalid_body"
    assert desk.program.refused("POST", "/views", {"name": "W", "search": " "})[1]["code"] == "view_search"
    assert desk.program.call("DELETE", f"/views/{view['id']}").status_code == 204
    assert desk.program.call("DELETE", f"/labels/{two['id']}").status_code == 204


def test_many_at_once_and_back(desk: ApiDesk) -> None:
    for name in ("ana", "ben"):
        desk.scene.said(name, name.title(), "Hello", desk.scene.now)
    wish = {"action": "close", "filter": {"status": "open"}}
    first = desk.program.send("POST", "/bulk-actions", wish, 201, headers={"Idempotency-Key": "close-them-1"})
    again = desk.program.send("POST", "/bulk-actions", wish, 201, headers={"Idempotency-Key": "close-them-1"})
    assert again == first
    assert (first["state"], first["total"]) == ("running", 2)
    while actions.step():
        pass
    at = f"/bulk-actions/{first['id']}"
    assert desk.program.get(at)["changed"] == 2
    assert found(desk, status="open") == []
    assert desk.program.send("POST", f"{at}/undo", None)["restored"] == 2
    assert desk.program.refused("POST", f"{at}/undo")[1]["code"] == "undo_over"
    assert desk.program.refused("POST", "/bulk-actions", {"action": "close"})[1]["code"] == "bulk_action"


def test_all_conversations_are_changed_only_where_the_program_says_all(desk: ApiDesk) -> None:
    for name in ("ana", "ben"):
        desk.scene.said(name, name.title(), "Hello", desk.scene.now)
    for filter_ in ({}, {"limit": 5}, {"status": None}):
        wish = {"action": "close", "filter": filter_}
        status, error = desk.program.refused("POST", "/bulk-actions", wish)
        assert (status, error["code"], error["field"]) == (400, "bulk_action", "all"), filter_
    wish = {"action": "close", "filter": {}, "all": True}
    assert desk.program.send("POST", "/bulk-actions", wish, 201)["total"] == 2
