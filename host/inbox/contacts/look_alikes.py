"""Contacts that may have the same phone number: verified, or entered by the team. People decide on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.apply import phone_numbers
from host.inbox.contacts import merging
from host.inbox.contacts.models import ContactAttribute, ContactValue
from host.models.inbox import Contact, ContactIdentity
from host.users.reach import Accounts

MOST = 20
"""Maximum number of contacts looked at for one number."""


def numbers_of(
    session: Session, contact_ids: Collection[int], accounts: Accounts
) -> Mapping[int, Sequence[str]]:
    """Return the phone numbers of contacts, by contact: one statement.

    :param accounts: the accounts the viewer sees; numbers verified on others are left out.
    """
    verified = sa.select(ContactIdentity.contact_id, sa.literal("+") + ContactIdentity.phone).where(
        ContactIdentity.contact_id.in_(contact_ids), ContactIdentity.phone.is_not(None)
    )
    if accounts is not None:
        verified = verified.where(ContactIdentity.account_id.in_(sorted(accounts)))
    written = sa.select(ContactValue.contact_id, ContactValue.value).where(
        ContactValue.contact_id.in_(contact_ids), ContactValue.phone_key.is_not(None)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for contact_id, number in session.execute(sa.union_all(verified, written)):
        found[contact_id].append(number)
    return found


def with_same_number(
    session: Session, workspace_id: int, contact_id: int, numbers: Sequence[str], accounts: Accounts
) -> list[int]:
    """Return the contacts that may have one of *numbers*, without those marked as different people.

    :param numbers: those of *contact_id*.
    :param accounts: the accounts the viewer sees; others' contacts are left out.
    """
    keys = {phone_numbers.written_key(one) for one in numbers} - {None}
    if not keys:
        return []
    verified = sa.select(ContactIdentity.contact_id).where(
        ContactIdentity.workspace_id == workspace_id, ContactIdentity.phone_key.in_(keys)
    )
    if accounts is not None:
        verified = verified.where(ContactIdentity.account_id.in_(sorted(accounts)))
    written = (
        sa.select(ContactValue.contact_id)
        .join(ContactAttribute, ContactAttribute.id == ContactValue.attribute_id)
        .join(Contact, Contact.id == ContactValue.contact_id)
        .where(
            ContactAttribute.workspace_id == workspace_id,
            ContactValue.phone_key.in_(keys),
            Contact.merged_into_id.is_(None),
        )
    )
    if accounts is not None:
        seen = sa.exists().where(
            ContactIdentity.contact_id == ContactValue.contact_id,
            ContactIdentity.account_id.in_(sorted(accounts)),
        )
        written = written.where(seen)
    ids = {id_ for query in (verified, written) for id_ in session.scalars(query.limit(MOST))} - {contact_id}
    if not ids:
        return []
    ids -= merging.refused(session, contact_id)
    theirs = numbers_of(session, ids, accounts)
    return [id_ for id_ in sorted(ids) if is_shared(numbers, theirs.get(id_, ()))]


def with_number(session: Session, workspace_id: int, written: str) -> set[int]:
    """Return the contacts that may have a number, as a person wrote it; none if it doesn't look like one."""
    key = phone_numbers.written_key(written)
    if key is None:
        return set()
    verified = sa.select(ContactIdentity.contact_id, ContactIdentity.phone).where(
        ContactIdentity.workspace_id == workspace_id, ContactIdentity.phone_key == key
    )
    entered = (
        sa.select(ContactValue.contact_id, ContactValue.value)
        .join(ContactAttribute, ContactAttribute.id == ContactValue.attribute_id)
        .join(Contact, Contact.id == ContactValue.contact_id)
        .where(
            ContactAttribute.workspace_id == workspace_id,
            ContactValue.phone_key == key,
            Contact.merged_into_id.is_(None),
        )
    )
    numbers = [(id_, f"+{phone}") for id_, phone in session.execute(verified.limit(MOST))]
    numbers += [(id_, value) for id_, value in session.execute(entered.limit(MOST))]
    return {id_ for id_, number in numbers if phone_numbers.may_be_same(written, number)}


def is_shared(numbers: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether a number of one contact may be a number of another."""
    return any(phone_numbers.may_be_same(one, other) for one in numbers for other in others)


def is_wholly_seen(session: Session, contact_ids: Collection[int], accounts: Accounts) -> bool:
    """Return whether the viewer sees every account that the contacts write to, as merging requires."""
    if accounts is None:
        return True
    hidden = sa.exists().where(
        ContactIdentity.contact_id.in_(contact_ids), ContactIdentity.account_id.not_in(sorted(accounts))
    )
    return not session.scalar(sa.select(hidden))
