"""Create and list workspaces, change their settings, archive them, schedule their deletion."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host import counters
from host.core import clock
from host.core.errors import ConflictError, NotFoundError
from host.features import registry
from host.models.api_keys import ApiKey, KeyEnd
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Attachment, Contact, Conversation, Message
from host.models.users import Invitation, Membership, Role, User, Workspace
from host.users import members
from host.users.actor import DeskWork, UnitOfWork
from host.users.retention import GRACE, end_of
from host.users.users import clean_name


class WorkspaceRow(msgspec.Struct, frozen=True):
    """A workspace as the admin list shows it."""

    id: int
    name: str
    created_at: datetime
    members: int
    owners: tuple[str, ...]
    archived_at: datetime | None = None
    deleting_at: datetime | None = None
    ends_at: datetime | None = None


class Settings(msgspec.Struct, frozen=True):
    """The settings owners choose for a workspace.

    :param ends_at: when it will be deleted unless that is cancelled; None: no deletion is scheduled.
    :param timezone: a name of the IANA list; empty: UTC.
    :param language: empty: the desk's.
    :param retention_days: 0: forever; None: the desk's default.
    :param version: version a form must send to change them.
    """

    name: str
    created_at: datetime
    timezone: str
    language: str
    retention_days: int | None
    archived_at: datetime | None
    ends_at: datetime | None
    version: int
    assigns_on_reply: bool
    undo_seconds: int
    shows_drafts: bool
    pushes_content: bool
    offline_conversations: int
    joins_contacts: bool


class Holdings(msgspec.Struct, frozen=True):
    """The amount of data deleted with a workspace."""

    conversations: int
    contacts: int
    messages: int
    files: int
    accounts: int
    keys: int
    people: int
    endpoints: int = 0


class SavedMeanwhileError(ConflictError):
    """Somebody else saved the settings after the page was opened."""

    code = "saved_meanwhile"
    default_sentence = _l(
        "Someone else saved these settings after you opened the page, so nothing was changed."
    )
    default_next_step = _l("Review their changes, then save again to replace them.")
    program_sentence = _l("Someone else saved these settings in the meantime, so nothing was changed.")
    program_step = _l("Get them, then send your change again.")


def create(session: Session, name: str, owner_id: int | None) -> Workspace:
    """Add a workspace; *owner_id* becomes its owner. Without one, an owner must be invited."""
    workspace = Workspace(name=clean_name(name), created_at=clock.now())
    session.add(workspace)
    session.flush()
    if owner_id is not None:
        members.add(session, workspace.id, owner_id, Role.OWNER)
    return workspace


def add(work: DeskWork, name: str, *, owned: bool = True) -> Workspace:
    """Add a workspace of the person who acts, or one for whose owner an invitation follows."""
    workspace = create(work.session, name, work.person_id if owned else None)
    work.audit("workspace.created", workspace.name, workspace_id=workspace.id)
    return workspace


def settings(session: Session, workspace_id: int) -> Settings:
    """Return the settings of a workspace.

    :raises NotFoundError: if it does not exist.
    """
    row = session.get(Workspace, workspace_id)
    if row is None:
        raise NotFoundError()
    return Settings(
        row.name,
        row.created_at,
        row.timezone or "",
        row.language or "",
        row.retention_days,
        row.archived_at,
        end_of(row.delete_asked_at),
        row.version,
        row.assigns_on_reply,
        row.undo_seconds,
        row.shows_drafts,
        row.pushes_content,
        row.offline_conversations,
        row.joins_contacts,
    )


def change(
    work: UnitOfWork,
    *,
    name: str | None = None,
    timezone: str | None = None,
    language: str | None = None,
    assigns_on_reply: bool | None = None,
    undo_seconds: int | None = None,
    shows_drafts: bool | None = None,
    pushes_content: bool | None = None,
    offline_conversations: int | None = None,
    joins_contacts: bool | None = None,
    version: int | None = None,
) -> None:
    """Change settings; None keeps the current value.

    :param version: of the settings the person saw; None: no check.
    :raises SavedMeanwhileError: if they changed since.
    """
    row = _locked(work.session, work.workspace_id, version)
    texts = {
        "name": None if name is None else clean_name(name),
        "timezone": timezone,
        "language": language,
    }
    given: dict[str, str | int | None] = {
        one: value or None for one, value in texts.items() if value is not None
    }
    if assigns_on_reply is not None:
        given["assigns_on_reply"] = assigns_on_reply
    if undo_seconds is not None:
        given["undo_seconds"] = undo_seconds
    if shows_drafts is not None:
        given["shows_drafts"] = shows_drafts
    if pushes_content is not None:
        given["pushes_content"] = pushes_content
    if offline_conversations is not None:
        given["offline_conversations"] = offline_conversations
    if joins_contacts is not None:
        given["joins_contacts"] = joins_contacts
    before = {key: getattr(row, key) for key, value in given.items() if getattr(row, key) != value}
    for key in before:
        setattr(row, key, given[key])
    if before:
        row.version += 1
    if "name" in before:
        work.audit("workspace.renamed", row.name, details={"before": before["name"]})
    others = {
        key: {"from": "" if old is None else old, "to": "" if given[key] is None else given[key]}
        for key, old in before.items()
        if key != "name"
    }
    if others:
        work.audit("workspace.changed", before.get("name", row.name), details=others)
    work.session.flush()


def set_retention(work: UnitOfWork, days: int | None, *, version: int | None = None) -> None:
    """Set how long messages are kept.

    :param days: 0: forever; None: the desk's default.
    :raises SavedMeanwhileError: as :func:`change` does.
    """
    row = _locked(work.session, work.workspace_id, version)
    before, row.retention_days = row.retention_days, days
    row.version += 1
    details = {"days": "desk" if days is None else days, "before": "desk" if before is None else before}
    work.audit("workspace.retention_changed", row.name, details=details)


def set_picture(work: UnitOfWork, key: str | None) -> str | None:
    """Set the picture of a workspace to the one stored under *key*, or remove it; return the previous key."""
    row = _locked(work.session, work.workspace_id, None)
    before, row.picture_key = row.picture_key, key
    work.session.flush()
    work.audit("workspace.changed", row.name, details={"picture": "removed" if key is None else "changed"})
    return before


def picture_key(session: Session, workspace_id: int) -> str | None:
    """Return where the picture of a workspace is stored; None without a picture."""
    return session.scalar(sa.select(Workspace.picture_key).where(Workspace.id == workspace_id))


def archive(work: UnitOfWork) -> bool:
    """Make a workspace read-only; return False if it already was.

    Messages that are being applied or sent are finished. Later ones stay in the inbound log, and pending ones
    wait.
    """
    row = _locked(work.session, work.workspace_id, None)
    if row.archived_at is not None:
        return False
    row.archived_at = work.now
    counters.bump(work.session, counters.ACCOUNTS)
    work.audit("workspace.archived", row.name)
    return True


def restore(work: UnitOfWork) -> bool:
    """Restore an archived workspace; return False if it is not archived.

    Events received meanwhile are applied now.

    A workspace scheduled for deletion returns to its previous state: archived, if it was.
    """
    row = _locked(work.session, work.workspace_id, None)
    if row.archived_at is None:
        return False
    asked, row.delete_asked_at = row.delete_asked_at, None
    if asked is None or asked == row.archived_at:
        row.archived_at = None
    counters.bump(work.session, counters.ACCOUNTS)
    work.audit("workspace.restored" if asked is None else "workspace.deletion_taken_back", row.name)
    return True


def holdings(session: Session, workspace_id: int) -> Holdings:
    """Return the amount of data deleted with a workspace. One query for each kind."""

    def count(what: sa.FromClause | type, *where: sa.ColumnElement[bool]) -> int:
        return session.scalar(sa.select(sa.func.count()).select_from(what).where(*where)) or 0

    mine = Conversation.workspace_id == workspace_id
    said = sa.join(Message, Conversation, Conversation.id == Message.conversation_id)
    return Holdings(
        conversations=count(Conversation, mine),
        contacts=count(Contact, Contact.workspace_id == workspace_id),
        messages=count(said, mine),
        files=count(said.join(Attachment, Attachment.message_id == Message.id), mine),
        accounts=count(
            ChannelAccount,
            ChannelAccount.workspace_id == workspace_id,
            ChannelAccount.state != AccountState.DISCONNECTED,
        ),
        keys=count(ApiKey, ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None)),
        people=count(Membership, Membership.workspace_id == workspace_id),
        **ChainMap(*registry.hooks().holdings(session=session, workspace_id=workspace_id)),
    )


def ask_deletion(work: UnitOfWork) -> datetime | None:
    """Archive a workspace and schedule its deletion after :data:`.GRACE`; return the time, or None if it
    already was.

    Until then :func:`restore` cancels it. Open invitations end with this write.
    """
    session = work.session
    row = _locked(session, work.workspace_id, None)
    if row.delete_asked_at is not None:
        return None
    row.delete_asked_at = work.now
    row.archived_at = row.archived_at or work.now
    session.execute(sa.delete(Invitation).where(Invitation.workspace_id == work.workspace_id))
    counters.bump(session, counters.ACCOUNTS)
    work.audit("workspace.deletion_asked", row.name)
    return end_of(work.now)


def due(session: Session) -> Sequence[int]:
    """Return the workspaces whose grace period is over and whose deletion has not begun."""
    query = sa.select(Workspace.id).where(
        Workspace.delete_asked_at <= clock.now() - GRACE, Workspace.deleting_at.is_(None)
    )
    return session.scalars(query.order_by(Workspace.id)).all()


def remove_row(session: Session, workspace_id: int) -> None:
    """Delete the row of a workspace and, by foreign keys, the rest of its data: settings, addons' tables."""
    session.execute(sa.delete(Workspace).where(Workspace.id == workspace_id))


def begin_deletion(session: Session, workspace_id: int) -> str:
    """Hide a workspace from everyone and delete it in the background; return its name.

    Its API keys and invitations end with this write, and no more messages are applied or sent for it.

    :raises NotFoundError: if its deletion has already begun.
    """
    row = _locked(session, workspace_id, None)
    now = clock.now()
    row.deleting_at = now
    session.execute(
        sa.update(ApiKey)
        .where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now, ended_because=KeyEnd.REVOKED)
    )
    session.execute(sa.delete(Invitation).where(Invitation.workspace_id == workspace_id))
    counters.bump(session, counters.ACCOUNTS)
    session.flush()
    return row.name


def _locked(session: Session, workspace_id: int, version: int | None) -> Workspace:
    row = session.get(Workspace, workspace_id, with_for_update=True, populate_existing=True)
    if row is None or row.deleting_at is not None:
        raise NotFoundError()
    if version is not None and row.version != version:
        raise SavedMeanwhileError()
    return row


def listing(session: Session) -> Sequence[WorkspaceRow]:
    """Return every workspace with its owners and number of members, by name. Two queries."""
    owners: dict[int, list[str]] = {}
    counts: dict[int, int] = {}
    people = (
        sa.select(Membership.workspace_id, Membership.role, User.name)
        .join(User, User.id == Membership.user_id)
        .order_by(User.name)
    )
    for workspace_id, role, name in session.execute(people):
        counts[workspace_id] = counts.get(workspace_id, 0) + 1
        if role == Role.OWNER:
            owners.setdefault(workspace_id, []).append(name)
    return [
        WorkspaceRow(
            row.id,
            row.name,
            row.created_at,
            counts.get(row.id, 0),
            tuple(owners.get(row.id, ())),
            row.archived_at,
            row.deleting_at,
            end_of(row.delete_asked_at),
        )
        for row in session.scalars(sa.select(Workspace).order_by(Workspace.name, Workspace.id))
    ]
