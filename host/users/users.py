"""Add, find, change and disable users."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.models.api_keys import KeyEnd
from host.models.notifications import NotificationRule, QuietHours
from host.models.signing_in import SignInStep
from host.models.users import InstallationValue, Membership, PasswordLink, Role, User, Workspace
from host.users import endings, last_owners, passwords, sessions
from host.users.actor import DeskWork
from host.users.endings import Ended
from host.users.sessions import CurrentUser
from host.users.signin import factors

SETUP_TOKEN = "setup_token"  # noqa: S105 - the name of a row
MAX_NAME = 120
MAX_EMAIL = 254

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]+@[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_email(email: str) -> str:
    """Return *email* in its stored form: trimmed, in lower case.

    :raises InvalidError: if it is not an address.
    """
    address = email.strip().lower()
    if len(address) > MAX_EMAIL or not _EMAIL.fullmatch(address):
        raise InvalidError(
            _l("This is not an email address."), next_step=_l("Use an address such as mia@example.com.")
        )
    return address


def clean_name(name: str) -> str:
    """Return *name* on one line, without characters that change the direction of the text around it.

    :raises InvalidError: if the result is empty or too long.
    """
    text = " ".join(_UNPRINTABLE.sub(" ", name).split())
    if not text:
        raise InvalidError(_l("A name is required."), next_step="")
    if len(text) > MAX_NAME:
        raise InvalidError(_l("The name is longer than 120 characters."), next_step=_l("Shorten it."))
    return text


class Person(msgspec.Struct, frozen=True):
    """A user of the desk, for admins.

    :param places: their workspaces, with their role in each.
    :param sessions: number of browsers with a session.
    :param has_password: whether they have chosen one. *second_factor*: whether they have one.
    """

    id: int
    name: str
    email: str
    is_admin: bool
    picture: str
    seen_at: datetime | None
    disabled_at: datetime | None
    new_password: bool
    has_password: bool
    second_factor: bool
    places: tuple[tuple[str, Role], ...]
    sessions: int


def people(session: Session) -> list[Person]:
    """Return everyone by name, without deleted accounts. Three queries."""
    places: dict[int, list[tuple[str, Role]]] = {}
    member_of = (
        sa.select(Membership.user_id, Workspace.name, Membership.role)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .order_by(Workspace.name)
    )
    for user_id, name, role in session.execute(member_of):
        places.setdefault(user_id, []).append((name, Role(role)))
    browsers = sessions.count_active(session)
    query = sa.select(User).where(User.deleted_at.is_(None)).order_by(User.name, User.id)
    return [
        Person(
            id=row.id,
            name=row.name,
            email=row.email,
            is_admin=row.is_admin,
            picture=sessions.picture_name(row.picture_key),
            seen_at=row.seen_at,
            disabled_at=row.disabled_at,
            new_password=row.new_password,
            has_password=row.password_hash != passwords.NONE,
            second_factor=row.second_factor_at is not None,
            places=tuple(places.get(row.id, ())),
            sessions=browsers.get(row.id, 0),
        )
        for row in session.scalars(query)
    ]


def person(session: Session, user_id: int) -> Person:
    """Return one of :func:`people`.

    :raises NotFoundError: if there is no such person.
    """
    found = next((one for one in people(session) if one.id == user_id), None)
    if found is None:
        raise NotFoundError(_l("This person no longer exists."), next_step="")
    return found


def anybody(session: Session) -> bool:
    """Return whether the desk has any user, that is, whether it has been set up."""
    return session.scalar(sa.select(User.id).limit(1)) is not None


def find_user(session: Session, email: str) -> User | None:
    """Return the person with this address, or None."""
    address = email.strip().lower()
    user = session.scalar(sa.select(User).where(User.email == address))
    # MariaDB treats é and e as equal; addresses have to match exactly.
    return user if user is not None and user.email == address else None


def by_email(session: Session, email: str) -> User:
    """Return the person with this address.

    :raises NotFoundError: if there is none.
    """
    user = find_user(session, email)
    if user is None:
        raise NotFoundError(_l("No one here has this email address."), next_step="")
    return user


def create(
    session: Session,
    email: str,
    name: str,
    password: str | passwords.Hashed | None,
    is_admin: bool = False,
) -> User:
    """Add a person. From then on the setup link no longer works.

    :param password: None: they choose one through a link, see :mod:`host.users.password_links`.

    :raises InvalidError: for an invalid address, name or password.
    :raises ConflictError: if a user already has this address.
    """
    address = clean_email(email)
    taken = ConflictError(_l("Someone here already has this email address."), next_step="")
    if find_user(session, address) is not None:
        raise taken
    user = User(
        email=address,
        name=clean_name(name),
        password_hash=passwords.NONE if password is None else passwords.hashed(password, email=address).value,
        is_admin=is_admin,
        theme="auto",
        locale=None,
        created_at=clock.now(),
        disabled_at=None,
    )
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:
        raise taken from error
    session.execute(sa.delete(InstallationValue).where(InstallationValue.name == SETUP_TOKEN))
    return user


def add(work: DeskWork, email: str, name: str, password: str | None, *, is_admin: bool) -> User:
    """Add a person as an admin, see :func:`create`."""
    user = create(work.session, email, name, password, is_admin)
    work.audit("user.added", user.email, details={"admin": "yes"} if is_admin else {})
    return user


def set_password(
    session: Session, user_id: int, password: str | passwords.Hashed, *, keep_session: int | None = None
) -> None:
    """Set a person's password; end their sessions, except *keep_session*, and all password links.

    :raises InvalidError: for an invalid password.
    """
    user = _get(session, user_id)
    user.password_hash = passwords.hashed(password, email=user.email).value
    user.new_password = False
    for table in (PasswordLink, SignInStep):
        session.execute(sa.delete(table).where(table.user_id == user_id))
    session.flush()
    sessions.end_all(session, user_id, keep=keep_session)


def change_password(work: DeskWork, password: passwords.Hashed, *, keep_session: int) -> None:
    """Change the password of the person who acts; their other browsers are signed out."""
    set_password(work.session, work.person_id, password, keep_session=keep_session)
    work.audit("password.changed", _get(work.session, work.person_id).email)


def rehash(session: Session, user_id: int, was: str, password: passwords.Hashed) -> None:
    """Store the same password hashed with current parameters, unless it was changed meanwhile."""
    session.execute(
        sa.update(User)
        .where(User.id == user_id, User.password_hash == was)
        .values(password_hash=password.value)
    )


def set_profile(
    session: Session, user_id: int, *, name: str, theme: str, locale: str | None, timezone: str | None
) -> None:
    """Change the name, theme, language and time zone of a user."""
    user = _get(session, user_id)
    user.name = clean_name(name)
    user.theme = theme
    user.locale = locale
    user.timezone = timezone
    session.flush()


def set_picture(work: DeskWork, key: str | None) -> str | None:
    """Set a person's picture to the one stored under *key*, or remove it; return the previous key."""
    user = _get(work.session, work.person_id)
    before, user.picture_key = user.picture_key, key
    work.session.flush()
    return before


def picture_for(session: Session, user_id: int, viewer: CurrentUser) -> str | None:
    """Return where a person's picture is stored if *viewer* may see it, else None.

    People see pictures of those they share a workspace with, and their own; admins see all.
    """
    query = sa.select(User.picture_key).where(User.id == user_id)
    if not viewer.is_admin and viewer.id != user_id:
        places = [one.workspace_id for one in viewer.memberships]
        query = query.join(Membership, Membership.user_id == User.id).where(
            Membership.workspace_id.in_(places)
        )
    return session.scalar(query.limit(1))


def set_theme(session: Session, user_id: int, theme: str) -> None:
    """Store the theme of a user: light, dark or auto."""
    _get(session, user_id).theme = theme
    session.flush()


def set_admin(work: DeskWork, user_id: int, is_admin: bool, *, by: str = "") -> None:
    """Make a person an admin of the desk, or remove that role.

    :param by: what decided, if that was not a person.
    :raises ConflictError: for the last admin; for a person who cannot sign in.
    """
    if not is_admin:
        last_owners.keep_admin(work.session, user_id)
    user = _get(work.session, user_id)
    if is_admin and user.disabled_at is not None:
        raise ConflictError(_l("This person is locked out."), next_step=_l("Unlock their account first."))
    user.is_admin = is_admin
    details = {"by": by} if by else {}
    work.audit("user.made_admin" if is_admin else "user.no_longer_admin", user.email, details=details)


def disable(session: Session, user_id: int) -> Ended:
    """Lock a person out immediately: sessions end and the password stops working. Their messages are kept.

    Their conversations become unassigned. Return their keys and invitations that ended, in every workspace.

    :raises ConflictError: for the last admin, and for the last owner of a workspace.
    """
    last_owners.keep_every_place(session, user_id)
    user = _get(session, user_id)
    user.disabled_at = user.disabled_at or clock.now()
    session.execute(sa.delete(PasswordLink).where(PasswordLink.user_id == user_id))
    session.flush()
    sessions.end_all(session, user_id)
    endings.assign_all(session, user_id, None, None)
    return endings.end_all(session, user_id, KeyEnd.LOCKED_OUT)


def enable(work: DeskWork, user_id: int) -> None:
    """Let a locked-out person sign in again, with their memberships but without their API keys."""
    user = _get(work.session, user_id)
    user.disabled_at = None
    work.audit("user.enabled", user.email)


def require_new_password(work: DeskWork, user_id: int) -> None:
    """Require a person to choose a new password before anything else."""
    user = _get(work.session, user_id)
    user.new_password = True
    work.audit("password.new_wanted", user.email)


def sign_out(work: DeskWork, user_id: int) -> None:
    """End all sessions of a person."""
    user = _get(work.session, user_id)
    sessions.end_all(work.session, user_id)
    work.audit("session.all_ended", user.email)


def delete(session: Session, user_id: int) -> Ended:
    """Delete an account: address, password, picture, memberships, sessions and settings are deleted
    immediately.

    The name stays with the person's messages. The address can be used for another account.

    :raises ConflictError: as in :func:`disable`.
    """
    ended = disable(session, user_id)
    user = _get(session, user_id)
    session.execute(sa.delete(Membership).where(Membership.user_id == user_id))
    factors.forget(session, user)
    session.execute(sa.delete(NotificationRule).where(NotificationRule.user_id == user_id))
    session.execute(sa.delete(QuietHours).where(QuietHours.user_id == user_id))
    user.email = f"deleted-{user_id}@invalid"
    user.password_hash = passwords.NONE
    user.is_admin = user.new_password = False
    user.locale = user.timezone = user.picture_key = None
    user.deleted_at = clock.now()
    session.flush()
    return ended


def _get(session: Session, user_id: int) -> User:
    user = session.get(User, user_id, populate_existing=True)
    if user is None or user.deleted_at is not None:
        raise NotFoundError(_l("This person no longer exists."), next_step="")
    return user
