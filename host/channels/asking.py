"""Ask the admins of the desk to add a channel."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.notifications import Notification
from host.models.users import User, Workspace
from host.notifications.notify import Message, admins, notify_users
from host.sdk.i18n import noop

ASKED = noop("%(who)s requested this channel in %(workspace)s.")
INSTALL = noop("Install or activate its addon to make it available.")
AGAIN = timedelta(days=7)
"""How long a workspace cannot ask for the same channel again."""


def ask(session: Session, workspace_id: int, user_id: int, key: str, label: str) -> bool:
    """Notify every admin that a workspace wants the channel *key*; return whether this call did."""
    workspace = session.scalars(
        sa.select(Workspace).where(Workspace.id == workspace_id).with_for_update()
    ).one()
    if key in asked(session, workspace_id):
        return False
    details = {
        "who": session.get_one(User, user_id).name,
        "workspace": workspace.name,
        "asking": str(workspace_id),
        "channel": key,
    }
    message = Message(label, ASKED, INSTALL, details)
    notify_users(session, sorted(admins(session)), message, workspace_id=None, path="/admin/addons")
    return True


def asked(session: Session, workspace_id: int) -> dict[str, datetime]:
    """Return when a workspace recently asked for channels, by channel key."""
    query = sa.select(Notification.details, Notification.created_at).where(
        Notification.user_id.in_(sa.select(User.id).where(User.is_admin)),
        Notification.sentence == ASKED,
        Notification.created_at > clock.now() - AGAIN,
    )
    found = [(row.details, row.created_at) for row in session.execute(query)]
    return {str(one["channel"]): at for one, at in found if one.get("asking") == str(workspace_id)}
