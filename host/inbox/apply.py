"""Make rows of what a provider told us. Applying the same change again changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from host.inbox import importing
from host.inbox.about import gather, thread_for_lines
from host.inbox.batch import Batch
from host.inbox.cleaning import clean, clean_attachment, clean_short, clean_value, external_id
from host.inbox.echoes import apply_echoes
from host.inbox.erasing import keep_erased
from host.inbox.incoming import Incoming, believable, message_key
from host.inbox.lines import line_keys
from host.inbox.models import Direction, InternalKind, Origin
from host.inbox.opening import announce
from host.inbox.preview import show
from host.inbox.rows import Fresh, Key, Person, Thread
from host.inbox.seen import apply_read
from host.inbox.settling import settle
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef, Threading
from host.sdk.messages import (
    ConversationHandedOver,
    Ignored,
    MessageEchoed,
    MessageReceived,
    MessagesRead,
)

__all__ = ["Applied", "Incoming", "apply_changes"]

OF_ANOTHER = "It is about a message of somebody else."


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch of changes.

    :param refused: ids of journalled events none of whose changes was applied, and why.
    :param made: of each event that brought a message: the conversation's id and the message's.
    """

    refused: Mapping[int, str] = field(default_factory=dict)
    made: Mapping[int, tuple[int | None, int]] = field(default_factory=dict)


def apply_changes(session: Session, items: Sequence[Incoming]) -> Applied:
    """Apply *items* in order, in this transaction, with a number of statements that does not grow with them.

    Whatever the order in which the changes of a conversation come, and however often, it ends up the same.
    What is said about a message by somebody in whose conversations it is not is refused.
    """
    batch = Batch(session)
    batch.load(_people(items), _message_keys(items))
    echoed: list[Incoming] = []
    for item in items:
        change = item.change
        if isinstance(change, MessageReceived):
            _receive(batch, item, change)
        elif isinstance(change, MessageEchoed):
            _hear(batch, item)
            echoed.append(item)
        elif not isinstance(change, Ignored):
            _hear(batch, item)
        if isinstance(change, ConversationHandedOver):
            _hand_over(batch, item, change)
    apply_echoes(batch, echoed)
    importing.wake(batch, items)
    for item in items:
        if isinstance(item.change, MessagesRead):
            apply_read(batch, item, item.change)
    batch.flush(settle(batch, gather(batch, items)).write)
    return Applied(_refused(batch, items), batch.made)


def _refused(batch: Batch, items: Iterable[Incoming]) -> dict[int, str]:
    refused = [item for _, item in batch.refused]
    names = {id(item) for item in refused}
    applied = {item.event_id for item in items if id(item) not in names}
    return {
        item.event_id: OF_ANOTHER
        for item in refused
        if item.event_id is not None and item.event_id not in applied
    }


def _people(items: Iterable[Incoming]) -> Iterable[tuple[AccountRef, str]]:
    for item in items:
        if not isinstance(item.change, Ignored):
            yield item.account, external_id(item.change.contact)


def _message_keys(items: Iterable[Incoming]) -> Iterable[Key]:
    for item in items:
        change, account = item.change, item.account.id
        if isinstance(change, MessageReceived):
            yield account, message_key(change, item.event_key)
            if item.adapter.capabilities.threading is Threading.REFERENCES:
                yield from ((account, external_id(reference)) for reference in change.references)
        elif isinstance(change, MessageEchoed | MessagesRead):
            yield account, external_id(change.external_id)
        elif isinstance(change, ConversationHandedOver):
            yield account, _handover_id(item)
        elif not isinstance(change, Ignored):
            key = account, external_id(change.external_id)
            yield key
            yield from line_keys(key)


def _receive(batch: Batch, item: Incoming, change: MessageReceived) -> None:
    account = item.account
    _hear(batch, item)
    person = batch.people[account.id, external_id(change.contact)]
    key = account.id, message_key(change, item.event_key)
    if key in batch.known or key in batch.fresh:
        batch.told_again(key, item, person)
        _arrive(batch, key, item, change)
        return
    sent_at = believable(change.sent_at, item.received_at)
    if person.erased_at is None or sent_at > person.erased_at:
        _learn(person, change, imported=item.imported)
    subject = clean_short(change.subject, 500)
    thread = _find_thread(batch, item, change, person)
    if thread is None:
        thread = batch.start_thread(person, item.adapter.key, sent_at, subject)
        importing.begin(thread, item)
    elif thread.subject is None and subject is not None:
        thread.subject = subject
    fresh = _fresh(batch, key, item, change, thread)
    if not keep_erased(batch, fresh) and not item.imported:
        announce(batch, thread, fresh, item.received_at, opens_window=change.opens_window)
    show(thread, fresh)
    batch.add(fresh)


def _fresh(batch: Batch, key: Key, item: Incoming, change: MessageReceived, thread: Thread) -> Fresh:
    return Fresh(
        thread=thread,
        account=item.account,
        external_id=key[1],
        direction=Direction.INBOUND,
        origin=Origin.CUSTOMER,
        kind=str(change.kind)[:32],
        text=clean(change.text),
        content=clean_value(change.content),
        sent_at=believable(change.sent_at, item.received_at),
        attachments=tuple(clean_attachment(attachment) for attachment in change.attachments),
        stored=dict(item.stored),
        media=item.adapter.inbound_media() if change.attachments else InboundMedia(),
        reply_to=external_id(change.reply_to) if change.reply_to else None,
        sources=[] if item.event_id is None else [item.event_id],
        imported_at=batch.now if item.imported else None,
    )


def _arrive(batch: Batch, key: Key, item: Incoming, change: MessageReceived) -> None:
    """Let a message that only the history told of count as received, now that it came after all."""
    known = batch.known.get(key)
    if item.imported or known is None or not known.imported or known.unsent:
        return
    thread = batch.threads.get(known.conversation_id)
    if thread is None or thread.person is not batch.people[item.account.id, external_id(change.contact)]:
        return
    known.imported = False
    thread.person.wrote = True
    fresh = _fresh(batch, key, item, change, thread)
    batch.arrived.append((known.id, fresh))
    announce(batch, thread, fresh, item.received_at, opens_window=change.opens_window)
    show(thread, fresh)


def _hear(batch: Batch, item: Incoming) -> None:
    if not item.imported:
        batch.heard_from(item.account, item.received_at)


def _handover_id(item: Incoming) -> str:
    return external_id(f"handover:{item.event_key}")


def _hand_over(batch: Batch, item: Incoming, change: ConversationHandedOver) -> None:
    """Say in the conversation that programs passed it among themselves."""
    key = item.account.id, _handover_id(item)
    if key in batch.known or key in batch.fresh:
        return
    person = batch.people[item.account.id, external_id(change.contact)]
    at = believable(change.at, item.received_at)
    batch.add(
        Fresh(
            thread=thread_for_lines(batch, person, item.adapter.key, at),
            account=item.account,
            external_id=key[1],
            direction=Direction.INTERNAL,
            origin=Origin.SYSTEM,
            kind=InternalKind.ACTIVITY,
            text="",
            content={
                "what": "handed_over",
                "how": str(change.how),
                "note": clean_short(change.note, 500) or "",
            },
            sent_at=at,
        )
    )


def _learn(person: Person, change: MessageReceived, *, imported: bool) -> None:
    """Fill in what nobody knew about a contact; what is known stays. Whoever writes can be written to."""
    person.wrote = person.wrote or not imported
    username = clean_short(change.contact_username, 255)
    name = clean_short(change.contact_name, 255)
    email = clean_short(change.contact_email, 254)
    if person.unreachable_since is not None and change.sent_at > person.unreachable_since:
        person.unreachable_since, person.identity_changed = None, True
    if username and not person.username:
        person.username, person.identity_changed = username, True
    if name and not person.name:
        person.name, person.identity_changed = name, True
    if name and not person.contact_name:
        person.contact_name, person.contact_changed = name, True
    if email and not person.contact_email:
        person.contact_email, person.contact_changed = email, True


def _find_thread(batch: Batch, item: Incoming, change: MessageReceived, person: Person) -> Thread | None:
    if item.adapter.capabilities.threading is Threading.CONTACT:
        return person.newest
    for reference in change.references:
        key = item.account.id, external_id(reference)
        known = batch.known.get(key)
        if known is not None:
            thread = batch.threads.get(known.conversation_id)
        else:
            fresh = batch.fresh.get(key)
            thread = fresh.thread if fresh is not None else None
        # Anybody may name somebody else's message: only their own conversations count.
        if thread is not None and thread.person is person:
            return thread
    return None
