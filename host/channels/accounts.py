"""Connect, change and disconnect channel accounts. Everything here runs inside a write."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from msgspec import UNSET, UnsetType
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host import counters
from host.channels import warnings
from host.core import clock
from host.core.errors import InvalidError
from host.events.kinds.accounts import ACCOUNT_CONNECTED, ACCOUNT_DISCONNECTED, ACCOUNT_STOPPED
from host.events.writing import Happened, record, show
from host.media.expiry import recheck_account
from host.media.retention import SETTING, Retention
from host.models.channels import AccountState, ChannelAccount, ref
from host.queue import catch_ups, outbox
from host.sdk.cards import Connection
from host.sdk.errors import AccountGoneError, AccountTakenError, OtherAccountError
from host.users import audit
from host.users.actor import UnitOfWork

MAX_CLAIM = 512
MOST_MINUTES = 30 * 24 * 60


def claim_of(channel: str, external_id: str) -> str:
    """Return the unique value of a live account of *channel*, which prevents a second live one.

    :raises ValueError: for an id that cannot be one: empty, or longer than the column.
    """
    claim = f"{channel}:{external_id}"
    if not external_id or len(claim) > MAX_CLAIM:
        raise ValueError("The provider's id of the account is empty or too long to be one.")
    return claim


def owner_of(session: Session, channel: str, external_id: str) -> tuple[int, int] | None:
    """Return (account id, workspace id) of the live account of *channel* with this id, or None."""
    query = sa.select(ChannelAccount.id, ChannelAccount.workspace_id).where(
        ChannelAccount.claim == claim_of(channel, external_id)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row.id, row.workspace_id)


def save_account(
    session: Session,
    *,
    workspace_id: int,
    channel: str,
    connection: Connection,
    account_id: int | None = None,
) -> ChannelAccount:
    """Store an account that the provider accepted, together with the addon's own row.

    An account this workspace already has, live or disconnected, keeps its row and so its conversations.
    Replies held back because of the old credentials are sent, and missed messages are fetched from the
    provider.

    :param account_id: the account being changed; None: connect or reconnect.
    :raises AccountTakenError: if it is live in another workspace; the first write wins.
    :raises OtherAccountError: if the new credentials belong to another account than *account_id*.
    :raises AccountGoneError: if *account_id* is not an account of that channel in that workspace.
    :raises ValueError: for an external id that cannot be stored.
    """
    claim_of(channel, connection.external_id)
    row = _find(session, workspace_id, channel, connection.external_id, account_id)
    known = row is not None
    connected_now = row is None or row.state != AccountState.CONNECTED
    # Messages from a disconnected period cause no notifications; those from waiting for credentials do.
    was_gone = row is None or row.state == AccountState.DISCONNECTED
    _settle_stop(session, row)
    try:
        with session.begin_nested():
            row = _fill(session, row, workspace_id, channel, connection)
            session.flush()
    except IntegrityError:
        owner = owner_of(session, channel, connection.external_id)
        if owner is None:
            raise
        if owner[1] != workspace_id or (account_id is not None and owner[0] != account_id):
            raise AccountTakenError("This account is connected in another workspace already.") from None
        # Save was pressed twice: the first press created the row.
        known = True
        row = _fill(session, session.get(ChannelAccount, owner[0]), workspace_id, channel, connection)
        session.flush()
    connection.store(session, ref(row))
    session.flush()
    if connection.renewed:
        warnings.clear(session, row.id)
    if known:
        outbox.resume_account(session, row.id)
    if connected_now:
        catch_ups.ask(session, row.id, missed_since=clock.now() if was_gone else None, anew=was_gone)
    if row.beside_id is not None and connection.renewed:
        _resume_beside(session, row.beside_id)
    changed(session, row, ACCOUNT_CONNECTED if connected_now else "")
    return row


def _settle_stop(session: Session, row: ChannelAccount | None) -> None:
    """Mark as read the notifications that an account cannot send, as it can again, or is disconnected."""
    if row is not None and row.state == AccountState.NEEDS_RECONNECT:
        warnings.settle_cannot_send(session, row)


def _resume_beside(session: Session, account_id: int) -> None:
    """Resume an account that was waiting for its shared credentials."""
    row = session.get(ChannelAccount, account_id)
    if row is None or row.state != AccountState.NEEDS_RECONNECT:
        return
    _settle_stop(session, row)
    row.state, row.state_reason = AccountState.CONNECTED, None
    warnings.clear(session, row.id)
    outbox.resume_account(session, row.id)
    catch_ups.ask(session, row.id)
    changed(session, row, ACCOUNT_CONNECTED)


def _find(
    session: Session, workspace_id: int, channel: str, external_id: str, account_id: int | None
) -> ChannelAccount | None:
    query = sa.select(ChannelAccount).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.channel == channel
    )
    if account_id is None:
        # At most one row of an id is live; of disconnected ones, the latest has the conversations.
        query = query.where(ChannelAccount.external_id == external_id).order_by(
            ChannelAccount.claim.is_(None), ChannelAccount.connected_at.desc(), ChannelAccount.id.desc()
        )
        return session.scalars(query.limit(1)).one_or_none()
    row = session.scalars(query.where(ChannelAccount.id == account_id)).one_or_none()
    if row is None:
        raise AccountGoneError("There is no such account in this workspace.")
    if row.external_id != external_id:
        raise OtherAccountError(f"These credentials belong to another account than {row.handle}.")
    return row


def _fill(
    session: Session,
    row: ChannelAccount | None,
    workspace_id: int,
    channel: str,
    connection: Connection,
) -> ChannelAccount:
    now = clock.now()
    if row is None:
        row = ChannelAccount(
            uuid=uuid.uuid4().hex,
            workspace_id=workspace_id,
            channel=channel,
            external_id=connection.external_id,
            settings={},
            created_at=now,
            connected_at=now,
        )
        session.add(row)
    elif row.state != AccountState.CONNECTED:
        row.connected_at = now
    row.claim = claim_of(channel, connection.external_id)
    row.name = connection.name[:120]
    row.handle = connection.handle[:255]
    row.way = connection.way[:32]
    row.state = AccountState.CONNECTED
    row.state_reason = None
    row.disconnected_at = None
    row.blocked_until = row.blocked_reason = None
    row.failures, row.failing_since, row.probe_at = 0, None, None
    row.settings = {**row.settings, **connection.settings}
    return row


def disconnect_account(session: Session, account_id: int) -> ChannelAccount:
    """Disconnect an account: it no longer receives or sends messages. Its conversations stay.

    :raises AccountGoneError: if it does not exist or is already disconnected.
    """
    row = session.get(ChannelAccount, account_id)
    if row is None or row.state == AccountState.DISCONNECTED:
        raise AccountGoneError("The account is disconnected already.")
    _settle_stop(session, row)
    row.state = AccountState.DISCONNECTED
    row.state_reason = None
    row.claim = None
    row.disconnected_at = clock.now()
    row.blocked_until = row.blocked_reason = None
    row.failures, row.failing_since, row.probe_at = 0, None, None
    warnings.clear(session, row.id)
    changed(session, row, ACCOUNT_DISCONNECTED)
    return row


def end_hold(session: Session, account_ids: Collection[int], reason: str) -> None:
    """Let accounts that are held back for *reason* send again.

    The reason stays stored, to explain replies that are now too late. Rows are locked in the order of their
    ids, as when holding accounts back.
    """
    now = clock.now()
    # Entries before accounts, in the order of a worker that records a response.
    outbox.end_wait(session, account_ids, reason)
    query = (
        sa.select(ChannelAccount)
        .where(
            ChannelAccount.id.in_(account_ids),
            ChannelAccount.blocked_until > now,
            ChannelAccount.blocked_reason == reason,
        )
        .order_by(ChannelAccount.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    for row in session.scalars(query).all():
        row.blocked_until = now
        session.flush()
        outbox.resume_account(session, row.id)
        show(session, row.workspace_id, "account", account_id=row.id)


def set_needs_reconnect(session: Session, account_id: int, reason: str, *, alone: bool = False) -> None:
    """Record that the provider no longer accepts the credentials: messages still arrive, replies wait.

    :param alone: whether only this account lost a permission, and the one beside it goes on.
    """
    moved = session.execute(
        sa.update(ChannelAccount)
        .where(ChannelAccount.id == account_id, ChannelAccount.state == AccountState.CONNECTED)
        .values(state=AccountState.NEEDS_RECONNECT, state_reason=reason[:500])
        .execution_options(synchronize_session=False)
    )
    if not moved.rowcount:  # type: ignore[attr-defined]
        return  # another process noticed first, and notified
    row = session.get_one(ChannelAccount, account_id, populate_existing=True)
    warnings.tell_cannot_send(session, row, alone=alone)
    changed(session, row, ACCOUNT_STOPPED)
    if alone:
        audit.record(
            session,
            "account.permission_lost",
            row.handle,
            user_id=None,
            workspace_id=row.workspace_id,
            details={"channel": row.channel, "reason": reason},
        )
    elif row.beside_id is not None:
        set_needs_reconnect(session, row.beside_id, reason)  # the credentials are the same


def set_connected(session: Session, account_id: int, reasons: Collection[str]) -> bool:
    """Record that an account that stopped for one of *reasons* may send again; return whether it had stopped.

    Its replies leave, and what it missed is fetched, as after a reconnect.
    """
    row = session.get(ChannelAccount, account_id, with_for_update={"key_share": True}, populate_existing=True)
    if row is None or row.state != AccountState.NEEDS_RECONNECT or row.state_reason not in reasons:
        return False
    reason = row.state_reason or ""
    _settle_stop(session, row)
    row.state, row.state_reason = AccountState.CONNECTED, None
    session.flush()
    outbox.resume_account(session, row.id)
    catch_ups.ask(session, row.id)
    changed(session, row, ACCOUNT_CONNECTED)
    details = {"channel": row.channel, "reason": reason}
    audit.record(
        session,
        "account.permission_back",
        row.handle,
        user_id=None,
        workspace_id=row.workspace_id,
        details=details,
    )
    return True


def set_setting(session: Session, account_id: int, name: str, value: object) -> None:
    """Store one setting of an account; do nothing if it is deleted or disconnected."""
    row = session.get(ChannelAccount, account_id)
    if row is not None and row.state != AccountState.DISCONNECTED:
        row.settings = {**row.settings, name: value}
        changed(session, row)


def change_messages(
    work: UnitOfWork,
    account_id: int,
    *,
    settings: Mapping[str, Any] | None = None,
    reply_target: int | UnsetType | None = UNSET,
    shown: Mapping[str, Any] | None = None,
) -> None:
    """Change how an account handles messages.

    :param settings: the chosen settings, the others stay; None: no changes.
    :param reply_target: minutes within which to answer customers; None: no target; UNSET: unchanged.
        Conversations already waiting keep their target.
    :param shown: the settings before, with the defaults of those that were never chosen.
    :raises AccountGoneError: if the account does not exist or is disconnected.
    :raises InvalidError: if *reply_target* is not between a minute and thirty days.
    """
    if isinstance(reply_target, int) and not 1 <= reply_target <= MOST_MINUTES:
        raise InvalidError(
            _l("Response time must be between 1 and 43,200 minutes (30 days)."),
            next_step=_l("Type another number."),
            field="replyTarget",
        )
    row = work.session.get(ChannelAccount, account_id)
    if row is None or row.state == AccountState.DISCONNECTED:
        raise AccountGoneError("The account is disconnected already.")
    if settings is None and reply_target in {UNSET, row.reply_target}:
        return
    before = {**row.settings, **(shown or {}), "reply_target": row.reply_target}
    if settings is not None:
        row.settings = {**row.settings, **settings}
    if not isinstance(reply_target, UnsetType):
        row.reply_target = reply_target
    changed(work.session, row)
    after = {**(settings or {}), "reply_target": row.reply_target}
    details: dict[str, Any] = {"channel": row.channel} | {
        name: {"from": before.get(name), "to": value}
        for name, value in after.items()
        if before.get(name) != value
    }
    work.audit("account.messages_changed", row.handle, details=details)


def keep_files(work: UnitOfWork, account_id: int, wanted: Retention) -> None:
    """Choose how long an account's files are kept, including files already stored.

    :raises AccountGoneError: if the account does not exist.
    """
    row = work.session.get(ChannelAccount, account_id)
    if row is None:
        raise AccountGoneError("There is no such account.")
    before = Retention.of(row.settings)
    row.settings = {**row.settings, SETTING: wanted.setting}
    recheck_account(work.session, account_id)
    changed(work.session, row)
    details = {"days": {"from": before.setting, "to": wanted.setting}}
    work.audit("account.files_changed", row.handle or row.name, details=details)


def catch_up(work: UnitOfWork, account_id: int) -> None:
    """Have an account's missed messages fetched from its provider, now."""
    row = work.session.get_one(ChannelAccount, account_id)
    catch_ups.ask(work.session, row.id)
    work.audit("account.caught_up", row.handle or row.name, details={"channel": row.channel})


def note_action(work: UnitOfWork, row: ChannelAccount, action: str) -> None:
    """Record that a person used a button of an account's card, which did something at the provider."""
    work.audit("account.action", row.handle, details={"channel": row.channel, "action": action})


def note_settings(work: UnitOfWork, channel: str) -> None:
    """Record that an addon stored the workspace's settings of its channel."""
    work.audit("channel.settings_changed", channel)


def changed(session: Session, row: ChannelAccount, kind: str = "") -> None:
    """Notify all processes and open pages, once this write is committed, that an account changed.

    :param kind: event to record, a name of :mod:`host.events.catalogue`; empty: none.
    """
    counters.bump(session, counters.ACCOUNTS)
    record(session, Happened(row.workspace_id, kind, "account", account_id=row.id))
