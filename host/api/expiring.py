"""Notices to owners before an API key expires: :data:`host.users.api_keys.NOTICES`."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.core import db
from host.notifications import notify
from host.notifications.notify import Message
from host.sdk.i18n import noop
from host.users import api_keys as keys
from host.users.actor import UnitOfWork

EXPIRES = noop("This API key expires on %(day_at)s. Programs that use it will stop working then.")
BEFORE = noop("This API key expires on %(day)s. Programs that use it will stop working then.")
"""Words of earlier notices, which have no time and no zone."""
REPLACE = noop("Create a new key, give it to the program, and revoke this one.")


def notify_due() -> None:
    """Notify the owners of each key that is due, in the bell and by mail.

    The write that notifies also records it, so people are notified once even if several processes find the
    key. A key that was revoked or extended meanwhile is left out.
    """
    with db.read() as session:
        due = keys.expiring(session)
    for key_id in due:
        db.write(_notify, key_id)


def _notify(session: Session, key_id: int) -> None:
    key = keys.take_notice(session, key_id)
    if key is None:
        return
    owners = notify.owners_of(session, [key.workspace_id])
    message = Message(key.name, EXPIRES, REPLACE, {"day": key.expires_at})
    path = _path(key.workspace_id, key.id)
    notify.notify_users(session, sorted(owners), message, workspace_id=key.workspace_id, path=path)


def revoke(work: UnitOfWork, key_id: int) -> None:
    """Revoke a key immediately, and mark the notices about it as read; pending mails are not sent.

    :raises NotFoundError: if the workspace has no such key.
    """
    name = keys.revoke(work, key_id)
    if name is not None:
        path = _path(work.workspace_id, key_id)
        notify.settle(work.session, work.workspace_id, name, [EXPIRES, BEFORE], path=path)


def _path(workspace_id: int, key_id: int) -> str:
    return f"/w/{workspace_id}/settings/api#key-{key_id}"
