"""The first start: a single-use link that creates the first admin and workspace."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.core import db
from host.core.errors import ForbiddenError
from host.models.users import InstallationValue, User, Workspace
from host.users import users, workspaces
from host.users.passwords import Hashed
from host.users.sessions import hash_token, new_token
from host.users.users import SETUP_TOKEN


def ensure_setup_token(*, renew: bool = True) -> str | None:
    """Store a fresh token while there is no user, and return it.

    Only its hash is stored, so only the caller can show it.

    :param renew: replace the token of an earlier call; otherwise an existing token stays valid.
    :return: None if a user exists, or if an existing token was kept.
    """

    def use_case(session: Session) -> str | None:
        stored = InstallationValue.name == SETUP_TOKEN
        if users.anybody(session):
            session.execute(sa.delete(InstallationValue).where(stored))
            return None
        if renew:
            session.execute(sa.delete(InstallationValue).where(stored))
        elif session.scalar(sa.select(InstallationValue.value).where(stored)) is not None:
            return None
        token = new_token()
        session.add(InstallationValue(name=SETUP_TOKEN, value=hash_token(token)))
        session.flush()
        return token

    try:
        return db.write(use_case)
    except IntegrityError:
        # Another process that started concurrently was faster.
        return db.write(use_case)


def link(public_url: str, token: str) -> str:
    """Return the address for setting up the desk with *token*."""
    return f"{public_url}/setup?token={token}"


def check(session: Session, token: str) -> None:
    """Refuse a caller without the token.

    :raises ForbiddenError: if it is wrong or used.
    """
    if session.scalar(sa.select(InstallationValue.value).where(_this(token))) is None:
        raise _refusal()


def complete(
    session: Session, token: str, *, email: str, name: str, password: Hashed, workspace: str
) -> tuple[User, Workspace]:
    """Use up the token and create the first admin with the first workspace, all or nothing.

    :raises ForbiddenError: if the token is wrong or was just used.
    """
    # Delete first: the second of two concurrent requests waits for the row, and then finds it deleted.
    used = session.execute(sa.delete(InstallationValue).where(_this(token)))
    if not used.rowcount or users.anybody(session):  # type: ignore[attr-defined]
        raise _refusal()
    admin = users.create(session, email, name, password, is_admin=True)
    return admin, workspaces.create(session, workspace, admin.id)


def _this(token: str) -> sa.ColumnElement[bool]:
    return sa.and_(InstallationValue.name == SETUP_TOKEN, InstallationValue.value == hash_token(token))


def _refusal() -> ForbiddenError:
    return ForbiddenError(
        _l("This set-up link is invalid: it has been used, or a newer one has replaced it."),
        next_step=_l("Run `lobby setup-link` for a new one, or sign in if Lobby is already set up."),
    )
