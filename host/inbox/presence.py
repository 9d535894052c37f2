"""Presence: people who have a conversation open, and people who are typing there.

A browser reports presence and repeats it before :data:`LEASE` expires. It also reports leaving; if it cannot,
the presence expires with its lease. Open browsers receive only changes, as live events.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.inbox import mentions
from host.inbox.conversations import get_conversation, show_presence
from host.models.inbox import Conversation, Presence, PresenceState
from host.models.users import User
from host.users.reach import Accounts

LEASE = timedelta(seconds=30)
"""``inbox-presence.js`` renews it every 12 seconds."""


class Present(msgspec.Struct, frozen=True):
    """A member who has a conversation open."""

    conversation_id: int
    user_id: int
    name: str
    state: PresenceState


def be_present(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    user_id: int,
    state: PresenceState | None,
    now: datetime,
) -> bool:
    """Record a member's presence in a conversation. Return whether browsers were notified.

    Being present marks the member's mentions and notifications of the conversation as seen.

    :param state: None if they left it.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    conversation = get_conversation(session, workspace_id, conversation_id, accounts=accounts)
    own = Presence.user_id == user_id, Presence.conversation_id == conversation_id
    before = session.execute(sa.select(Presence.state, Presence.until).where(*own)).one_or_none()
    was = None if before is None or before.until <= now else before.state
    if state is not None:
        mentions.looked_at(session, conversation, user_id, now)
    if state is None:
        session.execute(sa.delete(Presence).where(*own))
    elif before is not None:
        session.execute(sa.update(Presence).where(*own).values(state=state, until=now + LEASE))
    else:
        ended = Presence.workspace_id == workspace_id, Presence.until < now - LEASE
        session.execute(sa.delete(Presence).where(*ended))
        table = cast(sa.Table, Presence.__table__)
        insert = db.insert_ignore(table, session.get_bind().dialect.name)
        ids = {"user_id": user_id, "conversation_id": conversation_id, "workspace_id": workspace_id}
        session.execute(insert, {**ids, "state": state, "until": now + LEASE})
    if was == state:
        return False
    show_presence(session, conversation, user_id, "away" if state is None else state)
    return True


@cache
def _query(limited: bool) -> Any:
    query = (
        sa.select(Presence.conversation_id, Presence.user_id, User.name, Presence.state)
        .join(User, User.id == Presence.user_id)
        .where(Presence.workspace_id == sa.bindparam("workspace"), Presence.until > sa.bindparam("now"))
        .order_by(Presence.conversation_id, User.name, User.id)
    )
    if not limited:
        return query
    return query.join(Conversation, Conversation.id == Presence.conversation_id).where(
        Conversation.account_id.in_(sa.bindparam("accounts"))
    )


def present(session: Session, workspace_id: int, now: datetime, accounts: Accounts = None) -> list[Present]:
    """Return the presences in a workspace: members, and the conversations they have open.

    :param accounts: the accounts the viewer sees; None for all.
    """
    values: dict[str, Any] = {"workspace": workspace_id, "now": now}
    if accounts is not None:
        values["accounts"] = sorted(accounts)
    rows = db.read_rows(session, _query(accounts is not None), **values)
    return [Present(id_, user_id, name, PresenceState(state)) for id_, user_id, name, state in rows]
