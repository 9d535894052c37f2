"""Contacts whose phone number is on a contact card that a customer without a known number sent.

The card may be a friend's, so it identifies nobody: people decide.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.inbox.apply import phone_numbers
from host.inbox.apply.incoming import other_ids
from host.inbox.contacts.finding import Identity
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity, Conversation, Direction, IdKind, Message
from host.sdk.channel import ChannelAdapter
from host.sdk.messages import MessageKind
from host.users.reach import Accounts

log = logging.getLogger(__name__)

MOST_CONVERSATIONS = 10
"""Number of the customer's newest conversations that are read."""
MOST_MESSAGES = 200
"""Number of newest messages of each that are read."""
MOST_NUMBERS = 100
"""Number of phone numbers on the newest cards that are looked up."""
MOST = 20
"""Maximum number of identities found."""


def named_by_cards(
    session: Session,
    workspace_id: int,
    contact_id: int,
    identities: Sequence[Identity],
    accounts: Accounts,
    directory: Directory,
) -> list[int]:
    """Return the contacts with a phone number that *contact_id* sent on a contact card, by id.

    None if the customer's own number is known. No statement unless the customer writes under an id that is
    no phone number and that the channel has a name for; then one, and four for each such channel.

    :param identities: those of *contact_id* that the viewer sees.
    :param accounts: the accounts the viewer sees; others' contacts are left out.
    """
    hiding = [one for one in identities if _kind(directory.adapter(one.channel), one.external_id)]
    channels = {one.channel for one in hiding}
    if not hiding or _is_known(session, contact_id, channels, directory):
        return []
    found: set[int] = set()
    for channel in sorted(channels):
        numbers = _sent_on_cards(session, [one.id for one in hiding if one.channel == channel])
        adapter = directory.adapter(channel)
        if numbers and adapter is not None:
            found |= _owners(session, workspace_id, channel, numbers, adapter, accounts)
    return sorted(found - {contact_id})


def _kind(adapter: ChannelAdapter | None, external_id: str) -> str:
    """Return what the channel calls an id that is no phone number; empty for a phone number."""
    try:
        return "" if adapter is None else adapter.id_kind(external_id)
    except Exception:
        log.exception("an adapter cannot tell of what kind an id is")
        return ""


def _is_known(session: Session, contact_id: int, channels: Collection[str], directory: Directory) -> bool:
    """Return whether a phone number of a contact is known, on whichever account."""
    query = (
        sa.select(ContactIdentity.external_id, ContactIdentity.phone, ChannelAccount.channel)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(ContactIdentity.contact_id == contact_id, _is_theirs())
    )
    return any(
        row.phone is not None
        or (
            row.channel in channels
            and phone_numbers.international(row.external_id) is not None
            and not _kind(directory.adapter(row.channel), row.external_id)
        )
        for row in session.execute(query)
    )


def _is_theirs() -> sa.ColumnElement[bool]:
    """Return the condition that an id still means its contact."""
    return sa.or_(ContactIdentity.id_kind.is_(None), ContactIdentity.id_kind != IdKind.FORMER)


def _sent_on_cards(session: Session, identities: Collection[int]) -> list[str]:
    """Return the phone numbers on the contact cards that a customer sent lately, as written: two statements.

    :param identities: the customer's, on one channel.
    """
    newest = (
        sa.select(Conversation.id)
        .where(Conversation.identity_id.in_(identities))
        .order_by(Conversation.id.desc())
        .limit(MOST_CONVERSATIONS)
    )
    talks = session.scalars(newest).all()
    if not talks:
        return []
    # The limit stands inside, so that the index on the thread ends the reading, however few are cards.
    ways = []
    for talk in talks:
        lately = (
            sa.select(
                *(Message.id, Message.sent_at, Message.kind, Message.direction),
                *(Message.writer_id, Message.unsent_at, Message.content),
            )
            .where(Message.conversation_id == talk)
            .order_by(Message.sent_at.desc(), Message.id.desc())
            .limit(MOST_MESSAGES)
            .subquery()
        )
        ways.append(
            sa.select(lately.c.sent_at, lately.c.id, lately.c.content).where(
                lately.c.kind == MessageKind.CONTACTS,
                lately.c.direction == Direction.INBOUND,
                lately.c.writer_id.is_(None),
                lately.c.unsent_at.is_(None),
            )
        )
    rows = sorted(session.execute(sa.union_all(*ways)), key=lambda row: (row[0], row[1]), reverse=True)
    written = (number for row in rows for number in _numbers_in(row[2]))
    return list(islice(dict.fromkeys(written), MOST_NUMBERS))


def _numbers_in(content: object) -> Iterable[str]:
    """Yield what looks like a phone number on the cards of a message's content."""
    cards = content.get("contacts") if isinstance(content, dict) else None
    for card in cards if isinstance(cards, list) else ():
        phones = card.get("phones") if isinstance(card, dict) else None
        for phone in phones if isinstance(phones, list) else ():
            if isinstance(phone, str) and phone_numbers.written_key(phone) is not None:
                yield phone


def _owners(
    session: Session,
    workspace_id: int,
    channel: str,
    numbers: Sequence[str],
    adapter: ChannelAdapter,
    accounts: Accounts,
) -> set[int]:
    """Return the contacts who have one of *numbers* on a channel, however the provider writes it.

    Two statements. Who was erased and hasn't written since has none.
    """
    ids: set[str] = set()
    for written in numbers:
        whole = written if written.lstrip("( ").startswith(("+", "0")) else f"+{written}"
        number = phone_numbers.international(phone_numbers.with_plus(whole))
        if number is not None:
            ids |= {number, *other_ids(adapter, number)}
    keys = {phone_numbers.written_key(one) for one in numbers} - {None}
    mine = sa.select(ChannelAccount.id).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.channel == channel
    )
    if accounts is not None:
        mine = mine.where(ChannelAccount.id.in_(sorted(accounts)))
    columns = ContactIdentity.contact_id, ContactIdentity.external_id, ContactIdentity.phone
    there = ContactIdentity.workspace_id == workspace_id, ContactIdentity.account_id.in_(mine), _is_theirs()
    by_id = sa.select(*columns).where(
        *there, ContactIdentity.external_id.in_(sorted(ids)), ContactIdentity.erased_at.is_(None)
    )
    by_number = sa.select(*columns).where(*there, ContactIdentity.phone_key.in_(sorted(filter(None, keys))))
    found = set()
    for query in (by_id.limit(MOST), by_number.limit(MOST)) if ids else (by_number.limit(MOST),):
        for contact_id, external_id, phone in session.execute(query):
            number = phone or external_id
            ways = {number, *other_ids(adapter, number)}
            is_id = external_id in ids and phone_numbers.international(external_id) is not None
            if is_id or any(phone_numbers.may_be_same(one, f"+{way}") for one in numbers for way in ways):
                found.add(contact_id)
    return found
