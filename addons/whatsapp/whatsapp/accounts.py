"""Credentials of connected numbers: sealed in the table, with what webhooks need cached."""

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

from .models import WhatsAppAccount

_accounts = db.host_table("channel_accounts")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for using a number.

    :param business_id: the WhatsApp Business Account that owns the number.
    """

    business_id: str
    app_id: str
    token: Secret
    app_secret: Secret
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Bound:
    """A number's data for the webhook. *secret* is empty if it cannot be decrypted."""

    account_id: int
    business_id: str
    app_id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Book:
    """The connected numbers, by their ids, and by the ids of their WhatsApp Business Accounts."""

    by_number: Mapping[str, Bound]
    by_business: Mapping[str, tuple[Bound, ...]]

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """All known app secrets."""
        return tuple(dict.fromkeys(one.secret for one in self.by_number.values() if one.secret))


def _place(column: str, workspace_id: int, uuid: str) -> Place:
    return Place("whatsapp_accounts", column, workspace_id, uuid)


def store(session: Session, account: AccountRef, found: Credentials) -> None:
    """Store the credentials of *account*, replacing earlier ones."""
    where = account.workspace_id, account.uuid
    session.execute(sa.delete(WhatsAppAccount).where(WhatsAppAccount.account_id == account.id))
    session.execute(
        sa.insert(WhatsAppAccount).values(
            account_id=account.id,
            business_id=found.business_id,
            app_id=found.app_id,
            token=seal(found.token, _place("token", *where)),
            app_secret=seal(found.app_secret, _place("app_secret", *where)),
            set_at=clock.now(),
        )
    )


def of(account: AccountRef) -> Credentials | None:
    """Return the credentials of *account*, or None if there are none or they cannot be decrypted."""
    return of_all([account]).get(account.id)


def of_all(accounts: Sequence[AccountRef]) -> dict[int, Credentials]:
    """Return the readable credentials of *accounts*, by id. Runs one statement."""
    query = sa.select(WhatsAppAccount).where(WhatsAppAccount.account_id.in_([one.id for one in accounts]))
    with db.read() as session:
        rows = {row.account_id: row for row in session.scalars(query)}
    found = {}
    for account in accounts:
        where, row = (account.workspace_id, account.uuid), rows.get(account.id)
        if row is None:
            continue
        with suppress(SecretUnreadableError):
            found[account.id] = Credentials(
                business_id=row.business_id,
                app_id=row.app_id,
                token=unseal(row.token, _place("token", *where)),
                app_secret=unseal(row.app_secret, _place("app_secret", *where)),
                set_at=row.set_at,
            )
    return found


def others_of(account: AccountRef, business_id: str) -> bool:
    """Return whether another connected account has a number of the same WhatsApp Business Account."""
    return any(one.account_id != account.id for one in book.get().by_business.get(business_id, ()))


def _load() -> Book:
    query = (
        sa.select(
            *(_accounts.c.id, _accounts.c.workspace_id, _accounts.c.uuid, _accounts.c.external_id),
            *(WhatsAppAccount.business_id, WhatsAppAccount.app_id, WhatsAppAccount.app_secret),
        )
        .join(WhatsAppAccount, WhatsAppAccount.account_id == _accounts.c.id)
        .where(_accounts.c.state != AccountState.DISCONNECTED)
    )
    by_number: dict[str, Bound] = {}
    by_business: dict[str, tuple[Bound, ...]] = {}
    with db.read() as session:
        for row in session.execute(query):
            secret = b""
            with suppress(SecretUnreadableError):
                opened = unseal(row.app_secret, _place("app_secret", row.workspace_id, row.uuid))
                secret = opened.reveal().encode()
            bound = Bound(row.id, row.business_id, row.app_id, secret)
            by_number[row.external_id] = bound
            by_business[row.business_id] = (*by_business.get(row.business_id, ()), bound)
    return Book(by_number, by_business)


book = db.Snapshot(_load)
"""The connected numbers. A request costs no query."""
