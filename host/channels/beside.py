"""Accounts beside others: on a separate channel, with the other account's credentials and customers."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.accounts import changed, disconnect_account, save_account
from host.models.channels import AccountState, ChannelAccount
from host.sdk.cards import Connection
from host.sdk.errors import AccountGoneError


def find(session: Session, account_id: int, channel: str) -> ChannelAccount | None:
    """Return the account of *channel* beside another, or None if there is none or it is disconnected."""
    query = sa.select(ChannelAccount).where(
        ChannelAccount.beside_id == account_id,
        ChannelAccount.channel == channel,
        ChannelAccount.state != AccountState.DISCONNECTED,
    )
    return session.scalars(query).one_or_none()


def open_beside(
    session: Session, account_id: int, channel: str, settings: Mapping[str, object]
) -> ChannelAccount:
    """Connect or reconnect the account of *channel* beside another.

    :raises AccountGoneError: if the other does not exist or is disconnected.
    :raises AccountTakenError: if the account is live in another workspace.
    """
    other = session.get(ChannelAccount, account_id, with_for_update={"key_share": True})
    if other is None or other.state == AccountState.DISCONNECTED:
        raise AccountGoneError("The account it would stand beside is disconnected.")
    row = save_account(
        session,
        workspace_id=other.workspace_id,
        channel=channel,
        connection=Connection(
            external_id=other.external_id,
            name=other.name,
            handle=other.handle,
            way=other.way,
            store=lambda _session, _account: None,
            settings=settings,
        ),
    )
    row.beside_id, other.beside_id = other.id, row.id
    row.state, row.state_reason = other.state, other.state_reason
    changed(session, row)
    return row


def close_beside(session: Session, account_id: int, channel: str) -> None:
    """Disconnect the account of *channel* beside another, if it is connected."""
    row = find(session, account_id, channel)
    if row is not None:
        disconnect_account(session, row.id)
