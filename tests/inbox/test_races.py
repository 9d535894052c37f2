"""Two who press at once: whoever is second is told what the first one did, and changes nothing."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from host.automation.actions import AddNote, AssignMe, Close
from host.core import db
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from host.inbox.conversation_actions import set_fields
from host.models.inbox import Conversation, ConversationStatus, Snooze, SnoozeKind, state_mark
from tests import helpers
from tests.helpers import do
from tests.inbox import desks, scenes, toys
from tests.inbox.desks import Desk

JSON = {"Accept": "application/json"}
UNCHANGED = "Your change was not made."


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.RICH)


class Two:
    """Mia, who has a conversation on her screen, and Bo, who is faster."""

    def __init__(self, desk: Desk, scene: scenes.Scene) -> None:
        self.desk, self.id = desk, scene.conversation("ana")
        self.bo = helpers.make_user("bo@example.com", "Bo T.", workspace=desk.workspace).id

    def page(self) -> str:
        return str(self.desk.browser.get(self.desk.path(f"/{self.id}")).text)

    def shown(self, action: str) -> str:
        """Return what the form of *action* notes."""
        form = self.page().split(f"/{action}", 1)[1].split("</form>")[0]
        [found] = re.findall(r'name="shown" value="([^"]*)"', form)
        return html.unescape(found)

    def faster(self, by: int | None = None, **changes: Any) -> None:
        do(set_fields, self.desk.workspace, self.id, changes, actor=by or self.bo, now=self.desk_now())

    def desk_now(self) -> Any:
        return toys.thread(self.id)[-1].created_at

    def press(self, action: str, shown: str, **fields: Any) -> Any:
        browser = self.desk.browser
        data = {"csrf_token": browser.csrf(), "shown": shown, **fields}
        return browser.post(self.desk.path(f"/{self.id}/{action}"), data=data, headers=JSON)

    def now(self) -> Conversation:
        found: Conversation = next(one for one in toys.everything(Conversation) if one.id == self.id)
        return found


@pytest.fixture
def two(desk: Desk, scene: scenes.Scene) -> Two:
    return Two(desk, scene)


@pytest.mark.parametrize(
    ("action", "fields", "first", "words"),
    [
        ("assign", {"assignee": "mia"}, {"assignee_id": "bo"}, "Bo T. took over this conversation."),
        ("assign", {"assignee": ""}, {"assignee_id": "mia"}, "Bo T. assigned this to Mia R."),
        ("close", {}, {"snooze": Snooze(SnoozeKind.REPLY)}, "Bo T. snoozed this until they write."),
        ("close", {}, {"status": ConversationStatus.CLOSED}, "Bo T. closed this."),
        ("snooze", {"when": "reply"}, {"status": ConversationStatus.CLOSED}, "Bo T. closed this."),
        ("spam", {}, {"status": ConversationStatus.CLOSED}, "Bo T. closed this."),
    ],
)
def test_the_second_is_told_and_changes_nothing(
    two: Two, action: str, fields: dict[str, str], first: dict[str, Any], words: str
) -> None:
    people = {"mia": two.desk.mia.id, "bo": two.bo}
    shown = two.shown(action)
    two.faster(**{name: people.get(value, value) for name, value in first.items()})
    before = two.now()
    given = {name: str(people.get(value, value)) for name, value in fields.items()}
    answer = two.press(action, shown, **given)
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "changed_meanwhile"
    assert answer.json["error"]["message"] == words
    assert UNCHANGED in answer.json["error"]["next"]
    after = two.now()
    for name in ("assignee_id", "status", "snooze", "spam_at"):
        assert getattr(after, name) == getattr(before, name)
    # Having seen it, they may.
    if action != "snooze" and first.get("status") is None:
        assert two.press(action, two.shown(action), **given).status_code == 200


def test_a_page_without_scripts_says_it_on_the_next_page(two: Two) -> None:
    shown = two.shown("close")
    two.faster(snooze=Snooze(SnoozeKind.REPLY))
    answer = two.desk.browser.post_form(two.desk.path(f"/{two.id}/close"), shown=shown)
    assert answer.status_code == 303
    page = two.desk.browser.get(answer.headers["Location"]).text
    assert "Bo T. snoozed this until they write." in page
    assert UNCHANGED in page


def test_what_does_not_concern_it_is_no_race(two: Two) -> None:
    shown = two.shown("assign")
    two.faster(status=ConversationStatus.CLOSED)
    assert two.press("assign", shown, assignee=str(two.desk.mia.id)).status_code == 200
    shown = two.shown("reopen")
    two.faster(assignee_id=two.bo)
    assert two.press("reopen", shown).status_code == 200


def test_what_one_did_oneself_in_another_tab_is_no_surprise(two: Two) -> None:
    shown = two.shown("close")
    two.faster(two.desk.mia.id, snooze=Snooze(SnoozeKind.REPLY))
    assert two.press("close", shown).status_code == 200
    assert two.press("close", shown).status_code == 200, "a double click"


def test_a_message_that_wakes_it_is_no_race(two: Two, scene: scenes.Scene) -> None:
    two.faster(snooze=Snooze(SnoozeKind.REPLY))
    shown = two.shown("close")
    scene.said("ana", "Ana Q.", "Hello?", scene.now)
    assert two.now().snooze is None
    # Its newest change was by a colleague, and the page shows that one.
    assert two.press("close", shown).status_code == 200


def test_a_form_that_notes_nothing_is_done(two: Two) -> None:
    two.faster(assignee_id=two.bo)
    url = two.desk.path(f"/{two.id}/assign")
    assert two.desk.browser.post_form(url, assignee=str(two.desk.mia.id)).status_code == 303
    assert two.now().assignee_id == two.desk.mia.id


# Many at once


class Several:
    """Mia's selection of three conversations, as her list showed them."""

    def __init__(self, two: Two, scene: scenes.Scene) -> None:
        scene.said("kit", "Kit L.", "Hello", scene.now)
        self.two, self.ids = two, [scene.conversation(name) for name in ("ana", "jon", "kit")]
        page = two.desk.browser.get(two.desk.path()).text
        found = re.findall(r'data-row="(\d+)"[^>]* data-shown="([^"]*)"', page)
        self.shown = [f"{id_}:{html.unescape(mark)}" for id_, mark in found]
        assert len(self.shown) == 3

    def faster(self, conversation: int, **changes: Any) -> None:
        self.two.id = conversation
        self.two.faster(**changes)

    def press(self, action: str, **fields: Any) -> Any:
        path = self.two.desk.path(f"/bulk?chosen=ids&ids={','.join(map(str, self.ids))}")
        browser = self.two.desk.browser
        data = {"csrf_token": browser.csrf(), "action": action, "shown": self.shown, **fields}
        return browser.post(path, data=data, headers=JSON)

    def of(self, conversation: int) -> Conversation:
        self.two.id = conversation
        return self.two.now()


@pytest.fixture
def several(two: Two, scene: scenes.Scene) -> Several:
    return Several(two, scene)


def test_of_a_selection_what_others_took_meanwhile_is_left_alone_and_named(several: Several) -> None:
    ana, jon, kit = several.ids
    several.faster(ana, status=ConversationStatus.CLOSED)
    several.faster(jon, snooze=Snooze(SnoozeKind.REPLY))
    answer = several.press("close")
    assert answer.status_code == 200, answer.text
    assert (answer.json["changed"], answer.json["lost"]) == (1, 2)
    assert answer.json["sentence"] == (
        "1 conversation closed. Someone else was faster in 2 conversations, which were left as they are: "
        "Ana Q. (Bo T. closed this), Jon B. (Bo T. snoozed this until they write)"
    )
    assert several.of(jon).status == ConversationStatus.OPEN
    assert several.of(kit).status == ConversationStatus.CLOSED
    browser = several.two.desk.browser
    undone = browser.post(f"{answer.json['at']}/undo", data={"csrf_token": browser.csrf()}, headers=JSON).json
    assert undone["sentence"].startswith("1 conversation restored. Someone else was faster in 2")
    assert several.of(kit).status == ConversationStatus.OPEN
    assert several.of(ana).status == ConversationStatus.CLOSED


def test_whoever_loses_all_of_a_selection_is_told_that_alone(several: Several) -> None:
    for one in several.ids:
        several.faster(one, assignee_id=several.two.bo)
    answer = several.press("assign", assignee=str(several.two.desk.mia.id))
    assert answer.json["sentence"].startswith("Someone else was faster in 3 conversations")
    assert "Kit L. (Bo T. took over this conversation)" in answer.json["sentence"]
    assert {several.of(one).assignee_id for one in several.ids} == {several.two.bo}
    page = several.two.desk.browser.get(answer.json["at"]).text
    assert "Kit L. (Bo T. took over this conversation)" in page


def test_more_than_three_are_counted(several: Several, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.inbox.bulk.views.NAMED", 1)
    for one in several.ids:
        several.faster(one, status=ConversationStatus.CLOSED)
    assert several.press("close").json["sentence"].endswith(": Ana Q. (Bo T. closed this), 2 more")


def test_what_one_did_oneself_is_no_race_in_a_selection(several: Several) -> None:
    several.two.id = several.ids[0]
    several.two.faster(several.two.desk.mia.id, snooze=Snooze(SnoozeKind.REPLY))
    answer = several.press("close")
    assert (answer.json["changed"], answer.json["lost"]) == (3, 0)
    assert answer.json["sentence"] == "3 conversations closed"


@pytest.mark.parametrize("shown", ["", "x:y", "1", "9" * 400, "²:/|open//"])
def test_a_malformed_mark_of_a_selection_is_ignored(several: Several, shown: str) -> None:
    assert several.press("close", shown=shown).json["changed"] == 3


# Macros


def test_a_macro_is_not_run_where_somebody_was_faster(two: Two, desk: Desk) -> None:
    viewer = Viewer(desk.mia.id, keeps=True)
    macro = do(
        macros.create,
        desk.workspace,
        viewer,
        name="Mine",
        steps=(AddNote("Done"), AssignMe(), Close()),
        shared=True,
    ).id
    shown = state_mark(two.now())
    two.faster(assignee_id=two.bo)
    before = len(toys.thread(two.id))
    answer = two.press(f"macros/{macro}", shown, key="k" * 32)
    assert answer.status_code == 409
    assert answer.json["error"]["message"] == "Bo T. took over this conversation."
    assert UNCHANGED in answer.json["error"]["next"]
    assert len(toys.thread(two.id)) == before, "not even the note"
    assert two.now().assignee_id == two.bo
    assert two.press(f"macros/{macro}", state_mark(two.now()), key="l" * 32).status_code == 200
    assert two.now().assignee_id == desk.mia.id
    page = desk.browser.get(desk.path(f"/{two.id}/macros")).text
    assert f'name="shown" value="{html.escape(state_mark(two.now()))}"' in page
