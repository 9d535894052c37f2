"""Keys of the API. Each belongs to one workspace, has scopes, and can be revoked."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.models.api import ApiKey
from host.models.users import User
from host.users.users import clean_name

PREFIX = "lobby_"
"""The prefix of every key, so that scanners for leaked credentials can find one."""
MOST = 50
"""Most keys of one workspace that are not revoked."""
TOUCH_EVERY = timedelta(minutes=5)
"""How old ``last_used_at`` may be before a request writes it again."""

_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_HINT = len(PREFIX) + 4


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Caller:
    """The key a request came with."""

    key_id: int
    workspace_id: int
    name: str
    scopes: frozenset[Scope]
    last_used_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as the settings page lists it."""

    id: int
    name: str
    hint: str
    scopes: frozenset[Scope]
    created_by: str | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def hash_token(token: str) -> str:
    """Return the hash that is stored of *token*: 64 hex digits. 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    session: Session, *, workspace_id: int, name: str, scopes: Collection[Scope], created_by: int
) -> str:
    """Make a key and return it. It is stored as a hash only and never shown again.

    :raises InvalidError: for a name that cannot be used, or no scope.
    :raises ConflictError: if the workspace has :data:`MOST` keys already.
    """
    if not scopes:
        raise InvalidError(_l("A key has to be allowed something."), next_step=_l("Choose what it may do."))
    cleaned = clean_name(name)
    live = sa.select(sa.func.count()).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
    if (session.scalar(live) or 0) >= MOST:
        raise ConflictError(
            _l("This workspace has as many keys as it can have."), next_step=_l("Revoke one first.")
        )
    token = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKey(
            workspace_id=workspace_id,
            name=cleaned,
            token_hash=hash_token(token),
            hint=token[:_HINT],
            scopes=" ".join(sorted(scopes)),
            created_by=created_by,
            created_at=clock.now(),
        )
    )
    session.flush()
    return token


def find_key(session: Session, token: str) -> Caller | None:
    """Return the key *token*, revoked or not; None if it does not exist. One query."""
    if not _TOKEN.fullmatch(token):
        return None
    row = session.scalars(sa.select(ApiKey).where(ApiKey.token_hash == hash_token(token))).one_or_none()
    if row is None:
        return None
    return Caller(
        row.id, row.workspace_id, row.name, _scopes(row.scopes), row.last_used_at, row.revoked_at is not None
    )


def touch(session: Session, key_id: int) -> None:
    """Record that a key was used, unless that was recorded a moment ago."""
    now = clock.now()
    stale = sa.or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - TOUCH_EVERY)
    session.execute(sa.update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now))


def revoke(session: Session, workspace_id: int, key_id: int) -> str | None:
    """End a key of the workspace at once; return its name, or None if it was revoked before.

    :raises NotFoundError: if the workspace has no such key.
    """
    row = session.scalars(
        sa.select(ApiKey).where(ApiKey.id == key_id, ApiKey.workspace_id == workspace_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError()
    if row.revoked_at is not None:
        return None
    row.revoked_at = clock.now()
    session.flush()
    return row.name


def listing(session: Session, workspace_id: int) -> Sequence[KeyRow]:
    """Return the keys of the workspace: valid ones first, then revoked ones, newest first."""
    query = (
        sa.select(ApiKey, User.name)
        .outerjoin(User, User.id == ApiKey.created_by)
        .where(ApiKey.workspace_id == workspace_id)
        .order_by(ApiKey.revoked_at.is_not(None), ApiKey.id.desc())
        .limit(2 * MOST)
    )
    return [
        KeyRow(
            id=row.id,
            name=row.name,
            hint=row.hint,
            scopes=_scopes(row.scopes),
            created_by=person,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )
        for row, person in session.execute(query)
    ]


def _scopes(text: str) -> frozenset[Scope]:
    known = set(Scope)
    return frozenset(Scope(one) for one in text.split() if one in known)
