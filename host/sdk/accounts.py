"""The channel accounts of the installation, for the addon that owns their channel."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.channels import accounts as channel_accounts
from host.channels import beside as standing_beside
from host.channels import connecting, warnings
from host.core import db
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.users import Workspace
from host.notifications import notify
from host.queue import catch_ups
from host.sdk.cards import Connection
from host.sdk.channel import AccountRef

__all__ = [
    "AccountOverview",
    "AccountState",
    "Warned",
    "beside",
    "catch_up",
    "changed",
    "clear_warning",
    "close_beside",
    "end_hold",
    "mark_connected",
    "mark_needs_reconnect",
    "open_beside",
    "overview",
    "ref",
    "save",
    "set_setting",
    "tell",
    "warn",
]


@dataclass(frozen=True, slots=True)
class Warned:
    """An active warning. Its sentences are marked for translation; :attr:`details` fill the placeholders."""

    kind: str
    stage: str
    tone: str
    sentence: str
    next_step: str
    details: Mapping[str, str]
    since: datetime


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """One row of an addon's admin overview."""

    account: AccountRef
    workspace_name: str
    way: str
    state: AccountState
    state_reason: str | None
    connected_at: datetime
    last_event_at: datetime | None
    warnings: tuple[Warned, ...] = ()


def overview(channel: str) -> list[AccountOverview]:
    """Return the accounts of *channel* in all workspaces that are not disconnected, by workspace and name."""
    query = (
        sa.select(ChannelAccount, Workspace.name)
        .join(Workspace, Workspace.id == ChannelAccount.workspace_id)
        .where(ChannelAccount.channel == channel, ChannelAccount.state != AccountState.DISCONNECTED)
        .order_by(Workspace.name, ChannelAccount.name, ChannelAccount.id)
    )
    with db.read() as session:
        found = list(session.execute(query))
        standing = warnings.standing_warnings(session, [row.id for row, _ in found])
        return [
            AccountOverview(
                account=ref(row),
                workspace_name=workspace,
                way=row.way,
                state=AccountState(row.state),
                state_reason=row.state_reason,
                connected_at=row.connected_at,
                last_event_at=row.last_event_at,
                warnings=tuple(
                    Warned(
                        kind=one.kind,
                        stage=one.stage,
                        tone=one.tone,
                        sentence=one.sentence,
                        next_step=one.next_step,
                        details=one.details,
                        since=one.since,
                    )
                    for one in standing.get(row.id, ())
                ),
            )
            for row, workspace in found
        ]


def save(
    workspace_id: int, channel: str, connection: Connection, *, account_id: int | None = None
) -> AccountRef:
    """Store an account that the provider accepted, like a card's Save; for an addon's own sign-in page.

    Calls ``connection.store`` in the same transaction, and ``connection.undo`` if that was not committed.

    :raises AccountTakenError: if it is live in another workspace.
    :raises OtherAccountError: if the credentials belong to another account than *account_id*.
    :raises AccountGoneError: if *account_id* is not an account of that channel in that workspace.
    """
    return connecting.save(
        workspace_id=workspace_id, channel=channel, connection=connection, account_id=account_id
    )


def beside(account_id: int, channel: str) -> AccountRef | None:
    """Return the connected account of *channel* that is attached to another account, or None."""
    with db.read() as session:
        row = standing_beside.find(session, account_id, channel)
        return None if row is None else ref(row)


def open_beside(
    account: AccountRef, channel: str, settings: Mapping[str, object] | None = None
) -> AccountRef:
    """Connect, or reconnect, the account of *channel* that is attached to *account*.

    It has the same external id, handle, name and credentials, which the addon stores with *account* only. See
    :attr:`host.sdk.channel.ChannelAdapter.beside`.

    :raises AccountTakenError: if it is live in another workspace.
    :raises AccountGoneError: if *account* is disconnected.
    """
    return ref(db.write(standing_beside.open_beside, account.id, channel, settings or {}))


def close_beside(account: AccountRef, channel: str) -> None:
    """Disconnect the account of *channel* that is attached to *account*, if it is connected."""
    db.write(standing_beside.close_beside, account.id, channel)


def changed(session: Session) -> None:
    """Make all processes reload addons' cached account data, once this write is committed.

    Call it after an addon changes its own rows; connecting and disconnecting already do.
    """
    counters.bump(session, counters.ACCOUNTS)


def mark_needs_reconnect(account_id: int, reason: str, *, alone: bool = False) -> None:
    """Record that the provider no longer accepts the credentials. Replies wait, messages still arrive.

    :param reason: a sentence marked for translation.
    :param alone: whether the credentials lack only what this account needs, so that the account beside it
        goes on. It is written into the audit log, too.
    """
    db.write(channel_accounts.set_needs_reconnect, account_id, reason, alone=alone)


def mark_connected(account_id: int, reasons: Collection[str]) -> bool:
    """Record that the provider lets an account send again that had stopped for one of *reasons*.

    Its replies leave, what it missed is fetched, the notification about it is read, and the audit log says
    so. An account that stopped for another reason stays as it is.

    :param reasons: sentences as given to :func:`mark_needs_reconnect` or in :class:`host.sdk.channel.Held`.
    :return: whether it had stopped for one of them.
    """
    resumed: bool = db.write(channel_accounts.set_connected, account_id, reasons)
    return resumed


def set_setting(account_id: int, name: str, value: object) -> None:
    """Save one setting of an account, for a button on its card that is not a field of the form."""
    db.write(channel_accounts.set_setting, account_id, name, value)


def warn(
    account_id: int,
    kind: str,
    sentence: str,
    *,
    next_step: str = "",
    details: Mapping[str, str | datetime] | None = None,
    stage: str = "",
    bad: bool = False,
    notify: bool = True,
) -> bool:
    """Warn the people responsible for an account: on its card, in overviews, by notification and by mail.

    Raising it again changes nothing, whichever process does it, until its *stage* changes or it was cleared.
    Connecting the account again clears all of its warnings.

    :param kind: the subject; an account has one warning of each kind at a time. Lower-case letters and
        hyphens, at most 32.
    :param sentence: marked with :func:`host.sdk.i18n.noop`, with ``%(name)s`` for *details*; contains no
        credential.
    :param details: an aware time is shown as a date, in the reader's language.
    :param stage: the current severity, at most 64 characters; people are notified again when it changes.
    :param bad: whether it has already happened, rather than being about to.
    :param notify: False: show it on the card only, for a problem of several accounts that :func:`tell`
        notifies of once.
    :return: whether the warning is new.
    """
    told: bool = db.write(
        warnings.raise_warning,
        account_id,
        kind=kind,
        sentence=sentence,
        next_step=next_step,
        details=details,
        stage=stage,
        tone="bad" if bad else "warn",
        notify=notify,
    )
    return told


def tell(
    session: Session,
    title: str,
    sentence: str,
    *,
    path: str,
    next_step: str = "",
    details: Mapping[str, str | datetime] | None = None,
    owners_of: Collection[int] = (),
    admins: bool = False,
) -> None:
    """Notify owners, and optionally admins, of something beyond a single account, in the current write.

    :param title: a name people know, such as an address, shown unchanged.
    :param sentence: marked with :func:`host.sdk.i18n.noop`, as in :func:`warn`.
    :param path: the page it links to: a path on this desk, starting with a slash.
    :param owners_of: ids of workspaces.
    """
    message = notify.Message(title, sentence, next_step, details or {})
    people = notify.owners_of(session, owners_of) | (notify.admins(session) if admins else set())
    notify.notify_users(session, sorted(people), message, workspace_id=None, path=path)


def clear_warning(account_id: int, kind: str) -> None:
    """Remove a warning whose cause was resolved. Cheap if there is no such warning."""
    with db.read() as session:
        stands = any(
            one.kind == kind for one in warnings.standing_warnings(session, [account_id]).get(account_id, ())
        )
    if stands:
        db.write(warnings.clear, account_id, kind)


def end_hold(account_ids: Collection[int], reason: str) -> None:
    """Let accounts that :class:`host.sdk.channel.NotSent` holds back send again immediately.

    :param reason: the sentence they are held back with; accounts held back for another reason keep waiting.
    """
    db.write(channel_accounts.end_hold, account_ids, reason)


def catch_up(account_id: int) -> None:
    """Sync earlier messages from the provider, because some may not have been delivered."""
    db.write(catch_ups.ask, account_id)
