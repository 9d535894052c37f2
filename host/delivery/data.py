"""Clean-up of missed messages and of ordered queues."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.delivery import history, missing
from host.features.hookspecs import hookimpl
from host.models.queue import Lane


@hookimpl
def clean_up() -> None:
    """Delete old entries of the list of missed messages."""
    db.write(missing.forget_old)


@hookimpl
def remove_workspace(session: Session, accounts: Collection[int], most: int) -> bool | None:
    """Delete the ordered queues (lanes) of its accounts: they are empty by then."""
    if not accounts:
        return None
    mine = sa.and_(Lane.account_id.in_(accounts), Lane.direction != "hook")
    return db.delete_some(session, Lane, mine, most) > 0 or None


@hookimpl
def restored(session: Session) -> None:
    """Ask providers for messages since the backup, which they don't redeliver."""
    history.ask_since_backup(session)
