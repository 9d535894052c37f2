"""Cancelling and editing what waits, by the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from host.inbox import outcome
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, Everything())
    opened.scene.said("ana", "Ana", "Where is it?", opened.scene.ago(minutes=5))
    return opened


def queued(desk: ApiDesk, text: str = "It ships tomorrow.") -> str:
    body = {"conversationId": desk.scene.conversation("ana"), "kind": "text", "text": text}
    (message,) = desk.program.send("POST", "/messages", body, status=201)["data"]
    return f"/messages/{message['id']}"


def test_a_message_that_waits_is_cancelled_once(desk: ApiDesk) -> None:
    path = queued(desk)
    assert desk.program.send("POST", f"{path}/cancel", None)["state"] == "cancelled"
    assert desk.program.get(path)["state"] == "cancelled"
    status, error = desk.program.refused("POST", f"{path}/cancel")
    assert (status, error["code"]) == (409, "state_moved_on")


def test_a_message_that_waits_is_edited_and_keeps_its_place(desk: ApiDesk) -> None:
    first, second = queued(desk), queued(desk, "And the other one too.")
    answer = desk.program.send("PATCH", first, {"text": " It ships on Friday. "})
    assert (answer["text"], answer["state"]) == ("It ships on Friday.", "queued")
    listed = desk.program.get(f"/conversations/{answer['conversationId']}/messages")["data"]
    assert [one["text"] for one in listed[-2:]] == ["It ships on Friday.", "And the other one too."]
    assert f"/messages/{listed[-1]['id']}" == second


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [("  ", 400, "empty"), ("x" * 1001, 400, "too_long"), (7, 400, "invalid_body")],
)
def test_an_edit_keeps_to_the_limits(desk: ApiDesk, text: object, status: int, code: str) -> None:
    path = queued(desk)
    refused = desk.program.refused("PATCH", path, {"text": text})
    assert (refused[0], refused[1]["code"]) == (status, code)
    assert desk.program.get(path)["text"] == "It ships tomorrow."


def test_what_has_left_is_neither_cancelled_nor_edited(desk: ApiDesk) -> None:
    path = queued(desk)
    db.write(outcome.record_sending, int(path.rpartition("/")[2]))
    for method, rest, body in (("POST", "/cancel", None), ("PATCH", "", {"text": "x"})):
        assert desk.program.refused(method, f"{path}{rest}", body)[1]["code"] == "state_moved_on"


def test_the_customers_message_is_none_that_waits(desk: ApiDesk) -> None:
    shown = desk.program.get(f"/conversations/{desk.scene.conversation('ana')}/messages")["data"][0]
    refused = desk.program.refused("POST", f"/messages/{shown['id']}/cancel")
    assert refused[1]["code"] == "not_in_outbox"
    assert desk.program.refused("POST", "/messages/999999/cancel")[0] == 404
