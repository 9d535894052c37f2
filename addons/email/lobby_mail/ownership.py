"""Ownership of addresses by workspaces. An address with all its tags, and a domain, belongs to one workspace.

Anyone who could connect any address could read other people's mail. So a new address waits until an admin of
the desk, or an owner of the workspace that owns its domain, approves it. A code sent to the address would
prove nothing, because the mail is read here and delivered to the connected account.
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
"""Maximum number of waiting addresses per workspace."""


class Right(StrEnum):
    """Right of a workspace to an address."""

    KEEPS = "keeps"
    """Its account is live, even if another workspace has the address with another tag from before."""
    HAS = "has"
    ASKS = "asks"
    TAKEN = "taken"


class TooManyAskedError(Exception):
    """Too many addresses of the workspace are waiting."""


def right_to(session: Session, workspace_id: int, address: str, *, locked: bool = False) -> Right:
    """Return whether the workspace owns a non-live address, can request it, or another workspace has it.

    :param locked: in a write that depends on it: what another workspace has is locked.
    """
    if _elsewhere(session, workspace_id, address, locked=locked):
        return Right.TAKEN
    holders = _holders(session, [without_tag(address), domain_of(address)])
    mailbox, domain = holders.get(without_tag(address)), holders.get(domain_of(address))
    return Right.HAS if workspace_id in {mailbox, domain} else Right.ASKS


def take(session: Session, workspace_id: int, address: str) -> None:
    """Record the workspace as the owner of *address*, in the write that connects it.

    :raises AccountTakenError: if the same mailbox is now connected in another workspace.
    """
    name = without_tag(address)
    # A concurrent write for another tag of the address waits here.
    row = session.get(Holding, name, with_for_update=True)
    if row is None:
        session.add(Holding(name=name, workspace_id=workspace_id, since=clock.now()))
    elif row.workspace_id != workspace_id:
        row.workspace_id, row.since = workspace_id, clock.now()
    session.flush()
    if _elsewhere(session, workspace_id, address, locked=True):
        raise AccountTakenError("This mailbox is connected in another workspace already.")


def _elsewhere(session: Session, workspace_id: int, address: str, *, locked: bool) -> bool:
    """Return whether *address*, with any tag, is live in another workspace as an account or an alias."""
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
    queries = (query.with_for_update() if locked else query for query in (of_account, of_alias))
    return any(session.execute(query).first() for query in queries)


def _is_form_of(address: str, column: Any) -> sa.ColumnElement[bool]:
    """Return the condition that *column* has the mailbox of *address*, with a tag or without."""
    name = without_tag(address)
    local, _, domain = name.rpartition("@")
    tagged = sa.and_(
        column.startswith(f"{local}+", autoescape=True), column.endswith(f"@{domain}", autoescape=True)
    )
    return sa.or_(column == name, tagged)


def is_alias_here(session: Session, workspace_id: int, address: str, *, besides: str = "") -> bool:
    """Return whether *address* is an alias of a live account of the workspace.

    :param besides: the address of an account to exclude.
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


# ---- requests ------------------------------------------------------------------------------------------


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
    """Store an account until it is approved, and notify those who can approve it. A repeated request only
    changes its settings.

    :param signed: tokens from signing in at the provider, instead of passwords.
    :param aliases: its aliases; None: those it had.

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
    """Store an alias of *account* until it is approved, and notify those who can approve it.

    :raises TooManyAskedError: if so many of this workspace wait already.
    """
    settings = session.get_one(EmailAccount, account.id)
    row, first = _asked_row(session, account.workspace_id, address, asked_by, account.name)
    _enter(row, smtp.Server(settings.smtp_host, settings.smtp_port, smtp.Security.NONE))
    # An invalid security, so that older releases, which don't know aliases, cannot connect it as an account.
    row.smtp_security = "alias"
    row.smtp_password = row.imap = row.imap_password = row.oauth = row.aliases = None
    row.alias_of = account.id
    _tell_asked(session, row, first=first)


def _asked_row(
    session: Session, workspace_id: int, address: str, asked_by: str, name: str
) -> tuple[AskedAccount, bool]:
    """Return the row of a waiting address, and whether it was just created."""
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
    """Return the number of waiting addresses of a workspace."""
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
    """Delete a waiting account or alias, and notify its owners of the decision."""
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
    """Delete a waiting account or alias that its owners no longer want."""
    session.delete(row)
    details = {"channel": "email"}
    audit(session, "account.withdrawn", row.address, workspace_id=row.workspace_id, details=details)


def give_domain(session: Session, domain: str, workspace_id: int) -> None:
    """Let a workspace connect all addresses of *domain* without approval, and approve them for others."""
    row = session.get(Holding, domain, with_for_update=True)
    if row is None:
        session.add(Holding(name=domain, workspace_id=workspace_id, since=clock.now()))
    else:
        row.workspace_id, row.since = workspace_id, clock.now()
    audit(session, "domain.given", domain, workspace_id=workspace_id)


def release_domain(session: Session, row: Holding) -> None:
    """Release a domain: its new addresses need approval again. Accounts stay."""
    session.delete(row)
    audit(session, "domain.released", row.name, workspace_id=row.workspace_id)


# ---- reading -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting account, as seen by one person.

    :param holder: the workspace that owns its domain.
    :param of: the address of the account it will be an alias of; empty: it will be an account.
    :param mine: whether the person owns the workspace that asked.
    :param decides: whether the person may confirm it.
    """

    row: AskedAccount
    holder: int | None
    mine: bool
    decides: bool
    of: str = ""


def waiting(session: Session, owned: Collection[int], *, admin: bool) -> Sequence[Waiting]:
    """Return the waiting accounts that concern an owner of these workspaces, oldest first."""
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
    """Return the account that a waiting address will be an alias of, or None if it is not connected."""
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
    """Return the aliases a waiting account was entered with; None: those it had."""
    return None if row.aliases is None else json.loads(row.aliases)


def decides(session: Session, address: str, owned: Collection[int]) -> bool:
    """Return whether an owner of these workspaces may confirm *address* for others."""
    return _holders(session, [domain_of(address)]).get(domain_of(address)) in owned


def domains(session: Session, owned: Collection[int], *, admin: bool) -> Sequence[Holding]:
    """Return the domains these workspaces own; all domains for an admin."""
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

    :raises SecretUnreadableError: if it cannot be decrypted.
    """
    place = asked_password_place(row.workspace_id, row.uuid)
    return unseal(row.smtp_password, place) if row.smtp_password else None


def signed_of(row: AskedAccount) -> Signed | None:
    """Return the tokens of a waiting account, or None if it was entered by hand.

    :raises SecretUnreadableError: if it cannot be decrypted.
    """
    return Signed.unpacked(unseal(row.oauth, _oauth_place(row))) if row.oauth else None


def _oauth_place(row: AskedAccount) -> Place:
    return asked_password_place(row.workspace_id, row.uuid, "oauth")
