"""Events that a listener cannot handle are set aside, so that it goes on with others.

What happens later in the same conversation waits behind such an event, so that a listener gets the events of
one conversation in their order. Events without a conversation wait behind others of the same contact, or for
themselves. The first of each is passed again after growing pauses, or when an admin says so; those behind it
follow. One that failed for a day is skipped.

Only the process that reads for the listener sets events aside, in the write that moves its position. If
events of several conversations fail one after the other, the listener itself is broken: nothing more is set
aside, and it waits in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events import reading
from host.events.consuming import Parked
from host.events.facts import Facts
from host.events.models import Consumer
from host.events.reading import Recorded
from host.events.writing import EVERYBODY, show
from host.models.addons import ParkedEvent
from host.users import audit
from host.users.actor import DeskWork

log = logging.getLogger(__name__)

PREFIX = "listener."
"""Beginning of the names of listeners' positions, which keeps them apart from those of features."""
GIVES_UP_AFTER = timedelta(hours=24)
IN_A_ROW = 5
"""Number of conversations whose events fail one after the other until the listener counts as broken."""
MOST = 10_000
"""Most events set aside for one listener."""
FIRST_PAUSE = timedelta(minutes=1)
MOST_PAUSE = timedelta(hours=1)
BROKEN = "all: "
"""Begins the stored problem of a listener that counts as broken."""
FULL = "TooManyParkedError"


class TooManyParkedError(Exception):
    """No more events may be set aside, so the listener waits in its place."""


class _OfContact(Facts, frozen=True):
    """Facts of any event about a contact."""

    contact: int = 0


def queue_of(event: Recorded) -> str:
    """Return what later events wait for if *event* is set aside, see :attr:`ParkedEvent.behind`."""
    if event.conversation_id is not None:
        return f"conversation.{event.conversation_id}"
    try:
        contact = event.facts(_OfContact).contact
    except msgspec.ValidationError:
        contact = 0
    return f"contact.{contact}" if contact else f"event.{event.id}"


class ParkedEvents:
    """The events set aside for one listener, for the thread that reads for it.

    :param listener: the name of its position.
    :param describe: returns an error in words that quote no customer.
    """

    def __init__(self, listener: str, describe: Callable[[BaseException], str]) -> None:
        self._listener = listener
        self._describe = describe
        self._empty = False
        """Whether nothing is known to be set aside. Only this process adds to it."""
        self._in_a_row: set[str] = set()
        """Queues of the events set aside since the listener last handled one."""
        self._broken = False

    # What the reader asks

    def begin(self) -> None:
        """Forget what is known: another process may have read until now."""
        self._empty = False
        self._in_a_row = set()
        with db.read() as session:
            row = session.get(Consumer, self._listener)
            self._broken = row is not None and (row.problem or "").startswith(BROKEN)

    def succeeded(self) -> None:
        """Note that the listener handled an event."""
        self._in_a_row.clear()
        self._broken = False

    def problem(self, error: BaseException) -> str:
        """Return the problem to store for the next event, which failed with *error*."""
        name = type(error).__name__
        return f"{BROKEN}{name}" if self._broken else name

    def waiting(self, events: Sequence[Recorded]) -> Collection[int]:
        """Return the ids of those of *events* that wait behind an event set aside.

        :raises TooManyParkedError: if there is no room for them.
        """
        if self._empty or not events:
            return ()
        queues = {event.id: queue_of(event) for event in events}
        with db.read() as session:
            held = _held(session, self._listener, queues.values())
            found = {id_ for id_, queue in queues.items() if queue in held}
            if found and self._count(session) + len(found) > MOST:
                raise TooManyParkedError
        return found

    def may_park(self, event: Recorded) -> bool:
        """Return whether *event*, which failed several times, may be set aside."""
        others = self._in_a_row - {queue_of(event)}
        self._broken = self._broken or len(others) >= IN_A_ROW
        if self._broken:
            return False
        if self._empty:
            return True
        with db.read() as session:
            return self._count(session) < MOST

    def _count(self, session: Session) -> int:
        mine = ParkedEvent.listener == self._listener
        return session.scalar(sa.select(sa.func.count()).where(mine)) or 0

    def next_due(self) -> Parked | None:
        """Return the next event set aside that is due, without moving it."""
        if self._empty:
            return None
        query = (
            sa.select(ParkedEvent.id, ParkedEvent.event_id, ParkedEvent.retry_at)
            .where(ParkedEvent.listener == self._listener)
            .order_by(ParkedEvent.retry_at, ParkedEvent.id)
            .limit(1)
        )
        with db.read() as session:
            row = session.execute(query).one_or_none()
            if row is None:
                self._empty = True
                return None
            if row.retry_at > clock.now():
                return None
            return Parked(row.id, reading.by_id(session, row.event_id))

    # What the reader writes, in the write that moves the position

    def park(
        self, session: Session, event: Recorded, tries: int, since: datetime, error: BaseException
    ) -> None:
        """Set *event* aside, which failed *tries* times since *since*, last with *error*."""
        now = clock.now()
        row = self._row(event, now)
        row.tries, row.failing_since, row.problem = tries, since, self._describe(error)
        row.retry_at = min(now + FIRST_PAUSE, since + GIVES_UP_AFTER)
        session.add(row)
        self._empty = False
        self._in_a_row.add(row.behind)
        show(session, EVERYBODY, "addons")

    def wait(self, session: Session, events: Sequence[Recorded]) -> None:
        """Set *events* aside, which wait behind others."""
        now = clock.now()
        held = _held(session, self._listener, map(queue_of, events))
        for event in events:
            row = self._row(event, now)
            # The one it waits for may be gone by now. Should it go unnoticed, as when a contact is erased
            # at this moment, it is passed a day later.
            row.retry_at = now + GIVES_UP_AFTER if row.behind in held else now
            held.add(row.behind)
            session.add(row)

    def _row(self, event: Recorded, now: datetime) -> ParkedEvent:
        return ParkedEvent(
            listener=self._listener,
            event_id=event.id,
            kind=event.kind,
            workspace_id=event.workspace_id,
            behind=queue_of(event),
            parked_at=now,
            retry_at=now,
            tries=0,
        )

    def is_first(self, parked: Parked) -> bool:
        """Return whether nothing is set aside before *parked*; another one waits on if it comes up."""
        with db.read() as session:
            row = session.get(ParkedEvent, parked.id)
            return row is None or _first(session, row) == row.id

    def postpone(self, session: Session, parked: Parked) -> None:
        """Let *parked*, which waits behind another, wait on."""
        row = session.get(ParkedEvent, parked.id, with_for_update=True)
        if row is not None:
            row.retry_at = clock.now() + GIVES_UP_AFTER

    def retried(self, session: Session, parked: Parked, error: BaseException | None) -> None:
        """Note that *parked* was passed again: those behind it follow, unless it failed with *error*."""
        row = session.get(ParkedEvent, parked.id, with_for_update=True)
        if row is None:
            return
        now = clock.now()
        if error is None:
            _remove(session, row)
            return
        row.failing_since = row.failing_since or now
        row.problem = self._describe(error)
        row.tries += 1
        ends = row.failing_since + GIVES_UP_AFTER
        if now >= ends:
            log.error("%s skips event %s, which failed for a day", self._listener, row.event_id)
            audit.record(
                session,
                "addon.event_skipped",
                self._listener.removeprefix(PREFIX),
                user_id=None,
                workspace_id=row.workspace_id or None,
                details=details(row),
            )
            _remove(session, row)
            return
        row.retry_at = min(now + _pause(now - row.failing_since), ends)
        show(session, EVERYBODY, "addons")


def _pause(failing: timedelta) -> timedelta:
    """Return the pause before the next try: as long as the event has failed, within limits."""
    return min(max(failing, FIRST_PAUSE), MOST_PAUSE)


def _held(session: Session, listener: str, queues: Iterable[str]) -> set[str]:
    """Return those of *queues* of which something is set aside."""
    names = sorted(set(queues))
    query = sa.select(ParkedEvent.behind).where(
        ParkedEvent.behind.in_(db.padded(names)), ParkedEvent.listener == listener
    )
    return set(session.scalars(query.distinct()))


def _first(session: Session, row: ParkedEvent) -> int | None:
    """Return the id of the first row of the queue of *row*."""
    query = sa.select(sa.func.min(ParkedEvent.id)).where(
        ParkedEvent.behind == row.behind, ParkedEvent.listener == row.listener
    )
    return session.scalar(query)


def _remove(session: Session, row: ParkedEvent) -> None:
    """Delete *row*, the first of its queue, and let the next one follow now."""
    session.delete(row)
    session.flush()
    following = _first(session, row)
    if following is not None:
        session.get_one(ParkedEvent, following).retry_at = clock.now()
    show(session, EVERYBODY, "addons")


def details(row: ParkedEvent) -> Mapping[str, object]:
    """Return what the audit log says about *row*."""
    kind, _, number = row.behind.partition(".")
    conversation = int(number) if kind == "conversation" else None
    return {"event": row.kind, "number": row.event_id, "conversation": conversation}


# An admin's presses


def retry(work: DeskWork, slug: str, parked_id: int) -> ParkedEvent | None:
    """Have an event that failed passed again now; return it, or None if it is no longer set aside."""
    row = _failed(work.session, slug, parked_id)
    if row is not None:
        row.retry_at = work.now
        _audit(work, "addon.event_retried", row)
        show(work.session, EVERYBODY, "addons")  # which wakes the process that reads for the listener, too
    return row


def skip(work: DeskWork, slug: str, parked_id: int) -> ParkedEvent | None:
    """Drop an event that failed, so that those behind it follow; return it, or None if it is gone."""
    row = _failed(work.session, slug, parked_id)
    if row is not None:
        _audit(work, "addon.event_dropped", row)
        _remove(work.session, row)
    return row


def _audit(work: DeskWork, action: str, row: ParkedEvent) -> None:
    listener = row.listener.removeprefix(PREFIX)
    work.audit(action, listener, workspace_id=row.workspace_id or None, details=details(row))


def _failed(session: Session, slug: str, parked_id: int) -> ParkedEvent | None:
    listener = session.scalar(sa.select(ParkedEvent.listener).where(ParkedEvent.id == parked_id))
    if listener is None or not listener.startswith(f"{PREFIX}{slug}."):
        return None
    # First the position, as the reader does: nothing is then set aside behind this one at the same time.
    session.get(Consumer, listener, with_for_update=True)
    row = session.get(ParkedEvent, parked_id, with_for_update=True)
    return row if row is not None and row.tries else None


# Deletion


def forget(session: Session, slug: str) -> None:
    """Delete what is set aside for the listeners of the addon *slug*."""
    mine = ParkedEvent.listener.startswith(f"{PREFIX}{slug}.", autoescape=True)
    session.execute(sa.delete(ParkedEvent).where(mine))


def forget_contacts(session: Session, ids: Collection[int], conversations: Collection[int]) -> None:
    """Delete what is set aside of erased contacts and their conversations."""
    gone = [f"contact.{id_}" for id_ in ids] + [f"conversation.{id_}" for id_ in conversations]
    session.execute(sa.delete(ParkedEvent).where(ParkedEvent.behind.in_(db.padded(gone))))


# What admins see


class Queue(msgspec.Struct, frozen=True):
    """An event that failed, for a page.

    :param behind: number of events that wait behind it.
    """

    id: int
    listener: str
    event_id: int
    kind: str
    workspace_id: int
    conversation_id: int | None
    contact_id: int | None
    since: datetime
    tries: int
    retry_at: datetime
    problem: str
    behind: int


def queues(session: Session, slug: str, most: int) -> list[Queue]:
    """Return up to *most* events that failed in the listeners of the addon *slug*, the oldest first."""
    mine = ParkedEvent.listener.startswith(f"{PREFIX}{slug}.", autoescape=True)
    heads = sa.select(ParkedEvent).where(mine, ParkedEvent.tries > 0).order_by(ParkedEvent.id).limit(most)
    rows = list(session.scalars(heads))
    counts = {
        (listener, behind): number
        for listener, behind, number in session.execute(
            sa.select(ParkedEvent.listener, ParkedEvent.behind, sa.func.count())
            .where(mine, ParkedEvent.behind.in_(db.padded([row.behind for row in rows])))
            .group_by(ParkedEvent.listener, ParkedEvent.behind)
        )
    }
    return [_queue(row, counts[row.listener, row.behind] - 1) for row in rows]


def _queue(row: ParkedEvent, behind: int) -> Queue:
    kind, _, number = row.behind.partition(".")
    return Queue(
        id=row.id,
        listener=row.listener.removeprefix(PREFIX),
        event_id=row.event_id,
        kind=row.kind,
        workspace_id=row.workspace_id,
        conversation_id=int(number) if kind == "conversation" else None,
        contact_id=int(number) if kind == "contact" else None,
        since=row.failing_since or row.parked_at,
        tries=row.tries,
        retry_at=row.retry_at,
        problem=row.problem or "",
        behind=behind,
    )


class Count(msgspec.Struct, frozen=True):
    """How much is set aside for one listener.

    :param failed: number of events that failed, one of each conversation.
    :param waiting: number of events behind them.
    """

    listener: str
    failed: int
    waiting: int

    @property
    def slug(self) -> str:
        """Return the slug of its addon."""
        return self.listener.partition(".")[0]


def counts(session: Session) -> list[Count]:
    """Return how much is set aside for each listener for which something is, by name."""
    failed = sa.func.sum(sa.case((ParkedEvent.tries > 0, 1), else_=0))
    query = (
        sa.select(ParkedEvent.listener, failed, sa.func.count())
        .group_by(ParkedEvent.listener)
        .order_by(ParkedEvent.listener)
    )
    return [
        Count(name.removeprefix(PREFIX), int(first), int(total) - int(first))
        for name, first, total in session.execute(query)
    ]
