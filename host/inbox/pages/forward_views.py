"""The form that forwards a message or a conversation by email."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import LobbyError
from host.inbox.composition import forwarding
from host.inbox.conversations import get_conversation
from host.inbox.errors import ConversationNotFoundError
from host.inbox.pages.action_views import CONVERSATION
from host.inbox.pages.composition.shown import several
from host.inbox.pages.context import bp, with_conversation
from host.inbox.pages.conversation_view import name_of
from host.inbox.queries import Row
from host.live.following import follows
from host.media.limits import megabytes
from host.web.request_helpers import Permission, id_in, seen_accounts, workspace_view, write

_FIELDS = ("account", "to", "note", "files", "reply_key")


@bp.app_template_global("can_forward")
def can_forward(workspace_id: int) -> bool:
    """Return whether the viewer sees an account that can forward messages; determined once per page."""
    known: dict[int, bool] = g.setdefault("can_forward", {})
    if workspace_id not in known:
        with db.read() as session:
            known[workspace_id] = forwarding.can_forward(
                session, current_directory(), workspace_id, seen_accounts()
            )
    return known[workspace_id]


@bp.get(f"{CONVERSATION}/forward")
@workspace_view(Permission.ANSWER)
@follows
@with_conversation
def forward(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Show the form that forwards a conversation."""
    return _page(workspace_id, row, None)


@bp.post(f"{CONVERSATION}/forward")
@workspace_view(Permission.ANSWER)
@follows
@with_conversation
def forward_now(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Forward a conversation."""
    return _forward(workspace_id, row, None)


@bp.get(f"{CONVERSATION}/messages/<int:message_id>/forward")
@workspace_view(Permission.ANSWER)
@follows
@with_conversation
def forward_message(workspace_id: int, row: Row, message_id: int) -> ResponseReturnValue:
    """Show the form that forwards a message."""
    return _page(workspace_id, row, message_id)


@bp.post(f"{CONVERSATION}/messages/<int:message_id>/forward")
@workspace_view(Permission.ANSWER)
@follows
@with_conversation
def forward_message_now(workspace_id: int, row: Row, message_id: int) -> ResponseReturnValue:
    """Forward a message."""
    return _forward(workspace_id, row, message_id)


def _forward(workspace_id: int, row: Row, message_id: int | None) -> ResponseReturnValue:
    form = request.form

    try:
        write(
            forwarding.forward,
            row.id,
            message_id,
            account_id=id_in(form.get("account", ""), "account"),
            to=several(form.get("to", "")),
            note=form.get("note", ""),
            files=form.get("files") == "1",
            reply_key=form.get("reply_key", ""),
            directory=current_directory(),
        )
    except ConversationNotFoundError:
        raise
    except LobbyError as error:
        return _page(workspace_id, row, message_id, form, error), error.status
    here = url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=row.id)
    return redirect(here, 303)


def _page(
    workspace_id: int,
    row: Row,
    message_id: int | None,
    form: Mapping[str, str] | None = None,
    problem: LobbyError | None = None,
) -> str:
    """Return the form.

    :param form: the submitted values; *problem*: why it was not forwarded.
    """
    directory = current_directory()
    with db.read() as session:
        conversation = get_conversation(session, workspace_id, row.id, accounts=seen_accounts())
        found = forwarding.chosen(session, conversation, message_id)
        able = forwarding.forwarders(session, directory, workspace_id, seen_accounts(), row.account.id)
        if not able:
            raise forwarding.NoForwarderError()
        most = able[0].most_bytes
        first = {**dict.fromkeys(_FIELDS, ""), "files": "1", "reply_key": uuid.uuid4().hex}
        return render_template(
            "inbox/forward.html",
            row=row,
            name=name_of(row, directory.adapter(row.channel)),
            able=able,
            found=found,
            whole=message_id is None,
            subject=forwarding.subject_of(session, conversation),
            too_large=most is not None and found.size > most,
            size=megabytes(found.size),
            most=None if most is None else megabytes(most),
            entered={name: form.get(name, "") for name in _FIELDS} if form else first,
            problem=problem,
        )
