"""The view that writes to a contact first."""

from __future__ import annotations

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.core.ids import MAX_ID
from host.inbox.drafts import Draft
from host.inbox.errors import ConversationNotFoundError, NoWayOutError
from host.inbox.onward.places import places
from host.inbox.onward.starting import Started, start
from host.inbox.pages.action_views import CONVERSATION, refused
from host.inbox.pages.context import bp, opened_inbox, with_conversation
from host.inbox.pages.onward.shown import signature_at
from host.inbox.queries import Row
from host.models.inbox import Contact
from host.web.request_helpers import Permission, current_user, seen_accounts, wants_json, workspace_view


@bp.post(f"{CONVERSATION}/onward")
@workspace_view(Permission.ANSWER)
@with_conversation
def write_onward(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Go on with the customer at the ``place`` the form names."""
    try:
        account_id, to = _place()
        subject = " ".join(request.form.get("subject", "").split())
        signature = _signature(row, account_id, to) if request.form.get("signature") == "1" else ""
        content = {name: value for name, value in (("subject", subject), ("signature", signature)) if value}
        started: Started = db.write(
            start,
            workspace_id=workspace_id,
            before_id=row.id,
            account_id=account_id,
            to=to,
            author_id=current_user().id,
            drafts=[Draft(text=request.form.get("text", ""), content=content)],
            reply_key=request.form.get("reply_key", ""),
            directory=current_directory(),
            now=clock.now(),
            accounts=seen_accounts(),
        )
    except ConversationNotFoundError:
        raise
    except LobbyError as error:
        return refused(error, workspace_id, row.id, "onward")
    there = url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=started.conversation_id)
    return jsonify(goto=there) if wants_json() else redirect(there, 303)


def _place() -> tuple[int, str]:
    """Return the account and the external id that the form names.

    :raises NoWayOutError: if it names none.
    """
    account, _bar, to = request.form.get("place", "").partition(":")
    if not (account.isascii() and account.isdigit() and len(account) < 20 and int(account) <= MAX_ID):
        raise NoWayOutError()
    return int(account), to


def _signature(row: Row, account_id: int, to: str) -> str:
    """Return the signature that is to stand beneath the first message; empty: none."""
    with opened_inbox(row.account.workspace_id) as inbox:
        contact = inbox.session.get_one(Contact, row.contact_id)
        every = places(inbox.session, inbox.directory, inbox.workspace_id, contact, seen_accounts())
        place = next((one for one in every if one.account.id == account_id and one.to == to), None)
        found = None if place is None else signature_at(inbox, row, place)
    return "" if found is None else found.text
