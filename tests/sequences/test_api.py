"""Sequences and their runs, by a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.events import reading
from host.events.models import DomainEvent
from host.models.inbox import Conversation, Handler
from host.users.api_keys import Scope
from tests.api import conftest as api
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.sequences.sequenced import Sequenced

_nothing_counted, _store = api._nothing_counted, api._store

ASK: dict[str, Any] = {
    "do": "ask",
    "id": "number",
    "text": "Which order?",
    "kind": "number",
    "variable": "order",
}
HAND = {"do": "people", "id": "hand"}
SAY = {"do": "say", "id": "thanks", "text": 'Thanks, {{answer.order || "well"}}.', "closed": "hand"}
BODY: dict[str, Any] = {
    "starts": {"words": ["order"], "programs": True},
    "steps": [ASK | {"closed": "hand"}, SAY, {"do": "end", "id": "end"}, HAND],
}


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    return opened(data)


@pytest.fixture
def any_desk(any_database: db.Database, tmp_path: Path) -> ApiDesk:
    """The same on each kind of database."""
    (tmp_path / "data").mkdir()
    return opened(tmp_path / "data")


def opened(data: Path) -> ApiDesk:
    opened = open_api_desk(data)
    opened.scene.said("ana", "Ana", "Hello?", opened.scene.ago(minutes=5))
    return opened


def add(desk: ApiDesk, name: str = "Orders", body: dict[str, Any] = BODY) -> dict[str, Any]:
    made: dict[str, Any] = desk.program.send("POST", "/sequences", {"name": name, "body": body}, 201)
    return made


def live(desk: ApiDesk, name: str = "Orders", body: dict[str, Any] = BODY) -> str:
    """Add and publish a sequence, and return its path."""
    path = f"/sequences/{add(desk, name, body)['id']}"
    desk.program.send("POST", f"{path}/publish", None)
    return path


def start(desk: ApiDesk, path: str, contact: str = "ana") -> dict[str, Any]:
    wish = {"conversationId": desk.scene.conversation(contact)}
    run: dict[str, Any] = desk.program.send("POST", f"{path}/runs", wish, 201)
    return run


def code(desk: ApiDesk, path: str, contact: str = "ana") -> tuple[int, str]:
    wish = {"conversationId": desk.scene.conversation(contact)}
    status, error = desk.program.refused("POST", f"{path}/runs", wish)
    return status, error["code"]


def told(desk: ApiDesk, begin: str) -> list[dict[str, Any]]:
    """Return what programs hear of runs since *begin*."""
    reading.number_all()
    found = desk.reader.get("/events", cursor=begin, limit=100)["data"]
    return [one["data"] | {"event": one["event"]} for one in found if one["event"].startswith("sequence.")]


# ---- the definition ------------------------------------------------------------------------------------


def test_a_program_keeps_sequences(any_desk: ApiDesk) -> None:
    desk = any_desk
    made = add(desk)
    assert made | {"id": 0, "changedAt": ""} == {
        "id": 0,
        "name": "Orders",
        "state": "draft",
        "version": 1,
        "liveVersion": None,
        "author": "Shop",
        "changedAt": "",
        "customers": 0,
        "body": BODY,
        "problems": [],
    }
    path = f"/sequences/{made['id']}"
    assert desk.reader.get(path) == made
    published = desk.program.send("POST", f"{path}/publish", None)
    assert (published["state"], published["liveVersion"]) == ("live", 1)
    longer = BODY | {"steps": [{"do": "wait", "id": "wait", "minutes": 5}, *BODY["steps"]]}
    changed = desk.program.send("PUT", path, {"name": "Ordering", "body": longer})
    assert (changed["name"], changed["version"], changed["liveVersion"]) == ("Ordering", 2, 1)
    assert desk.reader.get(f"{path}/versions/1")["body"] == BODY
    [newest] = desk.reader.get(f"{path}/versions", limit=1)["data"]
    assert (newest["number"], newest["publishedAt"]) == (2, None)
    more = desk.reader.get(f"{path}/versions", limit=1)["next"]
    page = desk.reader.get(f"{path}/versions", limit=1, cursor=more)
    assert ([one["number"] for one in page["data"]], page["next"]) == ([1], None)
    off = desk.program.send("POST", f"{path}/off", {})
    assert off["state"] == "off"
    other = add(desk, "Other")
    order = desk.program.send("POST", f"/sequences/{other['id']}/move", {"places": -1})["data"]
    assert [one["name"] for one in order] == ["Other", "Ordering"]
    assert [one["name"] for one in desk.reader.get("/sequences")["data"]] == ["Other", "Ordering"]
    desk.program.send("DELETE", path, None, 204)
    assert desk.program.refused("GET", path)[1]["code"] == "sequence_not_found"


def test_what_keeps_it_from_being_published_is_told(desk: ApiDesk) -> None:
    steps = [ASK, {"do": "say", "id": "more", "text": "Thanks"}]
    made = add(desk, body={"steps": steps})
    path = f"/sequences/{made['id']}"
    [problem] = made["problems"]
    assert problem.pop("sentence")
    assert problem == {"code": "end", "step": "more", "path": ["more"], "afterSeconds": None}
    status, error = desk.program.refused("POST", f"{path}/publish")
    assert (status, error["code"], error["field"]) == (400, "sequence_not_proved", "body.steps[1]")
    assert desk.reader.get(path)["state"] == "draft"


def test_what_cannot_work_is_told_and_refused_alike(desk: ApiDesk) -> None:
    """What the sequence says of itself is what publishing says, also of what was deleted since."""
    label = desk.program.send("POST", "/labels", {"name": "VIP"}, 201)["id"]
    steps = [
        {"do": "branch", "id": "which", "cases": [{"to": "hand", "variable": "colour"}]},
        {"do": "act", "id": "label", "action": {"do": "label", "label": label}},
        HAND,
    ]
    made = add(desk, body={"starts": {"words": ["Stopp"]}, "steps": steps})
    path = f"/sequences/{made['id']}"
    assert [(one["code"], one["step"]) for one in made["problems"]] == [("start", ""), ("answer", "which")]
    desk.program.send("DELETE", f"/labels/{label}", None, 204)
    problems = desk.reader.get(path)["problems"]
    assert [(one["code"], one["step"]) for one in problems] == [
        ("start", ""),
        ("answer", "which"),
        ("reference", "label"),
    ]
    status, error = desk.program.refused("POST", f"{path}/publish")
    assert (status, error["code"], error["field"]) == (400, "sequence_not_proved", "body.starts.words[0]")
    assert "saved" not in error["message"]
    assert desk.reader.get(path)["state"] == "draft"


def test_a_start_of_another_live_sequence_is_told(desk: ApiDesk) -> None:
    body = {"starts": {"words": ["order"]}, "steps": [HAND]}
    first, second = add(desk, body=body), add(desk, "Other", body=body)
    assert (first["problems"], second["problems"]) == ([], [])
    desk.program.send("POST", f"/sequences/{first['id']}/publish", None)
    path = f"/sequences/{second['id']}"
    assert [one["code"] for one in desk.reader.get(path)["problems"]] == ["start"]
    assert desk.program.refused("POST", f"{path}/publish")[1]["field"] == "body.starts.words[0]"
    desk.program.send("POST", f"/sequences/{first['id']}/off", {})
    assert desk.program.send("POST", f"{path}/publish", None)["state"] == "live"


@pytest.mark.parametrize(("hours", "says"), [(-1, "negative"), (10**15, "90 days"), (2161, "90 days")])
def test_a_wait_that_is_no_wait_says_what_is_wrong(desk: ApiDesk, hours: int, says: str) -> None:
    for step in ({"do": "wait", "id": "wait", "hours": hours}, ASK | {"hours": hours}):
        body = {"steps": [step, HAND]}
        status, error = desk.program.refused("POST", "/sequences", {"name": "Orders", "body": body})
        assert (status, error["field"]) == (400, "body.steps[0].hours")
        assert says in error["message"], error


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": []}, "body.steps"),
        ({"steps": [ASK | {"told": "Bye", "other": "number"}]}, "body.steps[0].told"),
        ({"steps": [ASK | {"kind": "text", "digits": 5}]}, "body.steps[0].digits"),
        ({"steps": [ASK | {"then": "gone"}]}, "body.steps[0].then"),
        ({"steps": [ASK | {"kind": "colour"}]}, "body.steps[0].kind"),
        ({"steps": [ASK | {"kind": "choice", "choices": ["a", ""]}]}, "body.steps[0].choices[1]"),
        ({"steps": [{"do": "people", "id": "hand", "team": 2**40}]}, "body.steps[0].team"),
        ({"starts": {"words": [3]}}, "body.starts.words[0]"),
        ({"accounts": [2**40]}, "body.accounts[0]"),
    ],
)
def test_an_invalid_sequence_is_refused_with_the_place(
    desk: ApiDesk, change: dict[str, Any], field: str
) -> None:
    body = {"steps": [HAND]} | change
    status, error = desk.program.refused("POST", "/sequences", {"name": "Orders", "body": body})
    assert (status, error["code"], error["field"]) == (400, "sequence", field)
    named = error["message"].partition("The field ")[2]
    assert not named or named.startswith(f"{field} ")
    assert desk.reader.get("/sequences") == {"data": []}


def test_nobody_overwrites_what_somebody_else_saved(desk: ApiDesk) -> None:
    made = add(desk)
    path = f"/sequences/{made['id']}"
    wish = {"name": "Orders", "body": {"steps": [HAND]}, "changedAt": made["changedAt"]}
    changed = desk.program.send("PUT", path, wish)
    status, error = desk.program.refused("PUT", path, wish | {"name": "Late"})
    assert (status, error["code"]) == (409, "sequence_saved_meanwhile")
    desk.program.send("PUT", path, wish | {"changedAt": changed["changedAt"], "name": "In time"})


def test_versions_that_are_not_there(desk: ApiDesk) -> None:
    path = f"/sequences/{add(desk)['id']}"
    status, error = desk.program.refused("GET", f"{path}/versions/2")
    assert (status, error["code"], error["field"]) == (404, "sequence_version_not_found", "version_id")


# ---- runs ----------------------------------------------------------------------------------------------


def test_a_program_starts_a_sequence(any_desk: ApiDesk) -> None:
    desk = any_desk
    path = live(desk)
    begin = desk.reader.get("/events")["next"]
    run = start(desk, path)
    assert (run["state"], run["step"], run["waitsFor"], run["startedBy"]) == (
        "active",
        "number",
        "answer",
        "api",
    )
    assert [(one["step"], one["way"]) for one in run["visits"]] == [("number", None)]
    assert run["visits"][0]["messageId"] is not None
    assert desk.reader.get(path)["customers"] == 1
    automated = Sequenced(desk.inbox)
    assert automated.automatic() == ["Which order?"]
    automated.run()
    desk.scene.said("ana", "Ana", "4711", clock.now())
    automated.run()
    done = desk.reader.get(f"{path}/runs/{run['id']}")
    assert (done["state"], done["outcome"], done["reason"], done["waitsFor"]) == ("ended", "done", None, None)
    assert [(one["name"], one["value"]) for one in done["answers"]] == [("order", "4711")]
    assert automated.automatic()[-1] == "Thanks, 4711."
    started, ended = told(desk, begin)
    assert started | {"timestamp": "", "messageId": ""} == {
        "event": "sequence.started",
        "sequence": {"id": path.rpartition("/")[2], "name": "Orders"},
        "runId": str(run["id"]),
        "version": 1,
        "startedBy": "api",
        "channelId": desk.inbox.account.uuid,
        "channelType": desk.inbox.account.channel,
        "from": "ana",
        "contactId": str(run["contactId"]),
        "conversationId": str(run["conversationId"]),
        "messageId": "",
        "timestamp": "",
    }
    assert (ended["event"], ended["outcome"], ended["step"], ended["runId"]) == (
        "sequence.ended",
        "done",
        "end",
        str(run["id"]),
    )


def test_what_it_does_follows_from_its_start(desk: ApiDesk) -> None:
    run = start(desk, live(desk))
    with db.read() as session:
        rows = session.execute(
            sa.select(DomainEvent.id, DomainEvent.kind, DomainEvent.cause_id).where(
                DomainEvent.conversation_id == run["conversationId"]
            )
        ).all()
    [(begun, cause)] = [(one.id, one.cause_id) for one in rows if one.kind == "sequence.started"]
    assert cause is None
    after = [one for one in rows if one.id > begun]
    assert after
    assert {one.cause_id for one in after} == {begun}


def test_a_repeated_request_starts_nothing_more(desk: ApiDesk) -> None:
    path = live(desk)
    wish = {"conversationId": desk.scene.conversation("ana")}
    key = {"Idempotency-Key": "order-4711"}
    first = desk.program.send("POST", f"{path}/runs", wish, 201, headers=key)
    assert desk.program.send("POST", f"{path}/runs", wish, 201, headers=key) == first
    assert len(desk.reader.get(f"{path}/runs")["data"]) == 1


def test_why_it_does_not_start(desk: ApiDesk) -> None:
    assert code(desk, f"/sequences/{add(desk)['id']}") == (409, "sequence_not_started")
    only_customers = live(desk, "Words", BODY | {"starts": {"words": ["words"]}})
    assert code(desk, only_customers) == (409, "sequence_not_started")
    path = live(desk)
    start(desk, path)
    assert code(desk, path) == (409, "in_sequence")
    assert code(desk, live(desk, "Second", BODY | {"starts": {"programs": True}})) == (409, "in_sequence")
    desk.program.send("POST", f"{path}/off", {})
    assert code(desk, path) == (409, "sequence_not_started")


def test_it_does_not_start_beside_a_person(desk: ApiDesk) -> None:
    def take(session: Any) -> None:
        session.execute(sa.update(Conversation).values(handled_by=Handler.PERSON))

    path = live(desk)
    db.write(take)
    assert code(desk, path) == (409, "sequence_not_started")


def test_it_does_not_start_after_the_window(desk: ApiDesk) -> None:
    desk.scene.said("bea", "Bea", "Hello?", desk.scene.ago(days=30))
    path = live(desk)
    assert code(desk, path, "bea") in {(409, "window_closed"), (409, "people_only")}


def test_conversations_that_are_not_there(desk: ApiDesk) -> None:
    path = live(desk)
    status, error = desk.program.refused("POST", f"{path}/runs", {"conversationId": 2**40})
    assert (status, error["code"], error["field"]) == (404, "conversation_not_found", "conversationId")


def test_a_program_ends_a_run(any_desk: ApiDesk) -> None:
    desk = any_desk
    path = live(desk)
    begin = desk.reader.get("/events")["next"]
    run = start(desk, path)
    ended = desk.program.send("POST", f"{path}/runs/{run['id']}/end", None)
    assert (ended["state"], ended["outcome"], ended["reason"]) == ("ended", "stopped", "ended_by_team")
    assert desk.program.send("POST", f"{path}/runs/{run['id']}/end", None) == ended
    assert [one["event"] for one in told(desk, begin)] == ["sequence.started", "sequence.ended"]
    start(desk, path)


def test_all_runs_end_with_their_sequence(desk: ApiDesk) -> None:
    path = live(desk)
    start(desk, path)
    status, error = desk.program.refused("DELETE", path)
    assert (status, error["code"]) == (409, "sequence_in_use")
    desk.program.send("POST", f"{path}/off", {"endRuns": True})
    Sequenced(desk.inbox).run()
    [run] = desk.reader.get(f"{path}/runs")["data"]
    assert (run["outcome"], run["reason"]) == ("stopped", "ended_by_team")
    desk.program.send("DELETE", path, None, 204)


def test_runs_come_in_pages(any_desk: ApiDesk) -> None:
    desk = any_desk
    path = live(desk)
    ids = []
    for _ in range(3):
        run = start(desk, path)
        ids.insert(0, run["id"])
        desk.program.send("POST", f"{path}/runs/{run['id']}/end", None)
    ids.insert(0, start(desk, path)["id"])
    page = desk.reader.get(f"{path}/runs", limit=3)
    assert [one["id"] for one in page["data"]] == ids[:3]
    last = desk.reader.get(f"{path}/runs", limit=3, cursor=page["next"])
    assert ([one["id"] for one in last["data"]], last["next"]) == (ids[3:], None)

    def shown(**query: Any) -> list[int]:
        return [one["id"] for one in desk.reader.get(f"{path}/runs", **query)["data"]]

    assert shown(state="active") == ids[:1]
    assert shown(state="ended") == ids[1:]
    assert shown(step="thanks") == []
    assert shown(step="number", conversationId=desk.scene.conversation("ana")) == ids
    assert shown(conversationId=1 + desk.scene.conversation("ana")) == []
    other = live(desk, "Other", BODY | {"starts": {"programs": True}})
    status, error = desk.program.refused("GET", f"{other}/runs/{ids[0]}")
    assert (status, error["code"], error["field"]) == (404, "sequence_run_not_found", "run_id")


def test_who_may_not_read_messages_sees_no_answers(desk: ApiDesk) -> None:
    path = live(desk)
    run = start(desk, path)
    narrow = Program(desk.app, make_key(desk.workspace, Scope.AUTOMATION_READ, name="Narrow"))
    assert narrow.get(f"{path}/runs/{run['id']}")["answers"] is None
    assert desk.reader.get(f"{path}/runs/{run['id']}")["answers"] == []


def test_a_message_starts_it_and_programs_hear_of_it(desk: ApiDesk) -> None:
    live(desk)
    automated = Sequenced(desk.inbox)
    begin = desk.reader.get("/events")["next"]
    desk.scene.said("ana", "Ana", "About my order", clock.now())
    automated.run()
    [started] = told(desk, begin)
    assert (started["startedBy"], started["event"]) == ("words", "sequence.started")
    with db.read() as session:
        [cause] = session.scalars(
            sa.select(DomainEvent.cause_id).where(DomainEvent.kind == "sequence.started")
        )
    assert cause is not None, "so it starts no rule"


# ---- numbers -------------------------------------------------------------------------------------------


def test_a_program_reads_the_numbers_and_the_runs_behind_them(any_desk: ApiDesk) -> None:
    desk = any_desk
    path = live(desk)
    run = start(desk, path)
    found = desk.reader.get(f"{path}/numbers")
    assert found["startedFrom"] < run["startedAt"] < found["startedBefore"]
    steps = found.pop("steps")
    assert {key: found[key] for key in ("version", "started", "starts", "active", "done", "stopped")} == {
        "version": 1,
        "started": 1,
        "starts": [{"startedBy": "api", "count": 1}],
        "active": 1,
        "done": 0,
        "stopped": [],
    }
    assert steps[0] == {"step": "number", "reached": 1, "here": 1, "left": [], "seconds": None}
    desk.program.send("POST", f"{path}/runs/{run['id']}/end", None)
    found = desk.reader.get(f"{path}/numbers", version=1, zone="Europe/Berlin")
    assert found["stopped"] == [{"ended": "ended_by_team", "count": 1}]
    assert found["steps"][0]["left"] == found["stopped"]
    behind: dict[str, Any] = {
        "version": 1,
        "startedFrom": found["startedFrom"],
        "startedBefore": found["startedBefore"],
        "startedBy": "api",
        "reached": "number",
        "step": "number",
        "ended": "ended_by_team",
        "state": "ended",
    }
    assert [one["id"] for one in desk.reader.get(f"{path}/runs", **behind)["data"]] == [run["id"]]
    for other in ({"version": 2}, {"startedBy": "words"}, {"reached": "hand"}, {"ended": "done"}):
        assert desk.reader.get(f"{path}/runs", **(behind | other))["data"] == []
    assert desk.reader.refused("GET", f"{path}/numbers?version=9")[1]["code"] == "sequence_version_not_found"
    assert desk.reader.refused("GET", f"{path}/numbers?zone=Nowhere")[0] == 400
    assert desk.reader.refused("GET", f"{path}/numbers?from=2026-02-01&to=2026-01-01")[1]["field"] == "from"
