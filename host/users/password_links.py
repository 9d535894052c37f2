"""Links with which a person chooses a password, once: their first one, or because they forgot theirs.

An admin is shown one to hand on, or has it mailed; where mail is set up, people ask for one themselves. The
database holds a hash. A mailed link is made when the mail goes out (:func:`send_due`), so it never waits
anywhere in the clear.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db, mail
from host.core.config import Config
from host.core.errors import NotFoundError
from host.models.users import PasswordLink, User
from host.users import passwords, users
from host.users.passwords import Hashed
from host.users.sessions import hash_token, new_token

log = logging.getLogger(__name__)

FIRST = timedelta(days=7)
"""How long the link of somebody works who has no password yet."""
HANDED = timedelta(days=1)
"""How long one works that an admin hands on."""
MAILED = timedelta(hours=1)
"""How long one works that was asked for on the sign-in page."""
PAUSE = timedelta(minutes=1)
"""Between two tries to mail one."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Whom a link is for."""

    user_id: int
    email: str
    name: str
    has_password: bool


def make(session: Session, user_id: int, lasts: timedelta) -> str:
    """Make a link for a person and return its token, which is never shown again. Earlier links end."""
    token = new_token()
    _add(session, user_id, hash_token(token), lasts, None)
    return token


def make_by_mail(session: Session, user_id: int, lasts: timedelta) -> None:
    """Have a link mailed to a person soon. Earlier links end."""
    # A hash of nothing anybody has: the link does not exist before the mail does.
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
    """Have a link mailed to whoever has the address *email*, if there is somebody who may sign in.

    Whether there is, is looked at later: what is done here is the same for everybody.

    :raises InvalidError: if it is no address.
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
    """Return whom the link of *token* is for.

    :raises NotFoundError: if it was used, has run out or never existed.
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
            _l("This link was used already, is too old, or was replaced by a newer one."),
            next_step=_l("Ask for a new one."),
        )
    return Linked(found.id, found.email, found.name, found.password_hash != passwords.NONE)


def use(session: Session, token: str, password: Hashed) -> User:
    """Use the link up: the person has that password, and is signed out everywhere.

    :raises NotFoundError: if it can no longer be used.
    """
    linked = find(session, token)
    # Delete first: of two requests at once the second waits for the row, and then finds it gone.
    used = session.execute(sa.delete(PasswordLink).where(PasswordLink.token_hash == hash_token(token)))
    if not used.rowcount:  # type: ignore[attr-defined]
        raise NotFoundError(_l("This link was used a moment ago."), next_step="")
    users.set_password(session, linked.user_id, password)
    return session.get_one(User, linked.user_id)


def forget_old(session: Session) -> None:
    """Remove links that have run out."""
    session.execute(sa.delete(PasswordLink).where(PasswordLink.expires_at <= clock.now()))


_config: Config | None = None


def use_settings(config: Config) -> None:
    """Mail by what *config* says, from now on in this process."""
    global _config  # noqa: PLW0603 - the settings of the process
    _config = config


def send_due() -> int:
    """Mail the links that are due; return how many the server took.

    Whoever takes one makes its token, so that of several processes one mails it. If the server does not take
    it, it is tried again until the link has run out.
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
    """Make the link of *row*; return False if there is nobody to mail it to, or another process does."""
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
    """Write it in the language of whom it is for; *usual*: the desk's."""
    _ = mail.words(row.locale, usual).ugettext
    hours = round((row.expires_at - row.created_at) / timedelta(hours=1))
    first = row.password_hash == passwords.NONE
    parts = [
        _("Hello %(name)s,") % {"name": row.name},
        _("there is an account for you here. Choose your password with this link:")
        if first
        else _("somebody, likely you, asked for a new password here. Choose it with this link:"),
        link,
        _("It works once, for %(hours)d hours.") % {"hours": hours}
        if hours > 1
        else _("It works once, for an hour."),
        "" if first else _("If it was not you, do nothing: your password stays as it is."),
    ]
    subject = _("Choose your password") if first else _("A new password")
    return mail.compose(server, row.email, subject, "\n\n".join(part for part in parts if part) + "\n")
