"""Message retention: the messages that are too old, and their number.

Messages of open conversations and unsent messages are kept at any age.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.inbox import (
    ARRIVED,
    Attachment,
    Conversation,
    ConversationStatus,
    DeliveryState,
    Direction,
    InternalKind,
    Message,
)
from host.models.users import Workspace

GRACE = timedelta(days=14)
"""Time in which the deletion of a workspace can be cancelled."""


def end_of(asked: datetime | None) -> datetime | None:
    """Return when a workspace is deleted whose deletion was requested at that time."""
    return None if asked is None else asked + GRACE


class Falls(msgspec.Struct, frozen=True):
    """The amount of data older than some number of days.

    :param before: all earlier messages are deleted.
    """

    before: datetime
    conversations: int
    messages: int
    files: int


def days_of(chosen: int | None, desk: int) -> int:
    """Return the retention of a workspace's messages in days; 0: forever.

    :param chosen: the workspace's choice; None: the desk's default, *desk* days.
    """
    return desk if chosen is None else chosen


def is_shorter(days: int, than: int) -> bool:
    """Return whether *days* is a shorter retention than *than* days."""
    return days != 0 and (than == 0 or days < than)


def too_old(before: datetime) -> Sequence[sa.ColumnElement[bool]]:
    """Return the conditions for undeleted messages of closed conversations from before *before*."""
    return (
        Conversation.status == ConversationStatus.CLOSED,
        Message.sent_at < before,
        Message.erased_at.is_(None),
        sa.or_(Message.direction != Direction.INTERNAL, Message.kind != InternalKind.ACTIVITY),
        sa.or_(
            Message.state.is_(None),
            Message.state.in_([*sorted(ARRIVED), DeliveryState.FAILED]),
            Message.state == DeliveryState.CANCELLED,
        ),
    )


def falls(session: Session, workspace_id: int, days: int) -> Falls:
    """Return the data that is deleted immediately if messages of a workspace are kept *days* days.

    Two queries.
    """
    before = clock.now() - timedelta(days=days)
    which = (Conversation.workspace_id == workspace_id, *too_old(before))
    said = (
        sa.select(sa.func.count(), sa.func.count(sa.distinct(Message.conversation_id)))
        .select_from(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(*which)
    )
    messages, conversations = session.execute(said).one()
    files = (
        sa.select(sa.func.count())
        .select_from(Attachment)
        .join(Message, Message.id == Attachment.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(*which)
    )
    return Falls(before, conversations, messages, session.scalar(files) or 0)


def chosen(session: Session) -> list[tuple[int, str, int | None]]:
    """Return id, name and retention of every workspace that is neither archived nor being deleted."""
    query = sa.select(Workspace.id, Workspace.name, Workspace.retention_days).where(
        Workspace.archived_at.is_(None), Workspace.deleting_at.is_(None)
    )
    return [(row.id, row.name, row.retention_days) for row in session.execute(query.order_by(Workspace.id))]
