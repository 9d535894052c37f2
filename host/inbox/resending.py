"""Send a failed or unconfirmed reply again, because an agent decided so."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.inbox import outcome
from host.models.inbox import DeliveryState
from host.models.queue import OutboxEntry
from host.queue import outbox


def retry(session: Session, message_id: int) -> None:
    """Queue a failed message again.

    :raises NotInOutboxError: if the message has no outbox entry.
    :raises StateMovedOnError: if it is not failed any more.
    """
    entry = outbox.locked_entry(session, message_id, DeliveryState.FAILED)
    entry.attempts = 0
    entry.resent = False
    _queue_again(session, entry)


def send_again(session: Session, message_id: int) -> None:
    """Queue an unconfirmed message again, although the provider may have it already.

    :raises NotInOutboxError: if the message has no outbox entry.
    :raises StateMovedOnError: if it is not unconfirmed any more.
    """
    entry = outbox.locked_entry(session, message_id, DeliveryState.UNKNOWN)
    entry.resent = True
    _queue_again(session, entry)


def _queue_again(session: Session, entry: OutboxEntry) -> None:
    entry.open = True
    entry.next_at = None
    entry.readings = 0
    entry.waiting = None
    session.flush()
    outcome.record_queued(session, entry.message_id)
    outbox.make_due(session, entry)
