"""Retention of notifications."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.models.notifications import Notification
from host.notifications import mailing, notify


@hookimpl
def clean_up() -> None:
    """Remove expired notifications."""
    db.write(notify.forget_old)


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the notifications about a workspace."""
    return db.delete_some(session, Notification, Notification.workspace_id == workspace_id, most) > 0 or None


@hookimpl
def restored(session: Session) -> None:
    """Cancel pending mails: they may have been sent since the backup."""
    mailing.let_be(session)
