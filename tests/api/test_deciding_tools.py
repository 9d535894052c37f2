"""Tool calls of assistants by the API: a person decides, through a program that may pass that on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.models.users import AuditEntry, Role
from host.users.api_keys import GRANTABLE, Scope
from tests import helpers
from tests.api.desks import ApiDesk, Program, has_assistants, kept_ids, make_key, open_api_desk
from tests.inbox import toys

pytestmark = pytest.mark.skipif(not has_assistants(), reason="this copy has no assistants")


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data)
    opened.scene.said("ana", "Ana", "That is all, thank you", opened.scene.ago(minutes=5))
    return opened


@pytest.fixture
def waiting(desk: ApiDesk) -> int:
    return kept_ids(desk)["call_id"]


def path(desk: ApiDesk, *rest: object) -> str:
    return "/".join([f"/conversations/{desk.scene.conversation('ana')}/tool-calls", *map(str, rest)])


def status(desk: ApiDesk) -> Any:
    return desk.program.get(f"/conversations/{desk.scene.conversation('ana')}")["status"]


def test_an_approved_call_is_done_once_in_the_name_of_the_person(desk: ApiDesk, waiting: int) -> None:
    (listed,) = desk.program.get(path(desk), waiting="true")["data"]
    assert (listed["id"], listed["tool"], listed["state"]) == (waiting, "close", "asked")
    approver = Program(desk.app, make_key(desk.workspace, Scope.APPROVE, name="Chat"))
    mia = desk.inbox.mia.id
    done = approver.send("POST", path(desk, waiting, "approve"), {"memberId": mia})
    assert (done["state"], done["result"]) == ("done", "The conversation is closed.")
    assert status(desk) == "closed"
    error = approver.refused("POST", path(desk, waiting, "approve"), {"memberId": mia})[1]
    assert error["code"] == "assistant_call_decided"
    line = toys.everything(AuditEntry)[-1]
    assert (line.action, line.subject) == ("assistant_tool.approved", "close")
    assert line.details == {
        "call": waiting,
        "conversation": desk.scene.conversation("ana"),
        "person": mia,
        "by": "Chat",
    }
    assert desk.program.get(path(desk), waiting="true")["data"] == []


def test_a_refused_call_is_never_done(desk: ApiDesk, waiting: int) -> None:
    assert desk.program.send("POST", path(desk, waiting, "refuse"), None)["state"] == "refused"
    body = {"memberId": desk.inbox.mia.id}
    assert desk.program.refused("POST", path(desk, waiting, "approve"), body)[0] == 409
    assert status(desk) == "open"


def test_nobody_else_approves(desk: ApiDesk, waiting: int) -> None:
    body = {"memberId": desk.inbox.mia.id}
    approve = path(desk, waiting, "approve")
    for scopes in (GRANTABLE - {Scope.APPROVE}, {Scope.READ, Scope.WRITE}):
        other = Program(desk.app, make_key(desk.workspace, *scopes))
        assert other.refused("POST", approve, body)[1]["code"] == "scope_missing"
    bot = Program(desk.app, make_key(desk.workspace, automatic=True))
    assert bot.refused("POST", approve, body)[1]["code"] == "person_required"
    auditor = helpers.make_user(workspace=desk.workspace, role=Role.AUDITOR).id
    error = desk.program.refused("POST", approve, {"memberId": auditor})[1]
    assert (error["code"], error["field"]) == ("not_a_member", "memberId")
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.refused("POST", approve, body)[0] == 404
    assert status(desk) == "open"
    assert desk.program.get(path(desk))["data"][0]["state"] == "asked"
