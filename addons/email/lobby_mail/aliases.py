"""Aliases: additional addresses of an account, whose mail arrives in its mailbox and is answered from them.

:mod:`.ownership` decides who owns an address, as for the address of an account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts, clock, db
from host.sdk.channel import AccountRef
from host.sdk.errors import AccountTakenError
from host.sdk.i18n import gettext as _

from . import ownership
from .addresses import MAX_ADDRESS, normal
from .models import ACCOUNTS, Alias, AskedAccount, Mailbox

MOST = 20
LONGEST = MOST * (MAX_ADDRESS + 1)
"""Most characters of the field with the aliases."""

_BETWEEN = re.compile(r"[\s,;]+")


def _load() -> Mapping[int, tuple[str, ...]]:
    table = db.host_table(ACCOUNTS)
    query = (
        sa.select(Alias.account_id, Alias.address)
        .join(table, table.c.id == Alias.account_id)
        .where(table.c.state != "disconnected")
        .order_by(Alias.account_id, Alias.address)
    )
    found: dict[int, tuple[str, ...]] = {}
    with db.read() as session:
        for account_id, address in session.execute(query):
            found[account_id] = (*found.get(account_id, ()), address)
    return found


known = db.Snapshot(_load)


def of(account_id: int) -> tuple[str, ...]:
    """Return the aliases of a connected account."""
    return known.get().get(account_id, ())


def has(session: Session, account_id: int, address: str) -> bool:
    """Return whether *address* is an alias of an account now, bypassing the cache of :func:`of`."""
    return session.scalar(_of_account(account_id).where(Alias.address == address)) is not None


# ---- input ---------------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """Return the addresses in *text*, one per line, normalised and without duplicates.

    :raises ValueError: with a sentence, if one is invalid, or there are too many.
    """
    given = [one for one in _BETWEEN.split(text) if one]
    found = [(one, normal(one)) for one in given]
    wrong = [one for one, address in found if address is None]
    if wrong:
        raise ValueError(
            _(
                "Not an email address: %(words)s. Enter one address per line, such as orders@example.com.",
                words=", ".join(one[:80] for one in wrong[:5]),
            )
        )
    addresses = list(dict.fromkeys(address for _, address in found if address is not None))
    if len(addresses) > MOST:
        raise ValueError(
            _(
                "You entered %(count)s additional addresses. An account can have up to %(most)s.",
                most=MOST,
                count=len(addresses),
            )
        )
    return "\n".join(addresses)


def split(text: str, address: str) -> list[str]:
    """Return the addresses of a cleaned field, without the account's own."""
    return [one for one in text.split("\n") if one and one != address]


def moved(workspace_id: int, address: str) -> frozenset[str]:
    """Return the aliases of the account *address* if it is live in another workspace."""
    table = db.host_table(ACCOUNTS)
    query = (
        sa.select(Alias.address)
        .join(table, table.c.id == Alias.account_id)
        .where(
            table.c.channel == "email",
            table.c.external_id == address,
            table.c.workspace_id != workspace_id,
            table.c.state != "disconnected",
        )
    )
    with db.read() as session:
        return frozenset(session.scalars(query))


def problem(
    workspace_id: int, address: str, wanted: Collection[str], *, along: Collection[str] = ()
) -> str | None:
    """Return sentences about why the account with *address* cannot have these aliases, or None if it can.

    Aliases that need confirmation are not a problem: they wait.

    :param along: aliases that move with the account from another workspace, with its owner's consent.
    """
    said = []
    asks = 0
    with db.read() as session:
        for one in sorted(wanted):
            if _other_account(session, workspace_id, address, one):
                said.append(_("%(address)s is already connected as a separate account.", address=one))
            elif ownership.is_alias_here(session, workspace_id, one, besides=address):
                said.append(
                    _("%(address)s is already an additional address of another account.", address=one)
                )
            elif _waits_alone(session, workspace_id, address, one):
                said.append(_("%(address)s is already waiting for confirmation.", address=one))
            elif one not in along:
                right = ownership.right_to(session, workspace_id, one)
                asks += right is ownership.Right.ASKS
                if right is ownership.Right.TAKEN:
                    said.append(_("%(address)s belongs to another workspace.", address=one))
        room = ownership.MOST_ASKED - ownership.asked_count(session, workspace_id)
    if said:
        return " ".join(map(str, (*said, _("Remove it here, or disconnect it there first."))))
    if asks > max(0, room):
        return str(
            _(
                "This workspace has too many addresses waiting for confirmation. Withdraw some, "
                "then try again."
            )
        )
    return None


def _other_account(session: Session, workspace_id: int, address: str, alias: str) -> bool:
    return alias != address and ownership.live_workspace(session, alias) == workspace_id


def _waits_alone(session: Session, workspace_id: int, address: str, alias: str) -> bool:
    """Return whether *alias* waits as an account, or for an account of the workspace other than *address*."""
    row = session.scalar(
        sa.select(AskedAccount).where(
            AskedAccount.workspace_id == workspace_id, AskedAccount.address == alias
        )
    )
    if row is None or row.alias_of is None:
        return row is not None
    table = db.host_table(ACCOUNTS)
    return session.scalar(sa.select(table.c.external_id).where(table.c.id == row.alias_of)) not in {
        None,
        address,
    }


# ---- storage -------------------------------------------------------------------------------------------


def store(
    session: Session,
    account: AccountRef,
    wanted: Collection[str] | None,
    *,
    asked_by: str,
    agreed: Callable[[str], bool],
) -> None:
    """Store the aliases of an account, in the write that connects it.

    Aliases that need confirmation wait. Waiting ones that are no longer wanted are withdrawn.

    :param wanted: None: its current ones, except those that now belong to another account.
    :param agreed: returns whether the person connecting has confirmed a given address.
    :raises AccountTakenError: if one now belongs to another account.
    """
    rows = {row.address: row for row in session.scalars(_of_account(account.id))}
    waits = {row.address: row for row in session.scalars(_waiting(account.id))}
    for address in () if wanted is None else waits.keys() - set(wanted):
        ownership.withdraw(session, waits.pop(address))
    for address in () if wanted is None else rows.keys() - set(wanted):
        session.delete(rows.pop(address))
    # A fixed order avoids deadlocks, because each one is locked.
    for address in sorted(rows if wanted is None else wanted):
        right = ownership.right_to(session, account.workspace_id, address, locked=True)
        fine = right is ownership.Right.HAS or (right is ownership.Right.ASKS and agreed(address))
        if wanted is None and (not fine or not _is_free(session, account, address)):
            session.delete(rows[address])
        elif right is ownership.Right.ASKS and not fine:
            if address in rows:
                session.delete(rows[address])
            if address not in waits:
                ownership.ask_alias(session, account, address, asked_by)
        else:
            _take(session, account, address, rows)
            if address in waits:
                session.delete(waits[address])
    session.flush()


def add(session: Session, account: AccountRef, address: str) -> None:
    """Add a confirmed alias to an account.

    :raises AccountTakenError: if it now belongs to another account.
    """
    rows = {row.address: row for row in session.scalars(_of_account(account.id))}
    _take(session, account, address, rows)
    box = session.get(Mailbox, account.id)
    if box is not None:
        box.saved_at = clock.now()  # makes the mailbox's reader reload the settings
    accounts.changed(session)


def _take(session: Session, account: AccountRef, address: str, rows: Mapping[str, Alias]) -> None:
    ownership.take(session, account.workspace_id, address)
    if not _is_free(session, account, address):
        raise AccountTakenError("This address is another account's in this workspace.")
    if address not in rows:
        session.add(Alias(account_id=account.id, address=address))
    session.flush()


def _is_free(session: Session, account: AccountRef, address: str) -> bool:
    own = account.external_id
    return not (
        _other_account(session, account.workspace_id, own, address)
        or ownership.is_alias_here(session, account.workspace_id, address, besides=own)
    )


def forget(session: Session, account_id: int) -> None:
    """Withdraw the waiting aliases of a disconnected account. Confirmed ones prefill the form next time."""
    for row in session.scalars(_waiting(account_id)):
        ownership.withdraw(session, row)


def _of_account(account_id: int) -> sa.Select[Alias]:
    return sa.select(Alias).where(Alias.account_id == account_id).order_by(Alias.address)


def _waiting(account_id: int) -> sa.Select[AskedAccount]:
    return sa.select(AskedAccount).where(AskedAccount.alias_of == account_id).order_by(AskedAccount.address)


# ---- the card ------------------------------------------------------------------------------------------


class AccountAliases(NamedTuple):
    """The aliases of an account: confirmed ones, and those waiting for confirmation."""

    has: list[str]
    waits: list[str]

    @property
    def entered(self) -> str:
        """Return the value of the form field."""
        return "\n".join(sorted({*self.has, *self.waits}))


def shown(session: Session, account_ids: Collection[int]) -> dict[int, AccountAliases]:
    """Return the aliases of accounts, live or not, in one query, because a page shows many accounts."""
    has = sa.select(Alias.account_id, Alias.address, sa.literal(0).label("waits"))
    has = has.where(Alias.account_id.in_(account_ids))
    asked = sa.select(AskedAccount.alias_of, AskedAccount.address, sa.literal(1))
    asked = asked.where(AskedAccount.alias_of.in_(account_ids))
    found = {one: AccountAliases([], []) for one in account_ids}
    both: sa.CompoundSelect[int, str, int] = sa.union_all(has, asked)
    for account_id, address, waits in session.execute(both.order_by("address")):
        (found[account_id].waits if waits else found[account_id].has).append(address)
    return found
