"""Erasure and clean-up of drafts, and the signal that one has changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.features.hookspecs import hookimpl
from host.features.live_signal import LiveSignal
from host.inbox.kept_drafts import drafts
from host.inbox.kept_drafts.models import KeptDraft
from host.media import uploads
from host.models.users import Workspace

KEPT = timedelta(days=90)
"""Drafts are removed this long after their last change."""
MOST_TOLD = 5000


@hookimpl
def clean_up(most: int) -> None:
    """Remove old drafts and those of people who left; keep the files that other drafts name."""
    while db.write(drafts.remove_old, clock.now() - KEPT, most):
        pass
    while db.write(drafts.remove_departed, most):
        pass
    while db.write(_keep_files, clock.now() - uploads.KEPT / 2, most):
        pass


def _keep_files(session: Session, before: datetime, most: int) -> int:
    named = drafts.old_uploads(session, before, most)
    uploads.keep_on(session, named)
    return len(named)


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Remove quotes of the messages from drafts: a quote has the beginning of their text."""
    drafts.forget_quotes(session, ids, clock.now())


@hookimpl
def forget_contacts(session: Session, conversations: Collection[int]) -> None:
    """Erase the drafts in the customers' conversations."""
    drafts.erase(session, conversations, clock.now())


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the drafts of a workspace that is being deleted."""
    return bool(drafts.remove_of_workspace(session, workspace_id, most)) or None


@hookimpl
def live_signals(session: Session, since: datetime) -> Sequence[LiveSignal]:
    """Return the drafts that changed after *since*."""
    query = (
        sa.select(
            KeptDraft.workspace_id,
            KeptDraft.conversation_id,
            KeptDraft.user_id,
            KeptDraft.version,
            (KeptDraft.content == "").label("is_empty"),
            Workspace.shows_drafts,
        )
        .join(Workspace, Workspace.id == KeptDraft.workspace_id)
        .where(KeptDraft.saved_at > since)
        .order_by(KeptDraft.saved_at)
        .limit(MOST_TOLD)
    )
    return [
        LiveSignal(
            "draft",
            row.workspace_id,
            row.user_id,
            {
                "conversation": row.conversation_id,
                "user": row.user_id,
                "version": row.version,
                "empty": bool(row.is_empty),
                "shown": row.shows_drafts,
            },
            key=(row.user_id, row.conversation_id),
            version=row.version,
            state=bool(row.is_empty),
            to_all=row.shows_drafts,
        )
        for row in session.execute(query)
    ]
