"""Ask the admins of the desk to add a channel, or to turn on a feature."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.notifications import Notification
from host.models.users import User, Workspace
from host.notifications.notify import Message, admins, notify_users
from host.sdk.i18n import noop

ASKED = noop("%(who)s requested this channel in %(workspace)s.")
INSTALL = noop("Install or activate its addon to make it available.")
REMINDED = noop("%(who)s sent a reminder: %(workspace)s still needs this channel.")
REMIND_AFTER = timedelta(hours=1)
"""Time after the request at which it can be repeated."""
REMIND_AGAIN_AFTER = timedelta(days=1)
"""Time after a reminder at which there can be another."""
AGAIN = timedelta(days=7)
"""How long a workspace cannot ask for the same channel again, except by a reminder."""


class Words(NamedTuple):
    """The sentences of a request to the admins, marked for translation."""

    asked: str
    step: str
    reminded: str


OF_CHANNEL = Words(ASKED, INSTALL, REMINDED)


class ChannelRequest(msgspec.Struct, frozen=True):
    """A channel the admins were asked for.

    :param seen_at: when the first admin read it; None: nobody has.
    :param last_at: when they were last asked or reminded.
    """

    asked_at: datetime
    seen_at: datetime | None
    last_at: datetime

    @property
    def remind_from(self) -> datetime:
        """The time from which the admins can be reminded."""
        return self.last_at + (REMIND_AFTER if self.last_at == self.asked_at else REMIND_AGAIN_AFTER)

    @property
    def may_remind(self) -> bool:
        """Whether the admins can be reminded now."""
        return clock.now() >= self.remind_from


def ask(
    session: Session,
    workspace_id: int,
    user_id: int,
    key: str,
    label: str,
    *,
    words: Words = OF_CHANNEL,
    anchor: str = "",
) -> bool:
    """Notify every admin that a workspace wants the channel *key*, or remind them of it.

    :param words: those of another thing than a channel, which *key* then names.
    :param anchor: where it is on the page of addons.

    Returns whether this call did: not if they were asked a short time ago.
    """
    workspace = session.scalars(
        sa.select(Workspace).where(Workspace.id == workspace_id).with_for_update()
    ).one()
    earlier = asked(session, workspace_id, words).get(key)
    if earlier is not None and not earlier.may_remind:
        return False
    details = {
        "who": session.get_one(User, user_id).name,
        "workspace": workspace.name,
        "asking": str(workspace_id),
        "channel": key,
    }
    message = Message(label, words.asked if earlier is None else words.reminded, words.step, details)
    path = f"/admin/addons{anchor}"
    notify_users(session, sorted(admins(session)), message, workspace_id=None, path=path)
    return True


def asked(session: Session, workspace_id: int, words: Words = OF_CHANNEL) -> dict[str, ChannelRequest]:
    """Return the channels a workspace recently asked for, by channel key."""
    query = (
        sa.select(Notification.details, Notification.created_at, Notification.read_at)
        .where(
            Notification.user_id.in_(sa.select(User.id).where(User.is_admin)),
            Notification.sentence.in_([words.asked, words.reminded]),
            Notification.created_at > clock.now() - AGAIN,
        )
        .order_by(Notification.created_at)
    )
    found: dict[str, ChannelRequest] = {}
    for row in session.execute(query):
        if row.details.get("asking") != str(workspace_id):
            continue
        key = str(row.details["channel"])
        earlier = found.get(key)
        first, read = (row.created_at, None) if earlier is None else (earlier.asked_at, earlier.seen_at)
        seen = min((one for one in (read, row.read_at) if one is not None), default=None)
        found[key] = ChannelRequest(first, seen, row.created_at)
    return found
