"""Archived workspaces, workspaces that are deleted, and messages kept long enough, on every database."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host import counters
from host.core import clock, db, storage
from host.core.db import Base
from host.core.errors import NotFoundError
from host.delivery import workspace_removal
from host.inbox import retention as erasing
from host.inbox.canned import replies
from host.inbox.canned.models import CannedFile
from host.inbox.canned.replies import CannedReplyInput, Viewer
from host.media import uploads
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, ConversationStatus, DeliveryState, Message
from host.models.queue import EventState, Lane
from host.models.users import AuditEntry, Workspace
from host.queue import paused, wakeups
from host.sdk.cards import CardStatus, Problems, SettingsCard
from host.sdk.channel import AccountRef
from host.users import desk_settings, retention, workspaces
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk
from tests.helpers import do

Travel = Callable[[timedelta], None]


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    counters.reset()
    paused.forget()


def rows(name: str, workspace_id: int) -> int:
    table = Base.metadata.tables[name]
    with db.read() as session:
        mine = table.c.id == workspace_id if name == "workspaces" else table.c.workspace_id == workspace_id
        return session.scalar(sa.select(sa.func.count()).select_from(table).where(mine)) or 0


def close(conversation_id: int) -> None:
    values = {"status": ConversationStatus.CLOSED}
    where = Conversation.id == conversation_id
    db.write(lambda session: session.execute(sa.update(Conversation).where(where).values(**values)) and None)


def test_what_comes_for_an_archived_workspace_waits_and_what_waits_does_not_go_out(
    any_desk: Desk, door: Door
) -> None:
    desk = any_desk
    conversation = desk.customer_wrote()
    waiting = desk.reply("later", conversation)
    assert do(workspaces.archive, desk.workspace_id)
    assert not do(workspaces.archive, desk.workspace_id)
    door.receive(desk.account.id, "m1")
    desk.drain()
    assert desk.event_states() == [EventState.PENDING]
    assert desk.state(waiting) == DeliveryState.QUEUED
    assert desk.toy.sent == []
    assert do(workspaces.restore, desk.workspace_id)
    desk.drain()
    assert desk.event_states() == [EventState.APPLIED]
    assert desk.state(waiting) == DeliveryState.SENT


def test_a_workspace_is_deleted_portion_by_portion_and_takes_nothing_of_another(
    any_desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = any_desk
    directory = desk.generation.directory
    monkeypatch.setattr(workspace_removal, "CHUNK", 2)
    monkeypatch.setattr(workspace_removal, "PORTIONS", 1)
    for contact in ("anna", "ben", "cleo"):
        desk.reply("hello", desk.customer_wrote(contact))
    door.receive(desk.account.id, "m1")
    files = []
    for number in range(3):
        content = io.BytesIO(b"%%PDF-1.4 %d" % number)
        files.append(uploads.keep_upload(content, "a.pdf", workspace_id=desk.workspace_id, user_id=None))
        wanted = CannedReplyInput(f"r{number}", "Reply", {"default": "x"}, uploads=(files[-1].id,))
        do(replies.create, desk.workspace_id, wanted, Viewer(None, keeps=True))
    gone, account = desk.workspace_id, desk.account
    other = Desk.__new__(Desk)
    other.__dict__.update(desk.__dict__)
    other.workspace_id = db.write(lambda session: workspaces.create(session, "Stays", None).id)
    other.account = other.connect("200")
    kept = other.customer_wrote("anna", account=other.account)
    assert db.write(workspaces.begin_deletion, gone)
    rounds = 0
    workspace_removal.remove_due(directory)
    travel(workspace_removal.SETTLES)
    while workspace_removal.remove_due(directory):
        rounds += 1
        assert rounds < 200
    workspace_removal.remove_due(directory)
    assert rounds > 5
    for name in ("workspaces", "messages", "conversations", "contacts", "channel_accounts", "domain_events"):
        assert rows(name, gone) == 0, name
        assert rows(name, other.workspace_id) > 0, name
    with db.read() as session:
        assert session.get(Conversation, kept) is not None
        assert not list(session.scalars(sa.select(Lane).where(Lane.account_id == account.id)))
        assert session.scalar(sa.select(sa.func.count()).select_from(CannedFile)) == 0
        assert [storage.current().size(file.storage_key) for file in files] == [None] * 3
        line = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "workspace.removed")).one()
    assert line.workspace_id is None
    assert desk.event_states() == []


def test_a_workspace_goes_after_its_days_and_its_providers_are_told(any_desk: Desk, travel: Travel) -> None:
    desk = any_desk
    told: list[tuple[int, str]] = []

    def disconnect(account: AccountRef) -> None:
        with db.read() as session:  # the account is switched off by now, and nothing holds the database
            told.append((account.id, session.get_one(ChannelAccount, account.id).state))
        raise ConnectionError("the provider is away")

    desk.generation.directory.cards["email"] = SettingsCard(
        channel="email",
        summary="",
        fields=(),
        connect=lambda _request: Problems({}),
        status=lambda _account: CardStatus(),
        disconnect=disconnect,
    )
    desk.customer_wrote()
    account = desk.account
    ends = do(workspaces.ask_deletion, desk.workspace_id)
    assert ends is not None
    assert timedelta() <= clock.now() + retention.GRACE - ends < timedelta(minutes=1)
    assert do(workspaces.ask_deletion, desk.workspace_id) is None
    travel(retention.GRACE - timedelta(minutes=1))
    workspace_removal.remove_due(desk.generation.directory)
    assert told == []
    travel(timedelta(minutes=1))
    workspace_removal.remove_due(desk.generation.directory)
    assert told == [(account.id, AccountState.DISCONNECTED)]
    assert rows("messages", desk.workspace_id) == 1  # an addon may try again meanwhile
    travel(workspace_removal.SETTLES)
    while workspace_removal.remove_due(desk.generation.directory):
        pass
    assert rows("workspaces", desk.workspace_id) == 0
    assert len(told) == 1
    with db.read() as session:
        line = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "workspace.deleted")).one()
    assert (line.workspace_id, line.details["accounts"]) == (None, 1)


def test_what_was_taken_back_in_time_is_not_deleted(any_desk: Desk, travel: Travel) -> None:
    do(workspaces.ask_deletion, any_desk.workspace_id)
    assert do(workspaces.restore, any_desk.workspace_id)
    travel(retention.GRACE + timedelta(days=1))
    workspace_removal.remove_due(any_desk.generation.directory)
    assert rows("workspaces", any_desk.workspace_id) == 1


def test_a_deletion_waits_for_what_is_being_sent(any_desk: Desk, travel: Travel) -> None:
    desk = any_desk
    directory = desk.generation.directory
    desk.reply("hello", desk.customer_wrote())
    until = clock.now() + timedelta(minutes=1)
    held = sa.update(Lane).where(Lane.direction == wakeups.OUT).values(lease_until=until, owner="worker")
    db.write(lambda session: session.execute(held) and None)
    db.write(workspaces.begin_deletion, desk.workspace_id)
    assert not workspace_removal.remove_due(directory)
    assert rows("messages", desk.workspace_id) == 2
    free = sa.update(Lane).values(lease_until=None, owner=None)
    db.write(lambda session: session.execute(free) and None)
    workspace_removal.remove_due(directory)
    travel(workspace_removal.SETTLES)
    while workspace_removal.remove_due(directory):
        pass
    assert rows("workspaces", desk.workspace_id) == 0


def test_messages_of_closed_conversations_are_erased_once_they_are_too_old(
    any_desk: Desk, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = any_desk
    monkeypatch.setattr(erasing, "MESSAGES_AT_ONCE", 1)
    closed, opened = desk.customer_wrote("anna"), desk.customer_wrote("ben")
    desk.echo("x1", "an answer", contact="anna")
    close(closed)
    do(workspaces.set_retention, desk.workspace_id, 30)
    keeper = erasing.Keeper()
    while keeper.round():
        pass
    assert desk.texts() == ["hello", "hello"]
    travel(timedelta(days=31))
    with db.read() as session:
        falls = retention.falls(session, desk.workspace_id, 30)
    assert (falls.conversations, falls.messages, falls.files) == (1, 2, 0)
    while keeper.round():
        pass
    with db.read() as session:
        texts = dict(
            session.execute(sa.select(Message.conversation_id, Message.text).order_by(Message.id)).all()
        )
        row = session.get_one(Conversation, closed)
        lines = list(session.scalars(sa.select(AuditEntry.details).order_by(AuditEntry.id)))
    assert texts == {closed: "", opened: "hello"}
    assert row.last_preview == ""
    assert lines == [{"days": 30, "before": "desk"}, {"messages": 2, "days": 30}]


def test_the_desk_says_how_long_where_a_workspace_does_not(any_desk: Desk, travel: Travel) -> None:
    close(any_desk.customer_wrote())
    travel(timedelta(days=31))
    db.write(desk_settings.save, {desk_settings.RETENTION: "30"})
    do(workspaces.set_retention, any_desk.workspace_id, 0)
    assert not erasing.Keeper().round()
    assert any_desk.texts() == ["hello"]
    do(workspaces.set_retention, any_desk.workspace_id, None)
    assert not erasing.Keeper().round()
    assert any_desk.texts() == [""]


def test_a_workspace_that_is_being_deleted_cannot_be_changed(any_desk: Desk) -> None:
    db.write(workspaces.begin_deletion, any_desk.workspace_id)
    with pytest.raises(NotFoundError):
        db.write(workspaces.begin_deletion, any_desk.workspace_id)
    for use_case in (workspaces.archive, workspaces.restore):
        with pytest.raises(NotFoundError):
            do(use_case, any_desk.workspace_id)
    with db.read() as session:
        assert session.get_one(Workspace, any_desk.workspace_id).archived_at is None
