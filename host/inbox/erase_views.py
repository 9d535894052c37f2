"""Erasing a customer, for owners: a page that names what goes and what stays, and the deed."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host import clock, db
from host.accounts.sudo import fresh_password
from host.inbox import erasure
from host.inbox.blueprint import bp
from host.inbox.erasure import Holdings
from host.inbox.pages import Desk
from host.inbox.present import name_of
from host.web import Role, audit, current_user, flash_good, generation, workspace_view

HERE = "/w/<int:workspace_id>/inbox/<int:conversation_id>/erase"


@bp.get(HERE)
@workspace_view(Role.OWNER)
def erase(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Ask whether the customer of a conversation is to be erased."""
    return _page(workspace_id, conversation_id)


def _page(workspace_id: int, conversation_id: int, problem: str = "") -> ResponseReturnValue:
    with db.read() as session:
        desk = Desk(session, generation().directory, workspace_id, current_user().id, clock.now())
        row = desk.row(conversation_id)
        held = erasure.holdings(session, workspace_id, row.contact_id)
    page = render_template(
        "inbox/erase.html",
        row=row,
        name=name_of(row, desk.adapter(row)),
        held=held,
        problem=problem,
    )
    return page, 400 if problem else 200, {"Cache-Control": "no-store"}


@bp.post(HERE)
@workspace_view(Role.OWNER)
@fresh_password
def erase_now(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Erase the customer of a conversation."""
    if request.form.get("understood") != "1":
        return _page(workspace_id, conversation_id, _("Tick the box first, if you mean it."))
    user = current_user()
    with db.read() as session:
        row = Desk(session, generation().directory, workspace_id, user.id, clock.now()).row(conversation_id)
    held = db.write(_erase, workspace_id, row.contact_id, user.id)
    flash_good(
        ngettext(
            "The customer is erased: %(num)s message is gone.",
            "The customer is erased: %(num)s messages are gone.",
            held.said + held.notes,
        )
    )
    address = url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=conversation_id)
    return redirect(address, 303)


def _erase(session: Session, workspace_id: int, contact_id: int, user_id: int) -> Holdings:
    held = erasure.erase(session, workspace_id=workspace_id, contact_id=contact_id, author_id=user_id)
    # Nobody's name: the journal of what was done must not keep what was erased.
    audit(
        session,
        "contact.erased",
        f"contact {contact_id}",
        workspace_id=workspace_id,
        details={
            "conversations": held.conversations,
            "messages": held.said,
            "notes": held.notes,
            "files": held.files,
            "replies_withdrawn": held.waiting,
        },
    )
    return held
