"""Conversations found by what they have in common, for programs: any mixture of conditions, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.models import ChannelAccount
from host.inbox.models import ContactIdentity, Conversation, ConversationStatus
from host.inbox.queries import Page, Row, built_row, select_rows

NOBODY = 0
"""As an assignee: conversations of nobody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations. What is None does not matter.

    :param assignee: the id of a person, or :data:`NOBODY`.
    :param contact: the contact's external id.
    """

    status: ConversationStatus | None = None
    channel: str | None = None
    account_id: int | None = None
    assignee: int | None = None
    contact: str | None = None


def find(
    session: Session,
    workspace_id: int,
    wanted: Wanted,
    *,
    before: tuple[datetime, int] | None,
    limit: int,
) -> Page:
    """Return a page of the workspace's conversations, the one with the latest message first.

    Four queries at most, each of them along an index, however many conversations there are.
    """
    conditions = _conditions(session, workspace_id, wanted)
    if conditions is None:
        return Page([], None)
    if before is not None:
        at, id_ = before
        conditions.append(Conversation.last_message_at <= at)
        conditions.append(sa.or_(Conversation.last_message_at < at, Conversation.id < id_))
    # One query per status: each index begins with it, and two short lists are quickly one.
    statuses = list(ConversationStatus) if wanted.status is None else [wanted.status]
    rows: list[Row] = []
    for status in statuses:
        query = (
            select_rows()
            .where(*conditions, Conversation.status == status)
            .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
            .limit(limit + 1)
        )
        rows += [built_row(found) for found in session.execute(query)]
    rows.sort(key=lambda row: (row.last_message_at, row.id), reverse=True)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, (rows[-1].last_message_at, rows[-1].id) if more else None)


def _conditions(session: Session, workspace_id: int, wanted: Wanted) -> list[Any] | None:
    """Return what narrows conversations to those wanted; None where there can be none.

    The narrowest of contact, account and workspace stands for all three, so that its index is the one used.
    """
    accounts = _accounts(session, workspace_id, wanted)
    if not accounts:
        return None
    conditions: list[Any] = []
    if wanted.contact is not None:
        identities = _identities(session, accounts, wanted.contact)
        if not identities:
            return None
        conditions.append(Conversation.identity_id.in_(identities))
    elif wanted.account_id is not None:
        conditions.append(Conversation.account_id == wanted.account_id)
    else:
        conditions.append(Conversation.workspace_id == workspace_id)
        if wanted.channel is not None:
            conditions.append(Conversation.channel == wanted.channel)
    if wanted.assignee is not None:
        mine = Conversation.assignee_id
        conditions.append(mine.is_(None) if wanted.assignee == NOBODY else mine == wanted.assignee)
    return conditions


def _accounts(session: Session, workspace_id: int, wanted: Wanted) -> Sequence[int]:
    """Return the ids of the accounts the conversations may be of.

    A channel none of them has is answered here: PostgreSQL refuses to compare its enum type with one.
    """
    query = sa.select(ChannelAccount.id).where(ChannelAccount.workspace_id == workspace_id)
    if wanted.channel is not None:
        query = query.where(ChannelAccount.channel == wanted.channel)
    if wanted.account_id is not None:
        query = query.where(ChannelAccount.id == wanted.account_id)
    return list(session.scalars(query))


def _identities(session: Session, accounts: Sequence[int], contact: str) -> Sequence[int]:
    query = sa.select(ContactIdentity.id).where(
        ContactIdentity.account_id.in_(accounts), ContactIdentity.external_id == contact
    )
    return list(session.scalars(query))
