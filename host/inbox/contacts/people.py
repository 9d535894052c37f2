"""Load and lock contacts of a workspace, add history entries, and notify browsers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.events.facts import Facts
from host.events.writing import Happened, record, record_all
from host.inbox.contacts.models import ContactEntry, EntryKind
from host.inbox.errors import ContactNotFoundError, NotAllTheirsError
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.users.actor import UnitOfWork
from host.users.reach import Accounts

TOLD = 200
"""Maximum number of a contact's conversations reported to open browsers at once."""


def get(session: Session, workspace_id: int, contact_id: int, *, accounts: Accounts) -> Contact:
    """Return a contact of the workspace; for a merged contact, the one it is part of.

    :param accounts: the accounts the viewer sees.
    :raises ContactNotFoundError: if the workspace has no such contact who writes to one of *accounts*.
    """
    contact = session.get(Contact, contact_id)
    if contact is not None and contact.merged_into_id is not None:
        contact = session.get(Contact, contact.merged_into_id)
    if contact is None or contact.workspace_id != workspace_id:
        raise ContactNotFoundError()
    check_seen(session, contact, accounts)
    return contact


def locked(work: UnitOfWork, contact_id: int) -> Contact:
    """Return a contact of the workspace, locked until the write ends.

    :raises ContactNotFoundError: if the workspace has no such contact who writes to one of *accounts*, or it
        is merged into another.
    """
    query = (
        sa.select(Contact)
        .where(
            Contact.id == contact_id,
            Contact.workspace_id == work.workspace_id,
            Contact.merged_into_id.is_(None),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    contact = work.session.scalars(query).one_or_none()
    if contact is None:
        raise ContactNotFoundError()
    check_seen(work.session, contact, work.accounts)
    return contact


def check_seen(session: Session, contact: Contact, accounts: Accounts) -> None:
    """Raise as if the contact did not exist, if it writes to none of *accounts*.

    :raises ContactNotFoundError: in that case.
    """
    if accounts is None:
        return
    theirs = sa.exists().where(
        ContactIdentity.contact_id == contact.id, ContactIdentity.account_id.in_(accounts)
    )
    if not session.scalar(sa.select(theirs)):
        raise ContactNotFoundError()


def identities_locked(session: Session, contact_ids: Collection[int]) -> Sequence[ContactIdentity]:
    """Return the identities of contacts, locked so that no message of theirs is applied concurrently."""
    query = (
        sa.select(ContactIdentity)
        .where(ContactIdentity.contact_id.in_(contact_ids))
        .order_by(ContactIdentity.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def conversations_locked(session: Session, identity_ids: Collection[int]) -> Sequence[Conversation]:
    """Lock and return the conversations of locked identities."""
    query = (
        sa.select(Conversation)
        .where(Conversation.identity_id.in_(identity_ids))
        .order_by(Conversation.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def check_reach(identities: Collection[ContactIdentity], accounts: Accounts) -> None:
    """Raise unless the person sees every account that the contacts write to.

    The caller has checked with :func:`check_seen` that they see each contact.

    :raises NotAllTheirsError: if they do not see every account.
    """
    if accounts is not None and not {one.account_id for one in identities} <= accounts:
        raise NotAllTheirsError()


def members_of(session: Session, contact_id: int) -> list[int]:
    """Return the ids of a contact and of those merged into it."""
    parts = sa.select(Contact.id).where(Contact.merged_into_id == contact_id).order_by(Contact.id)
    return [contact_id, *session.scalars(parts)]


def named(session: Session, workspace_id: int, names: Collection[tuple[str, int]]) -> list[int]:
    """Return the ids of contacts of the workspace, each once, by their order in *names*.

    :param names: ``("contact", id)``, or ``("conversation", id)`` for the contact of a conversation. A merged
        contact stands for the one it is part of.
    """
    of_conversations = [id_ for kind, id_ in names if kind == "conversation"]
    query = sa.select(Conversation.id, Conversation.contact_id).where(Conversation.id.in_(of_conversations))
    found = {row[0]: row[1] for row in session.execute(query)} if of_conversations else {}
    ids = [id_ if kind == "contact" else found.get(id_, 0) for kind, id_ in names]
    whole = sa.func.coalesce(Contact.merged_into_id, Contact.id)
    here = sa.select(Contact.id, whole).where(Contact.id.in_(ids), Contact.workspace_id == workspace_id)
    wholes = {row[0]: row[1] for row in session.execute(here)} if ids else {}
    return list(dict.fromkeys(wholes[id_] for id_ in ids if id_ in wholes))


def note_down(
    work: UnitOfWork,
    contact: Contact,
    kind: EntryKind,
    *,
    text: str = "",
    content: dict[str, Any] | None = None,
) -> ContactEntry:
    """Add an entry to the history of *contact*."""
    named = {"by": work.actor.name} if work.actor.name else {}
    entry = ContactEntry(
        contact_id=contact.id,
        kind=kind,
        text=text,
        content={**(content or {}), **named},
        author_id=work.actor.id,
        at=work.now,
    )
    work.session.add(entry)
    work.session.flush()
    return entry


def record_contact(work: UnitOfWork, contact: Contact, kind: str, facts: Facts) -> None:
    """Record a change of *contact*, and notify browsers that its conversations changed."""
    record(
        work.session,
        Happened(contact.workspace_id, kind, actor_kind=work.actor.kind, actor_id=work.actor.id, facts=facts),
    )
    show_conversations(work.session, contact)


def show_conversations(session: Session, contact: Contact) -> None:
    """Notify browsers and search that the conversations of *contact* have a different contact."""
    newest = (
        sa.select(Conversation.id)
        .where(Conversation.contact_id == contact.id)
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(TOLD)
    )
    ids = list(session.scalars(newest))
    record_all(
        session, [Happened(contact.workspace_id, topic="conversation", conversation_id=id_) for id_ in ids]
    )
