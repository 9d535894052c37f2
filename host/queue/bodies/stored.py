"""Read and delete bodies of events that are larger than one row holds.

Smaller ones cost no statement: whether a body continues is told by the number of bytes in its event's row.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.models.queue import MOST_IN_ROW, InboundEvent, InboundPart

_parts = InboundPart.metadata.tables["inbound_parts"]


def whole(session: Session, event_id: int, first: bytes | None) -> bytes | None:
    """Return the body of an event whose row has the bytes *first*."""
    if first is None or len(first) < MOST_IN_ROW:
        return first
    query = sa.select(_parts.c.body).where(_parts.c.event_id == event_id).order_by(_parts.c.number)
    return b"".join([first, *session.scalars(query)])


def size(session: Session, event_id: int, first: int) -> int:
    """Return the number of bytes of an event's body of which its row has *first*."""
    if first < MOST_IN_ROW:
        return first
    query = sa.select(sa.func.sum(sa.func.length(_parts.c.body))).where(_parts.c.event_id == event_id)
    return first + int(session.scalar(query) or 0)


def delete(session: Session, which: sa.ColumnElement[bool]) -> None:
    """Delete the parts of the events that match *which*, and lock those events."""
    query = (
        sa.select(InboundEvent.id)
        .where(which, sa.func.length(InboundEvent.body) == MOST_IN_ROW)
        .order_by(InboundEvent.id)
    )
    delete_of(session, session.scalars(query.with_for_update()).all())


def delete_of(session: Session, event_ids: Collection[int]) -> None:
    """Delete the parts of these events, whose rows are locked."""
    if event_ids:
        session.execute(sa.delete(_parts).where(_parts.c.event_id.in_(event_ids)))
