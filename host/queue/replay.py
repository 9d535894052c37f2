"""Make an event of the journal pending again, for an admin or because it was applied wrongly."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import ConflictError, NotFoundError
from host.models.queue import IS_SET_ASIDE, EventState, InboundEvent
from host.queue import event_search, lanes, wakeups
from host.queue.event_search import EventFilter
from host.users.actor import DeskWork
from host.web.languages import gettext


class EventNotFoundError(NotFoundError):
    """No such event."""

    code = "event_not_found"
    title = _l("Event not found")
    default_sentence = _l("This event does not exist. Old received events are deleted automatically.")
    default_next_step = _l("Go back to the received events.")


class NotReplayableError(ConflictError):
    """The event cannot be applied again."""

    code = "not_replayable"
    title = _l("This event cannot be replayed")


def why_not(event: InboundEvent) -> str | None:
    """Return a sentence about why *event* cannot be replayed, or None if it can."""
    if event.state == EventState.PENDING:
        return str(gettext("It is already queued."))
    if event.state == EventState.APPLIED:
        return str(gettext("It was already applied."))
    if event.body is None:
        return str(gettext("Its content was deleted."))
    if event.account_id is None:
        return str(gettext("It doesn't belong to a connected account, so there is no inbox to apply it to."))
    if event.state == EventState.DEAD and not event.attempts:
        # A replay must not admit an event that the signature check set aside.
        return str(gettext("It failed verification when it arrived, so it was set aside."))
    return None


def apply_again(session: Session, event_ids: Collection[int]) -> bool:
    """Make applied events pending again, because their result turned out to be wrong.

    Do nothing and return False if the content of one has been deleted.
    """
    events = _locked(session, event_ids)
    if len(events) != len(set(event_ids)) or any(event.body is None for event in events):
        return False
    for event in events:
        _make_pending(session, event)
    return True


def replay(work: DeskWork, event_id: int) -> InboundEvent:
    """Make a dead or ignored event pending again, as if it had just arrived.

    :raises EventNotFoundError: if there is none.
    :raises NotReplayableError: if it was applied, is pending, failed the signature check, or has no content
        left.
    """
    event = next(iter(_locked(work.session, [event_id])), None)
    if event is None:
        raise EventNotFoundError()
    reason = why_not(event)
    if reason is not None:
        raise NotReplayableError(reason)
    _make_pending(work.session, event)
    event.replayed_at = work.now
    work.audit("event.replayed", f"{event.channel} {event.kind} {event.id}")
    return event


def replay_many(work: DeskWork, event_ids: Collection[int], wanted: Mapping[str, Any] | None = None) -> int:
    """Replay those of *event_ids* that can be replayed; return their number.

    :param wanted: how they were chosen, for the audit log; None: by their ids.
    """
    replayed = 0
    for event in _locked(work.session, event_ids):
        if why_not(event) is None:
            _make_pending(work.session, event)
            event.replayed_at = work.now
            replayed += 1
    if replayed:
        work.audit("events.replayed", str(replayed), details=wanted or {"events": list(event_ids)})
    return replayed


def replayable(session: Session, wanted: EventFilter, limit: int) -> list[int]:
    """Return the ids of events that match *wanted* and can be replayed, the oldest first.

    :param wanted: has a state; only failed and ignored events can be replayed.
    """
    if wanted.state not in {EventState.DEAD, EventState.IGNORED}:
        return []
    looked = event_search.search_range(session, wanted, None)
    query = sa.select(InboundEvent.id).where(
        *looked.conditions, *_CAN, InboundEvent.id >= looked.low, InboundEvent.id < looked.high
    )
    return list(session.scalars(query.order_by(InboundEvent.id).limit(limit)))


def replayable_among(session: Session, event_ids: Collection[int]) -> list[int]:
    """Return those of *event_ids* that can be replayed, the oldest first."""
    query = sa.select(InboundEvent.id).where(InboundEvent.id.in_(event_ids), IS_SET_ASIDE, *_CAN)
    return list(session.scalars(query.order_by(InboundEvent.id)))


# The conditions of why_not, for a query.
_CAN = (
    InboundEvent.body.is_not(None),
    InboundEvent.account_id.is_not(None),
    sa.or_(InboundEvent.state != EventState.DEAD, InboundEvent.attempts > 0),
)


def _locked(session: Session, event_ids: Collection[int]) -> Sequence[InboundEvent]:
    """Return events, locked, their lanes locked before and due: a worker locks them in that order."""
    which = InboundEvent.id.in_(event_ids)
    lanes_of = sa.select(InboundEvent.lane, InboundEvent.account_id).where(which).distinct()
    for lane, account_id in sorted(session.execute(lanes_of).all(), key=lambda row: row.lane):
        lanes.schedule(session, lane, wakeups.IN, account_id, clock.now())
    query = sa.select(InboundEvent).where(which).order_by(InboundEvent.id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()


def _make_pending(session: Session, event: InboundEvent) -> None:
    event.state = EventState.PENDING
    event.reason = None
    event.attempts = 0
    event.retry_at = None
    session.flush()
    db.after_commit(session, lambda: wakeups.wake(wakeups.IN))
