"""The customer beside whom an addon's panel is shown, as far as the signed-in person may see them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.inbox.contacts import attributes, finding, people
from host.sdk.panels import ContactIdentity, CustomerContext
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
    """Return the customer with the identities on *accounts*.

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
