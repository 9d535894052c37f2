"""The first start: a link that makes the first admin and workspace, once."""

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


def ensure_setup_token() -> str | None:
    """Return a fresh token while there is no user, else None.

    Only its hash is stored, so each start makes a new one, and the link of the start before stops working.
    """

    def use_case(session: Session) -> str | None:
        session.execute(sa.delete(InstallationValue).where(InstallationValue.name == SETUP_TOKEN))
        if users.anybody(session):
            return None
        token = new_token()
        session.add(InstallationValue(name=SETUP_TOKEN, value=hash_token(token)))
        session.flush()
        return token

    try:
        return db.write(use_case)
    except IntegrityError:
        # Another process starts at the same time and was first: the later link is the one that works.
        return db.write(use_case)


def check(session: Session, token: str) -> None:
    """Refuse a caller who does not hold the token.

    :raises ForbiddenError: if it is wrong, or was used.
    """
    if session.scalar(sa.select(InstallationValue.value).where(_this(token))) is None:
        raise _refusal()


def complete(
    session: Session, token: str, *, email: str, name: str, password: Hashed, workspace: str
) -> tuple[User, Workspace]:
    """Use the token up and make the first admin with the first workspace, all or nothing.

    :raises ForbiddenError: if the token is wrong, or was used a moment ago.
    """
    # Delete first: of two requests at once the second waits for the row, and then finds it gone.
    used = session.execute(sa.delete(InstallationValue).where(_this(token)))
    if not used.rowcount or users.anybody(session):  # type: ignore[attr-defined]
        raise _refusal()
    admin = users.create(session, email, name, password, is_admin=True)
    return admin, workspaces.create(session, workspace, admin.id)


def _this(token: str) -> sa.ColumnElement[bool]:
    return sa.and_(InstallationValue.name == SETUP_TOKEN, InstallationValue.value == hash_token(token))


def _refusal() -> ForbiddenError:
    return ForbiddenError(
        _l("This set-up link is not valid: it works once, and each start of the desk prints a new one."),
        next_step=_l("Open the link the desk printed at its last start, or sign in if it is set up already."),
    )
