"""Bulk actions: exactly those that match, in portions, never twice whenever a worker dies, and undone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.ids import MAX_ID
from host.events import reading
from host.events.models import ActorKind
from host.inbox import conversation_actions, queries
from host.inbox.bulk import actions
from host.inbox.bulk.actions import BulkChange
from host.inbox.bulk.models import BulkState
from host.inbox.conversation_actions import Changes, set_fields
from host.inbox.errors import BulkError, BulkNotFoundError, UndoOverError
from host.inbox.labels import labels
from host.inbox.labels.models import ConversationLabel, LabelTone
from host.inbox.queries import ConversationFilter
from host.models.inbox import (
    Conversation,
    ConversationStatus,
    InternalKind,
    Message,
    Snooze,
    SnoozeKind,
)
from host.sdk.channel import AccountRef
from host.users.actor import Actor
from tests import helpers
from tests.api.desks import Program, make_key, open_api_desk
from tests.helpers import acting, do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk

OPEN = ConversationFilter(status=ConversationStatus.OPEN, snoozed=False, spam=False)


@pytest.fixture
def anywhere(any_database: db.Database) -> AccountRef:
    account = toys.make_account(toys.make_workspace())
    fill(account, 7)
    return account


def fill(account: AccountRef, number: int, start: int = 0) -> None:
    several = range(start, start + number)
    toys.apply(account, *(toys.received("Hi", at=i, contact=f"c{i}", external_id=f"x{i}") for i in several))


def begin(account: AccountRef, wish: BulkChange, filter_: ConversationFilter = OPEN, **values: Any) -> int:
    return do(actions.create, account.workspace_id, wish, filter_, **values)


def shown(account: AccountRef, bulk_id: int) -> actions.BulkProgress:
    with db.read() as session:
        return actions.get(session, account.workspace_id, bulk_id)


def open_ids(account: AccountRef) -> list[int]:
    with db.read() as session:
        rows = queries.list_conversations(session, account.workspace_id, None, OPEN, limit=20_000).rows
    return [row.id for row in rows]


def of(account: AccountRef) -> list[Conversation]:
    return sorted(toys.everything(Conversation), key=lambda one: one.id)


def post(browser: helpers.Browser, path: str, fields: dict[str, str] | None = None) -> Any:
    """POST a form and return the page it leads to."""
    data = {"csrf_token": browser.csrf(), **(fields or {})}
    return browser.post(path, data=data, follow_redirects=True)


def test_what_arrives_later_is_not_included_and_a_portion_that_died_is_done_again(
    anywhere: AccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "PORTION", 3)
    bulk_id = begin(anywhere, BulkChange("close"))
    fill(anywhere, 2, start=100)
    assert actions.step()
    assert shown(anywhere, bulk_id).done == 3
    usual = actions._do_one
    calls: list[int] = []

    def dies(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        usual(*args)

    monkeypatch.setattr(actions, "_do_one", dies)
    with pytest.raises(KeyboardInterrupt):
        actions.step()
    assert shown(anywhere, bulk_id).done == 3, "the half portion is undone"
    monkeypatch.setattr(actions, "_do_one", usual)
    actions.run(bulk_id)
    found = shown(anywhere, bulk_id)
    assert (found.state, found.total, found.changed) == (BulkState.DONE, 7, 7)
    assert len(open_ids(anywhere)) == 2
    lines = [m for m in toys.everything(Message) if m.content.get("what") == "closed"]
    assert len(lines) == len({m.conversation_id for m in lines}) == 7


@pytest.mark.parametrize(
    "wish",
    [
        BulkChange("close"),
        BulkChange("assign"),
        BulkChange("snooze", snooze=Snooze(SnoozeKind.REPLY)),
        BulkChange("spam"),
        BulkChange("read"),
    ],
    ids=lambda wish: wish.action,
)
def test_undo_puts_back_all_that_did_not_change_since(anywhere: AccountRef, wish: BulkChange) -> None:
    columns = ("status", "closed_at", "assignee_id", "snooze_kind", "spam_at", "unread_count", "woken_at")
    columns += ("read_count", "waiting_since")
    mia = toys.make_user(anywhere.workspace_id)
    first, *_rest = of(anywhere)
    if wish.action == "assign":
        for one in of(anywhere):
            toys.change_row(Conversation, one.id, assignee_id=mia)
    before = {one.id: [getattr(one, name) for name in columns] for one in of(anywhere)}
    bulk_id = begin(anywhere, wish)
    actions.run(bulk_id)
    assert shown(anywhere, bulk_id).changed == 7
    changes: dict[str, dict[str, Any]] = {
        "close": {"status": "open", "closed_at": None},
        "assign": {"assignee_id": mia},
        "snooze": {"snooze_kind": None},
        "spam": {"spam_at": None},
        "read": {"unread_count": 5},
    }
    toys.change_row(Conversation, first.id, **changes[wish.action])
    found = actions.undo(acting(anywhere.workspace_id), bulk_id)
    assert (found.state, found.restored, found.kept) == (BulkState.UNDONE, 6, 1)
    after = {one.id: [getattr(one, name) for name in columns] for one in of(anywhere)}
    assert {id_: value for id_, value in after.items() if id_ != first.id} == {
        id_: value for id_, value in before.items() if id_ != first.id
    }
    with pytest.raises(UndoOverError):
        actions.undo(acting(anywhere.workspace_id), bulk_id)


def lines(conversation_id: int) -> list[tuple[str, bool]]:
    """Return the activity lines of a conversation: what was done, and whether it was undone."""
    rows = (one for one in toys.everything(Message) if one.conversation_id == conversation_id)
    found = (one.content for one in rows if one.kind == InternalKind.ACTIVITY)
    return [(content["what"], content.get("undone", False)) for content in found]


def events(conversation_id: int) -> list[str]:
    with db.read() as session:
        columns = reading.TABLE.c
        query = sa.select(columns.kind).where(columns.conversation_id == conversation_id, columns.kind != "")
        return list(session.scalars(query.order_by(columns.id)))


def test_a_change_and_its_undo_are_one_line_and_two_events(anywhere: AccountRef) -> None:
    workspace_id = anywhere.workspace_id
    first, second, *_rest = of(anywhere)
    label = do(labels.create, workspace_id, name="x", tone=LabelTone.RED).id
    for wish in (BulkChange("label", label_id=label), BulkChange("close")):
        bulk_id = begin(anywhere, wish)
        actions.run(bulk_id)
        if wish.action == "close":
            again: Changes = {"status": ConversationStatus.OPEN}
            do(set_fields, workspace_id, second.id, again)
        actions.undo(acting(workspace_id), bulk_id)
    assert lines(first.id) == [("labelled", True), ("closed", True)]
    assert events(first.id)[-4:] == [
        f"conversation.{kind}" for kind in ("labelled", "unlabelled", "closed", "reopened")
    ]
    # Somebody had reopened it: closing it was not undone, and both lines stay.
    assert lines(second.id) == [("labelled", True), ("closed", False), ("reopened", False)]


def news(account: AccountRef, user_id: int) -> list[int]:
    """Return how many messages of each conversation a member has not read."""
    with db.read() as session:
        rows = queries.list_conversations(session, account.workspace_id, user_id, ConversationFilter()).rows
    return [row.news for row in rows]


@pytest.mark.parametrize("action", ["read", "close"])
def test_what_members_have_read_is_put_back_too(anywhere: AccountRef, action: str) -> None:
    mia, jon = toys.make_user(anywhere.workspace_id), toys.make_user(anywhere.workspace_id)
    first, *_rest = of(anywhere)
    do(conversation_actions.mark_unread, anywhere.workspace_id, first.id, user_id=mia)
    do(conversation_actions.mark_read, anywhere.workspace_id, first.id, user_id=jon, until=MAX_ID)
    before = news(anywhere, mia), news(anywhere, jon)
    assert all(before[0])
    assert before[1].count(0) == 1
    bulk_id = do(
        actions.create, anywhere.workspace_id, BulkChange(action), OPEN, actor=Actor(ActorKind.USER, mia)
    )
    actions.run(bulk_id)
    assert not any(news(anywhere, mia)) or action == "close", "a mark of one's own outlives a closing"
    actions.undo(acting(anywhere.workspace_id, actor=Actor(ActorKind.USER, mia)), bulk_id)
    assert (news(anywhere, mia), news(anywhere, jon)) == before


def test_a_label_deleted_while_it_runs_is_skipped(
    anywhere: AccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "PORTION", 3)
    workspace = anywhere.workspace_id
    label = do(labels.create, workspace, name="x", tone=LabelTone.RED).id
    bulk_id = begin(anywhere, BulkChange("label", label_id=label))
    actions.step()
    do(labels.delete, workspace, label)
    actions.run(bulk_id)
    found = shown(anywhere, bulk_id)
    assert (found.state, found.changed, found.skipped) == (BulkState.DONE, 3, 4)
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ConversationLabel)) == 0
    undone = actions.undo(acting(workspace), bulk_id)
    assert (undone.restored, undone.kept) == (0, 3)


def test_what_cannot_be_begun(anywhere: AccountRef) -> None:
    for wish in (BulkChange("explode"), BulkChange("label"), BulkChange("snooze")):
        with pytest.raises(BulkError):
            begin(anywhere, wish)
    with pytest.raises(BulkError):
        begin(anywhere, BulkChange("close"), ids=[10**9])
    with pytest.raises(BulkNotFoundError):
        actions.undo(acting(anywhere.workspace_id), 10**9)
    bulk_id = begin(anywhere, BulkChange("close"))
    actions.run(bulk_id)
    with clock.travel(actions.UNDO), pytest.raises(UndoOverError):
        actions.undo(acting(anywhere.workspace_id), bulk_id)


def test_it_stops_and_stays_stopped(anywhere: AccountRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "PORTION", 3)
    bulk_id = begin(anywhere, BulkChange("close"))
    actions.step()
    do(actions.stop, anywhere.workspace_id, bulk_id)
    assert not actions.step()
    assert (len(open_ids(anywhere)), shown(anywhere, bulk_id).state) == (4, BulkState.STOPPED)
    found = actions.undo(acting(anywhere.workspace_id), bulk_id)
    assert (found.restored, len(open_ids(anywhere))) == (3, 7)
    with clock.travel(actions.KEPT * 2):
        while db.write(actions.remove_old, clock.now() - actions.KEPT, 1):
            pass
    with pytest.raises(BulkNotFoundError):
        shown(anywhere, bulk_id)


# The pages


def test_a_person_closes_a_selection_and_undoes_it(database: db.Database, data: Path) -> None:
    desk: Desk = open_desk(data)
    fill(desk.account, 3)
    ids = open_ids(desk.account)
    panel = desk.browser.get(desk.path(f"/bulk?ids={ids[0]},{ids[1]}")).text
    assert "2 conversations selected" in panel
    page = post(desk.browser, desk.path(f"/bulk?ids={ids[0]},{ids[1]}&chosen=ids"), {"action": "close"}).text
    assert "2 conversations closed" in page
    assert open_ids(desk.account) == [ids[2]]
    with db.read() as session:
        bulk_id = session.scalar(sa.text("SELECT max(id) FROM bulk_actions"))
    page = post(desk.browser, desk.path(f"/bulk/{bulk_id}/undo")).text
    assert "2 conversations restored" in page
    assert set(open_ids(desk.account)) == set(ids)
    thread = desk.browser.get(desk.path(f"/{ids[0]}")).text
    assert "closed this (undone)" in thread
    assert "reopened this" not in thread
    empty = post(desk.browser, desk.path("/bulk?chosen=ids"), {"action": "close"})
    assert empty.status_code == 400


def test_of_all_that_match_those_that_a_colleague_changed_since_are_left_alone(
    database: db.Database, data: Path
) -> None:
    desk = open_desk(data)
    fill(desk.account, 4)
    mine, theirs, undone, _other = open_ids(desk.account)
    bo = toys.make_user(desk.workspace, "Bo K.")
    path = f"/w/{desk.workspace}/inbox/bulk?status=open"
    panel = desk.browser.get(path).text
    [since] = set(re.findall(r'name="since" value="(\d+)"', panel))

    def takes(conversation_id: int, user_id: int | None, by: int) -> None:
        do(set_fields, desk.workspace, conversation_id, {"assignee_id": user_id}, actor=by)

    takes(mine, desk.mia.id, desk.mia.id)
    takes(theirs, bo, bo)
    takes(undone, bo, bo)
    line = toys.thread(undone)[-1]
    toys.change_row(Message, line.id, content={**line.content, "undone": True})
    said = post(desk.browser, path, {"action": "assign", "assignee": "", "since": since}).text
    assert "Someone else was faster in 1 conversation" in said
    assert "Bo K." in said
    found = {one.id: one.assignee_id for one in of(desk.account)}
    assert (found[mine], found[theirs], found[undone]) == (None, bo, None)


# The API


def test_a_program_stops_its_own_action_and_nobody_elses(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "PORTION", 2)
    desk = open_api_desk(data)
    fill(desk.inbox.account, 5)
    wish = {"action": "close", "filter": {"status": "open"}, "all": True}
    bulk_id = desk.program.send("POST", "/bulk-actions", wish, 201)["id"]
    actions.step()
    stopped = desk.program.send("POST", f"/bulk-actions/{bulk_id}/stop", None)
    assert (stopped["state"], stopped["changed"], stopped["done"]) == ("stopped", 2, 2)
    assert not actions.step()
    assert len(open_ids(desk.inbox.account)) == 3
    assert desk.program.send("POST", f"/bulk-actions/{bulk_id}/stop", None) == stopped
    assert desk.program.get(f"/bulk-actions/{bulk_id}") == stopped
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.refused("POST", f"/bulk-actions/{bulk_id}/stop")[0] == 404
    mias = do(
        actions.create,
        desk.workspace,
        BulkChange("close"),
        ConversationFilter(),
        actor=Actor(ActorKind.USER, desk.inbox.mia.id),
    )
    assert desk.program.refused("POST", f"/bulk-actions/{mias}/stop")[0] == 404
    assert shown(desk.inbox.account, mias).state is BulkState.RUNNING


@pytest.mark.slow
def test_ten_thousand_are_changed_once_while_workers_die(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = toys.make_account(toys.make_workspace())
    fill(account, 1)
    model = of(account)[0]
    columns = [one.key for one in sa.inspect(Conversation).column_attrs if one.key != "id"]
    row = {name: getattr(model, name) for name in columns}
    db.write(lambda session: session.execute(sa.insert(Conversation), [row] * 9_999) and None)
    bulk_id = begin(account, BulkChange("snooze", snooze=Snooze(SnoozeKind.REPLY)))
    usual, count = set_fields, [0]

    def dies(*args: Any, **values: Any) -> bool:
        count[0] += 1
        if count[0] % 997 == 0:
            raise KeyboardInterrupt
        return usual(*args, **values)

    monkeypatch.setattr(actions, "set_fields", dies)
    while shown(account, bulk_id).runs:
        try:
            actions.run(bulk_id)
        except KeyboardInterrupt:
            continue
    assert shown(account, bulk_id).changed == 10_000
    lines = [m.conversation_id for m in toys.everything(Message) if m.content.get("what") == "snoozed_reply"]
    assert len(lines) == len(set(lines)) == 10_000
