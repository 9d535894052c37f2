"""Ownership of addresses by workspaces. Mail for an address, its tag forms and its domain goes to one.

If anybody could enter any address, they could read others' mail. So a new address waits until an admin of the
desk, or an owner of the workspace that holds its domain, approves it. A code sent to the address would prove
nothing, because the mail is read here and delivered to the connected account.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts, clock
from host.sdk.channel import AccountRef
from host.sdk.db import host_table
from host.sdk.errors import AccountTakenError
from host.sdk.i18n import noop
from host.sdk.secrets import Place, Secret, seal, unseal
from host.sdk.web import audit

from . import mailbox_card, smtp
from .addresses import domain_of, without_tag
from .models import ACCOUNTS, Alias, AskedAccount, EmailAccount, Holding, account_ref, asked_password_place
from .oauth.tokens import Signed

PAGE = "/addons/email/addresses"
MOST_ASKED = 50
"""Addresses of one workspace that may wait."""


class Right(StrEnum):
    """Right of a workspace to an address."""

    KEEPS = "keeps"
    """Its account is live, whoever else has a form of the address from before."""
    HAS = "has"
    ASKS = "asks"
    TAKEN = "taken"


class TooManyAskedError(Exception):
    """The workspace has asked for so many already."""


def right_to(session: Session, workspace_id: int, address: str) -> Right:
    """Return whether an address that is not live is the workspace's, can be asked for, or is another's."""
    if _elsewhere(session, workspace_id, address):
        return Right.TAKEN
    holders = _holders(session, [without_tag(address), domain_of(address)])
    mailbox, domain = holders.get(without_tag(address)), holders.get(domain_of(address))
    return Right.HAS if workspace_id in {mailbox, domain} else Right.ASKS


def take(session: Session, workspace_id: int, address: str) -> None:
    """Note that *address* is the workspace's, in the write that connects it.

    :raises AccountTakenError: if the same mailbox is connected in another workspace by now.
    """
    name = without_tag(address)
    # Whoever takes one of its forms meanwhile waits here.
    row = session.get(Holding, name, with_for_update=True)
    if row is None:
        session.add(Holding(name=name, workspace_id=workspace_id, since=clock.now()))
    elif row.workspace_id != workspace_id:
        row.workspace_id, row.since = workspace_id, clock.now()
    session.flush()
    if _elsewhere(session, workspace_id, address):
        raise AccountTakenError("This mailbox is connected in another workspace already.")


def _elsewhere(session: Session, workspace_id: int, address: str) -> bool:
    """Return whether a form of *address* is live in another workspace, as an account or a further address."""
    table = host_table(ACCOUNTS)
    live = sa.and_(
        table.c.channel == "email", table.c.workspace_id != workspace_id, table.c.state != "disconnected"
    )
    of_account = sa.select(table.c.id).where(live, _is_form_of(address, table.c.external_id))
    of_alias = (
        sa.select(table.c.id)
        .join(Alias, Alias.account_id == table.c.id)
        .where(live, _is_form_of(address, Alias.address))
    )
    return any(session.execute(query.with_for_update()).first() for query in (of_account, of_alias))


def _is_form_of(address: str, column: Any) -> sa.ColumnElement[bool]:
    """Return the condition that *column* has the mailbox of *address*, with a tag or without."""
    name = without_tag(address)
    local, _, domain = name.rpartition("@")
    tagged = sa.and_(
        column.startswith(f"{local}+", autoescape=True), column.endswith(f"@{domain}", autoescape=True)
    )
    return sa.or_(column == name, tagged)


def is_alias_here(session: Session, workspace_id: int, address: str, *, besides: str = "") -> bool:
    """Return whether *address* is a further address of a live account of the workspace.

    :param besides: the address of an account that does not count.
    """
    table = host_table(ACCOUNTS)
    query = (
        sa.select(table.c.id)
        .join(Alias, Alias.account_id == table.c.id)
        .where(
            Alias.address == address,
            table.c.workspace_id == workspace_id,
            table.c.external_id != besides,
            table.c.state != "disconnected",
        )
    )
    return session.execute(query).first() is not None


def live_workspace(session: Session, address: str) -> int | None:
    """Return the workspace in which exactly this address is live, or None."""
    table = host_table(ACCOUNTS)
    query = sa.select(table.c.workspace_id).where(
        table.c.channel == "email", table.c.external_id == address, table.c.state != "disconnected"
    )
    return session.scalar(query)


def _holders(session: Session, names: Collection[str]) -> dict[str, int]:
    if not names:
        return {}
    query = sa.select(Holding.name, Holding.workspace_id).where(Holding.name.in_(names))
    return {row.name: row.workspace_id for row in session.execute(query)}


# ---- asking --------------------------------------------------------------------------------------------


def ask(
    session: Session,
    workspace_id: int,
    asked_by: str,
    name: str,
    address: str,
    server: smtp.Server,
    mailbox: mailbox_card.MailboxForm | None = None,
    signed: Signed | None = None,
    aliases: Collection[str] | None = None,
) -> None:
    """Keep an account until somebody agrees, and tell those who can. Asked again, only the settings change.

    :param signed: what signing in at the provider gave, in place of passwords.
    :param aliases: its further addresses; None: those it had.

    :raises TooManyAskedError: if so many of this workspace wait already.
    """
    row, first = _asked_row(session, workspace_id, address, asked_by, name)
    _enter(row, server)
    row.smtp_password = None
    if server.user and server.password is not None:
        row.smtp_password = seal(server.password, asked_password_place(workspace_id, row.uuid))
    mailbox_card.keep_asked(row, mailbox)
    row.oauth = None if signed is None else seal(signed.packed(), _oauth_place(row))
    row.alias_of = None
    row.aliases = None if aliases is None else json.dumps(sorted(aliases))
    _tell_asked(session, row, first=first)


def ask_alias(session: Session, account: AccountRef, address: str, asked_by: str) -> None:
    """Keep a further address of *account* until somebody agrees, and tell those who can.

    :raises TooManyAskedError: if so many of this workspace wait already.
    """
    settings = session.get_one(EmailAccount, account.id)
    row, first = _asked_row(session, account.workspace_id, address, asked_by, account.name)
    _enter(row, smtp.Server(settings.smtp_host, settings.smtp_port, smtp.Security.NONE))
    # No security there is: a release that knows no further addresses connects no account with it.
    row.smtp_security = "alias"
    row.smtp_password = row.imap = row.imap_password = row.oauth = row.aliases = None
    row.alias_of = account.id
    _tell_asked(session, row, first=first)


def _asked_row(
    session: Session, workspace_id: int, address: str, asked_by: str, name: str
) -> tuple[AskedAccount, bool]:
    """Return the row of an address that waits, and whether it was made just now."""
    mine = sa.select(AskedAccount).where(AskedAccount.workspace_id == workspace_id)
    row = session.scalars(mine.where(AskedAccount.address == address)).one_or_none()
    first = row is None
    if row is None:
        if asked_count(session, workspace_id) >= MOST_ASKED:
            raise TooManyAskedError
        row = AskedAccount(
            uuid=uuid.uuid4().hex, workspace_id=workspace_id, address=address, asked_at=clock.now()
        )
        session.add(row)
    row.asked_by, row.name = asked_by[:120], name[:120]
    return row, first


def asked_count(session: Session, workspace_id: int) -> int:
    """Return how many addresses of a workspace wait."""
    query = sa.select(sa.func.count(AskedAccount.id)).where(AskedAccount.workspace_id == workspace_id)
    return session.scalar(query) or 0


def _enter(row: AskedAccount, server: smtp.Server) -> None:
    row.smtp_host, row.smtp_port, row.smtp_security = server.host, server.port, str(server.security)
    row.smtp_user = server.user


def _tell_asked(session: Session, row: AskedAccount, *, first: bool) -> None:
    address, workspace_id = row.address, row.workspace_id
    session.flush()
    audit(session, "account.asked_for", address, workspace_id=workspace_id, details={"channel": "email"})
    if not first:
        return
    holder = _holders(session, [domain_of(address)]).get(domain_of(address))
    accounts.tell(
        session,
        address,
        noop("The workspace %(workspace)s wants to receive mail for this address."),
        next_step=noop("Review it, then confirm or decline."),
        details={"workspace": workspace_names(session, [workspace_id]).get(workspace_id, "")},
        owners_of=[] if holder is None else [holder],
        admins=True,
        path=PAGE,
    )


def answered(session: Session, row: AskedAccount, *, agreed: bool) -> None:
    """Drop an account or a further address that waited, and tell its owners what became of it."""
    session.delete(row)
    action = "account.confirmed" if agreed else "account.declined"
    audit(session, action, row.address, workspace_id=row.workspace_id, details={"channel": "email"})
    sentence = (
        noop("This address was confirmed. Its mail now arrives in your inbox.")
        if agreed
        else noop("This address was declined and isn't connected. No mail was received for it.")
        if row.alias_of is None
        else noop("This address was declined, so no replies are sent from it.")
    )
    accounts.tell(
        session,
        row.address,
        sentence,
        owners_of=[row.workspace_id],
        path=f"/w/{row.workspace_id}/settings/channels",
    )


def withdraw(session: Session, row: AskedAccount) -> None:
    """Drop an account or a further address that its owners no longer want."""
    session.delete(row)
    details = {"channel": "email"}
    audit(session, "account.withdrawn", row.address, workspace_id=row.workspace_id, details=details)


def give_domain(session: Session, domain: str, workspace_id: int) -> None:
    """Let a workspace connect every address of *domain* by itself, and confirm it for others."""
    row = session.get(Holding, domain, with_for_update=True)
    if row is None:
        session.add(Holding(name=domain, workspace_id=workspace_id, since=clock.now()))
    else:
        row.workspace_id, row.since = workspace_id, clock.now()
    audit(session, "domain.given", domain, workspace_id=workspace_id)


def release_domain(session: Session, row: Holding) -> None:
    """Take a domain back: new addresses of it have to be confirmed again. Accounts stay."""
    session.delete(row)
    audit(session, "domain.released", row.name, workspace_id=row.workspace_id)


# ---- reading -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """An account that waits, as one person sees it.

    :param holder: the workspace that holds its domain.
    :param of: the address of the account it is to be a further address of; empty: of none.
    :param mine: whether the person owns the workspace that asked.
    :param decides: whether the person may confirm it.
    """

    row: AskedAccount
    holder: int | None
    mine: bool
    decides: bool
    of: str = ""


def waiting(session: Session, owned: Collection[int], *, admin: bool) -> Sequence[Waiting]:
    """Return the accounts that wait and concern somebody who owns these workspaces, oldest first."""
    rows = list(session.scalars(sa.select(AskedAccount).order_by(AskedAccount.id)))
    holders = _holders(session, {domain_of(row.address) for row in rows})
    table = host_table(ACCOUNTS)
    ids = {row.alias_of for row in rows if row.alias_of is not None}
    of = dict(session.execute(sa.select(table.c.id, table.c.external_id).where(table.c.id.in_(ids))).all())
    found = []
    for row in rows:
        holder = holders.get(domain_of(row.address))
        mine, decides = row.workspace_id in owned, admin or holder in owned
        if mine or decides:
            found.append(Waiting(row, holder, mine, decides, of.get(row.alias_of, "")))
    return found


def account_of(session: Session, row: AskedAccount) -> AccountRef | None:
    """Return the account that an address is to be a further one of, or None if it is not connected."""
    table = host_table(ACCOUNTS)
    found = session.execute(
        sa.select(table).where(
            table.c.id == row.alias_of,
            table.c.workspace_id == row.workspace_id,
            table.c.state != "disconnected",
        )
    ).one_or_none()
    return None if found is None else account_ref(found)


def aliases_of(row: AskedAccount) -> list[str] | None:
    """Return the further addresses an account that waits was entered with; None: those it had."""
    return None if row.aliases is None else json.loads(row.aliases)


def decides(session: Session, address: str, owned: Collection[int]) -> bool:
    """Return whether an owner of these workspaces may confirm *address* for others."""
    return _holders(session, [domain_of(address)]).get(domain_of(address)) in owned


def domains(session: Session, owned: Collection[int], *, admin: bool) -> Sequence[Holding]:
    """Return the domains that are held, all of them for an admin."""
    query = sa.select(Holding).where(Holding.name.not_like("%@%")).order_by(Holding.name)
    return list(session.scalars(query if admin else query.where(Holding.workspace_id.in_(owned))))


def workspace_names(session: Session, ids: Collection[int]) -> Mapping[int, str]:
    """Return the names of workspaces by id."""
    table = host_table("workspaces")
    return {
        row.id: row.name
        for row in session.execute(sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids)))
    }


def password_of(row: AskedAccount) -> Secret | None:
    """Return the password an account was entered with.

    :raises SecretUnreadableError: if it cannot be opened any more.
    """
    place = asked_password_place(row.workspace_id, row.uuid)
    return unseal(row.smtp_password, place) if row.smtp_password else None


def signed_of(row: AskedAccount) -> Signed | None:
    """Return what signing in gave for an account that waits, or None if it was entered by hand.

    :raises SecretUnreadableError: if it cannot be opened any more.
    """
    return Signed.unpacked(unseal(row.oauth, _oauth_place(row))) if row.oauth else None


def _oauth_place(row: AskedAccount) -> Place:
    return asked_password_place(row.workspace_id, row.uuid, "oauth")
