"""What a page and the API do alike to assistants, they write alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.assistants import assistants, program_tools
from host.assistants.knowledge import cases, entries
from host.assistants.knowledge.entries import EntryInput
from host.assistants.language import language_models
from host.assistants.models import Assistant
from host.core import db
from host.models.channels import ChannelAccount
from tests.api.both_ways import Act, compare
from tests.api.desks import TOOL, ApiDesk
from tests.assistants.staffed import wanted_tool
from tests.helpers import do

PROMPT = {
    "version": "1",
    "prompt": "Be brief.",
    "announces": "1",
    "announcement": "",
    "phrases": "You are welcome!",
    "pause": "4",
}
AT_FIRST: dict[str, Any] = {"needed": "50", "answers_on": ["message", "story_reply", "tap"]}
SAYS = {"prompt": "Be brief.", "phrases": ["You are welcome!"], "pause": 4}

ENTRY = {"title": "Shipping to Norway", "text": "It takes 4 to 6 days.", "questions": "To Norway?"}
ENTRY_SENT = {**ENTRY, "questions": ["To Norway?"]}

CASE = {"question": "Norway?", "good": "answer", "says": "14 €", "never_says": ""}
CASE_SENT = {"question": "Norway?", "says": ["14 €"]}
TOOL_FORM = {**TOOL, "header": "Authorization", "parameters": '{"type": "object", "properties": {}}'}


def assistant(desk: ApiDesk, name: str = "Shop desk") -> int:
    return do(assistants.create, desk.workspace, name=name).id


def stopped(desk: ApiDesk) -> int:
    id_ = assistant(desk)
    do(assistants.change, desk.workspace, id_, stopped=True)
    return id_


def in_shadow(desk: ApiDesk) -> int:
    """Return an assistant that practises on the account."""
    id_ = assistant(desk)
    put(desk, id_, "shadow")
    return id_


def put(desk: ApiDesk, assistant_id: int, mode: str) -> None:
    account = desk.inbox.account.id
    do(assistants.set_mode, desk.workspace, assistant_id, account, mode=mode, answers_on=[], needed=50)


def of_another(desk: ApiDesk) -> int:
    """Return an assistant that does nothing yet, where another one has the account."""
    put(desk, assistant(desk, "Night desk"), "suggest")
    return assistant(desk)


def with_model(desk: ApiDesk) -> int:
    id_ = assistant(desk)
    wanted = language_models.ModelInput("Ours", "openai", "https://models.example.com/v1", "large")
    model = do(language_models.create, desk.workspace, wanted).id
    do(assistants.change, desk.workspace, id_, model_id=model)
    return id_


def entry(desk: ApiDesk) -> int:
    wanted = EntryInput("Shipping", "Four days.")
    return do(entries.add, desk.workspace, assistant(desk), wanted).id


def case(desk: ApiDesk) -> int:
    wanted = cases.CaseInput("To Norway?", says=["14 €"])
    return do(cases.add, desk.workspace, assistant(desk), wanted).id


PAST = "We ship to Norway within four to six days."


def dismissed(desk: ApiDesk) -> int:
    assistant(desk)
    return int(desk.program.send("POST", its("past-answers/dismiss"), {"text": PAST})["id"])


def tool(desk: ApiDesk) -> int:
    return do(program_tools.create, desk.workspace, assistant(desk), wanted_tool()).id


def newest(model: Any) -> int:
    """Return the id of what was made last: it is of the workspace in which the act is done."""
    with db.read() as session:
        return session.scalar(sa.select(sa.func.max(model.id))) or 0


def its(rest: str) -> str:
    """Return a path below the assistant."""
    return f"/assistants/{newest(Assistant)}/{rest}"


def place(assistant_id: int) -> str:
    return f"/assistants/{assistant_id}/accounts/{newest(ChannelAccount)}"


ACTS = {
    "assistant.added": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/assistants", name="Shop desk"),
        api=lambda desk, _id: desk.program.send("POST", "/assistants", {"name": "Shop desk"}, 201),
    ),
    "assistant.renamed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/assistants/{id_}/name", name="Mail desk"),
        api=lambda desk, id_: desk.program.send(
            "PUT", f"/assistants/{id_}", {"name": "Mail desk", "body": {}}
        ),
        before=assistant,
    ),
    "assistant.changed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/assistants/{id_}/prompt", **PROMPT),
        api=lambda desk, id_: desk.program.send(
            "PUT", f"/assistants/{id_}", {"name": "Shop desk", "body": SAYS, "version": 1}
        ),
        before=assistant,
    ),
    "assistant.model": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/assistants/{id_}/model", model=""),
        api=lambda desk, id_: desk.program.send("PATCH", f"/assistants/{id_}", {"modelId": None}),
        before=with_model,
    ),
    "assistant.stopped": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/assistants/{id_}/stop"),
        api=lambda desk, id_: desk.program.send("PATCH", f"/assistants/{id_}", {"stopped": True}),
        before=assistant,
    ),
    "assistant.resumed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/assistants/{id_}/resume"),
        api=lambda desk, id_: desk.program.send("PATCH", f"/assistants/{id_}", {"stopped": False}),
        before=stopped,
    ),
    "assistant.mode": Act(
        page=lambda owner, at, id_: owner.post_form(at + place(id_), mode="shadow", **AT_FIRST),
        api=lambda desk, id_: desk.program.send("PUT", place(id_), {"mode": "shadow"}),
        before=of_another,
    ),
    "assistant.opened": Act(
        # A page unlocks by one press and starts by another.
        page=lambda owner, at, id_: [
            owner.post_form(at + place(id_), typed_name="Shop"),
            owner.post_form(at + place(id_), mode="answer", **AT_FIRST),
        ][-1],
        api=lambda desk, id_: desk.program.send("PUT", place(id_), {"mode": "answer", "typedName": "Shop"}),
        before=in_shadow,
    ),
    "assistant.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/assistants/{id_}/delete"),
        api=lambda desk, id_: desk.program.call("DELETE", f"/assistants/{id_}"),
        before=assistant,
    ),
    "knowledge.added": Act(
        page=lambda owner, at, _id: owner.post_form(at + its("knowledge/new"), kind="pasted", **ENTRY),
        api=lambda desk, _id: desk.program.send("POST", its("knowledge"), ENTRY_SENT, 201),
        before=assistant,
    ),
    "knowledge.changed": Act(
        page=lambda owner, at, id_: owner.post_form(at + its(f"knowledge/{id_}"), kind="pasted", **ENTRY),
        api=lambda desk, id_: desk.program.send("PUT", its(f"knowledge/{id_}"), ENTRY_SENT),
        before=entry,
    ),
    "knowledge.checked": Act(
        page=lambda owner, at, id_: owner.post_form(at + its(f"knowledge/{id_}/check")),
        api=lambda desk, id_: desk.program.send("POST", its(f"knowledge/{id_}/check"), None),
        before=entry,
    ),
    "knowledge.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(at + its(f"knowledge/{id_}/delete")),
        api=lambda desk, id_: desk.program.call("DELETE", its(f"knowledge/{id_}")),
        before=entry,
    ),
    "case.added": Act(
        page=lambda owner, at, _id: owner.post_form(at + its("cases/add"), **CASE),
        api=lambda desk, _id: desk.program.send("POST", its("cases"), CASE_SENT, 201),
        before=assistant,
    ),
    "case.changed": Act(
        page=lambda owner, at, id_: owner.post_form(at + its(f"cases/{id_}"), **CASE),
        api=lambda desk, id_: desk.program.send("PUT", its(f"cases/{id_}"), CASE_SENT),
        before=case,
    ),
    "case.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(at + its(f"cases/{id_}/delete")),
        api=lambda desk, id_: desk.program.call("DELETE", its(f"cases/{id_}")),
        before=case,
    ),
    "past_answer.dismissed": Act(
        page=lambda owner, at, _id: owner.post_form(at + its("past-answers/dismiss"), text=PAST),
        api=lambda desk, _id: desk.program.send("POST", its("past-answers/dismiss"), {"text": PAST}),
        before=assistant,
    ),
    "past_answer.brought_back": Act(
        page=lambda owner, at, id_: owner.post_form(at + its("past-answers/bring-back"), dismissed=id_),
        api=lambda desk, id_: desk.program.call("DELETE", its(f"past-answers/dismissed/{id_}")),
        before=dismissed,
    ),
    "assistant_tool.added": Act(
        page=lambda owner, at, _id: owner.post_form(at + its("tools/new"), **TOOL_FORM),
        api=lambda desk, _id: desk.program.send("POST", its("tools"), TOOL, 201),
        before=assistant,
    ),
    "assistant_tool.changed": Act(
        page=lambda owner, at, id_: owner.post_form(at + its(f"tools/{id_}"), **TOOL_FORM),
        api=lambda desk, id_: desk.program.send("PUT", its(f"tools/{id_}"), TOOL),
        before=tool,
    ),
    "assistant_tool.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(at + its(f"tools/{id_}/delete")),
        api=lambda desk, id_: desk.program.call("DELETE", its(f"tools/{id_}")),
        before=tool,
    ),
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("action", ACTS)
def test_a_page_and_the_api_write_the_same(data: Path, action: str) -> None:
    compare(data, action, ACTS[action])
