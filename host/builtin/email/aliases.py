"""Further addresses of an account (aliases): mail for them lands in its mailbox, and is answered from them.

Whose an address is decides :mod:`.ownership`, as for the address of an account.
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
"""Most characters of the field that names them."""

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
    """Return the further addresses of a live account."""
    return known.get().get(account_id, ())


def has(session: Session, account_id: int, address: str) -> bool:
    """Tell whether *address* is a further one of an account now, whatever :func:`of` remembers."""
    return session.scalar(_of_account(account_id).where(Alias.address == address)) is not None


# ---- what is entered -----------------------------------------------------------------------------------


def clean(text: str) -> str:
    """Return the addresses of *text*, one on each line, each once and in normal form.

    :raises ValueError: with a sentence, if one is no address, or there are too many.
    """
    given = [one for one in _BETWEEN.split(text) if one]
    found = [(one, normal(one)) for one in given]
    wrong = [one for one, address in found if address is None]
    if wrong:
        raise ValueError(
            _(
                "Not an e-mail address: %(words)s. Write each on a line of its own, like orders@example.com.",
                words=", ".join(one[:80] for one in wrong[:5]),
            )
        )
    addresses = list(dict.fromkeys(address for _, address in found if address is not None))
    if len(addresses) > MOST:
        raise ValueError(
            _(
                "An account has at most %(most)s further addresses, and these are %(count)s.",
                most=MOST,
                count=len(addresses),
            )
        )
    return "\n".join(addresses)


def split(text: str, address: str) -> list[str]:
    """Return the addresses of a cleaned field, without that of the account itself."""
    return [one for one in text.split("\n") if one and one != address]


def moved(workspace_id: int, address: str) -> frozenset[str]:
    """Return the further addresses of the account *address* where it is live in another workspace."""
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
    """Return why the account with *address* cannot have these further addresses, in sentences; None: it can.

    Those that somebody has to confirm are no problem: they wait.

    :param along: those that come with the account from another workspace, whose owner agreed to that.
    """
    said = []
    asks = 0
    with db.read() as session:
        for one in sorted(wanted):
            if _other_account(session, workspace_id, address, one):
                said.append(_("%(address)s is connected as an account of its own.", address=one))
            elif ownership.is_alias_here(session, workspace_id, one, besides=address):
                said.append(_("%(address)s is a further address of another account.", address=one))
            elif _waits_alone(session, workspace_id, address, one):
                said.append(_("%(address)s waits to be confirmed already.", address=one))
            elif one not in along:
                right = ownership.right_to(session, workspace_id, one)
                asks += right is ownership.Right.ASKS
                if right is ownership.Right.TAKEN:
                    said.append(_("%(address)s belongs to another workspace.", address=one))
        room = ownership.MOST_ASKED - ownership.asked_count(session, workspace_id)
    if said:
        return " ".join(map(str, (*said, _("Take it out here, or disconnect it there first."))))
    if asks > max(0, room):
        return str(_("Many addresses of this workspace wait to be confirmed. Withdraw some, then try again."))
    return None


def _other_account(session: Session, workspace_id: int, address: str, alias: str) -> bool:
    return alias != address and ownership.live_workspace(session, alias) == workspace_id


def _waits_alone(session: Session, workspace_id: int, address: str, alias: str) -> bool:
    """Tell whether *alias* waits as an account, or for another account of the workspace than *address*."""
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


# ---- keeping them --------------------------------------------------------------------------------------


def store(
    session: Session,
    account: AccountRef,
    wanted: Collection[str] | None,
    *,
    asked_by: str,
    agreed: Callable[[str], bool],
) -> None:
    """Keep the further addresses of an account, in the write that connects it.

    What somebody has to confirm waits, and what waited and is not wanted any more is withdrawn.

    :param wanted: None: those it has, but for what belongs to somebody else by now.
    :param agreed: tells of an address that has to be confirmed whether whoever connects has confirmed it.
    :raises AccountTakenError: if one belongs to somebody else by now.
    """
    rows = {row.address: row for row in session.scalars(_of_account(account.id))}
    waits = {row.address: row for row in session.scalars(_waiting(account.id))}
    for address in () if wanted is None else waits.keys() - set(wanted):
        ownership.withdraw(session, waits.pop(address))
    for address in () if wanted is None else rows.keys() - set(wanted):
        session.delete(rows.pop(address))
    # In one order, whoever writes: each of them is locked.
    for address in sorted(rows if wanted is None else wanted):
        right = ownership.right_to(session, account.workspace_id, address)
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
    """Give an account a further address that was confirmed.

    :raises AccountTakenError: if it belongs to somebody else by now.
    """
    rows = {row.address: row for row in session.scalars(_of_account(account.id))}
    _take(session, account, address, rows)
    box = session.get(Mailbox, account.id)
    if box is not None:
        box.saved_at = clock.now()  # whoever reads it takes the settings anew
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
    """Withdraw what waits for an account that is disconnected. What it has fills the form next time."""
    for row in session.scalars(_waiting(account_id)):
        ownership.withdraw(session, row)


def _of_account(account_id: int) -> sa.Select[Alias]:
    return sa.select(Alias).where(Alias.account_id == account_id).order_by(Alias.address)


def _waiting(account_id: int) -> sa.Select[AskedAccount]:
    return sa.select(AskedAccount).where(AskedAccount.alias_of == account_id).order_by(AskedAccount.address)


# ---- what the card shows -------------------------------------------------------------------------------


class Shown(NamedTuple):
    """The further addresses of an account: those it has, and those that wait to be confirmed."""

    has: list[str]
    waits: list[str]

    @property
    def entered(self) -> str:
        """What fills the form."""
        return "\n".join(sorted({*self.has, *self.waits}))


def shown(session: Session, account_ids: Collection[int]) -> dict[int, Shown]:
    """Return the further addresses of accounts, live or not, in one query: a page shows many accounts."""
    has = sa.select(Alias.account_id, Alias.address, sa.literal(0).label("waits"))
    has = has.where(Alias.account_id.in_(account_ids))
    asked = sa.select(AskedAccount.alias_of, AskedAccount.address, sa.literal(1))
    asked = asked.where(AskedAccount.alias_of.in_(account_ids))
    found = {one: Shown([], []) for one in account_ids}
    both: sa.CompoundSelect[int, str, int] = sa.union_all(has, asked)
    for account_id, address, waits in session.execute(both.order_by("address")):
        (found[account_id].waits if waits else found[account_id].has).append(address)
    return found
