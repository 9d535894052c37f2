"""Assigning, closing, reopening and reading, each with its line in the thread."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from host import db
from host.accounts.models import Workspace
from host.inbox import errors
from host.inbox.assignment import assign
from host.inbox.models import Conversation, Message
from host.inbox.reading import mark_read
from host.inbox.status import close, reopen
from host.live.models import LiveEvent
from host.sdk.channel import AccountRef
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
    return db.write(
        assign,
        workspace_id=conversation.workspace_id,
        conversation_id=conversation.id,
        assignee_id=to,
        author_id=by,
        now=NOW,
    )


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
    values: dict[str, Any] = {
        "workspace_id": conversation.workspace_id,
        "conversation_id": conversation.id,
        "author_id": mia,
        "now": NOW,
    }
    assert db.write(close, **values)
    assert not db.write(close, **values)
    closed = toys.only(Conversation)
    assert (closed.status, closed.closed_at, closed.unread_count) == ("closed", NOW, 0)
    assert db.write(reopen, **values)
    again = toys.only(Conversation)
    assert (again.status, again.closed_at) == ("open", None)
    assert activities() == [{"what": "closed"}, {"what": "reopened"}]


def test_reading_leaves_what_came_later_unread(account: AccountRef, conversation: Conversation) -> None:
    last_seen = toys.thread()[-1].id
    apply(account, received("three", at=2))

    def look(until: int) -> bool:
        return db.write(
            mark_read,
            workspace_id=conversation.workspace_id,
            conversation_id=conversation.id,
            until=until,
        )

    assert look(last_seen)
    assert toys.only(Conversation).unread_count == 1
    told = len(toys.everything(LiveEvent))
    assert not look(last_seen)
    assert len(toys.everything(LiveEvent)) == told
    assert look(toys.thread()[-1].id)
    assert toys.only(Conversation).unread_count == 0


def test_another_workspace_sees_and_changes_nothing(conversation: Conversation, mia: int) -> None:
    other = toys.make_workspace("Other")
    assert len(toys.everything(Workspace)) == 2
    where = {"workspace_id": other, "conversation_id": conversation.id}
    for use_case, values in (
        (close, {"author_id": mia, "now": NOW}),
        (reopen, {"author_id": mia, "now": NOW}),
        (assign, {"assignee_id": mia, "author_id": mia, "now": NOW}),
        (mark_read, {"until": 99}),
    ):
        with pytest.raises(errors.ConversationNotFoundError):
            db.write(use_case, **where, **values)  # type: ignore[arg-type]
    assert len(toys.everything(Message)) == 2
