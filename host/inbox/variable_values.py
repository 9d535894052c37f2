"""Values of the variables of :mod:`host.inbox.variables`."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox import variables
from host.inbox.queries import Row
from host.models.users import User, Workspace
from host.sdk.channel import AccountRef


def values_of_conversation(session: Session, row: Row, user_id: int | None) -> dict[str, str]:
    """Return the value of each variable for a conversation and the person who answers it: one statement.

    :param user_id: None for a program, which has no name.
    """
    name = row.contact_name or row.identity_name or ""
    return values_of_contact(session, row.account, name, row.username or "", row.contact_email or "", user_id)


def values_of_contact(
    session: Session, account: AccountRef, name: str, username: str, email: str, user_id: int | None
) -> dict[str, str]:
    """Return the value of each variable for a message to a contact on *account*."""
    query = sa.select(Workspace.name, User.name).outerjoin_from(Workspace, User, User.id == (user_id or 0))
    workspace, agent = session.execute(query.where(Workspace.id == account.workspace_id)).one()
    handle = username or email
    return {
        "contact.name": name,
        "contact.first_name": variables.first_word(name),
        "contact.handle": f"@{handle}" if handle and "@" not in handle else handle,
        "contact.email": email or (handle if "@" in handle else ""),
        "agent.name": agent or "",
        "agent.first_name": variables.first_word(agent or ""),
        "account.name": account.name or account.handle or "",
        "workspace.name": workspace,
    }
