"""Read the labels of conversations and contacts for lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.inbox.labels.models import ConversationLabel, Label, LabelTone
from host.models.inbox import Conversation
from host.users.reach import Accounts


class LabelRef(msgspec.Struct, frozen=True):
    """A label of a conversation or contact."""

    id: int
    name: str
    tone: LabelTone


def conditions(given: Collection[str]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the filters ``labels``, ``all_labels`` and ``no_labels``."""
    found: list[sa.ColumnElement[bool]] = []
    if "labels" in given:
        found.append(_labelled("labels").exists())
    if "no_labels" in given:
        found.append(~_labelled("no_labels").exists())
    if "all_labels" in given:
        number = _labelled("all_labels").with_only_columns(sa.func.count()).scalar_subquery()
        found.append(number == sa.bindparam("label_count"))
    return found


def _labelled(name: str) -> sa.Select[Any]:
    """Select the labels in the parameter *name* that a conversation has."""
    return sa.select(ConversationLabel.label_id).where(
        ConversationLabel.conversation_id == Conversation.id,
        ConversationLabel.label_id.in_(sa.bindparam(name, expanding=True)),
    )


@cache
def _of_conversations() -> Any:
    return (
        sa.select(ConversationLabel.conversation_id, Label.id, Label.name, Label.tone)
        .join(Label, Label.id == ConversationLabel.label_id)
        .where(ConversationLabel.conversation_id.in_(sa.bindparam("ids", expanding=True)))
        .order_by(Label.name, Label.id)
    )


def labels_of_conversations(session: Session, ids: Collection[int]) -> Mapping[int, Sequence[LabelRef]]:
    """Return the labels of each conversation, by name; conversations without labels are left out."""
    return _grouped(db.read_rows(session, _of_conversations(), ids=list(ids))) if ids else {}


def labels_of_contacts(
    session: Session, ids: Collection[int], accounts: Accounts
) -> Mapping[int, Sequence[LabelRef]]:
    """Return the labels of each contact's conversations, by name."""
    query = (
        sa.select(Conversation.contact_id, Label.id, Label.name, Label.tone)
        .join(ConversationLabel, ConversationLabel.conversation_id == Conversation.id)
        .join(Label, Label.id == ConversationLabel.label_id)
        .where(Conversation.contact_id.in_(ids))
        .distinct()
        .order_by(Label.name, Label.id)
    )
    if accounts is not None:
        query = query.where(Conversation.account_id.in_(sorted(accounts)))
    return _grouped(session.execute(query))


def _grouped(rows: Iterable[Any]) -> Mapping[int, Sequence[LabelRef]]:
    found: dict[int, list[LabelRef]] = {}
    for key, id_, name, tone in rows:
        found.setdefault(key, []).append(LabelRef(id_, name, LabelTone(tone)))
    return found


def existing(session: Session, workspace_id: int, ids: Collection[int]) -> set[int]:
    """Return those of the ids that are labels of the workspace."""
    query = sa.select(Label.id).where(Label.workspace_id == workspace_id, Label.id.in_(ids))
    return set(session.scalars(query))
