"""Remove erased content from webhook deliveries, in the write that removes it from the inbox.

The body becomes a tombstone: it keeps the event's name and the ids, so that receivers can find their copies.
Pending deliveries and replays send the tombstone.
"""

from __future__ import annotations

import json
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.events.bodies.building import tombstone
from host.webhooks.queue import BODIES, CHUNK, DELIVERIES


def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Remove the content of these messages, and receivers' answers to it."""
    some = list(ids)
    for begin in range(0, len(some), CHUNK):
        _forget(session, BODIES.c.message_id.in_(some[begin : begin + CHUNK]))


def forget_contact(session: Session, contact_id: int) -> None:
    """Remove all data about a customer."""
    _forget(session, BODIES.c.contact_id == contact_id)


def _forget(session: Session, which: sa.ColumnElement[bool]) -> None:
    connection = session.connection()
    rows = connection.execute(
        sa.select(BODIES.c.id, BODIES.c.body).where(which, BODIES.c.erased_at.is_(None)).with_for_update()
    ).all()
    if not rows:
        return
    now = clock.now()
    connection.execute(_erase, [{"b_id": id_, "b_body": _erased(body), "b_at": now} for id_, body in rows])
    ids = [id_ for id_, _ in rows]
    for begin in range(0, len(ids), CHUNK):
        some = DELIVERIES.c.body_id.in_(ids[begin : begin + CHUNK])
        # A receiver may have quoted the body in its answer.
        connection.execute(sa.update(DELIVERIES).where(some).values(words=None))


_erase = (
    sa.update(BODIES)
    .where(BODIES.c.id == sa.bindparam("b_id"))
    .values(body=sa.bindparam("b_body"), erased_at=sa.bindparam("b_at"))
)


def _erased(body: str) -> str:
    told = json.loads(body)
    return json.dumps({"event": told["event"], "data": tombstone(told["data"])}, separators=(",", ":"))
