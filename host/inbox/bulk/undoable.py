"""Which events a bulk action caused that its person can still undo: what they lead to waits until then.

A message to a customer can't be taken back by an undo, so nothing is sent because of such an event before
the time of the undo is over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.events.reading import Recorded
from host.inbox.bulk.actions import AT, DONE_AT, UNDO
from host.inbox.bulk.models import BulkAction, BulkItem, BulkItemState, BulkState

_DONE = (BulkItemState.CHANGED, BulkItemState.RESTORED, BulkItemState.KEPT)


class Undoable(NamedTuple):
    """The bulk action that caused an event, and until when it can be undone."""

    bulk_id: int
    until: datetime


def of_events(session: Session, events: Sequence[Recorded]) -> dict[int, Undoable]:
    """Return for those of *events* that are of bulk actions until when these can be undone, by event id."""
    since = clock.now() - UNDO
    mine = [one for one in events if one.cause_id is None and one.at > since and _is_change(one)]
    if not mine:
        return {}
    found: dict[int, Undoable] = {}
    for row in _changes(session, {one.conversation_id for one in mine if one.conversation_id}, since):
        began, ended = (clock.from_text((row.before or {}).get(key)) for key in (AT, DONE_AT))
        if began is None or ended is None:
            continue
        held = Undoable(row.bulk_id, row.created_at + UNDO)
        for one in mine:
            if one.conversation_id == row.conversation_id and began <= one.at <= ended:
                found[one.id] = held
    return found


def _is_change(event: Recorded) -> bool:
    return event.conversation_id is not None and event.kind.startswith("conversation.")


def _changes(session: Session, conversations: Collection[int], since: datetime) -> Sequence[sa.Row[Any]]:
    query = (
        sa.select(BulkItem.conversation_id, BulkItem.bulk_id, BulkItem.before, BulkAction.created_at)
        .join(BulkAction, BulkAction.id == BulkItem.bulk_id)
        .where(
            BulkItem.conversation_id.in_(conversations),
            BulkItem.state.in_(_DONE),
            BulkAction.created_at > since,
        )
    )
    return session.execute(query).all()


def is_undone(session: Session, bulk_id: int) -> bool:
    """Return whether a bulk action was undone, or is being undone now; 0 is none."""
    if not bulk_id:
        return False
    state = session.scalar(sa.select(BulkAction.state).where(BulkAction.id == bulk_id))
    return state in {BulkState.UNDOING, BulkState.UNDONE}
