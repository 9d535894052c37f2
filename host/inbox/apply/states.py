"""The state of conversations that an event keeps, so that it says later what was so then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.events.kinds.conversations import ConversationState
from host.inbox.labels.models import ConversationLabel, Label
from host.models.inbox import Conversation

Labels = tuple[tuple[int, str], ...]
"""Id and name of each label of a conversation, by name."""


@cache
def _labels() -> Any:
    return (
        sa.select(ConversationLabel.conversation_id, Label.id, Label.name)
        .join(Label, Label.id == ConversationLabel.label_id)
        .where(ConversationLabel.conversation_id.in_(sa.bindparam("ids", expanding=True)))
        .order_by(Label.name, Label.id)
    )


@cache
def _conversations() -> Any:
    return sa.select(
        Conversation.id,
        Conversation.status,
        Conversation.handled_by,
        Conversation.assignee_id,
        Conversation.team_id,
    ).where(Conversation.id.in_(sa.bindparam("ids", expanding=True)))


def state_of(session: Session, conversation: Conversation) -> ConversationState:
    """Return the state of the locked *conversation*, as this write has made it."""
    return _state(conversation, _labels_of(session, [conversation.id]).get(conversation.id, ()))


def states_of(session: Session, ids: Collection[int]) -> Mapping[int, ConversationState]:
    """Return the states of conversations by id, with two statements; none if *ids* is empty."""
    if not ids:
        return {}
    labels = _labels_of(session, ids)
    rows = db.read_rows(session, _conversations(), ids=list(ids))
    return {row.id: _state(row, labels.get(row.id, ())) for row in rows}


def _labels_of(session: Session, ids: Collection[int]) -> Mapping[int, Labels]:
    found: dict[int, Labels] = {}
    for conversation_id, id_, name in db.read_rows(session, _labels(), ids=list(ids)):
        found[conversation_id] = (*found.get(conversation_id, ()), (id_, name))
    return found


def _state(row: Any, labels: Labels) -> ConversationState:
    return ConversationState(row.status, row.handled_by, row.assignee_id or 0, row.team_id or 0, labels)
