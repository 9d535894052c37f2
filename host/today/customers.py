"""Customers who wrote today, and those who have waited longest for an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from flask import url_for
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.features.today import TodayAsked, TodayRow, TodaySection
from host.inbox.queries import Order
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, ConversationStatus
from host.models.users import User
from host.web.languages import gettext as _

LONGEST = 5
"""How many of the customers who wait are named."""
WROTE, NEW = "wrote", "new"


def of_today(asked: TodayAsked) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of conversations with a message since the day began, by the index of the list."""
    return [
        Conversation.workspace_id == asked.workspace_id,
        Conversation.status.in_(list(ConversationStatus)),
        Conversation.last_message_at >= asked.since,
        *asked.seen(Conversation.account_id),
    ]


def _wrote(asked: TodayAsked) -> list[sa.ColumnElement[bool]]:
    return [*of_today(asked), Conversation.last_inbound_at >= asked.since, Conversation.spam_at.is_(None)]


def came(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield how many customers wrote, in how many conversations, and how many are new. One statement."""
    new = sa.case((Contact.created_at >= asked.since, Contact.id))
    query = (
        sa.select(sa.func.count(), sa.func.count(Contact.id.distinct()), sa.func.count(new.distinct()))
        .select_from(Conversation)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(*_wrote(asked))
    )
    talks, customers, fresh = session.execute(query).one()
    if talks:
        detail = ngettext("in %(num)s conversation", "in %(num)s conversations", talks)
        yield TodayRow(TodaySection.CAME, 20, _("Customers who wrote"), customers, key=WROTE, detail=detail)
    if fresh:
        yield TodayRow(TodaySection.CAME, 30, _("New customers among them"), fresh, key=NEW)


def _waits(asked: TodayAsked) -> list[sa.ColumnElement[bool]]:
    return [
        Conversation.workspace_id == asked.workspace_id,
        Conversation.status == ConversationStatus.OPEN,
        Conversation.waiting_since.is_not(None),
        Conversation.snooze_kind.is_(None),
        Conversation.spam_at.is_(None),
        *asked.seen(Conversation.account_id),
    ]


def waiting(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield the customers who have waited longest, and how many wait. Two statements."""
    since = Conversation.waiting_since
    named = sa.func.coalesce(Contact.name, ContactIdentity.name, ContactIdentity.username, Contact.email)
    query = (
        sa.select(
            *(Conversation.id, Conversation.channel, since, named.label("name")),
            *(ContactIdentity.external_id, ChannelAccount.handle, User.name.label("assignee")),
        )
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .outerjoin(User, User.id == Conversation.assignee_id)
        .where(*_waits(asked))
        .order_by(since, Conversation.id)
        .limit(LONGEST)
    )
    rows = session.execute(query).all()
    for place, row in enumerate(rows):
        yield TodayRow(
            TodaySection.WAITING,
            place,
            _name(row),
            seconds=max(0, int((asked.now - row.waiting_since).total_seconds())),
            url=url_for("inbox.conversation", workspace_id=asked.workspace_id, conversation_id=row.id),
            detail=f"{row.assignee or _('Unassigned')} · {row.handle}",
            own=True,
        )
    if len(rows) == LONGEST:
        number = session.scalar(sa.select(sa.func.count()).select_from(Conversation).where(*_waits(asked)))
        url = url_for("inbox.index", workspace_id=asked.workspace_id, only="waiting", sort=str(Order.WAITING))
        yield TodayRow(TodaySection.WAITING, LONGEST, _("All who wait"), number, url=url)


def _name(row: Any) -> str:
    if row.name:
        return str(row.name)
    adapter = current_directory().adapter(row.channel)
    return row.external_id if adapter is None else adapter.contact_label(row.external_id)


def conversations(session: Session, asked: TodayAsked, key: str, most: int) -> Sequence[int] | None:
    """Return the newest conversations behind a number of :func:`came`."""
    if key not in {WROTE, NEW}:
        return None
    query = sa.select(Conversation.id).where(*_wrote(asked))
    if key == NEW:
        query = query.join(Contact, Contact.id == Conversation.contact_id)
        query = query.where(Contact.created_at >= asked.since)
    order = Conversation.last_message_at.desc(), Conversation.id.desc()
    return session.scalars(query.order_by(*order).limit(most)).all()
