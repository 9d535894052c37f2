"""Delete workspaces in the background: in portions, in constant memory, and resumable after a kill.

A workspace that is being deleted is hidden from everyone, and none of its lanes is claimed. All remaining
data is in its tables, so after a crash the next process continues with what it finds. The row of the
workspace is deleted last. Its accounts are first disconnected through their channels, so that their providers
stop sending; their rows are kept for some time, for addons that could not notify the provider immediately.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.accounts import disconnect_account
from host.core import clock, db
from host.core.errors import NotFoundError
from host.core.ports import CardDirectory
from host.features import registry
from host.media import file_removal
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.queue import Lane
from host.models.users import AuditEntry, Workspace
from host.sdk.channel import AccountRef
from host.users import audit, workspaces

log = logging.getLogger(__name__)

CHUNK = 500
PORTIONS = 20
"""Most portions of one round; a longer round would delay the process's other deletions."""
SETTLES = timedelta(minutes=15)
"""How long the rows of a disconnected account are kept, so that an addon can retry."""
COUNTED = ("conversations", "contacts", "messages", "files", "accounts", "keys", "endpoints", "people")


ACCOUNTS, LANES = cast(sa.Table, ChannelAccount.__table__), cast(sa.Table, Lane.__table__)


def remove_due(directory: CardDirectory) -> bool:
    """Remove parts of workspaces that are being deleted; return whether more can be removed now."""
    with db.read() as session:
        asked = workspaces.due(session)
    for workspace_id in asked:
        db.write(_begin, workspace_id)
    with db.read() as session:
        query = sa.select(Workspace.id).where(Workspace.deleting_at.is_not(None)).order_by(Workspace.id)
        waiting = list(session.scalars(query))
    for workspace_id in waiting:
        while (account := db.write(_disconnect_next, workspace_id)) is not None:
            _tell(account, directory)
        for _ in range(PORTIONS):
            if not db.write(_portion, workspace_id):
                break
        else:
            return True
    return False


def _begin(session: Session, workspace_id: int) -> None:
    """Start deleting a workspace whose grace period is over. The audit log records how much it contains."""
    if workspace_id not in workspaces.due(session):
        return  # cancelled, or started by another process
    asked = sa.select(AuditEntry.user_id).where(
        AuditEntry.workspace_id == workspace_id, AuditEntry.action == "workspace.deletion_asked"
    )
    who = session.scalar(asked.order_by(AuditEntry.id.desc()).limit(1))
    found = workspaces.holdings(session, workspace_id)
    try:
        name = workspaces.begin_deletion(session, workspace_id)
    except NotFoundError:
        return
    details = {"workspace_id": workspace_id} | {one: getattr(found, one) for one in COUNTED}
    # Without the workspace, whose own lines are deleted with it, so that this one stays.
    audit.record(session, "workspace.deleted", name, user_id=who, details=details)


def _claimed(session: Session, workspace_id: int) -> Workspace | None:
    # The row is the claim: one process deletes, the others skip it.
    return session.scalars(
        sa.select(Workspace)
        .where(Workspace.id == workspace_id, Workspace.deleting_at.is_not(None))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _disconnect_next(session: Session, workspace_id: int) -> AccountRef | None:
    """Disconnect an account, so that others can connect it; None if none is left, or it must wait."""
    live = ACCOUNTS.c.workspace_id == workspace_id, ACCOUNTS.c.state != AccountState.DISCONNECTED
    found = session.scalar(sa.select(ACCOUNTS.c.id).where(*live).order_by(ACCOUNTS.c.id).limit(1))
    if found is None or _claimed(session, workspace_id) is None or _is_busy(session, [found]):
        return None
    return ref(disconnect_account(session, found))


def _tell(account: AccountRef, directory: CardDirectory) -> None:
    """Let the channel of a disconnected account clean up at its provider."""
    card = directory.card(account.channel)
    if card is None:
        log.warning("account %s of a deleted workspace: no addon could tell its provider", account.id)
        return
    try:
        card.disconnect(account)
    except Exception:
        log.exception("the addon of channel %s failed to disconnect account %s", account.channel, account.id)


def _portion(session: Session, workspace_id: int) -> bool:
    """Remove the next portion; return False if it is done or must wait."""
    row = _claimed(session, workspace_id)
    if row is None:
        return False
    found = session.execute(
        sa.select(ACCOUNTS.c.id, ACCOUNTS.c.disconnected_at).where(ACCOUNTS.c.workspace_id == workspace_id)
    ).all()
    accounts = [one.id for one in found]
    settled = clock.now() - SETTLES
    if any(one.disconnected_at is None or one.disconnected_at > settled for one in found):
        return False
    if accounts and _is_busy(session, accounts):
        return False
    hooks = registry.hooks()
    if hooks.remove_workspace(session=session, workspace_id=workspace_id, accounts=accounts, most=CHUNK):
        return True
    if row.picture_key is not None:
        file_removal.remove_later(session, [row.picture_key])
    name = row.name
    workspaces.remove_row(session, workspace_id)
    audit.record(session, "workspace.removed", name, user_id=None, details={"workspace_id": workspace_id})
    log.info("workspace %s is deleted", workspace_id)
    return False


def _is_busy(session: Session, accounts: list[int]) -> bool:
    """Return whether a worker holds a lane of these accounts, because current sending is finished first."""
    held = LANES.c.account_id.in_(accounts), LANES.c.lease_until > db.now(), LANES.c.direction != "hook"
    return session.execute(sa.select(LANES.c.key).where(*held).limit(1)).first() is not None
