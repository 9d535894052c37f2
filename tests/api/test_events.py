"""Endpoints and events in the API: what is told, to whom, again, and to those who ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from host.core import clock, db
from host.events import reading
from host.events.consuming import _make_rows, _Reader
from host.events.kinds import shapes
from host.models.users import AuditEntry
from host.users.data_retention import DataRetention
from host.webhooks import sending
from host.webhooks.consumer import Webhooks
from host.webhooks.models import Endpoint
from tests.api.desks import ApiDesk
from tests.inbox.toys import everything
from tests.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def reader(desk: ApiDesk) -> _Reader:
    base = "http://127.0.0.1:8080"
    found = _Reader(Webhooks(lambda: desk.inbox.generation.directory, lambda: base))
    db.write(_make_rows, [found.consumer])
    return found


def tell(reader: _Reader) -> None:
    while reader._step():
        pass
    sending.drain()


def said(desk: ApiDesk, text: str, contact: str = "ana.sample") -> None:
    desk.scene.said(contact, "Ana S.", text, clock.now())


def test_an_endpoint_is_made_changed_paused_and_deleted(desk: ApiDesk, receiver: Receiver) -> None:
    made = desk.program.send(
        "POST", "/endpoints", {"url": receiver.url, "events": ["message.received"], "both": True}, 201
    )
    secret, endpoint = made["secret"], made["endpoint"]
    assert secret.startswith("whsec_")
    assert desk.reader.get(f"/endpoints/{endpoint['id']}") == endpoint
    assert endpoint | {"id": 0, "createdAt": ""} == {
        "id": 0,
        "url": receiver.url,
        "events": ["message.received"],
        "accounts": [],
        "labels": [],
        "both": True,
        "ordered": True,
        "state": "active",
        "reason": None,
        "failingSince": None,
        "oldSecretUntil": None,
        "createdAt": "",
    }
    path = f"/endpoints/{endpoint['id']}"
    changed = desk.program.send("PATCH", path, {"events": ["*"], "state": "paused"})
    assert (changed["events"], changed["state"]) == (["*"], "paused")
    assert desk.program.send("POST", f"{path}/rotate", None)["secret"] != secret
    assert desk.program.get(path)["oldSecretUntil"] is not None
    assert desk.program.call("DELETE", path).status_code == 204
    assert desk.program.refused("GET", path)[1]["code"] == "endpoint_not_found"
    assert [one.action for one in everything(AuditEntry) if one.action.startswith("endpoint.")] == [
        *("endpoint.added", "endpoint.paused", "endpoint.changed", "endpoint.rotated", "endpoint.deleted")
    ]
    assert secret not in str([(one.subject, one.details) for one in everything(AuditEntry)])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"url": "http://a.example/"}, "address_not_usable"),
        ({"url": "https://a.example:99/"}, "address_not_usable"),
        ({"url": "https://user:word@a.example/"}, "address_not_usable"),
        ({"url": "nonsense"}, "address_not_usable"),
        ({"events": []}, "unknown_event"),
        ({"events": ["message.recieved"]}, "unknown_event"),
        ({"events": ["mess*"]}, "unknown_event"),
        ({"accounts": [2**40]}, "account_not_found"),
        ({"what": 1}, "invalid_body"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(desk: ApiDesk, wrong: Any, code: str) -> None:
    body = {"url": "https://a.example/", "events": ["*"]} | wrong
    assert desk.program.refused("POST", "/endpoints", body)[1]["code"] == code
    assert everything(Endpoint) == []


def test_a_workspace_has_twenty_endpoints_at_most(desk: ApiDesk) -> None:
    for number in range(20):
        desk.program.send("POST", "/endpoints", {"url": f"https://a.example/{number}", "events": ["*"]}, 201)
    status, error = desk.program.refused("POST", "/endpoints", {"url": "https://a.example/", "events": ["*"]})
    assert (status, error["code"], error["limit"]) == (409, "too_many_endpoints", 20)


def test_the_log_a_test_and_replays(desk: ApiDesk, receiver: Receiver, reader: _Reader) -> None:
    body = {"url": receiver.url, "events": ["message.received"]}
    path = f"/endpoints/{desk.program.send('POST', '/endpoints', body, 201)['endpoint']['id']}"
    assert desk.program.send("POST", f"{path}/test", None, 202)["event"] == "endpoint.test"
    said(desk, "first")
    receiver.script = [200, 500]
    tell(reader)
    [message, test] = desk.program.get(f"{path}/deliveries")["data"]
    assert {message["state"], test["state"]} == {"waiting", "delivered"}
    failed = desk.program.get(f"{path}/deliveries", state="failed")["data"]
    assert [one["status"] for one in failed] == [500]
    whole = desk.program.get(f"{path}/deliveries/{failed[0]['id']}")
    assert whole["body"]["event"] in {"message.received", "endpoint.test"}
    assert desk.program.send("POST", f"{path}/replay", {"failed": True}, 202) == {"count": 1, "next": None}
    tell(reader)
    assert desk.program.get(f"{path}/deliveries", state="failed")["data"] == []

    # What it missed while it was paused is made now; what it had comes again, in the order it happened.
    desk.program.send("PATCH", path, {"state": "paused"})
    said(desk, "second")
    tell(reader)
    desk.program.send("PATCH", path, {"state": "active"})
    said(desk, "third")
    tell(reader)
    receiver.got.clear()
    since = (clock.now() - timedelta(hours=1)).isoformat()
    assert desk.program.send("POST", f"{path}/replay", {"since": since}, 202)["count"] == 3
    tell(reader)
    texts = [one.told["data"]["content"]["text"] for one in receiver.got]
    assert texts == ["first", "second", "third"]
    assert desk.program.refused("POST", f"{path}/replay", {})[1]["code"] == "invalid_replay"


def test_who_asks_is_told_the_same_under_the_same_ids(
    desk: ApiDesk, receiver: Receiver, reader: _Reader
) -> None:
    desk.program.send("POST", "/endpoints", {"url": receiver.url, "events": ["*"]}, 201)
    begin = desk.reader.get("/events")
    assert begin["data"] == []
    for number in range(5):
        said(desk, f"text {number}", f"customer {number}")
    tell(reader)
    asked, after = [], begin["next"]
    while True:
        page = desk.reader.get("/events", after=after, limit=3)
        asked += page["data"]
        after = page["next"]
        if not page["more"] and not page["data"]:
            break
    assert len(asked) == 10
    assert {(one["id"], one["event"]) for one in asked} == {
        (one.id, one.told["event"]) for one in receiver.got
    }
    posted = {one.id: one.told["data"] for one in receiver.got}
    assert all(posted[one["id"]] == one["data"] for one in asked)
    assert desk.reader.get("/events", after=after)["data"] == []


def test_event_says_what_was_so_then(desk: ApiDesk) -> None:
    """Each event is read at once and after all changes: only names that are looked up may differ."""
    program, team = desk.program, desk.program.send("POST", "/teams", {"name": "Orders"}, 201)["id"]
    order, vip = (program.send("POST", "/labels", {"name": name}, 201)["id"] for name in ("order", "vip"))
    start = desk.reader.get("/events")["next"]
    after, then = start, []

    def take() -> None:
        nonlocal after
        page = desk.reader.get("/events", after=after)
        after = page["next"]
        then.extend(page["data"])

    said(desk, "Hello")
    take()
    path = f"/conversations/{program.get('/conversations')['data'][0]['id']}"
    for body in (
        {"addLabels": [order, vip]},
        {"assignee": desk.inbox.mia.id},
        {"team": team},
        {"removeLabels": [order]},
        {"status": "closed"},
    ):
        program.send("PATCH", path, body)
        take()
    said(desk, "Are you there?")
    take()
    program.send("PATCH", path, {"assignee": None, "team": None, "status": "closed"})
    program.send("PATCH", f"/labels/{vip}", {"name": "very important"})
    assert program.call("DELETE", f"/labels/{order}").status_code == 204
    assert program.call("DELETE", f"/labels/{vip}").status_code == 204

    assert [
        (one["event"], [label["name"] for label in one["data"].get("labels", [])], one["data"]["status"])
        for one in then
        if one["event"].startswith("conversation.")
    ] == [
        ("conversation.created", [], "open"),
        ("conversation.labelled", ["order", "vip"], "open"),
        ("conversation.labelled", ["order", "vip"], "open"),
        ("conversation.assigned", ["order", "vip"], "open"),
        ("conversation.team_assigned", ["order", "vip"], "open"),
        ("conversation.assigned", ["order", "vip"], "open"),
        ("conversation.unlabelled", ["vip"], "open"),
        ("conversation.closed", ["vip"], "closed"),
        ("conversation.reopened", ["vip"], "open"),
    ]
    now = desk.reader.get("/events", after=start, limit=len(then))["data"]
    assert now == then


def test_a_question_waits_until_something_happens(desk: ApiDesk) -> None:
    after = desk.reader.get("/events")["next"]
    timer = threading.Timer(0.3, said, (desk, "at last"))
    timer.start()
    began = clock.monotonic()
    found = desk.reader.get("/events", after=after, wait=20)
    timer.join()
    assert clock.monotonic() - began < 15
    assert found["data"]


def test_too_many_who_wait_are_answered_at_once(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    from host.events import api

    monkeypatch.setattr(api._waiting, "_count", 10_000)
    began = clock.monotonic()
    assert desk.reader.get("/events", wait=20)["data"] == []
    assert clock.monotonic() - began < 10


def test_cursors_that_are_none_or_too_old_say_so(desk: ApiDesk) -> None:
    after = desk.reader.get("/events")["next"]
    for wrong in ("x", after[:-2], after + "A", "é", ""):
        assert desk.reader.refused("GET", f"/events?after={wrong}")[1]["code"] == "invalid_cursor"
    with clock.travel(DataRetention().log + timedelta(days=1)):
        status, error = desk.reader.refused("GET", f"/events?after={after}")
    assert (status, error["code"]) == (410, "events_gone")


def test_a_cursor_outlives_a_restore_into_another_database(desk: ApiDesk) -> None:
    said(desk, "before")
    after = desk.reader.get("/events")["next"]
    said(desk, "after")
    db.write(reading.put_behind)
    found = desk.reader.get("/events", after=after)["data"]
    assert [one["data"]["content"]["text"] for one in found if one["event"] == "message.received"] == [
        "after"
    ]


def test_every_time_has_one_form() -> None:
    at = clock.now().replace(microsecond=123456)
    assert shapes.timestamp(at) == at.strftime("%Y-%m-%dT%H:%M:%SZ")
