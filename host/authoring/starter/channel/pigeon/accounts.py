"""The tokens of connected accounts: sealed in the table, and cached for the webhook."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import db
from host.sdk.channel import AccountRef
from host.sdk.secrets import Place, Secret, SecretUnreadableError, seal, unseal

from .models import PigeonAccount

_accounts = db.host_table("channel_accounts")


def _place(workspace_id: int, uuid: str) -> Place:
    return Place("pigeon_accounts", "token", workspace_id, uuid)


def store(session: Session, account: AccountRef, token: Secret) -> None:
    """Store the token of *account*, replacing the previous one."""
    sealed = seal(token, _place(account.workspace_id, account.uuid))
    session.execute(sa.delete(PigeonAccount).where(PigeonAccount.account_id == account.id))
    session.execute(sa.insert(PigeonAccount).values(account_id=account.id, token=sealed))


def token_of(account: AccountRef) -> Secret | None:
    """Return the token of *account*; None if it has none, or it cannot be read."""
    with db.read() as session:
        sealed = session.scalar(sa.select(PigeonAccount.token).where(PigeonAccount.account_id == account.id))
    try:
        return None if sealed is None else unseal(sealed, _place(account.workspace_id, account.uuid))
    except SecretUnreadableError:
        return None


def _load() -> Mapping[str, tuple[int, Secret]]:
    query = (
        sa.select(_accounts.c.id, _accounts.c.workspace_id, _accounts.c.uuid, PigeonAccount.token)
        .join(PigeonAccount, PigeonAccount.account_id == _accounts.c.id)
        .where(_accounts.c.state != "disconnected")
    )
    found = {}
    with db.read() as session:
        for row in session.execute(query):
            try:
                found[row.uuid] = row.id, unseal(row.token, _place(row.workspace_id, row.uuid))
            except SecretUnreadableError:
                continue  # its requests are refused, and the provider sends them again
    return found


by_uuid = db.Snapshot(_load)
"""UUID of each connected account -> its id and token. A request from the provider costs no query."""
