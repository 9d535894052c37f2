"""Erasure and clean-up of files."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.media import file_removal
from host.models.media import Upload


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Delete the messages' files."""
    file_removal.forget_files(session, ids)


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Delete uploads that were not sent."""
    mine = sa.select(Upload.id, Upload.storage_key).where(Upload.workspace_id == workspace_id)
    rows = session.execute(mine.limit(most)).all()
    session.execute(sa.delete(Upload).where(Upload.id.in_([row.id for row in rows])))
    file_removal.remove_later(session, [row.storage_key for row in rows])
    return bool(rows) or None
