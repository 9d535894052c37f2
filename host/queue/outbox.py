"""Add replies to the outbox, find their entries, and make them due."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db, logs
from host.core.errors import ConflictError, NotFoundError
from host.models.inbox import Conversation, DeliveryState, Message, Reaction
from host.models.queue import OutboxEntry
from host.queue import lanes, policy, wakeups

_KEYS = uuid.UUID("5f0d2a86-8c0b-4a50-9a0e-5b8f6b8a4d11")


class NotInOutboxError(NotFoundError):
    """The message has no entry in the outbox."""

    code = "not_in_outbox"
    default_sentence = _l("This message can't be sent from here.")
    default_next_step = _l("Reload the conversation.")
    program_step = ""
    place = "message_id"


class StateMovedOnError(ConflictError):
    """The message is no longer in the state the page showed."""

    code = "state_moved_on"
    title = _l("No longer possible")
    default_sentence = _l("This message has changed in the meantime, so nothing was done.")
    default_next_step = _l("Reload the conversation and look again.")
    program_step = _l("Get the message to see its state.")


def message_key(message: Message | sa.Row[*tuple[Any, ...]]) -> str:
    """Return the host's key of *message*: 32 hex digits, the same for every attempt.

    :param message: the message, or a row with its id, reply key and position.
    """
    return uuid.uuid5(_KEYS, f"{message.id}:{message.reply_key or ''}:{message.position}").hex


def lane_of(account_id: int, recipient: str) -> str:
    """Return the key of the lane with the messages to *recipient*."""
    return lanes.lane_key(wakeups.OUT, account_id, recipient)


def take_lane(session: Session, account_id: int, recipient: str, at: datetime | None = None) -> None:
    """Make the lane of *recipient* due. Call it first in a write that adds messages, because it locks the
    lane.

    :param at: when; None: now.
    """
    due = at or clock.now()
    lanes.schedule(session, lane_of(account_id, recipient), wakeups.OUT, account_id, due)
    if at is None:
        db.after_commit(session, lambda: wakeups.wake(wakeups.OUT))


def enqueue(
    session: Session, message: Message, recipient: str, *, not_before: datetime | None = None
) -> OutboxEntry:
    """Add *message*, already flushed, after the pending messages to *recipient* on its account.

    Call :func:`take_lane` first.

    :param not_before: time until which it, and every later message, waits.
    """
    entry = OutboxEntry(
        message_id=message.id,
        account_id=message.account_id,
        lane=lane_of(message.account_id, recipient),
        recipient=recipient,
        open=True,
        attempts=0,
        readings=0,
        resent=False,
        next_at=not_before,
        not_before=not_before,
    )
    session.add(entry)
    session.flush()
    ids = {"message_id": message.id, "conversation_id": message.conversation_id}
    db.after_commit(session, partial(logs.follow, "queued", since=message.created_at, **ids))
    return entry


def readdress(session: Session, account_id: int, identity_id: int, old: str, new: str) -> None:
    """Send what waits for a customer, known as *old* so far, to *new*, and after what waits for that.

    What is being sent stays. It locks lanes after the customer, against their order: somebody gets another
    number rarely, and a deadlock is tried again.
    """
    theirs = (
        sa.select(Message.id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.identity_id == identity_id, Message.state == DeliveryState.QUEUED)
    )
    moved = session.execute(
        sa.update(OutboxEntry)
        .where(
            OutboxEntry.lane == lane_of(account_id, old),
            OutboxEntry.recipient == old,
            OutboxEntry.message_id.in_(theirs),
        )
        .values(recipient=new, lane=lane_of(account_id, new))
        .execution_options(synchronize_session=False)
    )
    if cast("sa.CursorResult[Any]", moved).rowcount:
        take_lane(session, account_id, new)


def check_now(session: Session, message_id: int) -> None:
    """Look up an unconfirmed message at the provider now; never send it.

    :raises NotInOutboxError: if it has no entry in the outbox.
    :raises StateMovedOnError: if it is no longer unconfirmed.
    """
    entry = locked_entry(session, message_id, DeliveryState.UNKNOWN)
    entry.open = True
    entry.next_at = None
    # Read the thread once and show the result: the person decides what to do.
    entry.readings = policy.ABSENT_READINGS
    entry.resent = True
    entry.transient = 0
    entry.not_before = entry.undo = None
    session.flush()


def close(session: Session, message_id: int) -> None:
    """Remove the message from the work of all workers."""
    session.execute(
        sa.update(OutboxEntry)
        .where(OutboxEntry.message_id == message_id)
        .values(open=False, next_at=None, not_before=None, undo=sa.null())
    )


def resume_account(session: Session, account_id: int) -> None:
    """Make all work that waits for an account due, because it was reconnected, or disconnected for good."""
    waiting = (
        sa.select(OutboxEntry.lane)
        .where(OutboxEntry.account_id == account_id, OutboxEntry.open.is_(True))
        .distinct()
    )
    lanes.resume(session, waiting)
    session.execute(
        sa.update(Reaction)
        .where(Reaction.account_id == account_id, Reaction.next_at.is_not(None))
        .values(next_at=clock.now())
    )
    db.after_commit(session, lambda: wakeups.wake(wakeups.OUT))


def end_wait(session: Session, account_ids: Collection[int], sentence: str) -> None:
    """Immediately retry the messages of accounts that wait for *sentence*."""
    now = clock.now()
    query = sa.select(OutboxEntry).where(
        OutboxEntry.account_id.in_(account_ids), OutboxEntry.open.is_(True), OutboxEntry.next_at > now
    )
    for entry in session.scalars(query.order_by(OutboxEntry.id).with_for_update()):
        if (entry.waiting or {}).get("sentence") == sentence:
            entry.next_at = now
    session.flush()


def locked_entry(session: Session, message_id: int, state: DeliveryState) -> OutboxEntry:
    """Return the locked entry of a message that must be in *state*; its lane, locked before, is due."""
    where = sa.select(OutboxEntry.account_id, OutboxEntry.recipient).where(
        OutboxEntry.message_id == message_id
    )
    found = session.execute(where).one_or_none()
    if found is None:
        raise NotInOutboxError()
    take_lane(session, found.account_id, found.recipient)
    entry = session.scalars(
        sa.select(OutboxEntry).where(OutboxEntry.message_id == message_id).with_for_update()
    ).one_or_none()
    if entry is None:
        raise NotInOutboxError()
    if session.scalar(sa.select(Message.state).where(Message.id == message_id)) != state:
        raise StateMovedOnError()
    return entry
