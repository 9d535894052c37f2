"""The tools of an assistant: the list, the form, trying one, and the desk's own."""

from __future__ import annotations

import html
from typing import Any

import pytest
import sqlalchemy as sa

from host.assistants.models import Assistant, AssistantTool, AssistantVersion
from host.channels.directory import Directory
from host.core import db
from host.models.users import AuditEntry, Role
from host.sdk.rules import AssistantTool as AddonTool
from tests import helpers
from tests.assistants.staffed import Staffed
from tests.inbox import toys
from tests.receiver import Receiver

SECRET = "Bearer shop-secret-42"
FORM = {
    "name": "order",
    "title": "Order by number",
    "about": "When somebody asks where an order is.",
    "url": "https://shop.example.com/orders",
    "parameters": '{"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}',
    "header": "Authorization",
    "secret": SECRET,
    "effect": "reads",
}


@pytest.fixture
def owner(staffed: Staffed) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=staffed.workspace, role=Role.OWNER)
    return helpers.client_for(staffed.automated.desk.app, person)


def path(staffed: Staffed, rest: object = "") -> str:
    base = f"/w/{staffed.workspace}/assistants/{staffed.assistant}/tools"
    return f"{base}/{rest}" if rest else base


def send(browser: helpers.Browser, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
    return browser.post(path, data={"csrf_token": browser.csrf(), **(data or {})}, **more)


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def test_one_is_added_changed_tried_and_deleted_and_its_secret_never_shown(
    staffed: Staffed, owner: helpers.Browser, receiver: Receiver
) -> None:
    pages = [text(owner.get(path(staffed))), text(owner.get(path(staffed, "new")))]
    assert "No tools yet" in pages[0]
    assert send(owner, path(staffed, "new"), data={**FORM, "url": receiver.url}).status_code == 303
    row = toys.only(AssistantTool)
    pages += [text(owner.get(path(staffed))), text(owner.get(path(staffed, row.id)))]
    assert "Reads only" in pages[2]
    receiver.words = b"<b>shipped</b> Bearer shop-secret-42"
    tried = send(owner, path(staffed, f"{row.id}/try"), data={"arguments": '{"number": 1}'})
    pages.append(text(tried))
    assert "&lt;b&gt;shipped&lt;/b&gt; …" in tried.get_data(as_text=True)
    changed = {**FORM, "url": receiver.url, "secret": "", "title": "Orders", "effect": "asks"}
    assert send(owner, path(staffed, row.id), data=changed).status_code == 303
    assert toys.only(AssistantTool).secret is not None
    assert "Asks for approval" in text(owner.get(path(staffed)))
    assert send(owner, path(staffed, f"{row.id}/delete")).status_code == 303
    assert toys.everything(AssistantTool) == []
    with db.read() as session:
        query = sa.select(AuditEntry.action).where(AuditEntry.action.like("assistant_tool.%"))
        actions = [one.partition(".")[2] for one in session.scalars(query.order_by(AuditEntry.id))]
    assert actions == ["added", "changed", "deleted"]
    pages.append(text(owner.get(f"/w/{staffed.workspace}/settings/audit")))
    assert "added the tool" in pages[-1]
    assert not [page for page in pages if "shop-secret-42" in page]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Order!"}, "name"),
        ({"parameters": "{"}, "parameters"),
        ({"parameters": "[]"}, "parameters"),
        ({"parameters": "[" * 5000}, "parameters"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"secret": "ü"}, "secret"),
    ],
)
def test_what_cannot_be_kept_is_said_at_its_field(
    staffed: Staffed, owner: helpers.Browser, change: dict[str, str], field: str
) -> None:
    answer = send(owner, path(staffed, "new"), data={**FORM, **change})
    assert answer.status_code == 400
    assert f'id="{field}-why"' in text(answer)
    assert "shop.example.com" in text(answer) or field == "url"
    assert SECRET not in text(answer)
    assert toys.everything(AssistantTool) == []


def test_what_is_tried_has_to_fit(staffed: Staffed, owner: helpers.Browser, receiver: Receiver) -> None:
    send(owner, path(staffed, "new"), data={**FORM, "url": receiver.url})
    row = toys.only(AssistantTool)
    for arguments in ("", "[]", '{"number": "one"}', "{}"):
        answer = send(owner, path(staffed, f"{row.id}/try"), data={"arguments": arguments})
        assert answer.status_code == 400
        assert 'id="arguments-why"' in text(answer)
    assert receiver.got == []
    receiver.script = [500]
    answer = send(owner, path(staffed, f"{row.id}/try"), data={"arguments": '{"number": 1}'})
    assert answer.status_code == 200
    assert "Failed" in text(answer)


def test_the_desks_own_tools_are_chosen_in_a_new_version(staffed: Staffed, owner: helpers.Browser) -> None:
    page = text(owner.get(path(staffed)))
    assert page.count("checked") == 2
    for chosen in (["contact", "close"], ["contact", "close"]):
        assert send(owner, path(staffed, "built-in"), data={"builtin": chosen}).status_code == 303
    version = toys.everything_of(AssistantVersion)[-1]
    assert (version.number, version.author) == (2, "Olu O.")
    assert version.body["builtin"] == ["contact", "close"]
    assert toys.only(Assistant).version == 2
    assert send(owner, path(staffed, "built-in"), data={"builtin": "delete_everything"}).status_code == 400


def test_tools_of_addons_are_chosen_and_stay_chosen_while_the_addon_is_off(
    staffed: Staffed, owner: helpers.Browser
) -> None:
    brought = AddonTool("toy.opens", "email", "Opening times", "When they ask.", {"type": "object"}, print)
    generation = staffed.automated.desk.generation
    without = generation.directory
    generation.directory = Directory(without.adapters, [], [], [], [brought])
    assert "Opening times" in text(owner.get(path(staffed)))
    send(owner, path(staffed, "built-in"), data={"builtin": ["toy.opens", "close"]})
    assert toys.everything_of(AssistantVersion)[-1].body["builtin"] == ["close", "toy.opens"]
    generation.directory = without
    assert "Opening times" not in text(owner.get(path(staffed)))
    assert send(owner, path(staffed, "built-in"), data={"builtin": ["label"]}).status_code == 303
    assert toys.everything_of(AssistantVersion)[-1].body["builtin"] == ["label", "toy.opens"]


def test_agents_and_other_workspaces_see_none(staffed: Staffed, owner: helpers.Browser) -> None:
    send(owner, path(staffed, "new"), data=FORM)
    row = toys.only(AssistantTool)
    assert staffed.automated.desk.browser.get(path(staffed)).status_code == 403
    other = helpers.make_workspace("Other")
    person = helpers.make_user(name="Eve E.", workspace=other, role=Role.OWNER)
    eve = helpers.client_for(staffed.automated.desk.app, person)
    assert eve.get(path(staffed)).status_code == 404
    crossed = f"/w/{other}/assistants/{staffed.assistant}/tools"
    assert eve.get(crossed).status_code == 404
    for rest in ("new", "built-in", row.id, f"{row.id}/try", f"{row.id}/delete"):
        answer = send(eve, f"{crossed}/{rest}", data={**FORM, "arguments": '{"number": 1}'})
        assert answer.status_code == 404, rest
    assert toys.only(AssistantTool).title == "Order by number"
