"""Retention of notifications, and what shown pushes follow."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.models.inbox import Message
from host.models.notifications import Notification
from host.notifications import mail, notify, pushes


@hookimpl
def clean_up() -> None:
    """Remove expired notifications."""
    db.write(notify.forget_old)


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Replace shown pushes with the text of erased messages; the consumer does it for unsent ones."""
    pushes.take_back_messages(session, ids, Message.erased_at.is_not(None))


@hookimpl
def forget_contacts(session: Session, conversations: Collection[int]) -> None:
    """Replace shown pushes with the name of an erased customer."""
    pushes.take_back_conversations(session, conversations)


@hookimpl
def access_changed(session: Session, workspace_id: int, users: Collection[int]) -> None:
    """Replace shown pushes about what these people see no more."""
    pushes.take_back_unseen(session, workspace_id, users)


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the notifications about a workspace."""
    return db.delete_some(session, Notification, Notification.workspace_id == workspace_id, most) > 0 or None


@hookimpl
def restored(session: Session) -> None:
    """Cancel pending mails: they may have been sent since the backup."""
    mail.let_be(session)
