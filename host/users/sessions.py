"""Signed-in browsers: the cookie holds a random token, the database its hash; each can be ended at once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.users import LoginSession, Membership, Role, User, Workspace

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
TOUCH_EVERY = timedelta(minutes=5)
"""How old ``seen_at`` may be before a request writes it again; far below :data:`IDLE`."""


@dataclass(frozen=True, slots=True)
class CurrentMembership:
    """A workspace the signed-in person works in."""

    workspace_id: int
    workspace_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """The signed-in user, as views see them."""

    id: int
    name: str
    email: str
    is_admin: bool
    theme: str
    locale: str | None
    session_id: int
    seen_at: datetime
    confirmed_at: datetime
    memberships: tuple[CurrentMembership, ...]

    def membership(self, workspace_id: int) -> CurrentMembership | None:
        """Return the membership in that workspace, or None."""
        return next((m for m in self.memberships if m.workspace_id == workspace_id), None)


def hash_token(token: str) -> str:
    """Return the hash that is stored of *token*: 64 hex digits. 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """Return 256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def start(session: Session, user_id: int, remote: str, *, replaces: str | None = None) -> str:
    """Start a session for *user_id*, who typed their password; return its token. The session *replaces* ends.

    Expired sessions of the same user are deleted.
    """
    now = clock.now()
    ended = [LoginSession.expires_at <= now, LoginSession.seen_at <= now - IDLE]
    if replaces:
        ended.append(LoginSession.token_hash == hash_token(replaces))
    session.execute(sa.delete(LoginSession).where(LoginSession.user_id == user_id, sa.or_(*ended)))
    if replaces:
        session.execute(sa.delete(LoginSession).where(LoginSession.token_hash == hash_token(replaces)))
    token = new_token()
    session.add(
        LoginSession(
            token_hash=hash_token(token),
            user_id=user_id,
            created_at=now,
            seen_at=now,
            confirmed_at=now,
            expires_at=now + ABSOLUTE,
            remote=remote[:64],
        )
    )
    session.flush()
    return token


@cache
def _current_query() -> Any:
    return (
        sa.select(
            LoginSession.id,
            LoginSession.seen_at,
            LoginSession.confirmed_at,
            User.id,
            User.name,
            User.email,
            User.is_admin,
            User.theme,
            User.locale,
            Membership.role,
            Workspace.id,
            Workspace.name,
        )
        .join(User, User.id == LoginSession.user_id)
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(Workspace, Workspace.id == Membership.workspace_id)
        .where(
            LoginSession.token_hash == sa.bindparam("token"),
            LoginSession.expires_at > sa.bindparam("now"),
            LoginSession.seen_at > sa.bindparam("idle_since"),
            User.disabled_at.is_(None),
        )
        .order_by(Workspace.name, Workspace.id)
    )


def load(session: Session, token: str) -> CurrentUser | None:
    """Return the user *token* stands for, or None if it stands for none (any more). One query."""
    now = clock.now()
    rows = db.read_rows(session, _current_query(), token=hash_token(token), now=now, idle_since=now - IDLE)
    if not rows:
        return None
    session_id, seen_at, confirmed_at, user_id, name, email, is_admin, theme, locale, *_rest = rows[0]
    memberships = tuple(
        CurrentMembership(workspace_id=row[10], workspace_name=row[11], role=Role(row[9]))
        for row in rows
        if row[10] is not None
    )
    return CurrentUser(
        user_id, name, email, is_admin, theme, locale, session_id, seen_at, confirmed_at, memberships
    )


def touch(session: Session, session_id: int) -> None:
    """Record that the session was used now."""
    session.execute(sa.update(LoginSession).where(LoginSession.id == session_id).values(seen_at=clock.now()))


def confirm(session: Session, session_id: int) -> None:
    """Record that the person typed their password again."""
    session.execute(
        sa.update(LoginSession).where(LoginSession.id == session_id).values(confirmed_at=clock.now())
    )


def end(session: Session, token: str) -> None:
    """Sign the browser that holds *token* out."""
    session.execute(sa.delete(LoginSession).where(LoginSession.token_hash == hash_token(token)))


def end_all(session: Session, user_id: int, *, keep: int | None = None) -> None:
    """Sign the person out everywhere, apart from the session *keep*."""
    query = sa.delete(LoginSession).where(LoginSession.user_id == user_id)
    if keep is not None:
        query = query.where(LoginSession.id != keep)
    session.execute(query)


def revoke(session: Session, user_id: int, session_id: int) -> bool:
    """End one session of *user_id*; return whether there was one."""
    result = session.execute(
        sa.delete(LoginSession).where(LoginSession.id == session_id, LoginSession.user_id == user_id)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def active(session: Session, user_id: int) -> Sequence[LoginSession]:
    """Return the sessions of *user_id* that are still valid, the latest used first."""
    now = clock.now()
    query = (
        sa.select(LoginSession)
        .where(
            LoginSession.user_id == user_id,
            LoginSession.expires_at > now,
            LoginSession.seen_at > now - IDLE,
        )
        .order_by(LoginSession.seen_at.desc(), LoginSession.id.desc())
    )
    return session.scalars(query).all()
