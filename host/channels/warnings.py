"""Raise and clear warnings about accounts; notify the people responsible once for each.

Functions that write run inside a write. A warning is one row per account and kind. The transaction that
inserts the row, or changes its stage, also writes the notifications. So people are notified once, even if
several processes notice the same problem at the same time.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events.writing import show
from host.models.channels import AccountState, AccountWarning, ChannelAccount
from host.notifications.notify import Message, kept, notify_responsible, settle
from host.sdk.i18n import noop

_table = AccountWarning.metadata.tables["account_warnings"]

CANNOT_SEND = noop("Its credentials are no longer valid, so it cannot send.")
RECONNECT = noop(
    "Incoming messages are kept, and replies wait. Reconnect the account; all conversations are kept."
)
PERMISSION = noop(
    "Incoming messages are kept, and replies wait until it is back. Its row under Channels says what to do."
)


def raise_warning(
    session: Session,
    account_id: int,
    *,
    kind: str,
    sentence: str,
    next_step: str = "",
    details: Mapping[str, str | datetime] | None = None,
    stage: str = "",
    tone: str = "warn",
    notify: bool = True,
) -> bool:
    """Store a warning and notify people, unless it already has this stage; return whether it is new.

    Do nothing for an account that is disconnected or deleted.

    :param notify: False: people are notified separately, because it concerns several accounts.
    """
    account = session.get(ChannelAccount, account_id)
    if account is None or account.state == AccountState.DISCONNECTED:
        return False
    mine = uuid.uuid4().hex
    values = {
        "uuid": mine,
        "stage": stage[:64],
        "tone": tone,
        "sentence": sentence,
        "next_step": next_step,
        "details": kept(details or {}),
        "since": clock.now(),
    }
    key = _table.c.account_id == account_id, _table.c.kind == kind
    dialect = session.get_bind().dialect.name
    session.execute(db.insert_ignore(_table, dialect).values(account_id=account_id, kind=kind, **values))
    if session.scalar(sa.select(_table.c.uuid).where(*key)) != mine:
        moved = session.execute(
            sa.update(_table).where(*key, _table.c.stage != values["stage"]).values(**values)
        )
        if not moved.rowcount:  # type: ignore[attr-defined]
            return False
    if notify:
        notify_owners(session, account, sentence, next_step, details or {}, tone)
    show(session, account.workspace_id, "account", account_id=account_id)
    return True


def notify_owners(
    session: Session,
    account: ChannelAccount,
    sentence: str,
    next_step: str,
    details: Mapping[str, str | datetime],
    tone: str,
) -> None:
    """Notify the owners of an account's workspace, and the admins."""
    message = Message(account.handle or account.name, sentence, next_step, details, tone)
    path = f"/w/{account.workspace_id}/settings/channels?account={account.id}#account-{account.id}"
    notify_responsible(session, account.workspace_id, message, path=path, account_id=account.id)


def tell_cannot_send(session: Session, account: ChannelAccount, *, alone: bool = False) -> None:
    """Notify people that an account must be reconnected, or, with *alone*, lacks a permission."""
    step = PERMISSION if alone else RECONNECT
    notify_owners(session, account, account.state_reason or CANNOT_SEND, step, {}, "bad")


def settle_cannot_send(session: Session, account: ChannelAccount) -> None:
    """Mark the notifications of :func:`tell_cannot_send` as read; call it before the reason is cleared."""
    title = account.handle or account.name
    settle(session, account.workspace_id, title, [account.state_reason or CANNOT_SEND])


def clear(session: Session, account_id: int, kind: str | None = None) -> int:
    """Remove one or all warnings of an account; return the number removed.

    Notifications about it are marked as read, and mails not sent yet are cancelled.
    """
    where = [_table.c.account_id == account_id, *([] if kind is None else [_table.c.kind == kind])]
    sentences = list(session.scalars(sa.select(_table.c.sentence).where(*where)))
    if not sentences:
        return 0
    gone = session.execute(sa.delete(_table).where(*where))
    count = int(gone.rowcount)  # type: ignore[attr-defined]
    account = session.get(ChannelAccount, account_id) if count else None
    if account is not None:
        settle(session, account.workspace_id, account.handle or account.name, sentences)
        show(session, account.workspace_id, "account", account_id=account_id)
    return count


def in_need(session: Session, workspace_id: int) -> tuple[int, int]:
    """Return how many accounts of a workspace have stopped, and how many others have warnings."""
    rows = session.execute(
        sa.select(ChannelAccount.id, ChannelAccount.state, ChannelAccount.blocked_until, _table.c.tone)
        .outerjoin(_table, _table.c.account_id == ChannelAccount.id)
        .where(ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED)
    ).all()
    bad = {row.id for row in rows if row.state == AccountState.NEEDS_RECONNECT or row.tone == "bad"}
    warn = {row.id for row in rows if row.blocked_until or row.tone == "warn"} - bad
    return len(bad), len(warn)


def standing_warnings(session: Session, account_ids: Iterable[int]) -> dict[int, list[AccountWarning]]:
    """Return the warnings of accounts, oldest first."""
    query = (
        sa.select(AccountWarning)
        .where(AccountWarning.account_id.in_(list(account_ids)))
        .order_by(AccountWarning.since, AccountWarning.kind)
    )
    found: dict[int, list[AccountWarning]] = {}
    for row in session.scalars(query):
        found.setdefault(row.account_id, []).append(row)
    return found
