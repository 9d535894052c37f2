"""Past answers of the team by the API: listed as suggested entries, dismissed and restored."""

from __future__ import annotations

import pytest

from tests import helpers
from tests.api.desks import ApiDesk, Program, has_assistants, make_key

if not has_assistants():
    pytest.skip("this copy has no assistants", allow_module_level=True)

from tests.assistants.test_learning import YARD, answered, said

PHONE = YARD.format("Ana, or call 0171 2345678")


def test_a_repeated_answer_is_listed_dismissed_and_restored(desk: ApiDesk) -> None:
    for number in range(4):
        answered(said(desk.inbox.account, "Is there parking?", f"c{number}"), PHONE, desk.inbox.mia.id)
    assistant = desk.program.send("POST", "/assistants", {"name": "Shop desk"}, 201)["id"]
    path = f"/assistants/{assistant}/past-answers"
    (found,) = desk.program.get(path)["data"]
    assert (found["times"], found["authors"], found["dismissedId"]) == (4, ["Mia R."], None)
    assert found["text"] == PHONE
    assert "Is there parking?" in found["questions"]
    assert any("2345678" in part for part in found["personal"])
    made = desk.program.send("POST", f"{path}/dismiss", {"text": found["text"]})
    assert desk.program.send("POST", f"{path}/dismiss", {"text": found["text"]}) == made
    assert [one["dismissedId"] for one in desk.program.get(path)["data"]] == [made["id"]]
    assert desk.program.call("DELETE", f"{path}/dismissed/{made['id']}").status_code == 204
    assert [one["dismissedId"] for one in desk.program.get(path)["data"]] == [None]
    assert desk.program.refused("DELETE", f"{path}/dismissed/{made['id']}")[0] == 404
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.refused("GET", path)[0] == 404


def test_an_answer_of_too_few_words_is_not_dismissed(desk: ApiDesk) -> None:
    assistant = desk.program.send("POST", "/assistants", {"name": "Shop desk"}, 201)["id"]
    status, error = desk.program.refused(
        "POST", f"/assistants/{assistant}/past-answers/dismiss", {"text": "Yes"}
    )
    assert (status, error["code"]) == (400, "past_answer")
