"""Rules and what accounts do by themselves, by a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from host.automation.actions import SNOOZES
from host.automation.conditions import Condition
from host.core import clock, db
from host.events import reading
from host.events.kinds.rules import RULE_CALLED
from host.events.models import DomainEvent
from host.rules import rules
from host.rules.body import EVENTS, Action, Body
from host.rules.models import Rule
from host.users import audit
from tests.api.desks import ApiDesk
from tests.inbox.toys import everything
from tests.rules.ruled import Ruled

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
WORDS = {"if": "words", "words": ["wholesale", "in bulk"], "has": "any"}
CLOSE = {"do": "close"}
BODY: dict[str, Any] = {"when": "message.received", "conditions": [WORDS], "actions": [CLOSE]}
NOTHING = {"did": 0, "refused": 0, "shadow": 0, "missed": 0}
MANY = [{"if": "hours"}] * 21


def add(desk: ApiDesk, name: str = "Wholesale", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = desk.program.send("POST", "/rules", {"name": name, "body": BODY, **more}, 201)
    return made


def names(desk: ApiDesk) -> list[str]:
    return [one["name"] for one in desk.reader.get("/rules")["data"]]


def lines(kind: str) -> list[tuple[str, str]]:
    with db.read() as session:
        found, _more = audit.page(session, audit.AuditFilter(kinds=(kind,)))
    return [(one.action, one.subject) for one in found][::-1]


def test_a_program_keeps_rules(desk: ApiDesk) -> None:
    made = add(desk)
    assert made | {"id": 0, "stateAt": "", "changedAt": ""} == {
        "id": 0,
        "name": "Wholesale",
        "state": "shadow",
        "stateAt": "",
        "version": 1,
        "author": "Shop",
        "changedAt": "",
        "body": BODY,
        "gone": None,
        "counts": NOTHING,
    }
    at = f"/rules/{made['id']}"
    assert desk.reader.get(at) == made
    assert desk.reader.get("/rules")["data"] == [made]
    same = desk.program.send("PUT", at, {"name": "Wholesale", "body": BODY, "version": 1})
    assert same == made, "what changes nothing is no change"
    body = {**BODY, "stops": True, "once": "contact"}
    changed = desk.program.send("PUT", at, {"name": "Bulk", "body": body, "version": 1, "state": "live"})
    assert (changed["name"], changed["body"], changed["version"], changed["state"]) == (
        "Bulk",
        body,
        2,
        "live",
    )
    status, stale = desk.program.refused("PUT", at, {"name": "Bulk", "body": BODY, "version": 1})
    assert (status, stale["code"]) == (409, "saved_meanwhile")
    assert desk.program.send("PUT", at, {"name": "Bulk", "body": body})["state"] == "live"
    assert desk.program.send("PATCH", at, {"state": "off"})["state"] == "off"
    assert desk.program.send("PATCH", at, {"state": "off"})["state"] == "off"
    assert desk.program.call("DELETE", at).status_code == 204
    for method, body_ in (("GET", None), ("DELETE", None), ("PATCH", {"state": "off"})):
        assert desk.program.refused(method, at, body_)[1]["code"] == "rule_not_found"
    assert desk.program.refused("PUT", at, {"name": "Bulk", "body": BODY})[1]["code"] == "rule_not_found"
    assert lines("rule") == [
        ("rule.added", "Wholesale"),
        ("rule.changed", "Bulk"),
        ("rule.state", "Bulk"),
        ("rule.state", "Bulk"),
        ("rule.deleted", "Bulk"),
    ]
    assert add(desk)["id"] > made["id"], "what a rule did is not another's"


def test_rules_are_moved(desk: ApiDesk) -> None:
    first, *_rest = [add(desk, name)["id"] for name in ("A", "B", "C")]
    moved = desk.program.send("POST", f"/rules/{first}/move", {"places": 1})["data"]
    assert [one["name"] for one in moved] == names(desk) == ["B", "A", "C"]
    for places, order in ((-5, "ABC"), (2, "BCA"), (200, "BCA"), (0, "BCA")):
        desk.program.send("POST", f"/rules/{first}/move", {"places": places})
        assert names(desk) == list(order)
    moved = [one for one in lines("rule") if one[0] == "rule.moved"]
    assert moved == [("rule.moved", "A")] * 3, "what changes nothing is no change"
    assert desk.program.refused("POST", f"/rules/{first}/move", {"places": 201})[1]["code"] == "invalid_body"
    assert desk.program.refused("POST", "/rules/999999/move", {"places": 1})[1]["code"] == "rule_not_found"


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"name": "  "}, "rule", "name"),
        ({"name": "x" * 41}, "rule", "name"),
        ({"body": {}}, "rule", "body.when"),
        ({"body": {**BODY, "when": "account.connected"}}, "rule", "body.when"),
        ({"body": {**BODY, "when": "conversation.unanswered"}}, "rule", "body.hours"),
        ({"body": {**BODY, "actions": []}}, "rule", "body.actions"),
        ({"body": {**BODY, "conditions": MANY}}, "rule", "body.conditions"),
        ({"body": {**BODY, "conditions": [WORDS, {**WORDS, "words": []}]}}, "rule", "body.conditions[1]"),
        (
            {"body": {**BODY, "conditions": [{"if": "pattern", "pattern": "(a+)+$"}]}},
            "rule",
            "body.conditions[0]",
        ),
        (
            {"body": {**BODY, "conditions": [{"if": "conversation", "filter": {"allLabels": []}}]}},
            "rule",
            "body.conditions[0]",
        ),
        ({"body": {**BODY, "actions": [CLOSE, {"do": "label", "label": 2**40}]}}, "rule", "body.actions[1]"),
        ({"body": {**BODY, "actions": [{"do": "label", "label": 2**80}]}}, "rule", "body.actions[0]"),
        ({"body": {**BODY, "actions": [{"do": "webhook", "endpoint": 7}]}}, "rule", "body.actions[0]"),
        ({"body": {**BODY, "actions": [{"do": "addon", "name": "a.b"}]}}, "rule", "body.actions[0]"),
        ({"body": {**BODY, "actions": [{"do": "tell"}]}}, "rule", "body.actions[0]"),
        ({"body": {**BODY, "actions": [CLOSE, {"do": "fly"}]}}, "rule", "body.actions[1].do"),
        (
            {"body": {**BODY, "conditions": [WORDS, {**WORDS, "words": 7}]}},
            "rule",
            "body.conditions[1].words",
        ),
        (
            {"body": {**BODY, "conditions": [WORDS, {"if": "any", "of": [WORDS, {**WORDS, "words": []}]}]}},
            "rule",
            "body.conditions[1].of[1]",
        ),
        ({"body": {**BODY, "what": 1}}, "rule", "body.what"),
        (
            {"body": {**BODY, "actions": [{"do": "say", "text": "{{contact.first_name}}"}]}},
            "automation_text",
            "body.actions[0]",
        ),
        ({"body": {**BODY, "actions": [{"do": "say", "text": "{{nme}}"}]}}, "variable", "body.actions[0]"),
        ({"state": "on"}, "invalid_body", "state"),
        ({"body": "close"}, "invalid_body", "body"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(
    desk: ApiDesk, wrong: dict[str, Any], code: str, field: str
) -> None:
    status, error = desk.program.refused("POST", "/rules", {"name": "Wholesale", "body": BODY, **wrong})
    assert (status, error["code"], error["field"]) == (400, code, field), error
    named = error["message"].partition("The field ")[2]
    assert not named or named.startswith(f"{field} ")
    assert everything(Rule) == []


def test_a_rule_that_names_what_is_gone_says_so_and_is_turned_off_alone(desk: ApiDesk) -> None:
    label = desk.program.send("POST", "/labels", {"name": "bulk"}, 201)["id"]
    rule = add(desk, body={**BODY, "actions": [CLOSE, {"do": "label", "label": label}]}, state="live")
    assert rule["gone"] is None
    desk.program.call("DELETE", f"/labels/{label}")
    at = f"/rules/{rule['id']}"
    assert desk.reader.get(at)["gone"] == "body.actions[1]"
    assert desk.program.send("PATCH", at, {"state": "off"})["state"] == "off"
    status, error = desk.program.refused("PATCH", at, {"state": "live"})
    assert (status, error["code"], error["field"]) == (400, "rule", "body.actions[1]")


def test_the_guide_names_everything_a_rule_may_say() -> None:
    text = GUIDE.read_text().split("## Rules")[1].split("\n## ")[0]
    said = {
        *EVENTS,
        *(str(one.__struct_config__.tag) for kinds in (Condition, Action) for one in get_args(kinds)),
        *(name for kinds in (Condition, Action) for one in get_args(kinds) for name in one.__struct_fields__),
        *(name for name in Body.__struct_fields__),
        *SNOOZES,
    }
    assert {one for one in said if f"`{one}`" not in text and f'"{one}"' not in text} == set()


def test_a_workspace_has_two_hundred_rules_at_most(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST", 2)
    add(desk)
    add(desk)
    status, error = desk.program.refused("POST", "/rules", {"name": "C", "body": BODY})
    assert (status, error["code"]) == (400, "rule")


def test_what_became_of_a_rule_is_counted_and_listed_in_pages(desk: ApiDesk) -> None:
    live = add(desk, state="live")
    shadow = add(desk, "Shadow", body={**BODY, "actions": [{"do": "note", "text": "Look"}]})
    missed = add(desk, "Missed", body={**BODY, "conditions": [{"if": "hours"}, WORDS]}, state="live")
    automated = Ruled(desk.inbox)
    for number, text in enumerate(("wholesale", "I buy in bulk", "one mug")):
        automated.said(f"customer {number}", text, clock.now())
    automated.run()
    counts = {one["name"]: one["counts"] for one in desk.reader.get("/rules")["data"]}
    assert counts == {
        "Wholesale": {**NOTHING, "did": 2},
        "Shadow": {**NOTHING, "shadow": 2},
        "Missed": {**NOTHING, "did": 2, "missed": 1},
    }
    at = f"/rules/{live['id']}/runs"
    first = desk.reader.get(at, limit=1)
    second = desk.reader.get(at, limit=1, cursor=first["next"])
    assert (len(first["data"]), len(second["data"]), second["next"]) == (1, 1, None)
    newest, oldest = first["data"][0], second["data"][0]
    assert newest["id"] > oldest["id"]
    assert newest | {"id": 0, "at": "", "conversationId": 0} == {
        "id": 0,
        "at": "",
        "conversationId": 0,
        "contactName": "Customer 1 Q.",
        "version": 1,
        "outcome": "did",
        "reason": None,
        "conditions": [{"holds": True, "saw": "in bulk", "which": None}],
        "actions": [{"action": "close", "reason": None}],
    }
    assert oldest["conversationId"] == desk.scene.conversation("customer 0")
    [near] = desk.reader.get(f"/rules/{missed['id']}/runs", matched="false")["data"]
    assert (near["outcome"], near["reason"], near["actions"]) == (None, "condition", [])
    assert len(desk.reader.get(f"/rules/{missed['id']}/runs", matched="true")["data"]) == 2
    runs = desk.reader.get(f"/rules/{shadow['id']}/runs")["data"]
    assert [(one["outcome"], one["actions"]) for one in runs] == [
        ("shadow", [{"action": "note", "reason": None}])
    ] * 2
    for wrong in ({"cursor": "nonsense"}, {"limit": 101}, {"matched": "perhaps"}):
        assert desk.reader.refused("GET", at, query_string=wrong)[0] == 400
    assert desk.reader.refused("GET", "/rules/999999/runs")[1]["code"] == "rule_not_found"


def test_who_asks_hears_whom_a_rule_tells_and_not_which_endpoint_it_calls(desk: ApiDesk) -> None:
    told = {"url": "https://crm.example/told", "events": ["rule.called"]}
    endpoint = desk.program.send("POST", "/endpoints", told, 201)["endpoint"]["id"]
    team = desk.program.send("POST", "/teams", {"name": "Orders"}, 201)["id"]
    actions = [{"do": "webhook", "endpoint": endpoint}, {"do": "tell", "team": team}]
    rule = add(desk, body={**BODY, "actions": actions}, state="live")["id"]
    begin = desk.reader.get("/events")["next"]
    automated = Ruled(desk.inbox)
    automated.said("ana", "wholesale", clock.now())
    automated.run()
    reading.number_all()
    [run] = desk.reader.get(f"/rules/{rule}/runs")["data"]
    assert [one["reason"] for one in run["actions"]] == [None, None]
    with db.read() as session:
        assert RULE_CALLED in {one.kind for one in session.scalars(sa.select(DomainEvent))}
    heard = desk.reader.get("/events", after=begin)["data"]
    assert [one["event"] for one in heard] == ["conversation.created", "message.received", "rule.told"]
    assert heard[2]["data"]["rule"] == {"id": str(rule), "name": "Wholesale"}
    assert heard[2]["data"]["team"] == {"id": str(team), "name": "Orders"}


OFF: dict[str, Any] = {"greeting": {"on": False}, "away": {"on": False}, "routing": {"on": False}}
HELLO = 'Hello {{contact.first_name || "there"}}!'


def test_a_program_sets_what_an_account_does_by_itself(desk: ApiDesk) -> None:
    at = f"/accounts/{desk.inbox.account.id}/automation"
    unset = desk.reader.get(at)
    assert unset == {
        "greeting": {
            "on": False,
            "text": "",
            "silenceDays": 30,
            "after": ["message", "story_reply", "tap"],
        },
        "away": {"on": False, "text": ""},
        "routing": {"on": False, "team": None, "toPerson": True, "toLast": True},
        "version": 0,
    }
    assert desk.program.send("PUT", at, OFF) == unset, "what changes nothing is no change"
    team = desk.program.send("POST", "/teams", {"name": "Shop"}, 201)["id"]
    wanted = {
        "greeting": {"on": True, "text": HELLO, "silenceDays": 7, "after": ["mention"]},
        "away": {"on": False, "text": "Back soon."},
        "routing": {"on": True, "team": team, "toPerson": False, "toLast": False},
    }
    made = desk.program.send("PUT", at, {**wanted, "version": 0})
    assert made == {**wanted, "version": 1}
    assert desk.reader.get(f"/accounts/{desk.inbox.account.uuid}/automation") == made
    stale = desk.program.refused("PUT", at, {**OFF, "version": 0})
    assert (stale[0], stale[1]["code"]) == (409, "saved_meanwhile")
    assert desk.program.send("PUT", at, OFF)["version"] == 2
    handle = desk.inbox.account.handle
    assert [one for one in lines("account") if one[0] == "account.automation_changed"] == [
        ("account.automation_changed", handle)
    ] * 2


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"greeting": {"on": True}}, "automation_text", "greeting.text"),
        ({"greeting": {"on": True, "text": "{{contact.first_name}}"}}, "automation_text", "greeting.text"),
        ({"greeting": {"on": True, "text": "{{nme}}"}}, "variable", "greeting.text"),
        ({"away": {"on": True, "text": "x" * 1001}}, "automation_text", "away.text"),
        ({"greeting": {"on": False, "silenceDays": 0}}, "invalid_body", "greeting.silenceDays"),
        ({"greeting": {"on": False, "after": ["wave"]}}, "invalid_body", "greeting.after[0]"),
        ({"routing": {"on": True}}, "route_without_team", "routing.team"),
        ({"routing": {"on": True, "team": 2**40}}, "team_not_found", "routing.team"),
        ({"routing": {}}, "invalid_body", "routing.on"),
    ],
)
def test_what_an_account_cannot_do_is_refused_with_its_place(
    desk: ApiDesk, wrong: dict[str, Any], code: str, field: str | None
) -> None:
    at = f"/accounts/{desk.inbox.account.id}/automation"
    _status, error = desk.program.refused("PUT", at, {**OFF, **wrong})
    assert (error["code"], error.get("field")) == (code, field)
    assert desk.reader.get(at)["version"] == 0


def test_an_account_that_is_not_there_does_nothing_by_itself(desk: ApiDesk) -> None:
    assert desk.program.refused("PUT", "/accounts/999999/automation", OFF)[1]["code"] == "account_not_found"
    assert desk.reader.refused("GET", "/accounts/nobody/automation")[1]["code"] == "account_not_found"
    at = f"/accounts/{desk.inbox.account.id}/automation"
    assert desk.reader.refused("PUT", at, OFF)[0] == 403
    desk.inbox.generation.directory = type(desk.inbox.generation.directory)()
    assert desk.program.refused("PUT", at, OFF)[1]["code"] == "unknown_channel"
    assert desk.reader.get(at)["version"] == 0
