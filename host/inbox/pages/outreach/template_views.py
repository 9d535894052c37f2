"""Begin with an approved template, where nothing else can be sent before the contact wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import LobbyError, NotFoundError
from host.core.ids import read_id
from host.inbox.contacts import people
from host.inbox.contacts.pages.blueprint import CONTACT
from host.inbox.errors import ContactNotFoundError, ConversationNotFoundError
from host.inbox.outreach.first_messages import place_for, start
from host.inbox.outreach.places import Place
from host.inbox.pages.action_views import FORM_BYTES, refusal
from host.inbox.pages.context import bp
from host.inbox.pages.outreach.shown import values_at
from host.inbox.pages.outreach.views import opened, place_in
from host.inbox.pages.template_views import (
    Refusal,
    Target,
    filled_in,
    page_of_templates,
    picker,
    refusal_of,
)
from host.media.limits import MAX_BYTES
from host.models.inbox import OF_PERSON, Contact, ContactIdentity, Conversation
from host.web.request_helpers import (
    Permission,
    body_limit,
    current_user,
    seen_accounts,
    workspace_view,
    write,
)

TEMPLATES = f"{CONTACT}/write/templates"


@bp.get(TEMPLATES)
@workspace_view(Permission.ANSWER)
def first_templates(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Return the picker of templates for the address's ``place``, still without templates."""
    with db.read() as session:
        contact, place = _chosen(session, workspace_id, contact_id, request.args)
        return picker(_target(contact_id, place, request.args), _refusal(session, contact, place))


@bp.get(f"{TEMPLATES}/list")
@workspace_view(Permission.ANSWER)
def first_template_list(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Return a page of the templates of the account at the address's ``place``."""
    with db.read() as session:
        contact, place = _chosen(session, workspace_id, contact_id, request.args)

    def about() -> tuple[Mapping[str, str], Refusal]:
        with db.read() as session:
            values = values_at(session, contact, place, current_user().id)
            return values, _refusal(session, contact, place)

    return page_of_templates(_target(contact_id, place, request.args), about)


@bp.post(TEMPLATES)
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view(Permission.ANSWER)
def send_first_template(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Start a conversation at the form's ``place`` with a filled-in template.

    If the form names a conversation as ``before``, it goes on there. Where they have one already, nothing is
    sent: its composer has the picker, and a colleague may just have sent a template.
    """
    try:
        with db.read() as session:
            _contact, place = _chosen(session, workspace_id, contact_id, request.form)
        draft = filled_in(_target(contact_id, place, request.form))  # asks the provider: outside of the write
        started = write(
            start,
            place.account.id,
            [draft],
            contact_id=contact_id,
            before_id=_before(request.form),
            to=place.to,
            reply_key=request.form.get("reply_key", ""),
            directory=current_directory(),
            only_first=True,
        )
    except (ContactNotFoundError, ConversationNotFoundError):
        raise
    except LobbyError as error:
        return refusal(error)
    return opened(workspace_id, started)


def _chosen(
    session: Session, workspace_id: int, contact_id: int, given: Mapping[str, str]
) -> tuple[Contact, Place]:
    """Return the contact, and the place that *given* names.

    :raises NoWayOutError: if it names none.
    :raises AddressOfAnotherError: if another contact writes from that address.
    :raises NotFoundError: if its channel has no templates.
    """
    accounts = seen_accounts()
    contact = people.get(session, workspace_id, contact_id, accounts=accounts)
    account_id, to = place_in(given)
    place = place_for(session, current_directory(), contact, account_id, to, accounts=accounts)
    if not place.adapter.capabilities.approved_templates:
        raise NotFoundError()
    return contact, place


def _target(contact_id: int, place: Place, given: Mapping[str, str]) -> Target:
    own: dict[str, Any] = {"workspace_id": place.account.workspace_id, "contact_id": contact_id}
    fields: dict[str, Any] = {"place": place.key}
    before_id = _before(given)
    if before_id is not None:
        fields["before"] = str(before_id)
    return Target(
        place.adapter,
        place.account,
        list_url=url_for("inbox.first_template_list", **own, **fields),
        send_url=url_for("inbox.send_first_template", **own),
        fields=fields,
    )


def _before(given: Mapping[str, str]) -> int | None:
    """Return the id of the conversation that is continued, or None.

    :raises ConversationNotFoundError: if no conversation can have it.
    """
    text = given.get("before", "")
    if not text:
        return None
    found = read_id(text)
    if found is None:
        raise ConversationNotFoundError()
    return found


def _refusal(session: Session, contact: Contact, place: Place) -> Refusal:
    there = (
        sa.select(sa.func.max(Conversation.id))
        .join(ContactIdentity, Conversation.identity_id == OF_PERSON)
        .where(ContactIdentity.account_id == place.account.id, ContactIdentity.external_id == place.to)
    )
    return refusal_of(session, contact.workspace_id, contact.id, place.account, session.scalar(there))
