"""Merge a page of a provider's history with the inbox, and take back what the provider no longer has."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.core.cleaning import external_id
from host.inbox.apply.changes import apply_changes
from host.inbox.apply.echoes import comparable
from host.inbox.apply.incoming import Incoming, media_of
from host.models.inbox import OF_PERSON, ContactIdentity, Conversation, Direction, Message
from host.models.queue import Lane
from host.queue import lanes, wakeups
from host.queue.order import joined_lanes
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import (
    Ignored,
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageUnsent,
)

log = logging.getLogger(__name__)

SAME_MOMENT = timedelta(seconds=5)
"""Maximum difference between two times of one event: a history only has whole seconds."""

_About = MessageReacted | MessageEdited | MessageUnsent
"""Changes of a message, which are applied only if the message is stored."""
_messages = Message.metadata.tables["messages"]


class BusyError(Exception):
    """A worker is currently applying events of the same customer."""


class Merged(msgspec.Struct, frozen=True):
    """The result of merging a page.

    :param imported: number of new messages.
    :param untold: number of missing messages of which the provider returned only the id.
    """

    imported: int
    untold: int


def incoming(
    account: AccountRef,
    adapter: ChannelAdapter,
    changes: Iterable[InboundChange],
    missed_since: datetime | None = None,
) -> list[Incoming]:
    """Return *changes* in the inbox's form and store any bytes in them. Call it outside a transaction.

    :param missed_since: later messages count as received now, earlier ones as history.
    :raises TypeError: for a kind of change that a history cannot contain.
    """
    now = clock.now()
    items = []
    for change in changes:
        if isinstance(change, Ignored):
            continue
        if not isinstance(change, MessageReceived | MessageEchoed | _About) or not change.external_id:
            raise TypeError(f"a history holds no {type(change).__name__}, and nothing without an id")
        stored = {
            index: storage.store(attachment.content)
            for index, attachment in enumerate(getattr(change, "attachments", ()))
            if attachment.content is not None
        }
        key = f"history:{change.external_id}"
        media = media_of(adapter, change)
        old = missed_since is None or _time(change) < missed_since
        items.append(
            Incoming(account, adapter, change, now, key, stored, imported=old, delivered=False, media=media)
        )
    return items


def merge(
    session: Session, account: AccountRef, contact: str, items: Sequence[Incoming], untold: Sequence[str]
) -> Merged:
    """Apply *items*, all of one thread with *contact*, and count new messages.

    :param contact: empty for a thread of several customers, each of whose items names its customer.
    :raises BusyError: if a worker holds the lane of one of these customers; roll back the write.
    """
    told: list[Incoming] = []
    customers = [contact] if contact else sorted({external_id(_contact(item)) for item in items})
    for one in customers:
        theirs = [item for item in items if external_id(_contact(item)) == one]
        theirs = _not_erased(session, account.id, one, theirs)
        told += _not_here_without_id(session, account.id, one, theirs)
    names = {_name(item) for item in told if not isinstance(item.change, _About)}
    done = {_name(item) for item in told} - names
    hidden = {external_id(one) for one in untold}
    here = _here(session, account.id, names | done | hidden)
    # Keep a reaction only if its message is stored: otherwise it would become a separate line.
    told = [item for item in told if _name(item) in names | here]
    if told:
        apply_changes(session, told)
        # Lanes come after conversations, as with a worker: see host/queue/lanes.py. If a worker holds one of
        # these, everything is rolled back.
        for one in customers:
            _take_turn(session, account.id, one)
    return Merged(imported=len(names - here), untold=len(hidden - here))


def _contact(item: Incoming) -> str:
    return str(getattr(item.change, "contact", ""))


def _name(item: Incoming) -> str:
    return external_id(str(getattr(item.change, "external_id", "")))


def _take_turn(session: Session, account_id: int, contact: str) -> None:
    """Lock out workers for this customer until this write ends; two writers create two conversations."""
    if db.current().is_sqlite:
        return
    key = lanes.lane_key(wakeups.IN, account_id, contact)
    keys = joined_lanes.mains(session, [key])
    for one in keys:
        lanes.schedule(session, one, wakeups.IN, account_id, clock.now())
    held = sa.select(Lane.lease_until).where(Lane.key.in_(keys)).order_by(Lane.key).with_for_update()
    if any(until is not None and until > db.now() for until in session.scalars(held)):
        raise BusyError()


def _not_erased(session: Session, account_id: int, contact: str, items: Sequence[Incoming]) -> list[Incoming]:
    """Leave out messages that are older than the erasure of their customer."""
    erased_at = session.scalar(
        sa.select(ContactIdentity.erased_at).where(
            ContactIdentity.account_id == account_id, ContactIdentity.external_id == contact
        )
    )
    if erased_at is None:
        return list(items)
    return [item for item in items if _time(item.change) > erased_at]


def _time(change: InboundChange) -> datetime:
    if isinstance(change, MessageReceived | MessageEchoed):
        return change.sent_at
    return change.at if isinstance(change, _About) else clock.now()


def _not_here_without_id(
    session: Session, account_id: int, contact: str, items: Sequence[Incoming]
) -> list[Incoming]:
    """Leave out messages that are already stored under an id of ours."""
    received = [item.change for item in items if isinstance(item.change, MessageReceived)]
    stored = {id(change) for change in stored_without_id(session, account_id, contact, received)}
    return [item for item in items if id(item.change) not in stored]


def stored_without_id(
    session: Session, account_id: int, contact: str, received: Sequence[MessageReceived]
) -> list[MessageReceived]:
    """Return the messages stored under an id of ours, because some events lack the id in the history."""
    if not received:
        return []
    query = (
        sa.select(Message.external_id, Message.text, Message.sent_at)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(ContactIdentity, Conversation.identity_id == OF_PERSON)
        .where(
            ContactIdentity.account_id == account_id,
            ContactIdentity.external_id == contact,
            Message.direction == Direction.INBOUND,
            Message.sent_at >= min(change.sent_at for change in received) - SAME_MOMENT,
            Message.sent_at <= max(change.sent_at for change in received) + SAME_MOMENT,
        )
    )
    unnamed = [
        (comparable(text), at)
        for name, text, at in session.execute(query)
        if name is not None and name.startswith("event:")
    ]
    return [
        change
        for change in received
        if any(
            text and text == comparable(change.text) and abs(at - change.sent_at) <= SAME_MOMENT
            for text, at in unnamed
        )
    ]


def _here(session: Session, account_id: int, names: set[str]) -> set[str]:
    if not names:
        return set()
    query = sa.select(_messages.c.external_id).where(
        _messages.c.account_id == account_id, _messages.c.external_id.in_(names)
    )
    return set(session.scalars(query))


def take_back(account: AccountRef, adapter: ChannelAdapter, message: str) -> None:
    """Treat a message of the provider as unsent, whoever wrote it; nothing if it is not stored.

    The refusal itself is recorded elsewhere: nothing is raised.

    :param message: its external id.
    """
    now, stored = clock.now(), external_id(message)
    query = (
        sa.select(ContactIdentity.external_id)
        .join(Conversation, Conversation.identity_id == ContactIdentity.id)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(Message.account_id == account.id, Message.external_id == stored, Message.unsent_at.is_(None))
    )
    try:
        with db.read() as session:
            contact = session.scalar(query)
        if contact is not None:
            change = MessageUnsent(contact, stored, now)
            item = Incoming(account, adapter, change, now, f"gone:{stored}", delivered=False)
            db.write(apply_changes, [item])
    except Exception:
        log.exception("message %s is not taken back, although its provider no longer has it", stored)
