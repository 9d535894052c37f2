"""Who a conversation is with: what the provider tells of them, since when, and what else they wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox import contents, links
from host.inbox.bubbles import came_from
from host.inbox.looks import Line
from host.inbox.models import ContactIdentity, Conversation, Direction, Message
from host.inbox.queries import Row
from host.sdk.channel import ChannelAdapter

OTHERS = 10


@dataclass(frozen=True, slots=True)
class Other:
    """Another conversation with the same contact."""

    id: int
    channel: str
    status: str
    subject: str | None
    preview: str
    kind: str
    last_message_at: datetime


@dataclass(frozen=True, slots=True)
class About:
    """What the contact pane shows beside the conversation itself.

    :param id_name: what the channel calls the contact's id; empty if it has no word for it.
    :param link: the contact's own page at the provider; empty if there is none.
    :param followers: how many people follow them; None if nobody told.
    :param first_at: when they were first seen here.
    :param origin: where they came from when they wrote first, if an ad or a link brought them.
    """

    identity_external_id: str
    id_name: str
    link: str
    verified: bool
    follows_us: bool
    we_follow: bool
    followers: int | None
    messages: int
    first_at: datetime
    origin: Line | None
    others: Sequence[Other]


def load(session: Session, row: Row, adapter: ChannelAdapter | None) -> About:
    """Return what is known about the contact of *row*, and their other conversations, the latest first."""
    written = sa.select(Message).where(
        Message.conversation_id == row.id, Message.direction != Direction.INTERNAL
    )
    first = written.with_only_columns(Message.content).order_by(Message.sent_at, Message.id).limit(1)
    found = session.execute(
        sa.select(
            ContactIdentity.profile,
            ContactIdentity.created_at,
            written.with_only_columns(sa.func.count()).scalar_subquery(),
            first.scalar_subquery(),
        ).where(
            ContactIdentity.id == row.identity_id,
            ContactIdentity.workspace_id == row.account.workspace_id,
        )
    ).one()
    profile, created_at, messages, content = found
    facts = profile if isinstance(profile, Mapping) else {}
    came = contents.referral(content) if isinstance(content, Mapping) else None
    link = adapter.profile_url(row.username) if adapter is not None and row.username else None
    return About(
        identity_external_id=row.identity_external_id,
        id_name="" if adapter is None or adapter.contact_id_name == "id" else adapter.contact_id_name,
        link=links.safe(link) or "",
        verified=facts.get("verified") is True,
        follows_us=facts.get("follows_us") is True,
        we_follow=facts.get("we_follow") is True,
        followers=_number(facts.get("followers")),
        messages=messages,
        first_at=created_at,
        origin=came_from(came) if came is not None else None,
        others=_others(session, row),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _others(session: Session, row: Row) -> list[Other]:
    query = (
        sa.select(
            Conversation.id,
            Conversation.channel,
            Conversation.status,
            Conversation.subject,
            Conversation.last_preview,
            Conversation.last_kind,
            Conversation.last_message_at,
        )
        .where(
            Conversation.contact_id == row.contact_id,
            Conversation.workspace_id == row.account.workspace_id,
            Conversation.id != row.id,
        )
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(OTHERS)
    )
    return [
        Other(id_, channel, status, subject, links.plain(preview), kind, at)
        for id_, channel, status, subject, preview, kind, at in session.execute(query)
    ]
