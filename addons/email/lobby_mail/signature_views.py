"""The page of signatures: a person's own, and for owners the account's."""

from __future__ import annotations

import sqlalchemy as sa
from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.sdk import db
from host.sdk.i18n import gettext as _
from host.sdk.web import Role, current_user, flash_bad, flash_good, workspace_view, wrong_variable

from . import signatures
from .addresses import normal
from .models import ACCOUNTS, EmailAccount
from .views import bp

__all__ = ["bp"]


def _texts(session: Session, workspace_id: int, account_id: int) -> tuple[str, signatures.Texts]:
    """Return the address of an account of the workspace, and its texts for the signed-in person."""
    accounts = db.host_table(ACCOUNTS)
    query = (
        sa.select(EmailAccount.address)
        .join(accounts, accounts.c.id == EmailAccount.account_id)
        .where(EmailAccount.account_id == account_id, accounts.c.workspace_id == workspace_id)
    )
    address = session.scalar(query)
    found = signatures.read(session, account_id, current_user().id)
    if address is None or found is None:
        abort(404)
    return address, found


def _is_owner(workspace_id: int) -> bool:
    return any(
        one.workspace_id == workspace_id and one.role is Role.OWNER for one in current_user().memberships
    )


def _text(name: str) -> str:
    return request.form.get(name, "").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()


@bp.get(signatures.PAGE)
@workspace_view()
def signature(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show the signature of the signed-in person on an account."""
    with db.read() as session:
        address, texts = _texts(session, workspace_id, account_id)
    return render_template(
        "email/signature.html",
        address=address,
        texts=texts,
        owner=_is_owner(workspace_id),
        most=signatures.MOST,
        workspace_id=workspace_id,
        account_id=account_id,
    )


@bp.post(signatures.PAGE)
@workspace_view()
def keep_signature(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Save the person's own signature."""
    text = _text("own")
    return _kept(workspace_id, account_id, text, "", shared=False)


@bp.post(f"{signatures.PAGE}/shared")
@workspace_view(Role.OWNER)
def keep_shared_signature(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Save the account's signature, its reply address, and whether replies quote."""
    entered = _text("reply_to")
    reply_to = normal(entered) if entered else ""
    if reply_to is None:
        flash_bad(_("Nothing was saved. Enter a valid email address, such as hello@example.com."))
        return _back(workspace_id, account_id)
    return _kept(workspace_id, account_id, _text("shared"), reply_to, shared=True)


def _kept(
    workspace_id: int, account_id: int, text: str, reply_to: str, *, shared: bool
) -> ResponseReturnValue:
    if len(text) > signatures.MOST:
        flash_bad(
            _("Nothing was saved. A signature can have up to %(most)s characters.", most=signatures.MOST)
        )
        return _back(workspace_id, account_id)
    wrong = wrong_variable(text)
    if wrong:
        flash_bad(wrong)
        return _back(workspace_id, account_id)
    user_id = current_user().id

    def use_case(session: Session) -> None:
        _texts(session, workspace_id, account_id)
        if shared:
            quotes = request.form.get("quotes") == "on"
            signatures.keep_shared(session, account_id, text, reply_to, quotes=quotes)
        else:
            signatures.keep_own(session, account_id, user_id, text)

    db.write(use_case)
    flash_good(_("Saved. Your next message will include it."))
    return _back(workspace_id, account_id)


def _back(workspace_id: int, account_id: int) -> ResponseReturnValue:
    return redirect(url_for("email.signature", workspace_id=workspace_id, account_id=account_id), 303)
