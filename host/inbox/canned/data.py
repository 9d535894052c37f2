"""Stored canned replies and macros when their owner leaves or their workspace is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.inbox.canned import replies
from host.inbox.canned.models import CannedFile, CannedReply, Macro
from host.users import leaving


@hookimpl
def clean_up(most: int) -> None:
    """Remove the canned replies and macros of people who left the workspace."""
    while db.write(remove_departed, most):
        pass


def remove_departed(session: Session, most: int) -> int:
    """Delete up to *most* canned replies and macros whose owner left; return the number deleted."""
    ids = leaving.left_behind(session, CannedReply, most)
    if ids:
        files = replies.files_of(session, ids)
        replies.remove_files(session, [file for some in files.values() for file in some])
        session.execute(sa.delete(CannedReply).where(CannedReply.id.in_(ids)))
    macros = leaving.left_behind(session, Macro, most)
    if macros:
        session.execute(sa.delete(Macro).where(Macro.id.in_(macros)))
    return len(ids) + len(macros)


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the files of canned replies. The replies and macros are deleted with the workspace."""
    query = sa.select(CannedFile).join(CannedReply, CannedReply.id == CannedFile.canned_id)
    files = session.scalars(query.where(CannedReply.workspace_id == workspace_id).limit(most)).all()
    replies.remove_files(session, files)
    return bool(files) or None


@hookimpl
def own_things(session: Session, user_id: int, workspace_id: int) -> int:
    """Return the number of a person's personal canned replies and macros."""
    return sum(leaving.count_own(session, kind, user_id, workspace_id) for kind in (CannedReply, Macro))
