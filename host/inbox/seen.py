"""What customers have seen of what we sent. It only ever moves forward."""

from __future__ import annotations

from datetime import datetime

from host.inbox.batch import Batch
from host.inbox.cleaning import external_id
from host.inbox.incoming import Incoming
from host.inbox.models import DeliveryState, Direction
from host.inbox.rows import Person
from host.sdk.messages import MessagesRead

MAX_EARLY = 20


def apply_read(batch: Batch, item: Incoming, change: MessagesRead) -> None:
    """Note that a customer has seen a message of ours and all before it.

    The message may be one we have not learned of yet; then it is remembered until we do.
    """
    person = batch.people[item.account.id, external_id(change.contact)]
    key = item.account.id, external_id(change.external_id)
    if batch.is_of_another(key, person):
        batch.refused.append((key, item))
        return
    known, fresh = batch.known.get(key), batch.fresh.get(key)
    if known is not None:
        if known.direction == Direction.OUTBOUND:
            raise_seen(person, known.position)
    elif fresh is not None:
        if fresh.direction == Direction.OUTBOUND:
            raise_seen(person, fresh.sent_at)
    elif key[1] not in person.seen_early:
        person.seen_early = [*person.seen_early, key[1]][-MAX_EARLY:]
        person.identity_changed = True


def raise_seen(person: Person, until: datetime) -> None:
    """Note that *person* has seen what we sent until then."""
    if person.seen_at is None or person.seen_at < until:
        person.seen_at = until
    person.seen_raised = True
    person.identity_changed = True


def state_of(person: Person, message: str, at: datetime) -> DeliveryState:
    """Return the state of a message sent *at*: read, if the customer is known to have seen it."""
    if message in person.seen_early:
        person.seen_early = [early for early in person.seen_early if early != message]
        raise_seen(person, at)
    return DeliveryState.READ if person.seen_at is not None and at <= person.seen_at else DeliveryState.SENT
