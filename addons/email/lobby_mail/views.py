"""The page of addresses waiting for confirmation, and of domains owned by workspaces."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.sdk import accounts, db
from host.sdk.channel import AccountRef
from host.sdk.errors import AccountTakenError, SecretUnreadableError
from host.sdk.i18n import gettext as _
from host.sdk.web import Role, current_user, flash_bad, flash_good, fresh_password

from . import aliases, card, mailbox_card, ownership, smtp
from .addresses import domain_of, normal
from .models import AskedAccount, Holding

bp = Blueprint("email", __name__)


class _AnsweredError(Exception):
    """Someone else answered the request first."""


def _owned() -> set[int]:
    return {one.workspace_id for one in current_user().memberships if one.role is Role.OWNER}


@bp.get("/addresses")
def addresses() -> ResponseReturnValue:
    """Show the addresses that the signed-in person can confirm, and their own waiting ones."""
    owned, admin = _owned(), current_user().is_admin
    with db.read() as session:
        waiting = ownership.waiting(session, owned, admin=admin)
        domains = ownership.domains(session, owned, admin=admin)
        ids = {one.row.workspace_id for one in waiting} | {one.workspace_id for one in domains}
        ids |= {one.holder for one in waiting if one.holder is not None}
        names = ownership.workspace_names(session, ids)
    return render_template(
        "email/addresses.html",
        waiting=waiting,
        domains=domains,
        names=names,
        domain_of=domain_of,
        aliases_of=ownership.aliases_of,
        admin=admin,
    )


def _waiting(asked_id: int) -> ownership.Waiting:
    """Return a waiting account.

    :raises NotFound: if it does not concern the signed-in person.
    :raises _AnsweredError: for an admin, who sees all of them, if it is no longer waiting.
    """
    with db.read() as session:
        found = ownership.waiting(session, _owned(), admin=current_user().is_admin)
    one = next((one for one in found if one.row.id == asked_id), None)
    if one is None and current_user().is_admin:
        raise _AnsweredError
    if one is None:
        abort(404)
    return one


@bp.errorhandler(_AnsweredError)
def _answered(_error: _AnsweredError) -> ResponseReturnValue:
    flash_bad(_("This request was already answered or withdrawn."))
    return _back()


@bp.post("/addresses/<int:asked_id>/confirm")
@fresh_password
def confirm(asked_id: int) -> ResponseReturnValue:
    """Connect the waiting account; an admin may also assign the whole domain to its workspace."""
    one = _waiting(asked_id)
    if not one.decides:
        abort(404)
    row, whole = one.row, current_user().is_admin and "domain" in request.form
    if row.alias_of is not None:
        return _confirm_alias(row, whole=whole)
    try:
        password = ownership.password_of(row)
        mailbox, signed = mailbox_card.asked(row), ownership.signed_of(row)
    except SecretUnreadableError:
        flash_bad(
            _(
                "The password entered with this request can't be read. Decline it, so that it can be "
                "requested again."
            )
        )
        return _back()
    server = smtp.Server(
        row.smtp_host, row.smtp_port, smtp.Security(row.smtp_security), row.smtp_user, password
    )
    owned, admin = _owned(), current_user().is_admin

    def agreed(alias: str) -> bool:
        with db.read() as session:
            return admin or ownership.decides(session, alias, owned)

    made = card.connection(
        row.name,
        row.address,
        server,
        password,
        mailbox,
        signed,
        new=True,
        wanted=ownership.aliases_of(row),
        agreed=agreed,
    )

    def store(session: Session, account: AccountRef) -> None:
        current = session.get(AskedAccount, row.id, with_for_update=True)
        if current is None or current.smtp_host != row.smtp_host:
            raise _AnsweredError
        made.store(session, account)
        ownership.answered(session, current, agreed=True)
        if whole:
            ownership.give_domain(session, domain_of(row.address), row.workspace_id)

    try:
        accounts.save(row.workspace_id, "email", replace(made, store=store))
    except AccountTakenError:
        flash_bad(_("%(address)s is now connected in another workspace. Decline it.", address=row.address))
    else:
        flash_good(_("%(address)s is connected. Its mail now arrives here.", address=row.address))
    return _back()


def _confirm_alias(row: AskedAccount, *, whole: bool) -> ResponseReturnValue:
    """Add the requested alias to the account."""

    def use_case(session: Session) -> bool:
        current = session.get(AskedAccount, row.id, with_for_update=True)
        if current is None or current.alias_of != row.alias_of:
            raise _AnsweredError
        account = ownership.account_of(session, current)
        if account is None:
            return False
        aliases.add(session, account, current.address)
        ownership.answered(session, current, agreed=True)
        if whole:
            ownership.give_domain(session, domain_of(row.address), row.workspace_id)
        return True

    try:
        found = db.write(use_case)
    except AccountTakenError:
        flash_bad(_("%(address)s is now connected elsewhere. Decline it.", address=row.address))
        return _back()
    if found:
        flash_good(_("%(address)s is confirmed. Replies can now be sent from it.", address=row.address))
    else:
        flash_bad(_("The account for this address is no longer connected. Decline it."))
    return _back()


@bp.post("/addresses/<int:asked_id>/decline")
def decline(asked_id: int) -> ResponseReturnValue:
    """Decline the waiting account, and notify the person who requested it."""
    one = _waiting(asked_id)
    if not one.decides:
        abort(404)

    def use_case(session: Session) -> None:
        row = session.get(AskedAccount, asked_id)
        if row is not None:
            ownership.answered(session, row, agreed=False)

    db.write(use_case)
    flash_good(_("%(address)s declined. Its workspace was notified.", address=one.row.address))
    return _back()


@bp.post("/addresses/<int:asked_id>/withdraw")
def withdraw(asked_id: int) -> ResponseReturnValue:
    """Withdraw an account that a workspace of this person requested."""
    one = _waiting(asked_id)
    if not one.mine:
        abort(404)

    def use_case(session: Session) -> None:
        row = session.get(AskedAccount, asked_id)
        if row is not None:
            ownership.withdraw(session, row)

    db.write(use_case)
    flash_good(_("%(address)s withdrawn.", address=one.row.address))
    return _back()


@bp.post("/domains/release")
@fresh_password
def release() -> ResponseReturnValue:
    """Release a domain from the workspace that owns it."""
    owned, admin = _owned(), current_user().is_admin
    name = domain_of(normal(f"x@{request.form.get('domain', '')}") or "")

    def use_case(session: Session) -> bool:
        row = session.get(Holding, name) if name else None
        if row is None or not (admin or row.workspace_id in owned):
            return False
        ownership.release_domain(session, row)
        return True

    if not db.write(use_case):
        abort(404)
    flash_good(
        _(
            "New addresses at %(domain)s need to be confirmed again. Connected ones stay connected.",
            domain=name,
        )
    )
    return _back()


def _back() -> ResponseReturnValue:
    return redirect(url_for("email.addresses"), 303)
