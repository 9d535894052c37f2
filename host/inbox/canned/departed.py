"""What was a member's own ends with their place: canned replies, macros and views nobody else saw."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.canned.replies import files_of, remove_files
from host.models.canned import CannedReply, Macro
from host.models.saved_views import SavedView
from host.models.users import Membership


def remove(session: Session, most: int) -> int:
    """Delete up to *most* of each kind whose owner has left the workspace; return how many went.

    Who is locked out keeps their place, and finds it all again.
    """
    removed = 0
    for kind in (CannedReply, Macro, SavedView):
        ids = _left(session, kind, most)
        if not ids:
            continue
        if kind is CannedReply:
            remove_files(session, [file for files in files_of(session, ids).values() for file in files])
        session.execute(sa.delete(kind).where(kind.id.in_(ids)))
        removed += len(ids)
    return removed


def _left(session: Session, kind: type[CannedReply | Macro | SavedView], most: int) -> list[int]:
    place = sa.exists().where(
        Membership.user_id == kind.owner_id, Membership.workspace_id == kind.workspace_id
    )
    query = sa.select(kind.id).where(kind.owner_id.is_not(None), ~place).order_by(kind.id).limit(most)
    return list(session.scalars(query))
