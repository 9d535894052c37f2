"""Consent to automated messages (opt-out), and blocks.

Opt-outs in customers' own words, such as STOP, are handled in :mod:`host.inbox.apply.consents`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import db
from host.core.cleaning import clean_written
from host.events.kinds.contacts import (
    CONTACT_BLOCKED,
    CONTACT_OPTED_IN,
    CONTACT_OPTED_OUT,
    CONTACT_UNBLOCKED,
    OfConsent,
    OfContact,
)
from host.inbox.contacts import people
from host.inbox.contacts.models import EntryKind
from host.inbox.conversation_actions import put_away
from host.inbox.conversations import add_activity
from host.inbox.errors import ContactFieldError
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Contact, ContactIdentity
from host.sdk.channel import AccountRef, ChannelAdapter, ProviderProblem
from host.sdk.i18n import noop
from host.users.actor import Acting, UnitOfWork
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

LONGEST_SOURCE = 250


def opt_out(work: UnitOfWork, contact_id: int, source: str) -> Contact:
    """Record that a contact opted out of automated messages. An earlier opt-out stays unchanged.

    :param source: how it is known, in a few words; may be empty.
    :raises ContactNotFoundError: if the workspace has no such contact.
    :raises ContactFieldError: if *source* is too long.
    """
    words = " ".join(clean_written(source).split())
    if len(words) > LONGEST_SOURCE:
        raise ContactFieldError(
            _l("The reason has more than 250 characters. Nothing was saved."),
            next_step=_l("Make it shorter."),
            field="source",
        )
    contact = people.locked(work, contact_id)
    if contact.opted_out_at is not None:
        return contact
    contact.opted_out_at, contact.opted_out_by = work.now, work.actor.id
    contact.opted_out_source = words or None
    people.note_down(work, contact, EntryKind.OPTED_OUT, text=words)
    people.record_contact(work, contact, CONTACT_OPTED_OUT, OfConsent(contact=contact.id))
    return contact


def opt_in(work: UnitOfWork, contact_id: int) -> Contact:
    """Record that a contact accepts automated messages again.

    :raises ContactNotFoundError: if the workspace has no such contact.
    """
    contact = people.locked(work, contact_id)
    if contact.opted_out_at is None:
        return contact
    contact.opted_out_at = contact.opted_out_by = contact.opted_out_source = None
    people.note_down(work, contact, EntryKind.OPTED_IN)
    people.record_contact(work, contact, CONTACT_OPTED_IN, OfConsent(contact=contact.id))
    return contact


# ---- blocks -------------------------------------------------------------------------------------------


class BlockFailure(msgspec.Struct, frozen=True):
    """A provider that failed to block or unblock.

    :param label: name of the channel.
    """

    label: str
    sentence: str


class _BlockTarget(msgspec.Struct, frozen=True):
    identity_id: int
    external_id: str
    account: AccountRef
    adapter: ChannelAdapter


def block(acting: Acting, directory: Directory, contact_id: int, *, on: bool) -> Sequence[BlockFailure]:
    """Block or unblock a contact, first here, then at every provider that supports it.

    Do not call it inside a transaction. Current and new conversations become spam; the contact is not
    notified. Unblocking moves the conversations that became spam since then out of it. A repeated call
    retries the providers that failed.

    :return: the providers that failed.
    :raises ContactNotFoundError: if the workspace has no such contact.
    :raises NotAllTheirsError: if the contact also writes to accounts that the person doesn't see.
    """
    acting.write(_set_blocked, contact_id, on)
    missed = []
    with db.read() as session:
        asked = _at_providers(session, directory, contact_id, on)
    for one in asked:
        problem = _ask(one, on)
        if problem is None:
            db.write(_note_at_provider, one.identity_id, acting.now if on else None)
        else:
            said = (problem.sentence, problem.next_step)
            missed.append(BlockFailure(one.adapter.label, " ".join(_(part) for part in said if part)))
    return missed


def _set_blocked(work: UnitOfWork, contact_id: int, on: bool) -> None:
    session = work.session
    people.get(session, work.workspace_id, contact_id, accounts=work.accounts)
    # In the lock order of incoming changes, so that no conversation starts concurrently.
    identities = people.identities_locked(session, [contact_id])
    people.check_reach(identities, work.accounts)
    conversations = people.conversations_locked(session, [one.id for one in identities])
    contact = people.locked(work, contact_id)
    before = contact.blocked_at
    if (before is not None) is on:
        return
    contact.blocked_at = work.now if on else None
    for conversation in conversations:
        if on and conversation.spam_at is None:
            conversation.spam_at = work.now
            put_away(conversation)
        elif not on and before is not None and conversation.spam_at is not None:
            if conversation.spam_at < before:
                continue
            conversation.spam_at = None
        else:
            continue
        session.flush()
        content = {"what": "blocked" if on else "unblocked"}
        add_activity(work, conversation, content)
    kind = EntryKind.BLOCKED if on else EntryKind.UNBLOCKED
    people.note_down(work, contact, kind)
    people.record_contact(
        work, contact, CONTACT_BLOCKED if on else CONTACT_UNBLOCKED, OfContact(contact=contact.id)
    )


def blocks_at_provider(adapter: ChannelAdapter | None, account: AccountRef) -> bool:
    """Return whether the provider of *account* supports blocking."""
    return adapter is not None and adapter.capabilities_of(account).blocks


def _at_providers(session: Session, directory: Directory, contact_id: int, on: bool) -> list[_BlockTarget]:
    done = ContactIdentity.blocked_at.is_not(None)
    rows = session.execute(
        sa.select(ContactIdentity, ChannelAccount)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(
            ContactIdentity.contact_id == contact_id,
            ContactIdentity.same_as_id.is_(None),
            ChannelAccount.state != AccountState.DISCONNECTED,
            ~done if on else done,
        )
        .order_by(ContactIdentity.id)
    )
    asked = []
    for identity, account in rows:
        adapter = directory.adapter(account.channel)
        if adapter is not None and blocks_at_provider(adapter, ref(account)):
            asked.append(_BlockTarget(identity.id, identity.external_id, ref(account), adapter))
    return asked


def _ask(asked: _BlockTarget, on: bool) -> ProviderProblem | None:
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
