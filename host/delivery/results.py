"""Writing what became of the head of an outbound lane. Each function is one write and checks the fence first.

They return False, or None where they otherwise return a time, if the lease was lost and nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock, db, logs
from host.channels.accounts import set_needs_reconnect
from host.delivery import blocking, gate, lanes, policy, sentences
from host.delivery.head import Head
from host.delivery.lanes import Lease
from host.delivery.models import OutboxEntry
from host.health import recording
from host.health.models import Outcome
from host.inbox import outcome
from host.inbox.models import DeliveryState, Message
from host.sdk.channel import NotSent, Pause, ProviderProblem


class Begun(Enum):
    """Whether an attempt may go ahead."""

    YES = "yes"
    LOST = "lost"
    MOVED_ON = "moved on"
    """An echo, or a person, was faster."""


class After(Enum):
    """What is left of the lane after a message was sent."""

    MORE = "more"
    EMPTY = "empty"
    """Nothing; it was given back."""
    LOST = "lost"


def release(session: Session, lease: Lease, next_at: datetime | None) -> None:
    """Give the lane back; see :func:`host.delivery.lanes.release`."""
    lanes.release(session, [(lease, next_at)])


# What every message goes through is said in the table's own terms: objects would take twice as long.
_outbox = cast(sa.Table, OutboxEntry.__table__)
_more = (
    sa.select(_outbox.c.id)
    .where(_outbox.c.lane == sa.bindparam("lane"), _outbox.c.open.is_(sa.true()))
    .limit(1)
)
_entry = (
    sa.select(_outbox.c.open, _outbox.c.resent, _outbox.c.attempted_at, _outbox.c.attempts)
    .where(_outbox.c.id == sa.bindparam("entry"))
    .with_for_update()
)
_rests = (
    sa.update(_outbox)
    .where(_outbox.c.id == sa.bindparam("entry"))
    .values(next_at=sa.null(), waiting=sa.null())
)
_attempt = _rests.values(
    attempts=sa.bindparam("number"),
    attempted_at=sa.bindparam("began"),
    resent=sa.bindparam("again"),
    readings=0,
)
_close = _rests.values(open=sa.false())
_message_state = sa.select(Message.state).where(Message.id == sa.bindparam("message")).with_for_update()


def _ours(session: Session, lease: Lease, head: Head) -> OutboxEntry | None:
    """Return the entry, locked, if the lease still holds."""
    if not lanes.held(session, [lease]):
        return None
    return session.get(OutboxEntry, head.entry_id, with_for_update=True, populate_existing=True)


def _state(session: Session, head: Head) -> DeliveryState | None:
    state = session.scalar(_message_state, {"message": head.message_id})
    return None if state is None else DeliveryState(state)


def _closed(entry: OutboxEntry) -> None:
    entry.open = False
    entry.next_at = None
    entry.waiting = None


def _count(session: Session, head: Head, became: Outcome) -> None:
    db.after_commit(session, partial(recording.sent, head.account.channel, became))
    ids = {"message_id": head.message_id, "conversation_id": head.conversation_id}
    db.after_commit(session, partial(logs.follow, became.value, since=head.written_at, **ids))


def begin(session: Session, lease: Lease, head: Head) -> Begun:
    """Note the attempt before anything goes out."""
    if not lanes.held(session, [lease]):
        return Begun.LOST
    connection = session.connection()
    entry = connection.execute(_entry, {"entry": head.entry_id}).first()
    if entry is None:
        return Begun.LOST
    if not entry.open or not outcome.record_sending(session, head.message_id, only_from=head.state):
        return Begun.MOVED_ON
    again = entry.resent or head.state is DeliveryState.UNKNOWN
    # Of a message that is sent once more, the first attempt may still be the one that arrives.
    began = entry.attempted_at if again and entry.attempted_at is not None else clock.now()
    values = {"number": entry.attempts + 1, "began": began, "again": again}
    connection.execute(_attempt, {"entry": head.entry_id, **values})
    return Begun.YES


def undo(session: Session, lease: Lease, head: Head) -> bool:
    """Take an attempt back of which no byte went out."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    entry.attempts -= 1
    session.flush()
    outcome.record_waiting(session, head.message_id, None)
    return True


def sent(session: Session, lease: Lease, head: Head, external_id: str) -> After:
    """Note that the provider took it. That is true whoever holds the lane by now, so no fence is asked.

    A lane with nothing more to send is given back in the same write.
    """
    ours = bool(lanes.held(session, [lease]))
    gate.current().accepted(head.account.id)
    connection = session.connection()
    if connection.execute(_entry, {"entry": head.entry_id}).first() is not None:
        outcome.record_sent(session, head.message_id, external_id)
        connection.execute(_close, {"entry": head.entry_id})
        _count(session, head, Outcome.SENT)
    if not ours:
        return After.LOST
    if connection.scalar(_more, {"lane": lease.key}) is not None:
        return After.MORE
    lanes.release(session, [(lease, None)])
    return After.EMPTY


def found(session: Session, lease: Lease, head: Head, external_id: str) -> bool:
    """Note that the message was found at the provider."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    if _state(session, head) is DeliveryState.UNKNOWN:
        outcome.record_sent(session, head.message_id, external_id)
        _count(session, head, Outcome.SENT)
    _closed(entry)
    return True


def close(session: Session, lease: Lease, head: Head) -> bool:
    """Close an entry whose message was resolved elsewhere, by an echo."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    if _state(session, head) is head.state:
        _closed(entry)
    return True


def fail(session: Session, lease: Lease, head: Head, problem: ProviderProblem) -> bool:
    """Note that it will not reach the customer; the lane goes on with the next.

    Of a message that was unconfirmed before, an earlier attempt may have arrived: it stays unconfirmed.
    """
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    _closed(entry)
    session.flush()
    record = outcome.record_unknown if entry.resent else outcome.record_failed
    record(session, head.message_id, problem)
    _count(session, head, Outcome.UNCONFIRMED if entry.resent else Outcome.FAILED)
    return True


def unknown(session: Session, lease: Lease, head: Head, problem: ProviderProblem) -> bool:
    """Note that nobody knows; an echo has some time to tell before the thread is read."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    entry.next_at = clock.now() + policy.ECHO_PATIENCE
    entry.readings = 0
    session.flush()
    outcome.record_unknown(session, head.message_id, problem)
    _count(session, head, Outcome.UNCONFIRMED)
    return True


def interrupted(session: Session, lease: Lease, head: Head) -> bool:
    """Note that whoever was sending it is gone."""
    if _state(session, head) is not DeliveryState.SENDING:
        return bool(lanes.held(session, [lease]))
    return unknown(session, lease, head, sentences.INTERRUPTED)


def absent(session: Session, lease: Lease, head: Head) -> datetime | None:
    """Note one reading that did not find it; return when to read again."""
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    entry.readings += 1
    entry.next_at = clock.now() + policy.READING_GAP
    return entry.next_at


def search_later(session: Session, lease: Lease, head: Head, asked: Pause) -> datetime | None:
    """Note that the provider's thread could not be read now; return when to read it."""
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    until = blocking.pause(session, head.account, asked)
    entry.next_at = until
    return until


def search_held(session: Session, lease: Lease, head: Head, problem: ProviderProblem) -> datetime | None:
    """Let the account wait for new credentials; the thread is read once it has them."""
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    entry.next_at = None
    session.flush()
    set_needs_reconnect(session, head.account.id, problem.sentence)
    return clock.now() + policy.PARKED


def leave_unknown(session: Session, lease: Lease, head: Head, problem: ProviderProblem) -> bool:
    """Leave it to a person; the lane goes on. An echo may still resolve it."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    if _state(session, head) is DeliveryState.UNKNOWN:
        raw = session.scalar(sa.select(Message.error).where(Message.id == head.message_id)) or {}
        told = ProviderProblem(
            problem.code, problem.sentence, problem.next_step, raw.get("raw", ""), raw.get("cause", "")
        )
        outcome.record_unknown(session, head.message_id, told)
    _closed(entry)
    return True


def waits(session: Session, lease: Lease, head: Head, waiting: Mapping[str, Any]) -> bool:
    """Tell the agent for what a queued message waits."""
    if _ours(session, lease, head) is None:
        return False
    outcome.record_waiting(session, head.message_id, waiting)
    return True


def not_sent(session: Session, lease: Lease, head: Head, result: NotSent) -> datetime | None:
    """Queue it again for later; return when. A limit of the whole account holds all its lanes back."""
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    now = clock.now()
    until = now + blocking.patience(result, entry.attempts)
    entry.next_at = until
    session.flush()
    sentence = result.problem.sentence or sentences.WAITS_TO_RETRY
    if result.whole_account:
        blocking.block(session, head.account, result, until)
    outcome.record_waiting(session, head.message_id, {"sentence": sentence, "until": until.isoformat()})
    _count(session, head, Outcome.RETRIED)
    return until


def held(session: Session, lease: Lease, head: Head, problem: ProviderProblem) -> bool:
    """Let the whole account wait for new credentials; nothing failed."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    entry.next_at = None
    session.flush()
    set_needs_reconnect(session, head.account.id, problem.sentence)
    outcome.record_waiting(session, head.message_id, {"sentence": sentences.RECONNECT_FIRST, "until": None})
    _count(session, head, Outcome.HELD)
    return True
