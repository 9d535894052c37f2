"""Signed-in browsers: the cookie holds a random token, the database its hash.

Each session can be ended immediately.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import NotFoundError
from host.models.signing_in import RequirementScope, SignInSettings
from host.models.users import (
    ConfirmedBy,
    LoginSession,
    Membership,
    Role,
    SignedInBy,
    User,
    Workspace,
)
from host.push.models import PushDevice
from host.users import passwords, reach, retention, roles
from host.users.actor import DeskWork
from host.users.reach import Accounts
from host.users.roles import Permission

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
SECOND_FACTOR_WANTED = sa.select(SignInSettings.second_factor).order_by(SignInSettings.id).limit(1)
"""Query for the people who must have a second factor, a value of :class:`RequirementScope`; no row: none."""
TOUCH_EVERY = timedelta(minutes=5)
"""How old ``seen_at`` may be before a request writes it again; far below :data:`IDLE`."""


@dataclass(frozen=True, slots=True)
class CurrentMembership:
    """A workspace of the signed-in person.

    :param accounts: the accounts they see; None: all.
    :param archived: whether it is read-only.
    :param timezone: the workspace's, empty where it has none.
    :param picture: a value that is different for each picture of the workspace; empty without one.
    :param ends_at: when it will be deleted, unless that is cancelled.
    :param language: the workspace's, empty where it has none.
    :param on_duty: whether automatic assignment gives them conversations.
    """

    workspace_id: int
    workspace_name: str
    role: Role
    accounts: Accounts = None
    archived: bool = False
    timezone: str = ""
    picture: str = ""
    ends_at: datetime | None = None
    language: str = ""
    on_duty: bool = False

    def may(self, permission: Permission) -> bool:
        """Return whether the member has *permission* here."""
        return roles.may(self.role, permission)


class Confirmation(msgspec.Struct, frozen=True):
    """The last time a person confirmed their identity in a browser.

    :param by: None: unknown.
    """

    at: datetime
    by: ConfirmedBy | None = None


UNCONFIRMED = Confirmation(datetime.fromtimestamp(0, UTC))
"""Value for a session without a confirmation."""


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """The signed-in user, for views.

    :param picture: a value that is different for each of their pictures; empty without one.
    :param new_password: whether they must choose a new password before anything else.
    :param no_second: whether they must set up a second factor before anything else.
    :param has_password: whether they have chosen one; people who sign in through the provider may have none.
    """

    id: int
    name: str
    email: str
    is_admin: bool
    theme: str
    locale: str | None
    timezone: str | None
    picture: str
    new_password: bool
    session_id: int
    seen_at: datetime
    confirmed: Confirmation
    memberships: tuple[CurrentMembership, ...]
    no_second: bool = False
    has_password: bool = True

    @property
    def confirmed_at(self) -> datetime:
        """Time of the last confirmation; an older name, kept for addons."""
        return self.confirmed.at

    def membership(self, workspace_id: int) -> CurrentMembership | None:
        """Return the membership in that workspace, or None."""
        return next((m for m in self.memberships if m.workspace_id == workspace_id), None)


def hash_token(token: str) -> str:
    """Return the hash stored for *token*: 64 hex digits. 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """Return 256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def start(
    session: Session,
    user_id: int,
    remote: str,
    *,
    replaces: str | None = None,
    user_agent: str = "",
    by: SignedInBy | None = SignedInBy.PASSWORD,
    second: bool = False,
    confirmed: Confirmation | None = None,
) -> str:
    """Start a session for *user_id*, who has proved their identity; return its token.

    The session *replaces* ends.

    :param by: the first factor; None: unknown.
    :param second: whether they also used their second factor. People who have one get no session without it.
    :param confirmed: None: now, with the first factor.

    Expired sessions of the same user are deleted.
    """
    now = clock.now()
    token = new_token()
    confirmed = confirmed or Confirmation(now, None if by is None else ConfirmedBy(by))
    row = LoginSession(
        token_hash=hash_token(token),
        user_id=user_id,
        created_at=now,
        seen_at=now,
        confirmed_at=confirmed.at,
        confirmed_by=confirmed.by,
        second_at=now if second else None,
        signed_in_by=by,
        expires_at=now + ABSOLUTE,
        remote=remote[:64],
        user_agent=user_agent[:255],
    )
    session.add(row)
    session.execute(sa.update(User).where(User.id == user_id).values(seen_at=now))
    session.flush()
    if replaces:
        _replace(session, hash_token(replaces), row)
    ended = sa.or_(LoginSession.expires_at <= now, LoginSession.seen_at <= now - IDLE)
    session.execute(sa.delete(LoginSession).where(LoginSession.user_id == user_id, ended))
    return token


def _replace(session: Session, token_hash: str, new: LoginSession) -> None:
    """End the session with *token_hash*. Its device gets the pushes of the same person in the *new* one."""
    before = session.scalar(sa.select(LoginSession).where(LoginSession.token_hash == token_hash))
    if before is None:
        return
    this = PushDevice.session_id == before.id
    if before.user_id == new.user_id:
        session.execute(sa.update(PushDevice).where(this).values(session_id=new.id))
    else:
        session.execute(sa.delete(PushDevice).where(this))
    session.delete(before)
    session.flush()


_PERSON: Mapping[str, Any] = {
    "session_id": LoginSession.id,
    "seen_at": LoginSession.seen_at,
    "id": User.id,
    "name": User.name,
    "email": User.email,
    "is_admin": User.is_admin,
    "theme": User.theme,
    "locale": User.locale,
    "timezone": User.timezone,
    "picture": User.picture_key,
    "new_password": User.new_password,
}
"""The fields of a :class:`CurrentUser` that are columns."""


@cache
def _current_query() -> Any:
    return (
        sa.select(
            *_PERSON.values(),
            User.password_hash,
            LoginSession.confirmed_at,
            LoginSession.confirmed_by,
            LoginSession.second_at,
            SECOND_FACTOR_WANTED.scalar_subquery(),
            Membership.role,
            Membership.limited,
            Workspace.id,
            Workspace.name,
            Workspace.archived_at,
            Workspace.delete_asked_at,
            Workspace.timezone,
            Workspace.language,
            Workspace.picture_key.label("workspace_picture"),
            Membership.on_duty_since,
        )
        .join(User, User.id == LoginSession.user_id)
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(
            Workspace, sa.and_(Workspace.id == Membership.workspace_id, Workspace.deleting_at.is_(None))
        )
        .where(
            LoginSession.token_hash == sa.bindparam("token"),
            LoginSession.expires_at > sa.bindparam("now"),
            LoginSession.seen_at > sa.bindparam("idle_since"),
            User.disabled_at.is_(None),
            sa.or_(User.second_factor_at.is_(None), LoginSession.second_at.is_not(None)),
        )
        .order_by(Workspace.name, Workspace.id)
    )


def load(session: Session, token: str) -> CurrentUser | None:
    """Return the user of the session with *token*, or None if it is not valid.

    One query; two for a member limited to some accounts.
    """
    now = clock.now()
    rows = db.read_rows(session, _current_query(), token=hash_token(token), now=now, idle_since=now - IDLE)
    if not rows:
        return None
    person = dict(zip(_PERSON, rows[0], strict=False))
    password_hash, confirmed_at, by, second_at, wanted, *_membership = rows[0][len(_PERSON) :]
    no_second = second_at is None and (
        wanted == RequirementScope.EVERYBODY or (person["is_admin"] and wanted == RequirementScope.ADMINS)
    )
    places = [row[len(_PERSON) + 5 :] for row in rows]
    me = person["id"]
    limits = reach.limits(session, users=[me]) if any(limited for _, limited, *_ in places) else {}
    memberships = tuple(
        CurrentMembership(
            workspace_id=workspace_id,
            workspace_name=name,
            role=Role(role),
            accounts=limits.get((me, workspace_id), frozenset()) if limited else None,
            archived=archived_at is not None,
            ends_at=retention.end_of(asked),
            timezone=zone or "",
            language=language or "",
            picture=picture_name(picture),
            on_duty=since is not None,
        )
        for role, limited, workspace_id, name, archived_at, asked, zone, language, picture, since in places
        if workspace_id is not None
    )
    person |= {"picture": picture_name(person["picture"]), "no_second": no_second}
    person["has_password"] = password_hash != passwords.NONE
    person["confirmed"] = Confirmation(confirmed_at, ConfirmedBy(by) if by else None)
    return CurrentUser(**person, memberships=memberships)


def picture_name(key: str | None) -> str:
    """Return a name for a stored picture that is usable in a URL; empty without a picture."""
    return (key or "")[:12]


def touch(session: Session, session_id: int) -> None:
    """Record that the session, and its user, were active now."""
    now = clock.now()
    session.execute(sa.update(LoginSession).where(LoginSession.id == session_id).values(seen_at=now))
    whose = sa.select(LoginSession.user_id).where(LoginSession.id == session_id).scalar_subquery()
    session.execute(sa.update(User).where(User.id == whose).values(seen_at=now))


def confirm(work: DeskWork, session_id: int, by: ConfirmedBy, target: str) -> None:
    """Record that the person who acts confirmed their identity, and for which page."""
    work.session.execute(
        sa.update(LoginSession)
        .where(LoginSession.id == session_id)
        .values(confirmed_at=work.now, confirmed_by=by)
    )
    work.audit("session.confirmed", _email(work), details={"for": target[:100], "by": by.value})


def _email(work: DeskWork) -> str:
    return work.session.get_one(User, work.person_id).email


def end(work: DeskWork, token: str) -> None:
    """Sign the browser of the person who acts out, which holds *token*. It gets no more pushes."""
    session = work.session
    work.audit("session.ended", _email(work))
    this = sa.select(LoginSession.id).where(LoginSession.token_hash == hash_token(token)).scalar_subquery()
    session.execute(sa.delete(PushDevice).where(PushDevice.session_id == this))
    session.execute(sa.delete(LoginSession).where(LoginSession.token_hash == hash_token(token)))


def end_all(session: Session, user_id: int, *, keep: int | None = None) -> None:
    """Sign the person out everywhere, apart from the session *keep*. Their devices get no more pushes."""
    query = sa.delete(LoginSession).where(LoginSession.user_id == user_id)
    devices = sa.delete(PushDevice).where(PushDevice.user_id == user_id)
    if keep is not None:
        query = query.where(LoginSession.id != keep)
        devices = devices.where(sa.or_(PushDevice.session_id.is_(None), PushDevice.session_id != keep))
    session.execute(devices)
    session.execute(query)


def end_others(work: DeskWork, keep: int) -> None:
    """Sign every browser of the person who acts out but one."""
    end_all(work.session, work.person_id, keep=keep)
    work.audit("session.others_ended", _email(work))


def revoke(work: DeskWork, session_id: int) -> None:
    """End another session of the person who acts, and pushes to its browser.

    :raises NotFoundError: if there is none.
    """
    mine = PushDevice.session_id == session_id, PushDevice.user_id == work.person_id
    work.session.execute(sa.delete(PushDevice).where(*mine))
    result = work.session.execute(
        sa.delete(LoginSession).where(LoginSession.id == session_id, LoginSession.user_id == work.person_id)
    )
    if not result.rowcount:  # type: ignore[attr-defined]
        raise NotFoundError(_l("This browser is already signed out."), next_step="")
    work.audit("session.revoked", _email(work))


def count_active(session: Session) -> dict[int, int]:
    """Return the number of valid sessions of each person who has any."""
    now = clock.now()
    query = (
        sa.select(LoginSession.user_id, sa.func.count())
        .where(LoginSession.expires_at > now, LoginSession.seen_at > now - IDLE)
        .group_by(LoginSession.user_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


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
