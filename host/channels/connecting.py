"""Connect an account: let its addon ask the provider, store the account, and undo the call if that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from host.channels import refusals
from host.channels.accounts import disconnect_account, save_account
from host.core import clock, db
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.cards import Asked, Connection, ConnectRequest, Problems, SettingsCard
from host.sdk.channel import AccountRef
from host.users.actor import DESK, Actor, UnitOfWork
from host.web.languages import gettext as _

log = logging.getLogger(__name__)


def save(
    *,
    workspace_id: int,
    channel: str,
    connection: Connection,
    account_id: int | None = None,
    by: Actor | None = None,
    moved: AccountRef | None = None,
) -> AccountRef:
    """Store the account in one transaction; if that fails, call ``connection.undo``, then raise.

    :param by: who connects it, for the audit log; None: an addon by itself.
    :param moved: the same account in another workspace, which is disconnected in the same transaction.
    :raises: the errors of :func:`host.channels.accounts.save_account` and of the database.
    """
    try:
        saved = ref(db.write(_store, workspace_id, channel, connection, account_id, by, moved))
    except BaseException:
        _undo(connection, channel)
        raise
    if connection.after is not None:
        try:
            connection.after(saved)
        except Exception:
            # The account is connected; the follow-up can be repeated.
            log.exception("what follows connecting account %s of channel %s failed", saved.id, channel)
    return saved


def ask(
    card: SettingsCard,
    *,
    workspace_id: int,
    account: AccountRef | None,
    values: Mapping[str, str],
    taken: Callable[[str], str | None],
    by_admin: bool,
) -> Connection | Problems | Asked:
    """Let the addon of a channel check the values of its form with the provider.

    An exception becomes a problem of the whole form. Call it outside any transaction.

    :param account: the account being changed; None: a new one.
    :param values: the cleaned values by field.
    :param taken: as :attr:`host.sdk.cards.ConnectRequest.taken`; *by_admin* as there.
    """
    try:
        outcome = card.connect(ConnectRequest(workspace_id, account, values, taken, by_admin))
        if not isinstance(outcome, Connection | Problems | Asked):
            raise TypeError(f"connect() returned {type(outcome).__name__}")
    except Exception as error:
        log.exception("the card of channel %s failed while connecting", card.channel)
        blame = _("The addon of this channel failed while checking, so nothing was changed. Tell an admin.")
        return Problems({"": refusals.sentence(error, blame)})
    return outcome


def _store(
    session: Session,
    workspace_id: int,
    channel: str,
    connection: Connection,
    account_id: int | None,
    by: Actor | None,
    moved: AccountRef | None,
) -> ChannelAccount:
    work = UnitOfWork(session, workspace_id, by or DESK, clock.now())
    if moved is not None:
        _disconnect_moved(work, moved)
    before = None if account_id is None else session.get(ChannelAccount, account_id)
    known = before is not None and before.state == AccountState.CONNECTED
    saved = save_account(
        session, workspace_id=workspace_id, channel=channel, connection=connection, account_id=account_id
    )
    if by is not None:
        details = {"channel": channel, "name": saved.name, "way": saved.way}
        work.audit("account.changed" if known else "account.connected", saved.handle, details=details)
    return saved


def _disconnect_moved(work: UnitOfWork, moved: AccountRef) -> None:
    disconnect_account(work.session, moved.id)
    details = {"channel": moved.channel}
    work.desk.audit("account.moved_away", moved.handle, workspace_id=moved.workspace_id, details=details)
    work.audit("account.moved_here", moved.handle, details=details)


def disconnect(card: SettingsCard | None, row: ChannelAccount, actor: Actor) -> bool:
    """Disconnect an account, then let its addon notify the provider. Return whether that worked.

    Call it outside any transaction.

    :param card: None: no active addon provides the channel, so nobody can notify the provider.
    :raises AccountGoneError: if it is disconnected already.
    """
    db.write(_disconnect, row, actor)
    if card is None:
        return False
    try:
        card.disconnect(ref(row))
    except Exception:
        log.exception("the addon of channel %s failed while disconnecting account %s", row.channel, row.id)
        return False
    return True


def _disconnect(session: Session, row: ChannelAccount, actor: Actor) -> None:
    disconnect_account(session, row.id)
    work = UnitOfWork(session, row.workspace_id, actor, clock.now())
    work.audit("account.disconnected", row.handle, details={"channel": row.channel})


def _undo(connection: Connection, channel: str) -> None:
    if connection.undo is None:
        return
    try:
        connection.undo()
    except Exception:
        # Raise the first failure, not this one, which only leaves an unused subscription.
        log.exception("undoing a connection of the channel %s failed", channel)
