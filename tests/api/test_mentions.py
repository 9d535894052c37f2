"""Mentions by a program: notes that tell somebody, and conversations that mention somebody."""

from __future__ import annotations

from tests import helpers
from tests.api.desks import ApiDesk


def test_a_program_mentions_people_and_finds_where(desk: ApiDesk) -> None:
    for name in ("ana", "ben"):
        desk.scene.said(name, name.title(), "Hello", desk.scene.now)
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    notes = f"/conversations/{desk.scene.conversation('ana')}/notes"
    note = desk.program.send("POST", notes, {"text": "Ready?", "mentions": [bo.id]}, 201)
    assert note["content"]["mentions"] == [{"id": bo.id, "name": "Bo T."}]
    plain = desk.program.send("POST", notes, {"text": "@Bo T. is not told by name alone"}, 201)
    assert "mentions" not in plain["content"]
    found = desk.program.get("/conversations", mentioned=str(bo.id))["data"]
    assert [one["contact"]["externalId"] for one in found] == ["ana"]
    for wrong in ([helpers.make_user(name="Not Here").id], [bo.id, 10**9]):
        status, error = desk.program.refused("POST", notes, {"text": "x", "mentions": wrong})
        assert (status, error["code"]) == (400, "cannot_be_mentioned")
