"""What belongs to messages and stands elsewhere: the reactions on them, the messages they quote."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.accounts.models import User
from host.inbox.models import Message, Reaction

EXCERPT = 300
"""Most characters read of a quoted text; fewer are shown."""


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction on a message.

    :param state: of one of ours: queued, sent or failed; None for the customer's.
    """

    actor: str
    emoji: str
    name: str
    author_name: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Quoted:
    """A message that another one quotes. *external_id* is all there is of one we do not have."""

    external_id: str
    id: int | None = None
    conversation_id: int | None = None
    direction: str = ""
    kind: str = ""
    text: str = ""
    author_name: str | None = None
    sent_at: datetime | None = None
    unsent: bool = False


def reactions(session: Session, ids: Collection[int]) -> dict[int, list[Reacted]]:
    """Return the reactions on messages, by the message's id; those taken away are none."""
    query = (
        sa.select(
            Reaction.message_id, Reaction.actor, Reaction.emoji, Reaction.name, User.name, Reaction.state
        )
        .outerjoin(User, User.id == Reaction.author_id)
        .where(Reaction.message_id.in_(ids), Reaction.removed_at.is_(None))
        .order_by(Reaction.at, Reaction.id)
    )
    found: dict[int, list[Reacted]] = {}
    for message_id, actor, emoji, name, author, state in session.execute(query):
        if message_id is not None:
            found.setdefault(message_id, []).append(Reacted(actor, emoji, name, author, state))
    return found


def quoted(session: Session, messages: Sequence[Message]) -> dict[tuple[int, str], Quoted]:
    """Return what *messages* quote, by account and external id."""
    wanted = {(message.account_id, message.reply_to) for message in messages if message.reply_to is not None}
    query = (
        sa.select(
            Message.account_id,
            Message.external_id,
            Message.id,
            Message.conversation_id,
            Message.direction,
            Message.kind,
            sa.case((Message.hidden_at.is_(None), sa.func.substr(Message.text, 1, EXCERPT)), else_="").label(
                "text"
            ),
            User.name,
            Message.sent_at,
            Message.unsent_at.is_not(None).label("unsent"),
        )
        .outerjoin(User, User.id == Message.author_id)
        .where(
            Message.account_id.in_({account_id for account_id, _ in wanted}),
            Message.external_id.in_({external_id for _, external_id in wanted}),
        )
    )
    found: dict[tuple[int, str], Quoted] = {
        (account_id, external_id): Quoted(external_id) for account_id, external_id in wanted if external_id
    }
    for account_id, external_id, *rest in session.execute(query):
        if (account_id, external_id) in found:
            found[account_id, external_id] = _quoted(external_id, *rest)
    return found


def _quoted(external_id: str, *values: Any) -> Quoted:
    id_, conversation_id, direction, kind, text, author, sent_at, unsent = values
    return Quoted(external_id, id_, conversation_id, direction, kind, text, author, sent_at, bool(unsent))
