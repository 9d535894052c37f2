"""Single-use links with which a person chooses a password: their first one, or a new one.

An admin gets a link to pass on, or has it mailed; if mail is set up, people can request one. The database
stores a hash. The token of a mailed link is created when the mail is sent (:func:`send_due`), so it is never
stored in plain text.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db, mail
from host.core.config import Config
from host.core.errors import NotFoundError
from host.models.users import PasswordLink, User
from host.users import passwords, users
from host.users.actor import DeskWork
from host.users.passwords import Hashed
from host.users.sessions import hash_token, new_token

log = logging.getLogger(__name__)

FIRST = timedelta(days=7)
"""Lifetime of a link for a person without a password."""
HANDED = timedelta(days=1)
"""Lifetime of a link that an admin hands over."""
MAILED = timedelta(hours=1)
"""Lifetime of a link that was requested on the sign-in page."""
PAUSE = timedelta(minutes=1)
"""Time between two attempts to mail a link."""


class Linked(msgspec.Struct, frozen=True):
    """The recipient of a link."""

    user_id: int
    email: str
    name: str
    has_password: bool


def add_person(work: DeskWork, email: str, name: str, *, is_admin: bool, by_mail: bool) -> str:
    """Add a person, who chooses a password through a link; return its token, empty if it is mailed."""
    user = users.add(work, email, name, None, is_admin=is_admin)
    return _made(work.session, user.id, FIRST, by_mail=by_mail)


def hand(work: DeskWork, user_id: int, lasts: timedelta, *, by_mail: bool | None = None) -> str:
    """Create a link for a person as an admin; return its token, empty if it is mailed.

    Their current password works until they use it.

    :param by_mail: None: it is handed over outside a page, which has no choice.
    """
    token = _made(work.session, user_id, lasts, by_mail=bool(by_mail))
    email = work.session.get_one(User, user_id).email
    details = {} if by_mail is None else {"by": "mail" if by_mail else "hand"}
    work.audit("password.link_made", email, details=details)
    return token


def _made(session: Session, user_id: int, lasts: timedelta, *, by_mail: bool) -> str:
    if by_mail:
        make_by_mail(session, user_id, lasts)
        return ""
    return make(session, user_id, lasts)


def make(session: Session, user_id: int, lasts: timedelta) -> str:
    """Create a link for a person and return its token, which is never shown again.

    Earlier links are revoked.
    """
    token = new_token()
    _add(session, user_id, hash_token(token), lasts, None)
    return token


def make_by_mail(session: Session, user_id: int, lasts: timedelta) -> None:
    """Schedule a link to be mailed to a person. Earlier links are revoked."""
    # The hash of an unknown token: the real link is created when the mail is sent.
    _add(session, user_id, hash_token(new_token()), lasts, clock.now())


def _add(
    session: Session, user_id: int, token_hash: str, lasts: timedelta, mail_due_at: datetime | None
) -> None:
    session.execute(sa.delete(PasswordLink).where(PasswordLink.user_id == user_id))
    now = clock.now()
    session.add(
        PasswordLink(
            token_hash=token_hash,
            user_id=user_id,
            created_at=now,
            expires_at=now + lasts,
            mail_due_at=mail_due_at,
        )
    )
    session.flush()


def ask(session: Session, email: str) -> None:
    """Schedule a link to be mailed to *email*, if a user with that address may sign in.

    The check happens later, so that the work done here is the same for every address.

    :raises InvalidError: if it is not an address.
    """
    now = clock.now()
    session.add(
        PasswordLink(
            token_hash=hash_token(new_token()),
            asked_by=users.clean_email(email),
            created_at=now,
            expires_at=now + MAILED,
            mail_due_at=now,
        )
    )
    session.flush()


def find(session: Session, token: str) -> Linked:
    """Return the recipient of the link with *token*.

    :raises NotFoundError: if it was used, has expired or never existed.
    """
    found = session.execute(
        sa.select(User)
        .join(PasswordLink, PasswordLink.user_id == User.id)
        .where(
            PasswordLink.token_hash == hash_token(token),
            PasswordLink.expires_at > clock.now(),
            User.disabled_at.is_(None),
        )
    ).scalar_one_or_none()
    if found is None:
        raise NotFoundError(
            _l("This link was already used, has expired, or was replaced by a newer one."),
            next_step=_l("Request a new one."),
        )
    return Linked(found.id, found.email, found.name, found.password_hash != passwords.NONE)


def use(work: DeskWork, token: str, password: Hashed) -> User:
    """Use up the link: set the person's password and sign them out everywhere.

    :raises NotFoundError: if it is no longer valid.
    """
    session = work.session
    linked = find(session, token)
    # Delete first: the second of two concurrent requests waits for the row, and then finds it deleted.
    used = session.execute(sa.delete(PasswordLink).where(PasswordLink.token_hash == hash_token(token)))
    if not used.rowcount:  # type: ignore[attr-defined]
        raise NotFoundError(_l("This link was just used."), next_step="")
    users.set_password(session, linked.user_id, password)
    work.of(linked.user_id).audit("password.changed", linked.email, details={"by": "link"})
    return session.get_one(User, linked.user_id)


def forget_old(session: Session) -> None:
    """Delete expired links."""
    session.execute(sa.delete(PasswordLink).where(PasswordLink.expires_at <= clock.now()))


_config: Config | None = None


def use_settings(config: Config) -> None:
    """Use the mail settings of *config* in this process."""
    global _config  # noqa: PLW0603 - the settings of the process
    _config = config


def send_due() -> int:
    """Mail the links that are due; return how many the server accepted.

    The process that claims a link creates its token, so only one process mails it. If the server does not
    accept the mail, it is retried until the link expires.
    """
    server = None if _config is None else mail.server_of(_config)
    if server is None or _config is None:
        return 0
    sent = 0
    for row in _due():
        token = new_token()
        if not db.write(_take, row, token):
            continue
        try:
            mail.send(
                server, _composed(server, row, f"{_config.public_url}/password/{token}", _config.language)
            )
            sent += 1
        except mail.NotSentError as error:
            log.warning("the link of person %s could not be mailed: %s", row.person, error)
            db.write(_put_back, row.id)
        except mail.UnconfirmedError as error:
            log.warning("nobody knows whether the link of person %s was mailed: %s", row.person, error)
        except Exception:
            log.exception("the link of person %s could not be mailed", row.person)
    return sent


def _due() -> list[sa.Row[Any]]:
    now = clock.now()
    query = (
        sa.select(
            *PasswordLink.__table__.columns,
            User.id.label("person"),
            User.email,
            User.name,
            User.locale,
            User.password_hash,
        )
        .outerjoin(
            User,
            sa.and_(
                sa.or_(User.id == PasswordLink.user_id, User.email == PasswordLink.asked_by),
                User.disabled_at.is_(None),
            ),
        )
        .where(PasswordLink.mail_due_at <= now, PasswordLink.expires_at > now)
        .order_by(PasswordLink.id)
        .limit(50)
    )
    with db.read() as session:
        return list(session.execute(query))


def _take(session: Session, row: sa.Row[Any], token: str) -> bool:
    """Create the link of *row*; return False if there is no recipient, or another process claimed it."""
    # MariaDB treats é and e as equal; addresses have to match exactly.
    if row.person is None or row.asked_by not in {None, row.email}:
        session.execute(sa.delete(PasswordLink).where(PasswordLink.id == row.id))
        return False
    taken = session.execute(
        sa.update(PasswordLink)
        .where(PasswordLink.id == row.id, PasswordLink.mail_due_at == row.mail_due_at)
        .values(mail_due_at=None, asked_by=None, user_id=row.person, token_hash=hash_token(token))
        .execution_options(synchronize_session=False)
    )
    if not taken.rowcount:  # type: ignore[attr-defined]
        return False
    theirs = sa.or_(PasswordLink.user_id == row.person, PasswordLink.asked_by == row.email)
    session.execute(sa.delete(PasswordLink).where(theirs, PasswordLink.id != row.id))
    return True


def _put_back(session: Session, link_id: int) -> None:
    session.execute(
        sa.update(PasswordLink).where(PasswordLink.id == link_id).values(mail_due_at=clock.now() + PAUSE)
    )


def _composed(server: mail.Server, row: sa.Row[Any], link: str, usual: str) -> EmailMessage:
    """Compose the mail in the recipient's language; *usual*: the desk's."""
    _ = mail.words(row.locale, usual).ugettext
    hours = round((row.expires_at - row.created_at) / timedelta(hours=1))
    first = row.password_hash == passwords.NONE
    parts = [
        _("Hello %(name)s,") % {"name": row.name},
        _("An account was created for you. Choose your password with this link:")
        if first
        else _("Someone, probably you, requested a new password. Choose it with this link:"),
        link,
        _("The link works once and expires after %(hours)d hours.") % {"hours": hours}
        if hours > 1
        else _("The link works once and expires after an hour."),
        "" if first else _("If this wasn't you, ignore this email. Your password stays the same."),
    ]
    subject = _("Choose your password") if first else _("A new password")
    return mail.compose(server, row.email, subject, "\n\n".join(part for part in parts if part) + "\n")
