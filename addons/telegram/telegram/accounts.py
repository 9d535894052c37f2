"""Credentials of connected bots: sealed in the table, with the webhook secrets cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.accounts import AccountState
from host.sdk.channel import AccountRef
from host.sdk.secrets import Place, Secret, SecretUnreadableError, seal, unseal

from .models import TelegramAccount

_accounts = db.host_table("channel_accounts")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for calling Telegram for a bot, and for verifying its requests."""

    token: Secret
    secret: Secret
    token_set_at: datetime


@dataclass(frozen=True, slots=True)
class Bound:
    """A bot's data for the webhook."""

    account_id: int
    secret: bytes = field(repr=False)


def _place(column: str, workspace_id: int, uuid: str) -> Place:
    return Place("telegram_accounts", column, workspace_id, uuid)


def store(session: Session, account: AccountRef, token: Secret, secret: Secret) -> None:
    """Store the credentials of *account*, replacing earlier ones."""
    where = account.workspace_id, account.uuid
    session.execute(sa.delete(TelegramAccount).where(TelegramAccount.account_id == account.id))
    session.execute(
        sa.insert(TelegramAccount).values(
            account_id=account.id,
            token=seal(token, _place("token", *where)),
            secret=seal(secret, _place("secret", *where)),
            token_set_at=clock.now(),
        )
    )


def of(account: AccountRef) -> Credentials | None:
    """Return the credentials of *account*, or None if there are none or they cannot be decrypted."""
    return of_all([account]).get(account.id)


def of_all(accounts: Sequence[AccountRef]) -> dict[int, Credentials]:
    """Return the readable credentials of *accounts*, by id. Runs one statement."""
    query = sa.select(TelegramAccount).where(TelegramAccount.account_id.in_([one.id for one in accounts]))
    with db.read() as session:
        rows = {row.account_id: row for row in session.scalars(query)}
    found = {}
    for account in accounts:
        where, row = (account.workspace_id, account.uuid), rows.get(account.id)
        if row is None:
            continue
        with suppress(SecretUnreadableError):
            found[account.id] = Credentials(
                token=unseal(row.token, _place("token", *where)),
                secret=unseal(row.secret, _place("secret", *where)),
                token_set_at=row.token_set_at,
            )
    return found


def _load() -> Mapping[str, Bound]:
    query = (
        sa.select(
            *(_accounts.c.id, _accounts.c.workspace_id, _accounts.c.uuid, _accounts.c.external_id),
            TelegramAccount.secret,
        )
        .join(TelegramAccount, TelegramAccount.account_id == _accounts.c.id)
        .where(_accounts.c.state != AccountState.DISCONNECTED)
    )
    found = {}
    with db.read() as session:
        for row in session.execute(query):
            try:
                opened = unseal(row.secret, _place("secret", row.workspace_id, row.uuid))
            except SecretUnreadableError:
                continue  # its requests are refused, and Telegram retries them
            found[row.external_id] = Bound(row.id, opened.reveal().encode())
    return found


secrets = db.Snapshot(_load)
"""Webhook data of each connected bot, by bot id. A request costs no query."""
