"""Mentions by a program: notes that tell somebody, and conversations that mention somebody."""

from __future__ import annotations

from tests import helpers
from tests.api.desks import ApiDesk
from tests.notifications.test_telling import team


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
    kiln = team(desk.scene.desk, bo.id, name="Kiln")
    note = desk.program.send("POST", notes, {"text": "Who is there?", "teams": [kiln]}, 201)
    assert note["content"]["teams"] == [{"id": kiln, "name": "Kiln"}]
    status, error = desk.program.refused("POST", notes, {"text": "x", "teams": [10**9]})
    assert (status, error["code"]) == (400, "cannot_be_mentioned")
    for wrong in ([helpers.make_user(name="Not Here").id], [bo.id, 10**9]):
        status, error = desk.program.refused("POST", notes, {"text": "x", "mentions": wrong})
        assert (status, error["code"]) == (400, "cannot_be_mentioned")
