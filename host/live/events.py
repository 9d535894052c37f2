"""Read live events: what a browser missed, and the frames it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.live.publish import EVERYBODY
from host.models.live import LiveEvent

LATE = timedelta(seconds=10)
"""Transactions may commit in another order than their ids; none stays open longer than this."""
MAX_REPLAY = 500


@dataclass(frozen=True, slots=True)
class Event:
    """One change, as it goes to browsers."""

    id: int
    workspace_id: int
    topic: str
    payload: str

    def frame(self) -> bytes:
        """Return the event as a frame of a server-sent event stream."""
        return f"id: {self.id}\nevent: {self.topic}\ndata: {self.payload}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Missed:
    """What happened since an id.

    :param resync: the events do not reach back that far, or are too many: load the page anew.
    :param last: the newest id there is.
    """

    events: Sequence[Event]
    last: int
    resync: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The events a browser had before its stream began: the stream may be about to bring them once more.

    :param up_to: everything up to this id, where ids become visible in their order; else 0.
    """

    ids: frozenset[int] = frozenset()
    up_to: int = 0

    def __contains__(self, id_: int) -> bool:
        return id_ <= self.up_to or id_ in self.ids


def newest_id(session: Session) -> int:
    """Return the id of the newest event, 0 if there was none yet."""
    return session.scalar(sa.select(sa.func.max(LiveEvent.id))) or 0


def missed(session: Session, workspace_id: int, after: int) -> Missed:
    """Return what happened in a workspace after the event *after*, oldest first.

    An event may come a second time; its reader loads what it names, so that does no harm.
    """
    first_and_last = sa.select(sa.func.min(LiveEvent.id), sa.func.max(LiveEvent.id))
    oldest, last = tuple[int | None, int | None](session.execute(first_and_last).one())
    if oldest is None or last is None:
        return Missed((), after, resync=after > 0)
    if after > last or after < oldest - 1:
        return Missed((), last, resync=True)
    since = LiveEvent.id > after
    if session.get_bind().dialect.name != "sqlite":
        at = session.scalar(sa.select(LiveEvent.created_at).where(LiveEvent.id == after))
        if at is not None:
            since = sa.or_(since, LiveEvent.created_at > at - LATE)
    query = (
        sa.select(LiveEvent.id, LiveEvent.workspace_id, LiveEvent.topic, LiveEvent.payload)
        .where(LiveEvent.workspace_id.in_([workspace_id, EVERYBODY]), since, LiveEvent.id != after)
        .order_by(LiveEvent.id)
        .limit(MAX_REPLAY + 1)
    )
    events = [Event(*row) for row in session.execute(query)]
    if len(events) > MAX_REPLAY:
        return Missed((), last, resync=True)
    return Missed(events, last)


def newer(session: Session, after: int, limit: int) -> list[Event]:
    """Return up to *limit* events of all workspaces after *after*, oldest first."""
    query = (
        sa.select(LiveEvent.id, LiveEvent.workspace_id, LiveEvent.topic, LiveEvent.payload)
        .where(LiveEvent.id > after)
        .order_by(LiveEvent.id)
        .limit(limit)
    )
    return [Event(*row) for row in session.execute(query)]


def trim(session: Session, before: datetime, most: int = 500) -> int:
    """Delete up to *most* events made before *before*; return how many."""
    old = sa.select(LiveEvent.id).where(LiveEvent.created_at < before).order_by(LiveEvent.created_at)
    ids = session.scalars(old.limit(most)).all()
    session.execute(sa.delete(LiveEvent).where(LiveEvent.id.in_(ids)))
    return len(ids)


def named(session: Session, ids: Sequence[int]) -> list[Event]:
    """Return those of *ids* there are by now, oldest first."""
    query = (
        sa.select(LiveEvent.id, LiveEvent.workspace_id, LiveEvent.topic, LiveEvent.payload)
        .where(LiveEvent.id.in_(ids))
        .order_by(LiveEvent.id)
    )
    return [Event(*row) for row in session.execute(query)]
