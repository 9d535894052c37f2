"""The views that write to a contact first: from a conversation with a closed window, or the contact's
page."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core.errors import LobbyError
from host.core.ids import MAX_ID
from host.inbox.contacts import finding, people
from host.inbox.contacts.pages.blueprint import CONTACT
from host.inbox.contacts.pages.shown import name_of
from host.inbox.errors import (
    AddressOfAnotherError,
    ContactNotFoundError,
    ConversationNotFoundError,
    NoWayOutError,
)
from host.inbox.outreach.first_messages import Started, place_for, start
from host.inbox.outreach.places import Place
from host.inbox.pages.action_views import (
    CONVERSATION,
    FORM_BYTES,
    beside_from_form,
    draft_sent,
    hold_from_form,
    refusal,
    refused,
    state_from_form,
)
from host.inbox.pages.composer import ComposerState, drafts_from_request, first_mail_values
from host.inbox.pages.composition.preview import page_of, refused_page
from host.inbox.pages.context import bp, opened_inbox, with_conversation
from host.inbox.pages.outreach.shown import first_mail, signature_there
from host.inbox.queries import Row
from host.live.following import follows
from host.media.limits import MAX_BYTES
from host.models.inbox import Conversation
from host.users.actor import UnitOfWork
from host.web.request_helpers import (
    Permission,
    body_limit,
    current_user,
    passive,
    seen_accounts,
    wants_json,
    workspace_view,
    write,
)


@bp.post(f"{CONVERSATION}/onward")
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view(Permission.ANSWER)
@with_conversation
def write_onward(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Continue the conversation at the form's ``place``."""
    try:
        started = _start(workspace_id, row.contact_id, row.id)
    except ConversationNotFoundError:
        raise
    except LobbyError as error:
        return refused(error, workspace_id, row.id, "onward")
    return opened(workspace_id, started)


@bp.get(f"{CONTACT}/write")
@workspace_view(Permission.ANSWER)
@follows
def write_to(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Show the form of a mail that starts a conversation with a contact."""
    return _write_page(workspace_id, contact_id, ComposerState(mode="onward"))


@bp.post(f"{CONTACT}/write")
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view(Permission.ANSWER)
@follows
def write_first(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Start a conversation with a contact at the form's ``place``."""
    try:
        started = _start(workspace_id, contact_id, None)
    except ContactNotFoundError:
        raise
    except LobbyError as error:
        if wants_json():
            return refusal(error)
        return _write_page(workspace_id, contact_id, state_from_form(error, "onward")), error.status
    return opened(workspace_id, started)


@bp.post(f"{CONVERSATION}/onward/preview")
@passive
@workspace_view(Permission.ANSWER)
@with_conversation
def preview_onward(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Show the first mail of the form as it would go out."""
    return _preview(workspace_id, row.contact_id)


@bp.post(f"{CONTACT}/write/preview")
@passive
@workspace_view(Permission.ANSWER)
def preview_first(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Show the first mail of the form as it would go out."""
    return _preview(workspace_id, contact_id)


def _preview(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    try:
        place, signature = _chosen(workspace_id, contact_id)
    except (NoWayOutError, AddressOfAnotherError) as error:
        return refused_page(error)
    return page_of(workspace_id, place.account, place.adapter, signature)


def _chosen(workspace_id: int, contact_id: int) -> tuple[Place, str]:
    """Return the place chosen in the form, and the signature for a mail from there.

    :raises NoWayOutError: if none is chosen.
    :raises AddressOfAnotherError: if another contact writes from that address.
    """
    accounts = seen_accounts()
    with opened_inbox(workspace_id) as inbox:
        contact = people.get(inbox.session, workspace_id, contact_id, accounts=seen_accounts())
        account_id, to = place_in(request.form)
        place = place_for(inbox.session, inbox.directory, contact, account_id, to, accounts=accounts)
        signed = request.form.get("signature") == "1"
        signature = signature_there(inbox, contact, place) if signed else None
    return place, "" if signature is None else signature.text


def _write_page(workspace_id: int, contact_id: int, draft: ComposerState) -> str:
    """Return the page of a first mail.

    :raises NoWayOutError: if the contact cannot be written to first on any account.
    :raises AddressOfAnotherError: if another contact writes from the only address.
    """
    accounts = seen_accounts()
    with opened_inbox(workspace_id) as inbox:
        contact = people.get(inbox.session, workspace_id, contact_id, accounts=seen_accounts())
        found = first_mail(inbox, contact)
        if not found.offered:
            raise AddressOfAnotherError() if found.of_another else NoWayOutError()
        identities = finding.identities_of(inbox.session, [contact.id], accounts).get(contact.id, ())
        newest = sa.select(sa.func.max(Conversation.id)).where(Conversation.contact_id == contact.id)
        if accounts is not None:
            newest = newest.where(Conversation.account_id.in_(accounts))
        return render_template(
            "inbox/write.html",
            contact=contact,
            identities=identities,
            name=name_of(contact.name, contact.email, identities, inbox.directory),
            canned_from=inbox.session.scalar(newest),
            draft=draft,
            **first_mail_values(inbox, found),
        )


def _start(workspace_id: int, contact_id: int, before_id: int | None) -> Started:
    """Start a conversation with the mail in the form, at its place.

    The other fields are those of a reply.

    :raises NoWayOutError: if the form names no place.

    It also raises the errors of :func:`host.inbox.pages.composer.drafts_from_request` and
    :func:`host.inbox.outreach.first_messages.start`.
    """
    place, signature = _chosen(workspace_id, contact_id)
    author_id = current_user().id
    drafts = drafts_from_request(workspace_id, author_id, place.adapter, signature)
    hold = hold_from_form()
    note = beside_from_form(hold)

    def begin(work: UnitOfWork) -> Started:
        started = start(
            work,
            place.account.id,
            drafts,
            contact_id=contact_id,
            before_id=before_id,
            to=place.to,
            reply_key=request.form.get("reply_key", ""),
            directory=current_directory(),
            hold=hold,
        )
        note(work, started.messages)
        if before_id is not None:
            draft_sent(work, before_id, "onward")
        return started

    return write(begin)


def opened(workspace_id: int, started: Started) -> ResponseReturnValue:
    """Lead to the conversation that was started."""
    there = url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=started.conversation_id)
    return jsonify(goto=there) if wants_json() else redirect(there, 303)


def place_in(given: Mapping[str, str]) -> tuple[int, str]:
    """Return the account id and external id of the ``place`` of a form or an address.

    :raises NoWayOutError: if it names no place.
    """
    account, _bar, to = given.get("place", "").partition(":")
    if not (account.isascii() and account.isdigit() and len(account) < 20 and int(account) <= MAX_ID):
        raise NoWayOutError()
    return int(account), to
