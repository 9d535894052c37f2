"""Stored contacts: the accounts they belong to, erasing them, and removing them with their workspace."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.inbox.contacts.models import ContactEntry, ContactMerge, ContactValue
from host.models.inbox import Contact, ContactIdentity, Mark

IDENTITY = sa.select(ContactIdentity.account_id).where(
    ContactIdentity.id == sa.bindparam("id"), ContactIdentity.workspace_id == sa.bindparam("workspace")
)
CONTACT = sa.select(ContactIdentity.account_id).where(
    # A merged contact has the accounts of the contact it is part of.
    ContactIdentity.contact_id
    == sa.select(sa.func.coalesce(Contact.merged_into_id, Contact.id))
    .where(Contact.id == sa.bindparam("id"))
    .scalar_subquery(),
    ContactIdentity.workspace_id == sa.bindparam("workspace"),
)


@hookimpl
def forget_contacts(session: Session, ids: Collection[int]) -> None:
    """Remove their details and history. Opt-outs and blocks stay."""
    for id_ in ids:
        contact = session.get_one(Contact, id_, with_for_update=True)
        contact.name = contact.email = contact.opted_out_source = None
    session.execute(sa.delete(ContactValue).where(ContactValue.contact_id.in_(ids)))
    session.execute(sa.delete(ContactEntry).where(ContactEntry.contact_id.in_(ids)))
    # Merges can no longer be undone: they hold details of the erased contacts.
    theirs = sa.or_(ContactMerge.contact_id.in_(ids), ContactMerge.other_id.in_(ids))
    session.execute(sa.delete(ContactMerge).where(theirs))


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove contacts after their conversations; the database removes their other data."""
    ids = list(session.scalars(sa.select(Contact.id).where(Contact.workspace_id == workspace_id).limit(most)))
    if not ids:
        return None
    theirs = list(session.scalars(sa.select(ContactIdentity.id).where(ContactIdentity.contact_id.in_(ids))))
    session.execute(sa.delete(Mark).where(Mark.identity_id.in_(theirs)))
    session.execute(sa.delete(ContactIdentity).where(ContactIdentity.id.in_(theirs)))
    session.execute(sa.delete(Contact).where(Contact.id.in_(ids)))
    return True
