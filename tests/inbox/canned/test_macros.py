"""Macros: all or nothing by the use cases people press, what they name that is gone, and who keeps them."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from host.automation import actions
from host.automation.actions import (
    ActionContext,
    AddLabel,
    AddNote,
    AssignMe,
    AssignTo,
    Close,
    ConversationAction,
    GiveToTeam,
    MarkSpam,
    SendReply,
    SnoozeUntil,
)
from host.core import clock, db
from host.events.models import DomainEvent
from host.inbox.canned import macros, replies
from host.inbox.canned.macros import MacroError, MacroNotFoundError, MacroStepError, SharedMacroError
from host.inbox.canned.models import CannedReply, Macro
from host.inbox.canned.replies import ANY, CannedReplyInput, Viewer
from host.inbox.errors import AnsweredMeanwhileError
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.inbox.labels.queries import labels_of_conversations
from host.inbox.teams import teams
from host.models.inbox import Conversation, Message
from host.models.queue import OutboxEntry
from host.models.users import Role
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


class Place:
    """A workspace with one conversation and somebody who runs macros in it."""

    def __init__(self) -> None:
        self.workspace = toys.make_workspace()
        self.user = toys.make_user(self.workspace, "Mia R.")
        self.viewer = Viewer(self.user, keeps=True)
        self.account = toys.make_account(self.workspace)
        toys.apply(self.account, toys.received("Hello", contact_name="Rosa S."))
        self.conversation = toys.only(Conversation).id

    def label(self) -> int:
        values = {"name": "order", "tone": LabelTone.BLUE, "now": clock.now()}
        return do(labels.create, self.workspace, **values).id

    def team(self) -> int:
        return do(teams.create, self.workspace, name="Orders").id

    def reply(self, text: str = "Hello {{contact.first_name}}", **values: Any) -> int:
        wanted = CannedReplyInput(f"r{len(toys.everything(CannedReply))}", "Reply", {ANY: text}, **values)
        return do(replies.create, self.workspace, wanted, self.viewer).id

    def macro(self, *steps: ConversationAction, shared: bool = True, viewer: Viewer | None = None) -> int:
        return do(
            macros.create, self.workspace, viewer or self.viewer, name="Done", steps=steps, shared=shared
        ).id

    def run(
        self, macro: int, *, viewer: Viewer | None = None, key: str = "press-0001", **more: Any
    ) -> list[Message]:
        _macro, messages = do(
            macros.run,
            self.workspace,
            self.conversation,
            macro,
            context=ActionContext(viewer or self.viewer, key, UTC, **more),
            adapter=toys.TOY,
        )
        return messages


@pytest.fixture
def anywhere(any_database: db.Database) -> Place:
    return Place()


@pytest.fixture
def place(database: db.Database) -> Place:
    return Place()


def test_a_macro_does_all_in_one_write(anywhere: Place) -> None:
    label, team = anywhere.label(), anywhere.team()
    macro = anywhere.macro(
        *(AddLabel(label), GiveToTeam(team), AssignMe(), SendReply(anywhere.reply())),
        *(AddNote("Told them"), Close()),
    )
    (sent,) = anywhere.run(macro)
    assert sent.text == "Hello Rosa"
    assert [one.text for one in toys.everything(Message) if one.text] == ["Hello", "Hello Rosa", "Told them"]
    row = toys.only(Conversation)
    assert (row.status, row.assignee_id, row.team_id) == ("closed", anywhere.user, team)
    with db.read() as session:
        assert [one.id for one in labels_of_conversations(session, [row.id])[row.id]] == [label]
    kinds = {one.kind for one in toys.everything(DomainEvent)}
    assert {"conversation.labelled", "conversation.assigned", "conversation.closed", "note.added"} <= kinds
    assert toys.only(OutboxEntry).open
    assert (toys.only(Macro).uses, toys.only(CannedReply).uses) == (1, 1)
    anywhere.run(macro)
    assert len([one for one in toys.everything(Message) if one.text]) == 3, "a press that is repeated"


def test_a_step_that_cannot_be_done_undoes_the_others(anywhere: Place) -> None:
    label = anywhere.label()
    macro = anywhere.macro(AddLabel(label), SendReply(anywhere.reply()), Close(), SnoozeUntil("tomorrow"))
    before = len(toys.everything(DomainEvent))
    with pytest.raises(MacroStepError) as stopped:
        anywhere.run(macro)
    assert "Done failed at step 4, “Snooze: Tomorrow morning”. Nothing was changed." in stopped.value.sentence
    assert "Only open conversations" in stopped.value.sentence
    assert [one.text for one in toys.everything(Message)] == ["Hello"]
    assert (len(toys.everything(DomainEvent)), toys.everything(OutboxEntry)) == (before, [])
    assert (toys.only(Conversation).status, toys.only(Macro).uses) == ("open", 0)
    with db.read() as session:
        assert not labels_of_conversations(session, [anywhere.conversation])


def test_a_reply_with_something_open_or_beside_an_unseen_answer_stops_it(place: Place) -> None:
    asks = place.macro(Close(), SendReply(place.reply("Parcel {{ask: number}}")))
    with pytest.raises(MacroStepError, match=r"step 2, “Send /r0”.*Fill in “number”"):
        place.run(asks)
    sends = place.macro(SendReply(place.reply("Fine")))
    seen = toys.everything(Message)[-1].id
    toys.apply(place.account, toys.echoed("Answered in the app"))
    with pytest.raises(MacroStepError) as stopped:
        place.run(sends, seen_id=seen)
    assert isinstance(stopped.value.__cause__, AnsweredMeanwhileError)
    assert toys.only(Conversation).status == "open"


def test_what_it_names_that_is_gone_is_said_and_stops_it(place: Place) -> None:
    label, reply, other = place.label(), place.reply(), toys.make_user(place.workspace, "Bo T.")
    own = place.reply("Mine", own=True)
    team = place.team()
    macro = place.macro(AddLabel(label), AssignTo(other), GiveToTeam(team), SendReply(reply))
    mine = place.macro(SendReply(own), shared=False)
    with pytest.raises(MacroError, match="Step 1 uses something that not everyone"):
        place.macro(SendReply(own))  # shared: others do not see it
    do(labels.delete, place.workspace, label)
    do(replies.delete, place.workspace, own, place.viewer)
    do(teams.delete, place.workspace, team)
    with db.read() as session:
        there = actions.targets(session, place.workspace, place.viewer)
        shown = {one.id: one for one in macros.listing(session, place.workspace, place.viewer)}
    assert [there.is_missing(step) for step in shown[macro].steps] == [True, False, True, False]
    assert there.describe(shown[macro].steps[0]) == "Add a deleted label"
    assert there.describe(shown[macro].steps[2]) == "Assign to a deleted team"
    assert there.any_missing(shown[mine].steps)
    with pytest.raises(MacroStepError, match=r"step 1.*Something it uses was deleted"):
        place.run(macro)
    toys.change_row(Macro, macro, steps=[{"do": "fly"}])
    with pytest.raises(MacroStepError, match="newer version of Lobby"):
        place.run(macro)


def test_who_may_keep_and_run_which(place: Place) -> None:
    agent = Viewer(toys.make_user(place.workspace, "Bo T."), keeps=False)
    shared = place.macro(MarkSpam())
    mine = place.macro(Close(), shared=False, viewer=agent)
    with pytest.raises(SharedMacroError):
        place.macro(Close(), viewer=agent)
    with pytest.raises(SharedMacroError):
        do(macros.delete, place.workspace, shared, agent)
    with pytest.raises(MacroNotFoundError):
        place.run(mine)
    with pytest.raises(MacroNotFoundError):
        do(macros.delete, place.workspace + 1, shared, place.viewer)
    place.run(shared, viewer=agent)
    assert toys.only(Conversation).spam_at is not None
    for steps in ((), (Close(),) * 21, (AddNote(" "),), (AddNote("x" * 2001),), (AddLabel(999),)):
        with pytest.raises(MacroError):
            place.macro(*steps)


def test_a_person_makes_one_in_settings_and_runs_it(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("rosa", "Rosa", "Hello", scene.now)
    lead = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.LEAD))
    at = f"/w/{desk.workspace}/settings/macros"
    form: dict[str, Any] = {
        "name": "Done <b>",
        "whose": "all",
        "step": ["note", "close"],
        "text": ["Told", ""],
    }

    def post(path: str, **more: Any) -> Any:
        return lead.post(path, data={"csrf_token": lead.csrf(), **form, **more})

    moved = post(f"{at}/new", move="down:0").text
    assert moved.index('value="close" selected') < moved.index('value="note" selected')
    assert post(f"{at}/new", move="add:0").text.count('name="step"') == 3
    assert post(f"{at}/new", move="remove:1").text.count('name="step"') == 1
    wrong = post(f"{at}/new", step=["label:77"], text=[""])
    assert wrong.status_code == 400
    assert "Deleted item" in wrong.text
    assert post(f"{at}/new").status_code == 303
    macro = toys.only(Macro)
    assert macro.steps == [{"do": "note", "text": "Told"}, {"do": "close"}]
    assert "Done &lt;b&gt;" in desk.browser.get(at).text
    assert desk.browser.post_form(f"{at}/{macro.id}", name="x").status_code == 403
    conversation = desk.path(f"/{scene.conversation('rosa')}")
    (offered,) = desk.browser.get(f"{conversation}/macros", headers={"Accept": "application/json"}).json[
        "macros"
    ]
    assert offered["steps"] == ["Add a note", "Close"]
    assert "Done &lt;b&gt;" in desk.browser.get(f"{conversation}/macros").text
    done = desk.browser.post(offered["url"], data={"csrf_token": desk.browser.csrf(), "key": "press-0001"})
    assert done.status_code == 303
    assert toys.only(Conversation).status == "closed"
    post(f"{at}/{macro.id}", step=["close", "snooze:reply"], text=["", ""])
    stopped = desk.browser.post(
        offered["url"], data={"csrf_token": desk.browser.csrf(), "key": "press-0002"}, follow_redirects=True
    )
    assert "failed at step 2" in stopped.text
    assert lead.post_form(f"{at}/{macro.id}/delete").status_code == 303
    assert toys.everything(Macro) == []
