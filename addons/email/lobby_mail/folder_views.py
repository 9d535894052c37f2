"""The page on which an owner chooses the folders of a mailbox to read."""

from __future__ import annotations

import sqlalchemy as sa
from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.sdk import db
from host.sdk.cards import Problems
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import gettext as _
from host.sdk.web import Role, flash_bad, flash_good, workspace_view

from . import mailbox_card, servers
from .models import ACCOUNTS, Mailbox, account_ref
from .receiving import size_limit
from .signature_views import bp

__all__ = ["bp"]


def _found(workspace_id: int, account_id: int) -> tuple[AccountRef, Mailbox]:
    table = db.host_table(ACCOUNTS)
    query = sa.select(table).where(
        table.c.id == account_id, table.c.workspace_id == workspace_id, table.c.state != "disconnected"
    )
    with db.read() as session:
        row, box = session.execute(query).one_or_none(), session.get(Mailbox, account_id)
    if row is None or box is None:
        abort(404)
    return account_ref(row), box


def _offered(account: AccountRef) -> list | Problems:  # type: ignore[type-arg]  # of a package loaded late
    """Return the folders on the server, or why they cannot be listed."""
    try:
        settings = servers.to_read(account, size_limit())
    except SecretUnreadableError:
        return Problems({"": _("The stored password can't be read.")})
    if settings is None or not settings.server.can_sign_in:
        return Problems({"": _("No password is set.")})
    return mailbox_card.offered(settings.server)


@bp.get(mailbox_card.PAGE)
@workspace_view(Role.OWNER)
def folders(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show the folders that are read and, if the server can be reached, the others."""
    account, box = _found(workspace_id, account_id)
    offered = _offered(account)
    away = " ".join(map(str, offered.by_field.values())) if isinstance(offered, Problems) else ""
    listed = [] if isinstance(offered, Problems) else offered
    names = {one.name for one in listed}
    return render_template(
        "email/folders.html",
        account=account,
        workspace_id=workspace_id,
        away=away,
        chosen=box.further,
        offered=[one for one in listed if one.use in {"plain", "spam"}],
        always=[one for one in listed if one.use in {"inbox", "sent"}],
        left_out=[one for one in listed if one.use == "left-out"],
        gone=[name for name in box.further if name not in names],
    )


@bp.post(mailbox_card.PAGE)
@workspace_view(Role.OWNER)
def keep_folders(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Read the ticked folders from now on."""
    account, box = _found(workspace_id, account_id)
    wanted = list(dict.fromkeys(request.form.getlist("folder")))
    here = redirect(url_for("email.folders", workspace_id=workspace_id, account_id=account_id), 303)
    if len(wanted) > mailbox_card.MOST_FOLDERS:
        most = mailbox_card.MOST_FOLDERS
        flash_bad(_("Nothing was saved. You can select up to %(most)s folders.", most=most))
        return here
    new = [name for name in wanted if name not in box.further]
    offered = _offered(account) if new else []
    if isinstance(offered, Problems):
        flash_bad(" ".join(map(str, offered.by_field.values())))
        return here
    fine = {one.name for one in offered if one.use in {"plain", "spam"}}
    for name in new:
        if name not in fine:
            shown = name[:200]
            flash_bad(_("Nothing was saved. “%(folder)s” can't be added.", folder=shown))
            return here
    mailbox_card.keep_folders(account.id, wanted)
    flash_good(
        _(
            "Saved. Existing emails in these folders are imported without notifications. You'll be "
            "notified of new ones."
        )
    )
    return here
