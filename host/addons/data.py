"""Deletion of what addons' settings forms hold, of the keys of changes, and of events set aside."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons.running import listening, parked_events
from host.core import clock, db
from host.features.hookspecs import hookimpl
from host.models.addons import AddonSettingValue, AddonWrite, ParkedEvent


@hookimpl
def clean_up(most: int) -> None:
    """Forget the keys of changes that are older than :data:`listening.KEPT`."""
    while db.write(_forget, most) == most:
        pass


def _forget(session: Session, most: int) -> int:
    old = sa.select(AddonWrite.slug, AddonWrite.key_hash).where(AddonWrite.at < clock.now() - listening.KEPT)
    rows = session.execute(old.order_by(AddonWrite.at).limit(most)).all()
    for slug, key_hash in rows:
        session.execute(sa.delete(AddonWrite).where(AddonWrite.slug == slug, AddonWrite.key_hash == key_hash))
    return len(rows)


@hookimpl
def forget_contacts(session: Session, ids: Collection[int], conversations: Collection[int]) -> None:
    """Remove the events of erased contacts that are set aside for listeners."""
    parked_events.forget_contacts(session, ids, conversations)


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove what addons hold about a workspace that is being deleted: settings, keys, events set aside."""
    removed = sum(
        db.delete_some(session, model, model.workspace_id == workspace_id, most)
        for model in (AddonSettingValue, AddonWrite, ParkedEvent)
    )
    return removed > 0 or None
