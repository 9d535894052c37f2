"""The actions of a pushed notification: signed for one person, conversation and device, for a short time.

A service worker has no CSRF token, since no page need be open. The token of these actions takes its place: it
is in the encrypted content of a push, so only that device can read it. It adds nothing to what the person may
do: the request also needs their session, and their permission at that moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import secrets
from host.push.models import PushDevice

LASTS = timedelta(hours=12)
"""Validity of a token: a push is delivered for as long."""
_PURPOSE = "push action"


class PushActions(msgspec.Struct, frozen=True):
    """The words and the address of the actions of one pushed notification.

    :param address: the path that takes them, with *token*.
    :param shown: how the conversation is put, see :func:`host.models.inbox.state_mark`.
    :param failed: the title that is shown if it could not be snoozed.
    """

    open: str
    snooze: str
    failed: str
    address: str
    token: str
    shown: str = ""


def address(workspace_id: int, conversation_id: int) -> str:
    """Return the path that takes the actions of a conversation; it is *inbox.act_on_push*."""
    return f"/w/{workspace_id}/inbox/{conversation_id}/pushed"


def token(device: PushDevice, workspace_id: int, conversation_id: int, now: datetime) -> str:
    """Return the token of a device for the actions of one conversation."""
    until = int((now + LASTS).timestamp())
    values = device.uuid, device.user_id, workspace_id, conversation_id, until
    return f"{device.id}.{until}.{secrets.keyring().sign(_PURPOSE, *values)}"


def is_valid(
    session: Session, given: str, *, user_id: int, workspace_id: int, conversation_id: int, now: datetime
) -> bool:
    """Return whether *given* is a valid token of a device that this person still has."""
    id_, _, rest = given.partition(".")
    until, _, signature = rest.partition(".")
    is_written = all(one.isascii() and one.isdigit() and len(one) < 16 for one in (id_, until))
    if not is_written or int(until) <= now.timestamp():
        return False
    query = sa.select(PushDevice.uuid).where(PushDevice.id == int(id_), PushDevice.user_id == user_id)
    uuid = session.scalar(query)
    if uuid is None:
        return False
    values = uuid, user_id, workspace_id, conversation_id, int(until)
    return secrets.keyring().is_signed(signature, _PURPOSE, *values)
