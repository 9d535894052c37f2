"""API keys. Each belongs to one workspace and has scopes and an owner who is responsible for it.

A key ends when it is revoked, or when its owner leaves the workspace, loses the owner role or is locked out,
unless it was transferred to another owner first. The end is written in the transaction that caused it
(:mod:`host.users.endings`). :func:`find_key` also checks the current state of the owner, so a key stops
working immediately. It also ends when its expiry has passed, which is never written: it is compared with the
clock.

A key can be limited to some accounts, and to those of some teams, like a member
(:mod:`host.users.reach`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session, aliased

from host.core import clock
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.models.api_keys import ApiKey, KeyEnd
from host.models.users import Membership, Role, User, Workspace
from host.users import reach
from host.users.actor import UnitOfWork
from host.users.reach import Accounts
from host.users.users import clean_name

PREFIX = "lobby_"
"""The prefix of every key, so that scanners for leaked credentials can find one."""
MOST = 50
"""Maximum number of active keys in one workspace."""
TOUCH_EVERY = timedelta(minutes=5)
"""How old ``last_used_at`` may be before a request writes it again."""

NOTICES = (timedelta(days=14), timedelta(days=3))
"""How long before its expiry the owners are notified, once each; the longest first."""
SOON = NOTICES[0]
"""How long before its expiry a key is marked: on the page of keys, and in each answer of the API."""

_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_HINT = len(PREFIX) + 4


class Scope(StrEnum):
    """The scopes of a key: a resource, and whether it is read or written.

    ``READ`` and ``WRITE`` are the scopes of keys from before resources had their own. Such a key may still do
    exactly what it could; see :data:`BEFORE`.
    """

    READ = "read"
    WRITE = "write"
    CONVERSATIONS_READ = "conversations:read"
    CONVERSATIONS_WRITE = "conversations:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    REPORTS_READ = "reports:read"
    AUTOMATION_READ = "automation:read"
    AUTOMATION_WRITE = "automation:write"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    EXPORT = "export"
    ACCOUNTS_WRITE = "accounts:write"
    ERASE = "erase"
    APPROVE = "approve"

    @property
    def writes(self) -> bool:
        """Whether it allows changes."""
        return self in {Scope.ERASE, Scope.APPROVE} or self.value.rpartition(":")[2] == "write"


BEFORE: Mapping[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset(
        {
            Scope.CONVERSATIONS_READ,
            Scope.MESSAGES_READ,
            Scope.CONTACTS_READ,
            Scope.REPORTS_READ,
            Scope.AUTOMATION_READ,
            Scope.SETTINGS_READ,
            Scope.EXPORT,
        }
    ),
    Scope.WRITE: frozenset(
        {
            Scope.CONVERSATIONS_WRITE,
            Scope.MESSAGES_WRITE,
            Scope.CONTACTS_WRITE,
            Scope.AUTOMATION_WRITE,
            Scope.SETTINGS_WRITE,
        }
    ),
}
"""The scopes that each scope of a key from before stands for. A later one is never added here."""
GRANTABLE = frozenset(Scope) - BEFORE.keys()
"""The scopes that a new key can have."""


class Caller(msgspec.Struct, frozen=True):
    """The API key of a request.

    :param scopes: what it may do; those of a key from before are resolved as in :data:`BEFORE`.
    :param ended: why it is no longer valid, or None.
    :param archived: whether its workspace is read-only.
    :param automatic: whether its messages count as automatic, not as written by a person.
    :param before: whether it is from before scopes had resources.
    :param accounts: the accounts it is limited to, including those of its teams; None: all.
    """

    key_id: int
    workspace_id: int
    name: str
    scopes: frozenset[Scope]
    last_used_at: datetime | None
    ended: KeyEnd | None
    archived: bool = False
    automatic: bool = False
    before: bool = False
    accounts: Accounts = None
    team_ids: tuple[int, ...] = ()
    expires_at: datetime | None = None
    workspace: str = ""

    @property
    def expires_soon(self) -> bool:
        """Whether it expires within :data:`SOON`."""
        return self.expires_at is not None and self.expires_at <= clock.now() + SOON


class Limit(msgspec.Struct, frozen=True):
    """The accounts a key is limited to: *accounts*, and those of *teams*."""

    accounts: tuple[int, ...] = ()
    teams: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.accounts or self.teams)


NO_LIMIT = Limit()


class KeyRow(msgspec.Struct, frozen=True):
    """A key as pages list it.

    :param scopes: as stored: ``READ`` and ``WRITE`` for a key from before.
    :param ended: why it is no longer valid, or None.
    :param limit: None: it is not limited.
    """

    id: int
    name: str
    hint: str
    scopes: frozenset[Scope]
    created_by: str | None
    holder_id: int | None
    holder: str | None
    created_at: datetime
    last_used_at: datetime | None
    ended_at: datetime | None
    ended: KeyEnd | None
    automatic: bool
    expires_at: datetime | None = None
    limit: Limit | None = None

    @property
    def writes(self) -> bool:
        return any(scope.writes for scope in self.scopes)

    @property
    def before(self) -> bool:
        """Whether it is from before scopes had resources."""
        return not self.scopes.isdisjoint(BEFORE)


class ExpiringKey(msgspec.Struct, frozen=True):
    """A key that will expire, and that its owners are notified of."""

    id: int
    workspace_id: int
    name: str
    expires_at: datetime


def hash_token(token: str) -> str:
    """Return the hash stored for *token*: 64 hex digits. 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    work: UnitOfWork,
    name: str,
    scopes: Collection[Scope],
    *,
    automatic: bool = False,
    expires_at: datetime | None = None,
    limit: Limit = NO_LIMIT,
) -> str:
    """Create a key of the person who acts and return it. Only its hash is stored, and the key is never shown
    again.

    :param automatic: as in :class:`Caller`. Fixed when the key is created.
    :param expires_at: when it stops working; None: never.

    :raises InvalidError: for an invalid name, no scope, an expiry that has passed, or a limit to an account
        or a team that is not in the workspace.
    :raises ConflictError: if the workspace already has :data:`MOST` keys.
    """
    if not scopes:
        raise InvalidError(
            _l("Choose at least one permission."), next_step=_l("A key needs at least one to work.")
        )
    cleaned = clean_name(name)
    session, workspace_id, now, owner_id = work.session, work.workspace_id, work.now, work.desk.person_id
    if expires_at is not None and expires_at <= now:
        raise InvalidError(
            _l("The expiry date is in the past, so no key was created."),
            next_step=_l("Choose a later date, or no expiry."),
            field="expires",
        )
    _check_limit(session, workspace_id, limit)
    live = sa.select(sa.func.count()).where(
        ApiKey.workspace_id == workspace_id,
        ApiKey.revoked_at.is_(None),
        sa.or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
    )
    if (session.scalar(live) or 0) >= MOST:
        raise ConflictError(
            _l("You have reached the limit of API keys in this workspace."), next_step=_l("Revoke one first.")
        )
    token = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKey(
            workspace_id=workspace_id,
            name=cleaned,
            token_hash=hash_token(token),
            hint=token[:_HINT],
            scopes=" ".join(sorted(scope for scope in scopes if scope in BEFORE)),
            granted=" ".join(sorted(scope for scope in scopes if scope in GRANTABLE)) or None,
            automatic=automatic,
            created_by=owner_id,
            holder_id=owner_id,
            created_at=now,
            expires_at=expires_at,
            limited_to={"accounts": list(limit.accounts), "teams": list(limit.teams)} if limit else sa.null(),
        )
    )
    session.flush()
    details: dict[str, Any] = {"scopes": sorted(scopes)}
    if automatic:
        details["automatic"] = True
    if expires_at is not None:
        details["expires"] = expires_at.isoformat()
    if limit:
        details["accounts"] = [one.name for one in reach.choices(session, workspace_id, limit.accounts)]
        details["teams"] = reach.names_of_teams(session, workspace_id, limit.teams)
    work.audit("api_key.created", cleaned, details=details)
    return token


def _check_limit(session: Session, workspace_id: int, limit: Limit) -> None:
    if not reach.in_workspace(session, workspace_id, limit.accounts, limit.teams):
        raise InvalidError(
            _l("An account or a team isn't in this workspace, so no key was created."),
            next_step=_l("Reload the page and choose again."),
            field="limit",
        )


def find_key(session: Session, token: str) -> Caller | None:
    """Return the key for *token*, ended or not; None if it does not exist.

    One query, and another if the key is limited to teams.
    """
    if not _TOKEN.fullmatch(token):
        return None
    columns = sa.select(ApiKey, Membership.role, User.disabled_at, Workspace.archived_at, Workspace.name)
    query = _with_holder(columns.join(Workspace, Workspace.id == ApiKey.workspace_id)).where(
        ApiKey.token_hash == hash_token(token)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    row, role, disabled_at, archived_at, workspace = found
    stored = _scopes(row)
    limit = _limit(row)
    return Caller(
        row.id,
        row.workspace_id,
        row.name,
        stored.union(*(BEFORE[scope] for scope in stored if scope in BEFORE)) - BEFORE.keys(),
        row.last_used_at,
        _ended(row, role, disabled_at),
        archived_at is not None,
        row.automatic,
        before=not stored.isdisjoint(BEFORE),
        accounts=None if limit is None else _accounts(session, row.workspace_id, limit),
        team_ids=() if limit is None else limit.teams,
        expires_at=row.expires_at,
        workspace=workspace,
    )


def _limit(row: ApiKey) -> Limit | None:
    stored = row.limited_to
    return None if stored is None else Limit(tuple(stored["accounts"]), tuple(stored["teams"]))


def _accounts(session: Session, workspace_id: int, limit: Limit) -> frozenset[int]:
    """Return the accounts of a limit. It shrinks with them: a deleted team or account opens nothing."""
    if not limit.teams:
        return frozenset(limit.accounts)
    return frozenset(limit.accounts) | reach.accounts_of_teams(session, workspace_id, limit.teams)


def _with_holder(query: Any) -> Any:
    """Join a query for keys with the owner of each and their membership in its workspace."""
    return query.outerjoin(User, User.id == ApiKey.holder_id).outerjoin(
        Membership,
        sa.and_(Membership.user_id == ApiKey.holder_id, Membership.workspace_id == ApiKey.workspace_id),
    )


def _ended(row: ApiKey, role: str | None, disabled_at: datetime | None) -> KeyEnd | None:
    if row.revoked_at is not None:
        return KeyEnd(row.ended_because or KeyEnd.REVOKED)
    if disabled_at is not None:
        return KeyEnd.LOCKED_OUT
    if role is None:
        return KeyEnd.LEFT
    if role != Role.OWNER:
        return KeyEnd.DEMOTED
    return KeyEnd.EXPIRED if row.expires_at is not None and row.expires_at <= clock.now() else None


def touch(session: Session, key_id: int) -> None:
    """Record that a key was used, unless that was recorded within :data:`TOUCH_EVERY`."""
    now = clock.now()
    stale = sa.or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - TOUCH_EVERY)
    session.execute(sa.update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now))


def expiring(session: Session) -> list[int]:
    """Return the ids of active keys that the owners have to be notified of, see :func:`take_notice`."""
    now = clock.now()
    query = sa.select(ApiKey).where(
        ApiKey.expires_at > now, ApiKey.expires_at <= now + SOON, ApiKey.revoked_at.is_(None)
    )
    return [row.id for row in session.scalars(query.order_by(ApiKey.id)) if _is_due(row, now)]


def take_notice(session: Session, key_id: int) -> ExpiringKey | None:
    """Record that the owners are notified of a key in this write, and return the key; None if it isn't due.

    A time of :data:`NOTICES` counts from the current expiry, so an extended key is due again later. One that
    had passed when the key was created is left out, because whoever chose the expiry knows it.
    """
    now = clock.now()
    row = session.scalars(sa.select(ApiKey).where(ApiKey.id == key_id).with_for_update()).one_or_none()
    if row is None or row.revoked_at is not None or not _is_due(row, now):
        return None
    assert row.expires_at is not None
    row.noticed_at = now
    session.flush()
    return ExpiringKey(row.id, row.workspace_id, row.name, row.expires_at)


def _is_due(row: ApiKey, now: datetime) -> bool:
    if row.expires_at is None or row.expires_at <= now:
        return False
    last = row.noticed_at or row.created_at
    return any(last < row.expires_at - before <= now for before in NOTICES)


def revoke(work: UnitOfWork, key_id: int) -> str | None:
    """Revoke a key of the workspace immediately; return its name, or None if it had already ended.

    :raises NotFoundError: if the workspace has no such key.
    """
    row = _get(work.session, work.workspace_id, key_id)
    if row.revoked_at is not None:
        return None
    row.revoked_at, row.ended_because = work.now, KeyEnd.REVOKED
    work.session.flush()
    work.audit("api_key.revoked", row.name)
    return row.name


def take_over(work: UnitOfWork, key_id: int) -> None:
    """Make the person who acts the owner of a key; see :func:`hand_over`."""
    name = hand_over(work.session, work.workspace_id, key_id, work.desk.person_id)
    work.audit("api_key.taken_over", name)


def hand_over(session: Session, workspace_id: int, key_id: int, to: int) -> str:
    """Transfer a key to another owner of the workspace; return its name.

    :raises NotFoundError: if the workspace has no such key.
    :raises ConflictError: if the key has ended, or the new owner is not an owner who can sign in.
    """
    owner = session.scalar(
        sa.select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(
            User.id == to,
            User.disabled_at.is_(None),
            Membership.workspace_id == workspace_id,
            Membership.role == Role.OWNER,
        )
    )
    if owner is None:
        raise ConflictError(
            _l("A key can only be transferred to an owner of this workspace, so nothing was changed."),
            next_step=_l("Choose another owner."),
        )
    row = _get(session, workspace_id, key_id)
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= clock.now()):
        raise ConflictError(
            _l("This key has expired or was revoked, so it cannot be transferred."),
            next_step=_l("Create a new one."),
        )
    row.holder_id = to
    session.flush()
    return row.name


def _get(session: Session, workspace_id: int, key_id: int) -> ApiKey:
    row = session.scalars(
        sa.select(ApiKey).where(ApiKey.id == key_id, ApiKey.workspace_id == workspace_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError()
    return row


def listing(session: Session, workspace_id: int, *, holder_id: int | None = None) -> Sequence[KeyRow]:
    """Return the keys of the workspace: active keys first, then ended ones, newest first.

    :param holder_id: only active keys owned by this person.
    """
    maker = aliased(User)
    expired = sa.and_(ApiKey.expires_at.is_not(None), ApiKey.expires_at <= clock.now())
    query = (
        _with_holder(sa.select(ApiKey, maker.name, User.name, Membership.role, User.disabled_at))
        .outerjoin(maker, maker.id == ApiKey.created_by)
        .where(ApiKey.workspace_id == workspace_id)
        .order_by(sa.or_(ApiKey.revoked_at.is_not(None), expired), ApiKey.id.desc())
        .limit(2 * MOST)
    )
    if holder_id is not None:
        query = query.where(ApiKey.holder_id == holder_id, ApiKey.revoked_at.is_(None), sa.not_(expired))
    return [
        KeyRow(
            id=row.id,
            name=row.name,
            hint=row.hint,
            scopes=_scopes(row),
            created_by=made_by,
            holder_id=row.holder_id,
            holder=holder,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            ended_at=row.revoked_at,
            ended=_ended(row, role, disabled_at),
            automatic=row.automatic,
            expires_at=row.expires_at,
            limit=_limit(row),
        )
        for row, made_by, holder, role, disabled_at in session.execute(query)
    ]


def _scopes(row: ApiKey) -> frozenset[Scope]:
    """Return the stored scopes of a key; unknown ones, of a newer release, allow nothing."""
    known = set(Scope)
    return frozenset(Scope(one) for one in f"{row.scopes} {row.granted or ''}".split() if one in known)
