"""Delete workspaces in the background: portion by portion, in constant memory, and on after a kill.

A workspace that is being deleted is seen by nobody, and none of its lanes is claimed. What is left of it is
in its tables, so a process that dies leaves nothing to remember: the next goes on with what it finds. The row
of the workspace goes last. Its accounts go first, each in the way its channel has for it, so that its
provider sends nothing more; their rows stay a while, for an addon that could not tell the provider at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.accounts import disconnect_account
from host.core import clock, db
from host.core.errors import NotFoundError
from host.core.ports import CardDirectory
from host.media import file_removal
from host.models.canned import CannedFile, CannedReply
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Contact, ContactIdentity, Conversation, Mark, Message
from host.models.media import Upload
from host.models.notifications import Notification
from host.models.outgoing import EventBody
from host.models.queue import InboundEvent, InboundRequest, Lane, OutboxEntry
from host.models.record import DomainEvent
from host.models.reports import ReportHour, ReportTeamHour, Span
from host.models.users import AuditEntry, Workspace
from host.queue import journal_erasure
from host.sdk.channel import AccountRef
from host.search import postings
from host.users import audit, workspaces

log = logging.getLogger(__name__)

CHUNK = 500
PORTIONS = 20
"""Most portions of one round; a longer one would hold up what else the process removes."""
SETTLES = timedelta(minutes=15)
"""How long the rows of an account stay after it was disconnected: an addon tries again meanwhile."""
COUNTED = ("conversations", "contacts", "messages", "files", "accounts", "keys", "endpoints", "people")


def table(model: Any) -> sa.Table:
    return cast(sa.Table, model.__table__)


ACCOUNTS, CONVERSATIONS, MESSAGES = table(ChannelAccount), table(Conversation), table(Message)
EVENTS, REQUESTS, LANES, OUTBOX = table(InboundEvent), table(InboundRequest), table(Lane), table(OutboxEntry)


def remove_due(directory: CardDirectory) -> bool:
    """Remove portions of workspaces that are being deleted; return whether there is more to do at once."""
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
    """Begin to delete a workspace whose days are over. The audit of the desk says how much that is."""
    if workspace_id not in workspaces.due(session):
        return  # taken back, or begun by another process
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
    # Without the workspace: its own lines go with it, and this one stays.
    audit.record(session, "workspace.deleted", name, user_id=who, details=details)


def _claimed(session: Session, workspace_id: int) -> Workspace | None:
    # The row is the claim: of several processes one removes, the others pass it over.
    return session.scalars(
        sa.select(Workspace)
        .where(Workspace.id == workspace_id, Workspace.deleting_at.is_not(None))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _disconnect_next(session: Session, workspace_id: int) -> AccountRef | None:
    """Disconnect an account, so that it is free for another workspace; None if all are, or it has to wait."""
    live = ACCOUNTS.c.workspace_id == workspace_id, ACCOUNTS.c.state != AccountState.DISCONNECTED
    found = session.scalar(sa.select(ACCOUNTS.c.id).where(*live).order_by(ACCOUNTS.c.id).limit(1))
    if found is None or _claimed(session, workspace_id) is None or _is_busy(session, [found]):
        return None
    return ref(disconnect_account(session, found))


def _tell(account: AccountRef, directory: CardDirectory) -> None:
    """Have the channel of a disconnected account end what it has at its provider."""
    card = directory.card(account.channel)
    if card is None:
        log.warning("account %s of a deleted workspace: no addon could tell its provider", account.id)
        return
    try:
        card.disconnect(account)
    except Exception:
        log.exception("the addon of channel %s failed to disconnect account %s", account.channel, account.id)


def _portion(session: Session, workspace_id: int) -> bool:
    """Remove the next portion; return False if there is nothing to do now: it is done, or has to wait."""
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
    for step in _STEPS:
        if step(session, workspace_id, accounts):
            return True
    if row.picture_key is not None:
        file_removal.remove_later(session, [row.picture_key])
    name = row.name
    # What is left hangs on this row by foreign keys, addons' tables too: settings, in small numbers.
    session.execute(sa.delete(table(Workspace)).where(table(Workspace).c.id == workspace_id))
    audit.record(session, "workspace.removed", name, user_id=None, details={"workspace_id": workspace_id})
    log.info("workspace %s is deleted", workspace_id)
    return False


def _is_busy(session: Session, accounts: list[int]) -> bool:
    """Tell whether a worker has a lane of these accounts: what is being sent is finished first."""
    held = LANES.c.account_id.in_(accounts), LANES.c.lease_until > db.now(), LANES.c.direction != "hook"
    return session.execute(sa.select(LANES.c.key).where(*held).limit(1)).first() is not None


def _journal(session: Session, _workspace_id: int, accounts: list[int]) -> bool:
    """Remove received events with their bodies, and the requests that brought them."""
    for account_id in accounts:
        rows = session.execute(
            sa.select(EVENTS.c.id, EVENTS.c.request_id, EVENTS.c.repeats)
            .where(EVENTS.c.account_key == str(account_id), EVENTS.c.channel == _channel(session, account_id))
            .limit(CHUNK)
        ).all()
        if rows:
            requests = {row.request_id for row in rows}
            requests.update(int(one) for row in rows if row.repeats for one in row.repeats.split(","))
            session.execute(
                sa.update(REQUESTS)
                .where(REQUESTS.c.id.in_(requests), REQUESTS.c.body.is_not(None))
                .values(body=None)
            )
            session.execute(sa.delete(EVENTS).where(EVENTS.c.id.in_([row.id for row in rows])))
            return True
    return False


def _channel(session: Session, account_id: int) -> str:
    return str(session.scalar(sa.select(ACCOUNTS.c.channel).where(ACCOUNTS.c.id == account_id)))


def _messages(session: Session, workspace_id: int, _accounts: list[int]) -> bool:
    """Remove conversations with their messages and files."""
    mine = sa.select(CONVERSATIONS.c.id).where(CONVERSATIONS.c.workspace_id == workspace_id)
    conversations = list(session.scalars(mine.order_by(CONVERSATIONS.c.id).limit(100)))
    if not conversations:
        return False
    rows = session.execute(
        sa.select(MESSAGES.c.id, MESSAGES.c.external_id)
        .where(MESSAGES.c.conversation_id.in_(conversations))
        .limit(CHUNK)
    ).all()
    ids = [row.id for row in rows]
    if ids:
        file_removal.forget_files(session, ids)
        session.execute(sa.delete(OUTBOX).where(OUTBOX.c.message_id.in_(ids)))
        session.execute(sa.delete(MESSAGES).where(MESSAGES.c.id.in_(ids)))
        journal_erasure.clear_away(session, (), {row.external_id for row in rows if row.external_id})
    if len(ids) < CHUNK:
        session.execute(sa.delete(CONVERSATIONS).where(CONVERSATIONS.c.id.in_(conversations)))
    return True


def _found(session: Session, workspace_id: int, _accounts: list[int]) -> bool:
    """Remove what search finds: its rows hang on nothing by foreign key."""
    return bool(postings.forget_workspace(session, workspace_id))


def _contacts(session: Session, workspace_id: int, _accounts: list[int]) -> bool:
    contacts, identities, marks = table(Contact), table(ContactIdentity), table(Mark)
    mine = sa.select(contacts.c.id).where(contacts.c.workspace_id == workspace_id)
    ids = list(session.scalars(mine.limit(CHUNK)))
    if ids:
        whose = sa.select(identities.c.id).where(identities.c.contact_id.in_(ids))
        theirs = list(session.scalars(whose))
        session.execute(sa.delete(marks).where(marks.c.identity_id.in_(theirs)))
        session.execute(sa.delete(identities).where(identities.c.id.in_(theirs)))
        session.execute(sa.delete(contacts).where(contacts.c.id.in_(ids)))
    return bool(ids)


def _uploads(session: Session, workspace_id: int, _accounts: list[int]) -> bool:
    uploads = table(Upload)
    rows = session.execute(
        sa.select(uploads.c.id, uploads.c.storage_key)
        .where(uploads.c.workspace_id == workspace_id)
        .limit(CHUNK)
    ).all()
    session.execute(sa.delete(uploads).where(uploads.c.id.in_([row.id for row in rows])))
    file_removal.remove_later(session, [row.storage_key for row in rows])
    return bool(rows)


def _canned(session: Session, workspace_id: int, _accounts: list[int]) -> bool:
    """Remove the files of canned replies. The replies themselves go with the workspace."""
    files = table(CannedFile)
    mine = sa.select(table(CannedReply).c.id).where(table(CannedReply).c.workspace_id == workspace_id)
    rows = session.execute(
        sa.select(files.c.id, files.c.storage_key).where(files.c.canned_id.in_(mine)).limit(CHUNK)
    ).all()
    session.execute(sa.delete(files).where(files.c.id.in_([row.id for row in rows])))
    file_removal.remove_later(session, [row.storage_key for row in rows])
    return bool(rows)


def _lanes(session: Session, _workspace_id: int, accounts: list[int]) -> bool:
    mine = LANES.c.account_id.in_(accounts), LANES.c.direction != "hook"
    keys = list(session.scalars(sa.select(LANES.c.key).where(*mine).limit(CHUNK))) if accounts else []
    session.execute(sa.delete(LANES).where(LANES.c.key.in_(keys)))
    return bool(keys)


def _by_id(model: Any) -> Callable[[Session, int, list[int]], bool]:
    """Return a step that removes the rows of *model* by the workspace's id; what hangs on them goes along."""
    rows = table(model)
    key = next(iter(rows.primary_key.columns))

    def step(session: Session, workspace_id: int, _accounts: list[int]) -> bool:
        ids = list(session.scalars(sa.select(key).where(rows.c.workspace_id == workspace_id).limit(CHUNK)))
        session.execute(sa.delete(rows).where(key.in_(ids)))
        return bool(ids)

    return step


def _hours(model: Any) -> Callable[[Session, int, list[int]], bool]:
    """Return a step that removes the sums of *model*, some hours at a time."""
    rows = table(model)

    def step(session: Session, workspace_id: int, _accounts: list[int]) -> bool:
        mine = rows.c.workspace_id == workspace_id
        hours = list(session.scalars(sa.select(rows.c.hour).where(mine).distinct().limit(100)))
        session.execute(sa.delete(rows).where(mine, rows.c.hour.in_(hours)))
        return bool(hours)

    return step


_STEPS: tuple[Callable[[Session, int, list[int]], bool], ...] = (
    _found,
    _journal,
    _messages,
    _contacts,
    _uploads,
    _canned,
    _lanes,
    _by_id(EventBody),
    _by_id(DomainEvent),
    _by_id(Span),
    _hours(ReportHour),
    _hours(ReportTeamHour),
    _by_id(Notification),
    _by_id(AuditEntry),
)
"""Each removes a portion and returns True, or returns False where nothing of its kind is left."""
