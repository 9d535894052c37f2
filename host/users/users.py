"""Add, find, change and disable users."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.models.api import KeyEnd
from host.models.users import InstallationValue, User
from host.users import endings, passwords, sessions
from host.users.endings import Ended

SETUP_TOKEN = "setup_token"  # noqa: S105 - the name of a row
MAX_NAME = 120
MAX_EMAIL = 254

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]+@[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_email(email: str) -> str:
    """Return *email* as it is stored: trimmed, in lower case.

    :raises InvalidError: if it is no address.
    """
    address = email.strip().lower()
    if len(address) > MAX_EMAIL or not _EMAIL.fullmatch(address):
        raise InvalidError(
            _l("This is not an e-mail address."), next_step=_l("Write it like mia@example.com.")
        )
    return address


def clean_name(name: str) -> str:
    """Return *name* on one line, without characters that change the direction of the text around it.

    :raises InvalidError: if the result is empty or too long.
    """
    text = " ".join(_UNPRINTABLE.sub(" ", name).split())
    if not text:
        raise InvalidError(_l("A name is needed."), next_step="")
    if len(text) > MAX_NAME:
        raise InvalidError(_l("The name is longer than 120 characters."), next_step=_l("Shorten it."))
    return text


def anybody(session: Session) -> bool:
    """Tell whether the desk has been set up: whether there is any person at all."""
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
        raise NotFoundError(_l("Nobody here has this e-mail address."), next_step="")
    return user


def create(
    session: Session, email: str, name: str, password: str | passwords.Hashed, is_admin: bool = False
) -> User:
    """Add a person. From then on the set-up link no longer works.

    :raises InvalidError: for an address, a name or a password that cannot be used.
    :raises ConflictError: if a user has this address already.
    """
    address = clean_email(email)
    taken = ConflictError(_l("Somebody here has this e-mail address already."), next_step="")
    if find_user(session, address) is not None:
        raise taken
    user = User(
        email=address,
        name=clean_name(name),
        password_hash=passwords.hashed(password, email=address).value,
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


def set_password(
    session: Session, user_id: int, password: str | passwords.Hashed, *, keep_session: int | None = None
) -> None:
    """Give a person a new password and end their sessions, apart from *keep_session*.

    :raises InvalidError: for a password that cannot be used.
    """
    user = _get(session, user_id)
    user.password_hash = passwords.hashed(password, email=user.email).value
    session.flush()
    sessions.end_all(session, user_id, keep=keep_session)


def rehash(session: Session, user_id: int, was: str, password: passwords.Hashed) -> None:
    """Store the same password with today's parameters, unless it was changed meanwhile."""
    session.execute(
        sa.update(User)
        .where(User.id == user_id, User.password_hash == was)
        .values(password_hash=password.value)
    )


def set_profile(session: Session, user_id: int, *, name: str, theme: str, locale: str | None) -> None:
    """Change the name, theme and language of a user."""
    user = _get(session, user_id)
    user.name = clean_name(name)
    user.theme = theme
    user.locale = locale
    session.flush()


def set_theme(session: Session, user_id: int, theme: str) -> None:
    """Remember light, dark or auto."""
    _get(session, user_id).theme = theme
    session.flush()


def disable(session: Session, user_id: int) -> Ended:
    """Lock a person out at once: every session ends, the password no longer works. What they wrote stays.

    Return which keys and invitations of theirs end with that, in every workspace.

    :raises ConflictError: for the last admin, without whom the desk could not be run.
    """
    # Lock all admins in one order, so that two admins cannot disable each other at the same moment.
    admins = session.scalars(
        sa.select(User.id)
        .where(User.is_admin, User.disabled_at.is_(None))
        .order_by(User.id)
        .with_for_update()
    ).all()
    if list(admins) == [user_id]:
        raise ConflictError(
            _l("This is the only admin. Without one nobody could run the desk."),
            next_step=_l("Make somebody else an admin first."),
        )
    user = _get(session, user_id)
    user.disabled_at = clock.now()
    session.flush()
    sessions.end_all(session, user_id)
    return endings.end_all(session, user_id, KeyEnd.LOCKED_OUT)


def _get(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError(_l("This person does not exist any more."), next_step="")
    return user
