"""The customer as functions of addons get them: beside a panel, or for a tool."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.contacts import attributes, finding, people
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Contact, Conversation
from host.models.inbox import ContactIdentity as IdentityRow
from host.sdk.panels import ContactIdentity, CustomerContext
from host.sdk.rules import UsedFor
from host.users.reach import Accounts


def customer_of(
    session: Session,
    workspace_id: int,
    contact_id: int,
    accounts: Accounts,
    *,
    conversation_id: int | None = None,
    identity_id: int | None = None,
) -> CustomerContext:
    """Return the customer beside whom a panel is shown, with the identities on *accounts*.

    :param conversation_id: the open conversation, whose identity *identity_id* comes first.
    :raises NotFoundError: if there is no such contact on *accounts*.
    """
    contact = people.get(session, workspace_id, contact_id, accounts=accounts)
    identities = finding.identities_of(session, [contact.id], accounts).get(contact.id, ())
    values = attributes.values_of(session, [contact.id]).get(contact.id)
    named = attributes.named(attributes.all_of(session, workspace_id), values) if values else []
    return CustomerContext(
        workspace_id=workspace_id,
        contact_id=contact.id,
        conversation_id=conversation_id,
        name=contact.name or next((one.name for one in identities if one.name), ""),
        email=contact.email,
        identities=[
            ContactIdentity(one.channel, one.external_id, one.username)
            for one in sorted(identities, key=lambda one: one.id != identity_id)
        ],
        attributes={attribute.name: value for attribute, value in named if value},
    )


def used_for(session: Session, workspace_id: int, conversation_id: int, key: str) -> UsedFor | None:
    """Return the customer of a conversation as a tool gets them; None if the workspace has no such one.

    :param key: idempotency key of the use.
    """
    row = session.execute(
        sa.select(ChannelAccount, IdentityRow, Contact.email)
        .join(Conversation, Conversation.account_id == ChannelAccount.id)
        .join(IdentityRow, IdentityRow.id == Conversation.identity_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
    ).one_or_none()
    if row is None:
        return None
    account, identity, email = row
    return UsedFor(
        account=account_ref(account),
        contact=identity.external_id,
        username=identity.username,
        profile=identity.profile or {},
        key=key,
        email=email,
        conversation_id=conversation_id,
    )
