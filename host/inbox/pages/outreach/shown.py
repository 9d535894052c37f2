"""Views of a conversation that continues elsewhere, for the composer and the thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import msgspec
import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.inbox.composition import sender_address
from host.inbox.contacts import people
from host.inbox.conversations import get_conversation
from host.inbox.messages import load_thread
from host.inbox.outreach import places as found_places
from host.inbox.outreach.first_messages import proposed_subject
from host.inbox.outreach.places import Place
from host.inbox.pages.composition.shown import Signature, signature_at
from host.inbox.pages.context import InboxContext
from host.inbox.pages.message_view import ThreadEntry, is_note
from host.inbox.queries import Row
from host.inbox.variable_values import values_of_contact
from host.models.inbox import Contact, ContactIdentity, Conversation, Direction
from host.sdk.channel import AccountRef
from host.web.request_helpers import seen_accounts

MOST_BEFORE = 20
"""Maximum number of messages of the earlier conversation shown above a thread."""


class Offered(msgspec.Struct, frozen=True):
    """An address offered in the form of a first mail.

    :param subject: the proposed subject; None if the channel has no subjects.
    """

    key: str
    to: str
    account: str
    account_id: int
    subject: str | None


class ByTemplate(msgspec.Struct, frozen=True):
    """A place at which the first message is an approved template.

    :param picker_url: the address of the picker of its templates.
    """

    name: str
    picker_url: str


def by_template(
    contact_id: int, found: Sequence[Place], before_id: int | None = None
) -> Sequence[ByTemplate]:
    """Return the places of *found* at which the first message to a contact is an approved template.

    Where they have a conversation already, the picker is in its composer.

    :param before_id: the conversation that is continued, or None.
    """
    free = [one for one in found if one.by_template and not one.is_known and one.of_another is None]
    channels = Counter(one.adapter.label for one in free)
    return [
        ByTemplate(
            one.adapter.label if channels[one.adapter.label] == 1 else f"{one.account.name} · {one.to}",
            url_for(
                "inbox.first_templates",
                workspace_id=one.account.workspace_id,
                contact_id=contact_id,
                place=one.key,
                before=before_id,
            ),
        )
        for one in free
    ]


@dataclass(frozen=True, slots=True)
class Onward:
    """How a contact can be written to first: because a reply window is closed, or from their page.

    :param after: the id of the conversation that already continues it, or None; *after_label*: its channel.
    :param of_another: the id of another contact who owns the only address, or None.
    :param subject: the proposed subject; None if the channel has no subjects.
    :param copies: whether the mail can have further recipients.
    :param signatures: the viewer's signatures, by account id.
    :param senders: sender addresses, by id, of each account with further addresses, its own first.
    :param account: the first offered account.
    :param by_template: where an approved template can be the first message.
    """

    offered: Sequence[Offered] = ()
    after: int | None = None
    after_label: str = ""
    of_another: int | None = None
    subject: str | None = None
    copies: bool = False
    signatures: Mapping[int, Signature] = field(default_factory=dict)
    senders: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    account: AccountRef | None = field(default=None, repr=False)
    by_template: Sequence[ByTemplate] = ()

    @property
    def names(self) -> Mapping[int, str]:
        """Return the names of the offered accounts by id; none if there is only one."""
        found = {one.account_id: one.account for one in self.offered}
        return found if len(found) > 1 else {}

    @property
    def drawn(self) -> str:
        """Return a value that changes when the page has to render the composer again."""
        return f"{crc32(repr(self).encode()):08x}"


NO_WAY = Onward()


def onward(inbox: InboxContext, row: Row) -> Onward:
    """Return how to write to the contact of *row*, whose reply window is closed."""
    if row.spam_at is not None or row.post_id is not None:
        return NO_WAY
    there = found_places.after(inbox.session, row.id)
    found = None if there is None else inbox.seen_row(there.id)
    if found is not None and found.account_state != "disconnected" and found.spam_at is None:
        return Onward(after=found.id, after_label=current_directory().label(found.channel))
    contact = people.get(inbox.session, inbox.workspace_id, row.contact_id, accounts=seen_accounts())
    return first_mail(inbox, contact, row)


def first_mail(inbox: InboxContext, contact: Contact, row: Row | None = None) -> Onward:
    """Return how to write to *contact* first.

    :param row: the conversation to continue, on another account; None to start a separate one.
    """
    every = found_places.places(inbox.session, inbox.directory, inbox.workspace_id, contact, seen_accounts())
    here = None if row is None else row.account.id
    elsewhere = [one for one in every if one.account.id != here]
    ways = by_template(contact.id, elsewhere, None if row is None else row.id)
    free = [one for one in elsewhere if one.of_another is None and not one.by_template]
    if not free:
        owners = (one.of_another for one in every if one.of_another and not one.by_template)
        return Onward(of_another=next(owners, None), by_template=ways)
    first = free[0]
    before = None
    if row is not None:
        before = get_conversation(inbox.session, inbox.workspace_id, row.id, accounts=seen_accounts())
    accounts = {one.account.id: one for one in free}
    found = {id_: signature_there(inbox, contact, one) for id_, one in accounts.items()}
    return Onward(
        offered=[
            Offered(one.key, one.to, one.account.name, one.account.id, _subject(one, before)) for one in free
        ],
        subject=_subject(first, before),
        copies=first.adapter.capabilities.copies is not None,
        signatures={id_: one for id_, one in found.items() if one is not None},
        senders={
            id_: own
            for id_, one in accounts.items()
            if (own := sender_address.choices(one.adapter, one.account))
        },
        account=first.account,
        by_template=ways,
    )


def _subject(place: Place, before: Conversation | None) -> str | None:
    return proposed_subject(place, before) if place.adapter.capabilities.has_subject else None


def signature_there(inbox: InboxContext, contact: Contact, place: Place) -> Signature | None:
    """Return the viewer's signature on the account of *place*, filled in for *contact*."""

    def values() -> Mapping[str, str]:
        return values_at(inbox.session, contact, place, inbox.user_id)

    return signature_at(place.account, place.adapter, inbox.user_id, values)


def values_at(session: Session, contact: Contact, place: Place, user_id: int) -> Mapping[str, str]:
    """Return the value of each variable for a message to *contact* at *place*."""
    query = (
        sa.select(ContactIdentity.name, ContactIdentity.username)
        .where(ContactIdentity.contact_id == contact.id)
        .order_by(ContactIdentity.id)
    )
    known = session.execute(query).first() or (None, None)
    name, username = contact.name or known[0] or "", known[1] or ""
    return values_of_contact(session, place.account, name, username, contact.email or "", user_id)


class Before(msgspec.Struct, frozen=True):
    """The conversation that a thread continues.

    :param entries: its last messages, oldest first; *more*: whether it has earlier ones.
    """

    row: Row
    label: str
    entries: Sequence[ThreadEntry] = ()
    more: bool = False


def before(inbox: InboxContext, row: Row) -> Before | None:
    """Return the conversation that *row* continues; None if there is none or the viewer may not see it."""
    there = found_places.before(inbox.session, row.id)
    found = None if there is None else inbox.seen_row(there.id)
    if found is None:
        return None
    label = current_directory().label(found.channel)
    if found.post_id is not None:  # comments are shown with their post instead
        return Before(found, label)
    thread = load_thread(inbox.session, inbox.workspace_id, found.id, limit=MOST_BEFORE)
    # Only messages: the thread already has an activity line that it continues this conversation.
    said = [one for one in thread.entries if one.direction != Direction.INTERNAL or is_note(one)]
    return Before(found, label, inbox.shown(found, said), thread.earlier is not None)
