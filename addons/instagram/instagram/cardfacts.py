"""Facts for the cards of many accounts, read together, because the page of all accounts shows many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from host.sdk import db
from host.sdk.accounts import AccountState
from host.sdk.channel import AccountRef

from .config import COMMENTS_CHANNEL
from .connect.app_webhook import AppProofs, proofs_of
from .models import InstagramAccount, WorkspaceApp
from .monitoring.inspection import PERMISSIONS


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Stored facts about one account, for its card.

    :param messages: whether the messages of these credentials are connected; *comments*: whether comments
        are.
    :param own_app: whether its Meta app is its workspace's own.
    :param warned: permissions already named in a warning of the host.
    """

    row: InstagramAccount
    way: str
    state: str
    connected_at: datetime
    last_event_at: datetime | None
    messages: bool
    comments: bool
    held_comments: bool
    own_app: bool
    warned: Collection[str]
    proofs: AppProofs


def load(accounts: Sequence[AccountRef]) -> dict[int, CardFacts]:
    """Return the facts of accounts by id, except those without credentials. Runs six statements."""
    host, warnings = db.host_table("channel_accounts"), db.host_table("account_warnings")
    homes = {
        one.id: one.beside_id if one.channel == COMMENTS_CHANNEL and one.beside_id else one.id
        for one in accounts
    }
    known = {*homes, *homes.values()}
    columns = host.c.id, host.c.channel, host.c.beside_id, host.c.state, host.c.way
    beside = sa.and_(host.c.beside_id.in_(known), host.c.channel == COMMENTS_CHANNEL)
    seen_query = sa.select(*columns, host.c.connected_at, host.c.last_event_at).where(
        sa.or_(host.c.id.in_(known), beside)
    )
    with db.read() as session:
        seen = {one.id: one for one in session.execute(seen_query)}
        live = [one for one in seen.values() if one.state != AccountState.DISCONNECTED]
        messages = {one.id for one in live}
        comments = {one.beside_id for one in live if one.channel == COMMENTS_CHANNEL}
        held = {
            one.beside_id
            for one in live
            if one.channel == COMMENTS_CHANNEL
            and one.state == AccountState.NEEDS_RECONNECT
            and one.beside_id in seen
            and seen[one.beside_id].state == AccountState.CONNECTED
        }
        rows = {
            row.account_id: row
            for row in session.scalars(
                sa.select(InstagramAccount).where(InstagramAccount.account_id.in_(known))
            )
        }
        brought_query = sa.select(WorkspaceApp).where(
            WorkspaceApp.workspace_id.in_({one.workspace_id for one in accounts})
        )
        brought = {(one.workspace_id, one.flavour): one.app_id for one in session.scalars(brought_query)}
        warned_query = sa.select(warnings.c.account_id, warnings.c.stage).where(
            warnings.c.account_id.in_(homes), warnings.c.kind == PERMISSIONS
        )
        warned = {account_id: stage.split(",") for account_id, stage in session.execute(warned_query)}
    proofs = proofs_of(list(rows.values()))
    found = {}
    for account in accounts:
        row, host_row = rows.get(account.id) or rows.get(homes[account.id]), seen.get(account.id)
        if row is None or host_row is None:
            continue
        found[account.id] = CardFacts(
            row=row,
            way=host_row.way,
            state=host_row.state,
            connected_at=host_row.connected_at,
            last_event_at=host_row.last_event_at,
            messages=row.account_id in messages,
            comments=row.account_id in comments - held,
            held_comments=row.account_id in held,
            own_app=bool(row.app_id) and brought.get((account.workspace_id, row.flavour)) == row.app_id,
            warned=warned.get(account.id, ()),
            proofs=proofs[row.account_id],
        )
    return found
