"""Actions on a conversation: set its fields, mark it read, hide one of its messages.

A settable field is a key of :class:`Changes`, named as its column, and a function in ``_SETTERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.inbox.apply.conversations import preview
from host.inbox.conversations import (
    add_activity,
    locked_conversation,
    locked_message,
    publish_changed_message,
    publish_conversation,
)
from host.inbox.errors import NotAMemberError
from host.models.inbox import Conversation, ConversationStatus, Direction, Message
from host.models.users import Membership, User
from host.web.message_kinds import HIDDEN


class Changes(TypedDict, total=False):
    """New values of a conversation's fields. A field that is left out keeps its value."""

    assignee_id: int | None
    status: ConversationStatus


def set_fields(
    session: Session,
    changes: Changes,
    *,
    workspace_id: int,
    conversation_id: int,
    author_id: int | None,
    now: datetime,
    by: str | None = None,
) -> bool:
    """Set fields of a conversation, with an activity line for each that changes. Return whether any did.

    :param by: the name of the API key that sets them, where no person does.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises NotAMemberError: if ``assignee_id`` is not a member of the workspace.
    """
    conversation = locked_conversation(session, workspace_id, conversation_id)
    changed = False
    for name, value in changes.items():
        if getattr(conversation, name) == value:
            continue
        content = _SETTERS[name](session, conversation, value, author_id, now)
        session.flush()
        add_activity(session, conversation, author_id, content, now, by=by)
        publish_conversation(session, conversation)
        changed = True
    return changed


def _set_status(
    _session: Session,
    conversation: Conversation,
    status: ConversationStatus,
    _author_id: int | None,
    now: datetime,
) -> dict[str, Any]:
    closing = status is ConversationStatus.CLOSED
    conversation.status = status
    conversation.closed_at = now if closing else None
    if closing:
        conversation.unread_count = 0
    return {"what": "closed" if closing else "reopened"}


def _set_assignee(
    session: Session,
    conversation: Conversation,
    assignee_id: int | None,
    author_id: int | None,
    _now: datetime,
) -> dict[str, Any]:
    if assignee_id is None:
        conversation.assignee_id = None
        return {"what": "unassigned"}
    name = session.scalars(
        sa.select(User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(User.id == assignee_id, Membership.workspace_id == conversation.workspace_id)
    ).one_or_none()
    if name is None:
        raise NotAMemberError()
    conversation.assignee_id = assignee_id
    return {"what": "took" if assignee_id == author_id else "assigned", "name": name}


_SETTERS: dict[str, Callable[[Session, Conversation, Any, int | None, datetime], dict[str, Any]]] = {
    "assignee_id": _set_assignee,
    "status": _set_status,
}
"""By field: a function that sets it and returns the content of the activity line."""


ACTIVITIES = {
    "assigned": ("user", _l("%(who)s assigned this to %(name)s")),
    "took": ("user", _l("%(who)s took this over")),
    "unassigned": ("user", _l("%(who)s left this to nobody")),
    "closed": ("check", _l("%(who)s closed this")),
    "reopened": ("unsend", _l("%(who)s opened this again")),
    "erased": ("trash", _l("%(who)s erased this customer")),
    "reopened_by_message": ("unsend", _l("Opened again by a new message")),
}
"""The icon and the sentence of an activity line, by the ``what`` of its content."""
OTHER_ACTIVITY = ("info", _l("%(who)s changed this conversation"))


def mark_read(session: Session, *, workspace_id: int, conversation_id: int, until: int) -> bool:
    """Mark a conversation as read by the team up to the message *until*. Return whether that changed it.

    :param until: the id of a message; what arrived after it stays unread.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    conversation = locked_conversation(session, workspace_id, conversation_id)
    if not conversation.unread_count:
        return False
    later = (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(Message)
            .where(
                Message.conversation_id == conversation.id,
                Message.id > until,
                Message.direction == Direction.INBOUND,
            )
        )
        or 0
    )
    if later >= conversation.unread_count:
        return False
    conversation.unread_count = later
    session.flush()
    publish_conversation(session, conversation)
    return True


def hide_message(session: Session, *, workspace_id: int, conversation_id: int, message_id: int) -> None:
    """Hide a message from the team. The provider and the customer keep it.

    A message that was unsent says nothing anyway and stays as it is.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises MessageNotFoundError: if it has no such message, or that is a note or an activity line.
    """
    _set_hidden(session, workspace_id, conversation_id, message_id, clock.now())


def unhide_message(session: Session, *, workspace_id: int, conversation_id: int, message_id: int) -> None:
    """Show a hidden message again.

    :raises ConversationNotFoundError: as :func:`hide_message`.
    :raises MessageNotFoundError: as :func:`hide_message`.
    """
    _set_hidden(session, workspace_id, conversation_id, message_id, None)


def _set_hidden(
    session: Session, workspace_id: int, conversation_id: int, message_id: int, hidden_at: datetime | None
) -> None:
    conversation, message = locked_message(session, workspace_id, message_id, conversation_id=conversation_id)
    if message.unsent_at is not None or (message.hidden_at is None) is (hidden_at is None):
        return
    message.hidden_at = hidden_at
    if _is_last(conversation, message):
        conversation.last_kind = HIDDEN if hidden_at else message.kind
        conversation.last_preview = "" if hidden_at else preview(message.text)
    session.flush()
    publish_changed_message(session, message)


def _is_last(conversation: Conversation, message: Message) -> bool:
    """Tell whether the list shows *message* as the conversation's last one."""
    return (conversation.last_message_at, conversation.last_direction) == (message.sent_at, message.direction)
