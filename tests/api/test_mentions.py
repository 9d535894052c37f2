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


def test_a_program_edits_and_deletes_its_own_notes(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.now)
    bo, cy = (helpers.make_user(name=name, workspace=desk.workspace).id for name in ("Bo T.", "Cy"))
    notes = f"/conversations/{desk.scene.conversation('ana')}/notes"
    note = desk.program.send("POST", notes, {"text": "Ready?", "mentions": [bo]}, 201)
    path = f"/notes/{note['id']}"
    edited = desk.program.send("PATCH", path, {"text": "Is it ready?", "editCount": 0}, 200)
    assert (edited["text"], edited["editCount"], edited["editedAt"] is None) == ("Is it ready?", 1, False)
    assert [one["id"] for one in edited["content"]["mentions"]] == [bo], "left out, they stay"
    status, error = desk.program.refused("PATCH", path, {"text": "Else", "editCount": 0})
    assert (status, error["code"]) == (409, "note_changed")
    edited = desk.program.send("PATCH", path, {"text": "Is it ready?", "mentions": [cy]}, 200)
    assert [one["id"] for one in edited["content"]["mentions"]] == [cy]
    edited = desk.program.send("PATCH", path, {"text": "Is it ready?", "mentions": []}, 200)
    assert ("mentions" in edited["content"], edited["editCount"]) == (False, 3)
    for wrong in ({}, {"text": ""}, {"text": 7}, {"text": "x", "editCount": -1}, {"text": "x" * 20_001}):
        assert desk.program.refused("PATCH", path, wrong)[0] == 400
    for _again in range(2):
        desk.program.send("DELETE", path, None, 204)
    found = desk.program.get(f"/messages/{note['id']}")
    assert (found["text"], found["unsentAt"] is None) == ("", False)
    status, error = desk.program.refused("PATCH", path, {"text": "Back"})
    assert (status, error["code"]) == (409, "note_deleted")


def test_a_program_leaves_the_notes_of_others_alone(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.now)
    desk.scene.note("ana", "Mine", desk.scene.now, desk.scene.desk.mia.id)
    conversation = desk.scene.conversation("ana")
    messages = desk.program.get(f"/conversations/{conversation}/messages")["data"]
    for one in messages:
        code = (403, "not_the_author") if one["kind"] == "note" else (404, "message_not_found")
        for method, body in (("PATCH", {"text": "Not mine"}), ("DELETE", None)):
            status, error = desk.program.refused(method, f"/notes/{one['id']}", body)
            assert (status, error["code"]) == code
    assert desk.program.get(f"/conversations/{conversation}/messages")["data"] == messages
    assert desk.program.refused("DELETE", "/notes/999999999", None)[0] == 404
