"""Invitations: single-use links, valid for a week, that let a person join a workspace.

They are mailed, or shared by a person.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session, aliased

from host.core import clock, db, mail
from host.core.config import Config
from host.core.errors import ConflictError, NotFoundError
from host.models.users import Invitation, Membership, Role, User, Workspace
from host.users import members, reach, users
from host.users.actor import DeskWork, UnitOfWork
from host.users.passwords import Hashed
from host.users.reach import Accounts
from host.users.roles import LIMITABLE
from host.users.sessions import hash_token, new_token

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=7)
SHOWN = timedelta(days=30)
"""How long an expired invitation is listed, so that it can be sent again."""
PAUSE = timedelta(minutes=1)
"""Time between two attempts to mail an invitation."""
LATE = timedelta(minutes=5)
"""Time after which a page shows that the mail server does not accept the mail."""


class Invited(msgspec.Struct, frozen=True):
    """A usable invitation, and whether the person already has an account here."""

    id: int
    workspace_id: int
    workspace_name: str
    email: str
    role: Role
    has_account: bool
    accounts: Accounts = None


class Pending(msgspec.Struct, frozen=True):
    """An unused invitation, as the team page lists it.

    :param over: whether it has expired.
    :param mail: ``sent``, ``waiting`` (to be mailed), ``late`` (the server does not accept it), or empty: a
        link that was shown.
    """

    id: int
    email: str
    role: Role
    expires_at: datetime
    accounts: Accounts = None
    over: bool = False
    mail: str = ""


def invite(
    work: UnitOfWork, email: str, role: Role, *, accounts: Accounts = None, mailed: bool = False
) -> str:
    """Create an invitation and return its token, which is stored only as a hash and never shown again.

    Earlier invitations to the same address are revoked.

    :param accounts: accounts the person will see, where the role may be limited; None: all.
    :param mailed: whether it is mailed: the mailing process then makes the real token, and the returned one
        never works.

    :raises ConflictError: if the person is already a member.
    :raises NotFoundError: if one of *accounts* is not in the workspace.
    """
    session, workspace_id = work.session, work.workspace_id
    if accounts is not None and len(reach.choices(session, workspace_id, accounts)) < len(accounts):
        raise NotFoundError(_l("One of these accounts no longer exists."))
    address = users.clean_email(email)
    person = users.find_user(session, address)
    if person is not None and session.get(Membership, (person.id, workspace_id)) is not None:
        raise ConflictError(_l("This person is already in the workspace."), next_step="")
    session.execute(
        sa.delete(Invitation).where(
            Invitation.workspace_id == workspace_id, Invitation.email == address, Invitation.used_at.is_(None)
        )
    )
    token = new_token()
    now = work.now
    session.add(
        Invitation(
            token_hash=hash_token(token),
            workspace_id=workspace_id,
            email=address,
            role=role,
            accounts=None if accounts is None or role not in LIMITABLE else sorted(accounts),
            invited_by=work.desk.person_id,
            created_at=now,
            expires_at=now + LIFETIME,
            used_at=None,
            mail_due_at=now if mailed else None,
        )
    )
    details = {"role": role.value}
    if accounts is not None:
        details["accounts"] = reach.names_of(session, workspace_id, accounts)
    work.audit("member.invited", email, details=details)
    return token


def again(work: UnitOfWork, invitation_id: int) -> str:
    """Schedule an invitation to be mailed again, valid for another week; return its address.

    The previous link is revoked.

    :raises NotFoundError: if it is not open.
    """
    row = _open(work, invitation_id)
    now = work.now
    row.mail_due_at, row.expires_at, row.created_at = now, now + LIFETIME, now
    row.token_hash = hash_token(new_token())
    work.audit("invitation.sent_again", row.email)
    return row.email


def new_link(work: UnitOfWork, invitation_id: int) -> tuple[str, str]:
    """Return the address and a new token of an invitation, for another week. The previous link is revoked.

    :raises NotFoundError: if it is not open.
    """
    row = _open(work, invitation_id)
    token = new_token()
    row.token_hash, row.expires_at, row.mail_due_at = hash_token(token), work.now + LIFETIME, None
    row.mailed_at = None
    work.audit("invitation.sent_again", row.email)
    return row.email, token


def _open(work: UnitOfWork, invitation_id: int) -> Invitation:
    row = work.session.get(Invitation, invitation_id, with_for_update=True)
    if row is None or row.workspace_id != work.workspace_id or row.used_at is not None:
        raise NotFoundError(_l("This invitation is no longer open."), next_step="")
    return row


def pending(session: Session, workspace_id: int, *, invited_by: int | None = None) -> Sequence[Pending]:
    """Return the unused invitations of a workspace, newest first; or only those of one person that are still
    valid.

    Expired ones are included for a month.
    """
    now = clock.now()
    query = (
        sa.select(Invitation)
        .where(
            Invitation.workspace_id == workspace_id,
            Invitation.used_at.is_(None),
            Invitation.expires_at > (now - SHOWN if invited_by is None else now),
        )
        .order_by(Invitation.id.desc())
    )
    if invited_by is not None:
        query = query.where(Invitation.invited_by == invited_by)
    return [
        Pending(
            row.id,
            row.email,
            Role(row.role),
            row.expires_at,
            _accounts(row),
            row.expires_at <= now,
            _mail_of(row, now),
        )
        for row in session.scalars(query)
    ]


def _mail_of(row: Invitation, now: datetime) -> str:
    if row.mail_due_at is not None:
        return "late" if now - row.created_at > LATE else "waiting"
    return "sent" if row.mailed_at is not None else ""


def _accounts(row: Invitation) -> Accounts:
    return None if row.accounts is None else frozenset(row.accounts)


def withdraw(work: UnitOfWork, invitation_id: int) -> None:
    """Withdraw an unused invitation."""
    row = _open(work, invitation_id)
    work.session.delete(row)
    work.audit("invitation.withdrawn", row.email)


def find_invitation(session: Session, token: str) -> Invited:
    """Return the invitation of *token*.

    :raises NotFoundError: if it was used or withdrawn, has expired, or never existed.
    """
    query = (
        sa.select(Invitation, Workspace.name)
        .join(Workspace, Workspace.id == Invitation.workspace_id)
        .where(
            Invitation.token_hash == hash_token(token),
            Invitation.used_at.is_(None),
            Invitation.expires_at > clock.now(),
            Workspace.deleting_at.is_(None),
        )
    )
    found = session.execute(query).first()
    if found is None:
        raise NotFoundError(
            _l("This invitation was already used, withdrawn or resent, or is older than seven days."),
            next_step=_l("Ask the person who sent it for a new one."),
        )
    row, workspace_name = found
    return Invited(
        id=row.id,
        workspace_id=row.workspace_id,
        workspace_name=workspace_name,
        email=row.email,
        role=Role(row.role),
        has_account=users.find_user(session, row.email) is not None,
        accounts=_accounts(row),
    )


def accept_as_new(work: DeskWork, token: str, *, name: str, password: Hashed) -> User:
    """Accept the invitation: add the person and make them a member of the workspace.

    :raises NotFoundError: if it can no longer be used.
    :raises ConflictError: if a user already has this address.
    """
    invited = _use(work.session, token)
    user = users.create(work.session, invited.email, name, password)
    _join(work.of(user.id), invited)
    return user


def accept_as(work: DeskWork, token: str) -> None:
    """Accept the invitation for the person who acts, who already has an account.

    :raises NotFoundError: if it can no longer be used.
    :raises ConflictError: if it is for another address.
    """
    invited = _use(work.session, token)
    person = work.session.get(User, work.person_id)
    if person is None or person.email != invited.email:
        raise ConflictError(
            _l("This invitation is for someone else."), next_step=_l("Sign out and sign in as that person.")
        )
    _join(work, invited)


def _join(work: DeskWork, invited: Invited) -> None:
    members.add(work.session, invited.workspace_id, work.person_id, invited.role, invited.accounts)
    details = {"role": invited.role}
    work.audit("member.joined", invited.email, workspace_id=invited.workspace_id, details=details)


def _use(session: Session, token: str) -> Invited:
    invited = find_invitation(session, token)
    used = session.execute(
        sa.update(Invitation)
        .where(Invitation.id == invited.id, Invitation.used_at.is_(None))
        .values(used_at=clock.now())
    )
    if not used.rowcount:  # type: ignore[attr-defined]
        raise NotFoundError(_l("This invitation was just used."), next_step="")
    return invited


# Mailing

_config: Config | None = None


def use_settings(config: Config) -> None:
    """Use the mail settings of *config* in this process."""
    global _config  # noqa: PLW0603 - the settings of the process
    _config = config


def send_due() -> int:
    """Mail the invitations that are due; return how many the server accepted.

    As with password links, the process that claims an invitation creates its token, so only one process mails
    it.
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
                server, _composed(server, row, f"{_config.public_url}/invite/{token}", _config.language)
            )
            db.write(_note_sent, row.id, token)
            sent += 1
        except mail.NotSentError as error:
            log.warning("invitation %s could not be mailed: %s", row.id, error)
            db.write(_put_back, row.id, token)
        except mail.UnconfirmedError as error:
            log.warning("nobody knows whether invitation %s was mailed: %s", row.id, error)
        except Exception:
            log.exception("invitation %s could not be mailed", row.id)
    return sent


def _due() -> list[sa.Row[Any]]:
    now = clock.now()
    reader = aliased(User)  # people who already have an account here
    query = (
        sa.select(
            *Invitation.__table__.columns,
            Workspace.name.label("workspace"),
            Workspace.language,
            User.name.label("inviter"),
            reader.locale,
        )
        .join(Workspace, Workspace.id == Invitation.workspace_id)
        .join(User, User.id == Invitation.invited_by)
        .outerjoin(reader, reader.email == Invitation.email)
        .where(
            Invitation.mail_due_at <= now,
            Invitation.expires_at > now,
            Invitation.used_at.is_(None),
            Workspace.deleting_at.is_(None),
        )
        .order_by(Invitation.id)
        .limit(50)
    )
    with db.read() as session:
        return list(session.execute(query))


def _take(session: Session, row: sa.Row[Any], token: str) -> bool:
    taken = session.execute(
        sa.update(Invitation)
        .where(
            Invitation.id == row.id, Invitation.mail_due_at == row.mail_due_at, Invitation.used_at.is_(None)
        )
        .values(mail_due_at=None, token_hash=hash_token(token))
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _note_sent(session: Session, invitation_id: int, token: str) -> None:
    _after(session, invitation_id, token, mailed_at=clock.now())


def _put_back(session: Session, invitation_id: int, token: str) -> None:
    _after(session, invitation_id, token, mail_due_at=clock.now() + PAUSE)


def _after(session: Session, invitation_id: int, token: str, **values: datetime) -> None:
    """Store the result of an attempt, unless the invitation was sent again or a link was shown meanwhile."""
    same = (Invitation.id == invitation_id, Invitation.token_hash == hash_token(token))
    session.execute(
        sa.update(Invitation).where(*same).values(**values).execution_options(synchronize_session=False)
    )


def _composed(server: mail.Server, row: sa.Row[Any], link: str, usual: str) -> EmailMessage:
    """Compose the mail in the recipient's language if they have an account, else the workspace's, else
    *usual*.
    """
    _ = mail.words(row.locale, row.language, usual).ugettext
    who = {"name": row.inviter, "workspace": row.workspace}
    parts = [
        _("%(name)s invited you to %(workspace)s.") % who,
        _("Join with this link:"),
        link,
        _("The link works once and expires after %(days)d days.") % {"days": LIFETIME.days},
        _("If you don't know this person, ignore this email."),
    ]
    subject = _("%(name)s invited you to %(workspace)s") % who
    return mail.compose(server, row.email, subject, "\n\n".join(parts) + "\n")
