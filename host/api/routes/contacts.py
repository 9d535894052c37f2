"""Show contacts."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import route
from host.core import db
from host.core.errors import NotFoundError
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity
from host.users.api_keys import Scope


class ContactNotFoundError(NotFoundError):
    """No such contact in this workspace."""

    code = "contact_not_found"
    default_sentence = _l("This contact does not exist in this workspace.")
    default_next_step = ""


def id_name(call: Call, channel: str) -> str:
    """Return the channel's name for the id of a contact."""
    adapter = call.adapter(channel)
    return "id" if adapter is None else adapter.contact_id_name


@route(
    "GET",
    "/contacts/{contact_id}",
    tag="Contacts",
    summary="Get a contact",
    scope=Scope.READ,
    answer=shapes.Contact,
    errors=(ContactNotFoundError,),
)
def get_contact(call: Call, contact_id: int) -> shapes.Contact:
    """One person, with their id on each account they wrote to."""
    identities = (
        sa.select(ContactIdentity, ChannelAccount.channel)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(ContactIdentity.contact_id == contact_id, ContactIdentity.workspace_id == call.workspace_id)
        .order_by(ContactIdentity.id)
    )
    with db.read() as session:
        contact = session.scalars(
            sa.select(Contact).where(Contact.id == contact_id, Contact.workspace_id == call.workspace_id)
        ).one_or_none()
        if contact is None:
            raise ContactNotFoundError()
        return shapes.Contact(
            id=contact.id,
            name=contact.name,
            email=contact.email,
            created_at=contact.created_at,
            identities=[
                shapes.Identity(
                    account_id=row.account_id,
                    channel=channel,
                    external_id=row.external_id,
                    external_id_name=id_name(call, channel),
                    name=row.name,
                    username=row.username,
                    profile=row.profile or {},
                )
                for row, channel in session.execute(identities)
            ],
        )
