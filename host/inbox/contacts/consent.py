"""Whether a contact may be written to by programs (their opt-out), and whether they may write (a block).

What customers write themselves, STOP and its like, is noted as it comes in: :mod:`host.inbox.apply.consents`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import db
from host.core.cleaning import clean_written
from host.inbox.contacts import people
from host.inbox.conversation_actions import put_away
from host.inbox.conversations import add_activity
from host.inbox.errors import ContactFieldError
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.contacts import EntryKind
from host.models.inbox import Contact, ContactIdentity
from host.record import catalogue
from host.record.catalogue import OfConsent, OfContact
from host.sdk.channel import AccountRef, ChannelAdapter, ProviderProblem
from host.sdk.i18n import noop
from host.users.reach import Accounts

log = logging.getLogger(__name__)

LONGEST_SOURCE = 250


def may_be_written_automatically(contact: Contact) -> bool:
    """Tell whether something may be sent to *contact* that no person writes: neither opted out nor blocked.

    The one place that decides it. A person may still answer within a window that is open.
    """
    return contact.opted_out_at is None and contact.blocked_at is None


def opt_out(
    session: Session,
    *,
    workspace_id: int,
    contact_id: int,
    accounts: Accounts,
    source: str,
    author_id: int | None,
    now: datetime,
    by: str | None = None,
) -> Contact:
    """Note that a contact wants nothing that is sent by itself. One who has said so before stays as they are.

    :param source: how that is known, in a few words; may be empty.
    :raises ContactNotFoundError: if the workspace has no such contact.
    :raises ContactFieldError: if *source* is too long.
    """
    words = " ".join(clean_written(source).split())
    if len(words) > LONGEST_SOURCE:
        raise ContactFieldError(
            _l("How you know is longer than 250 letters, so nothing was saved."),
            next_step=_l("Make it shorter."),
            field="source",
        )
    contact = people.locked(session, workspace_id, contact_id, accounts=accounts)
    if contact.opted_out_at is not None:
        return contact
    contact.opted_out_at, contact.opted_out_by = now, author_id
    contact.opted_out_source = words or None
    people.note_down(session, contact, EntryKind.OPTED_OUT, author_id=author_id, by=by, now=now, text=words)
    people.record_contact(
        session,
        contact,
        catalogue.CONTACT_OPTED_OUT,
        OfConsent(contact=contact.id),
        author_id=author_id,
        by=by,
    )
    return contact


def opt_in(
    session: Session,
    *,
    workspace_id: int,
    contact_id: int,
    accounts: Accounts,
    author_id: int | None,
    now: datetime,
    by: str | None = None,
) -> Contact:
    """Note that a contact takes what is sent by itself again.

    :raises ContactNotFoundError: if the workspace has no such contact.
    """
    contact = people.locked(session, workspace_id, contact_id, accounts=accounts)
    if contact.opted_out_at is None:
        return contact
    contact.opted_out_at = contact.opted_out_by = contact.opted_out_source = None
    people.note_down(session, contact, EntryKind.OPTED_IN, author_id=author_id, by=by, now=now)
    people.record_contact(
        session,
        contact,
        catalogue.CONTACT_OPTED_IN,
        OfConsent(contact=contact.id),
        author_id=author_id,
        by=by,
    )
    return contact


# ---- blocks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unasked:
    """A provider that did not do what it was asked for.

    :param label: what the channel is called.
    """

    label: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Asked:
    identity_id: int
    external_id: str
    account: AccountRef
    adapter: ChannelAdapter


def block(
    directory: Directory,
    *,
    workspace_id: int,
    contact_id: int,
    on: bool,
    author_id: int | None,
    now: datetime,
    by: str | None = None,
    accounts: Accounts,
) -> Sequence[Unasked]:
    """Block a contact, or end that: here first, then at every provider that can. Not inside a transaction.

    Here their conversations become spam, and so does each new one; nobody tells them. Ending it takes out of
    spam what came there since. Asked again, it asks the providers again that did not do it.

    :param accounts: those that whoever does it sees; None: all.
    :return: the providers that did not.
    :raises ContactNotFoundError: if the workspace has no such contact.
    :raises NotAllTheirsError: if the contact also writes to accounts that are not among *accounts*.
    """
    db.write(_set_blocked, workspace_id, contact_id, on, author_id, by, accounts, now)
    missed = []
    with db.read() as session:
        asked = _at_providers(session, directory, contact_id, on)
    for one in asked:
        problem = _ask(one, on)
        if problem is None:
            db.write(_note_at_provider, one.identity_id, now if on else None)
        else:
            said = (problem.sentence, problem.next_step)
            missed.append(Unasked(one.adapter.label, " ".join(_(part) for part in said if part)))
    return missed


def _set_blocked(
    session: Session,
    workspace_id: int,
    contact_id: int,
    on: bool,
    author_id: int | None,
    by: str | None,
    accounts: Accounts,
    now: datetime,
) -> None:
    people.get(session, workspace_id, contact_id, accounts=accounts)
    # In the order in which received changes lock them, so that no conversation begins meanwhile.
    identities = people.identities_locked(session, [contact_id])
    people.check_reach(identities, accounts)
    conversations = people.conversations_locked(session, [one.id for one in identities])
    contact = people.locked(session, workspace_id, contact_id, accounts=accounts)
    before = contact.blocked_at
    if (before is not None) is on:
        return
    contact.blocked_at = now if on else None
    for conversation in conversations:
        if on and conversation.spam_at is None:
            conversation.spam_at = now
            put_away(conversation)
        elif not on and before is not None and conversation.spam_at is not None:
            if conversation.spam_at < before:
                continue
            conversation.spam_at = None
        else:
            continue
        session.flush()
        content = {"what": "blocked" if on else "unblocked"}
        add_activity(session, conversation, author_id, content, now, by=by)
    kind = EntryKind.BLOCKED if on else EntryKind.UNBLOCKED
    people.note_down(session, contact, kind, author_id=author_id, by=by, now=now)
    people.record_contact(
        session,
        contact,
        catalogue.CONTACT_BLOCKED if on else catalogue.CONTACT_UNBLOCKED,
        OfContact(contact=contact.id),
        author_id=author_id,
        by=by,
    )


def blocks_at_provider(adapter: ChannelAdapter | None, account: AccountRef) -> bool:
    """Tell whether the provider of *account* can be asked to block somebody."""
    return adapter is not None and adapter.capabilities_of(account).blocks


def _at_providers(session: Session, directory: Directory, contact_id: int, on: bool) -> list[_Asked]:
    done = ContactIdentity.blocked_at.is_not(None)
    rows = session.execute(
        sa.select(ContactIdentity, ChannelAccount)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(
            ContactIdentity.contact_id == contact_id,
            ChannelAccount.state != AccountState.DISCONNECTED,
            ~done if on else done,
        )
        .order_by(ContactIdentity.id)
    )
    asked = []
    for identity, account in rows:
        adapter = directory.adapter(account.channel)
        if adapter is not None and blocks_at_provider(adapter, ref(account)):
            asked.append(_Asked(identity.id, identity.external_id, ref(account), adapter))
    return asked


def _ask(asked: _Asked, on: bool) -> ProviderProblem | None:
    try:
        return asked.adapter.block(asked.account, asked.external_id, on)
    except Exception:
        log.exception("the adapter of %s failed while somebody was blocked", asked.adapter.key)
        return ProviderProblem("failed", noop("The addon of this channel failed."), noop("Tell an admin."))


def _note_at_provider(session: Session, identity_id: int, at: datetime | None) -> None:
    identity = session.get(ContactIdentity, identity_id, with_for_update={"key_share": True})
    if identity is not None:
        identity.blocked_at = at
        session.flush()
