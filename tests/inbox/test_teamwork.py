"""Assigning, closing, reopening and reading, each with its line in the thread."""

from __future__ import annotations

from datetime import timedelta

import pytest

from host.core import db
from host.core.errors import NotFoundError
from host.inbox import errors
from host.inbox.conversation_actions import Changes, hide_message, mark_read, mark_unread, set_fields
from host.inbox.conversations import locked_message
from host.models.inbox import Conversation, ConversationStatus, Message
from host.models.users import Workspace
from host.sdk.channel import AccountRef
from tests import helpers
from tests.helpers import do, work
from tests.inbox import toys
from tests.inbox.toys import START, apply, received

NOW = START + timedelta(hours=1)


@pytest.fixture
def conversation(account: AccountRef) -> Conversation:
    apply(account, received("one"), received("two", at=1))
    found = toys.only(Conversation)
    assert isinstance(found, Conversation)
    return found


def activities() -> list[dict[str, object]]:
    return [m.content for m in toys.thread() if m.kind == "activity"]


def give(conversation: Conversation, to: int | None, by: int) -> bool:
    return do(set_fields, conversation.workspace_id, conversation.id, {"assignee_id": to}, actor=by, now=NOW)


def test_assigning_is_told_once(conversation: Conversation, mia: int) -> None:
    bo = toys.make_user(conversation.workspace_id, "Bo T.")
    assert give(conversation, bo, mia)
    assert not give(conversation, bo, mia)
    assert give(conversation, mia, mia)
    assert give(conversation, None, mia)
    assert activities() == [
        {"what": "assigned", "name": "Bo T."},
        {"what": "took", "name": "Mia R."},
        {"what": "unassigned"},
    ]
    assert toys.only(Conversation).assignee_id is None


def test_only_members_can_be_given_a_conversation(conversation: Conversation, mia: int) -> None:
    stranger = toys.make_user(toys.make_workspace("Other"), "Eve")
    with pytest.raises(errors.NotAMemberError):
        give(conversation, stranger, mia)
    with pytest.raises(errors.NotAMemberError):
        give(conversation, 999_999, mia)


def test_closing_and_reopening(conversation: Conversation, mia: int) -> None:
    close: Changes = {"status": ConversationStatus.CLOSED}
    reopen: Changes = {"status": ConversationStatus.OPEN}
    assert do(set_fields, conversation.workspace_id, conversation.id, close, actor=mia, now=NOW)
    assert not do(set_fields, conversation.workspace_id, conversation.id, close, actor=mia, now=NOW)
    closed = toys.only(Conversation)
    assert (closed.status, closed.closed_at, closed.unread_count) == ("closed", NOW, 0)
    assert closed.waiting_since is None
    assert do(set_fields, conversation.workspace_id, conversation.id, reopen, actor=mia, now=NOW)
    again = toys.only(Conversation)
    assert (again.status, again.closed_at) == ("open", None)
    assert again.waiting_since == START + timedelta(seconds=1)  # what they wrote last has no answer
    assert activities() == [{"what": "closed"}, {"what": "reopened"}]


def test_reading_leaves_what_came_later_unread(
    account: AccountRef, conversation: Conversation, mia: int
) -> None:
    last_seen = toys.thread()[-1].id
    apply(account, received("three", at=2))

    def look(until: int) -> bool:
        return do(mark_read, conversation.workspace_id, conversation.id, user_id=mia, until=until)

    assert look(last_seen)
    assert toys.only(Conversation).unread_count == 1
    told = len(helpers.shown())
    assert not look(last_seen)
    assert len(helpers.shown()) == told
    assert look(toys.thread()[-1].id)
    assert toys.only(Conversation).unread_count == 0


def test_another_workspace_sees_and_changes_nothing(conversation: Conversation, mia: int) -> None:
    other = toys.make_workspace("Other")
    assert len(toys.everything(Workspace)) == 2
    for use_case, values in (
        (set_fields, {"changes": {"status": "closed"}}),
        (set_fields, {"changes": {"status": "open"}}),
        (set_fields, {"changes": {"assignee_id": mia}}),
        (mark_read, {"until": 99, "user_id": mia}),
        (mark_unread, {"user_id": mia}),
        (hide_message, {"message_id": toys.thread()[0].id}),
    ):
        with pytest.raises(errors.ConversationNotFoundError):
            do(use_case, other, conversation.id, actor=mia, **values)
    assert len(toys.everything(Message)) == 2


def test_several_fields_are_set_at_once_each_with_its_line(conversation: Conversation, mia: int) -> None:
    both: Changes = {"assignee_id": mia, "status": ConversationStatus.CLOSED}
    assert do(set_fields, conversation.workspace_id, conversation.id, both, actor="robot", now=NOW)
    assert activities() == [
        {"what": "assigned", "name": "Mia R.", "by": "robot"},
        {"what": "closed", "by": "robot"},
    ]
    found = toys.only(Conversation)
    assert (found.assignee_id, found.status) == (mia, "closed")
    assert not do(set_fields, conversation.workspace_id, conversation.id, both, actor="robot", now=NOW)
    assert do(
        set_fields,
        conversation.workspace_id,
        conversation.id,
        {**both, "status": ConversationStatus.OPEN},
        actor="robot",
        now=NOW,
    )
    assert activities()[2:] == [{"what": "reopened", "by": "robot"}]


def test_a_message_is_found_in_any_conversation_of_the_workspace_only(
    conversation: Conversation, mia: int
) -> None:
    other = toys.make_workspace("Other")
    asked = toys.thread()[0].id
    with db.read() as session:
        found, message = locked_message(work(session, conversation.workspace_id), asked)
        assert (found.id, message.id) == (conversation.id, asked)
    here = conversation.workspace_id
    for workspace_id, where in ((other, None), (here, conversation.id + 1), (here, 0)):
        with pytest.raises(NotFoundError), db.read() as session:
            locked_message(work(session, workspace_id), asked, conversation_id=where)
