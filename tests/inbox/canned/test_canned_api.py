"""Canned replies and macros, by a program."""

from __future__ import annotations

import io

from host.automation.actions import AssignMe, Close, ConversationAction, SendReply
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from host.models.inbox import Message
from tests.api.conftest import _nothing_counted, _store, desk
from tests.api.desks import ApiDesk
from tests.helpers import do
from tests.inbox import toys
from tests.media import samples

__all__ = ["_nothing_counted", "_store", "desk"]


def macro(desk: ApiDesk, *steps: ConversationAction) -> int:
    return do(
        macros.create, desk.workspace, Viewer(None, keeps=True), name="Done", steps=steps, shared=True
    ).id


def test_a_program_keeps_canned_replies(desk: ApiDesk) -> None:
    program = desk.program
    file = program.call("POST", "/uploads", data={"file": (io.BytesIO(samples.PDF), "map.pdf")})
    wanted = {"shortcut": "/hours", "title": "Hours", "texts": {"default": "9 to 5", "de": "9 bis 17"}}
    made = program.send("POST", "/canned-replies", {**wanted, "uploads": [file.json["id"]]}, 201)
    assert (made["shortcut"], made["texts"], made["team"]) == ("hours", wanted["texts"], None)
    assert [one["name"] for one in made["files"]] == ["map.pdf"]
    for change, code in (
        ({}, "canned_reply"),
        ({"shortcut": "b", "texts": {"default": "{{contact.nme}}"}}, "variable"),
        ({"shortcut": "b", "team": 99}, "canned_reply"),
        ({"shortcut": "b", "uploads": ["nobody"]}, "upload_gone"),
        ({"shortcut": "b", "texts": {"default": 7}}, "invalid_body"),
    ):
        assert program.refused("POST", "/canned-replies", {**wanted, **change})[1]["code"] == code
    assert desk.reader.refused("POST", "/canned-replies", wanted)[0] == 403
    at = f"/canned-replies/{made['id']}"
    changed = program.send("PATCH", at, {"title": "Opening hours", "keepFiles": []})
    assert (changed["title"], changed["files"], changed["texts"]) == ("Opening hours", [], wanted["texts"])
    assert desk.reader.get("/canned-replies")["data"] == [changed]
    assert program.call("DELETE", at).status_code == 204
    assert program.refused("DELETE", at)[1]["code"] == "canned_reply_not_found"


def test_a_program_runs_a_macro_all_or_nothing(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana Q.", "Hello", desk.scene.now)
    at = f"/conversations/{desk.scene.conversation('ana')}/macros"
    wanted = {"shortcut": "hi", "title": "Hi", "texts": {"default": "Hello {{contact.first_name}}"}}
    canned = desk.program.send("POST", "/canned-replies", wanted, 201)["id"]
    done = macro(desk, SendReply(canned), Close())
    assert desk.reader.get("/macros")["data"][0]["steps"] == [
        {"do": "reply", "canned": canned},
        {"do": "close"},
    ]
    once = {"Idempotency-Key": "macro-once"}
    (sent,) = desk.program.send("POST", f"{at}/{done}", None, headers=once)["data"]
    assert (sent["text"], sent["origin"]) == ("Hello Ana", "api")
    assert desk.program.send("POST", f"{at}/{done}", None, headers=once)["data"] == [sent]
    status, error = desk.program.refused("POST", f"{at}/{macro(desk, Close(), AssignMe())}")
    assert (status, error["code"]) == (409, "macro_step")
    assert "step 2" in error["message"]
    assert [one.text for one in toys.everything(Message) if one.text] == ["Hello", "Hello Ana"]
    assert desk.program.refused("POST", f"{at}/999")[1]["code"] == "macro_not_found"
