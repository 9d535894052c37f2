"""Store an account that the provider accepted; if that fails, undo the call at the provider."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy.orm import Session

from host.channels.accounts import save_account
from host.core import db
from host.models.channels import ChannelAccount, ref
from host.sdk.cards import Connection
from host.sdk.channel import AccountRef

log = logging.getLogger(__name__)


def save(
    *,
    workspace_id: int,
    channel: str,
    connection: Connection,
    account_id: int | None = None,
    first: Callable[[Session], object] | None = None,
    then: Callable[[Session, ChannelAccount], object] | None = None,
) -> AccountRef:
    """Store the account in one transaction; if that fails, call ``connection.undo``, then raise.

    :param first: runs before it in the same transaction.
    :param then: runs after it in the same transaction, for example to write an audit entry.
    :raises: the errors of :func:`host.channels.accounts.save_account` and of the database.
    """

    def use_case(session: Session) -> ChannelAccount:
        if first is not None:
            first(session)
        row = save_account(
            session,
            workspace_id=workspace_id,
            channel=channel,
            connection=connection,
            account_id=account_id,
        )
        if then is not None:
            then(session, row)
        return row

    try:
        saved = ref(db.write(use_case))
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


def _undo(connection: Connection, channel: str) -> None:
    if connection.undo is None:
        return
    try:
        connection.undo()
    except Exception:
        # Raise the first failure, not this one, which only leaves an unused subscription.
        log.exception("undoing a connection of the channel %s failed", channel)
