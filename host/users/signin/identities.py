"""Find, link and create accounts for identities at the sign-in provider, and assign roles by groups."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import ConflictError, ForbiddenError, LobbyError, NotFoundError
from host.models.signing_in import ProviderIdentity
from host.models.users import Invitation, Membership, Role, User, Workspace
from host.users import members, passwords, users
from host.users.endings import Ended
from host.users.signin.oidc import Claims
from host.users.signin.settings import EVERYONE, GroupRule, SignIn

log = logging.getLogger("lobby.security")

Record = Callable[[str, str, int | None, Mapping[str, Any]], object]
"""Function that writes a line of the audit log: action, subject, workspace, details."""


class Joined(msgspec.Struct, frozen=True):
    """A person's account at the provider."""

    id: int
    issuer: str
    email: str
    used_at: datetime


def of(session: Session, user_id: int) -> Sequence[Joined]:
    """Return a person's linked accounts at providers."""
    query = sa.select(ProviderIdentity).where(ProviderIdentity.user_id == user_id)
    return [Joined(row.id, row.issuer, row.email, row.used_at) for row in session.scalars(query)]


def find(session: Session, claims: Claims) -> User | None:
    """Return the user linked to the identity in *claims*, and record its use."""
    row = session.scalar(
        sa.select(ProviderIdentity).where(
            ProviderIdentity.subject_hash == _hash(claims.issuer, claims.subject)
        )
    )
    if row is None:
        return None
    row.used_at = clock.now()
    session.flush()
    return session.get_one(User, row.user_id)


def join(session: Session, user_id: int, issuer: str, subject: str, email: str) -> None:
    """Link a person's account to their identity at the provider, which signs them in from then on.

    :raises ConflictError: if either is linked to another.
    """
    if session.get(User, user_id, with_for_update=True) is None:
        raise NotFoundError()
    there = session.scalar(
        sa.select(ProviderIdentity).where(ProviderIdentity.subject_hash == _hash(issuer, subject))
    )
    if there is not None and there.user_id == user_id:
        return
    here = session.scalar(
        sa.select(ProviderIdentity.id).where(
            ProviderIdentity.user_id == user_id, ProviderIdentity.issuer == issuer
        )
    )
    if there is not None or here is not None:
        raise ConflictError(
            _l("One of the two accounts is already linked to another."),
            next_step=_l("Unlink it first, on its owner's account page."),
        )
    now = clock.now()
    session.add(
        ProviderIdentity(
            user_id=user_id,
            subject_hash=_hash(issuer, subject),
            issuer=issuer[:255],
            email=email[:254],
            created_at=now,
            used_at=now,
        )
    )
    session.flush()


def part(session: Session, user_id: int, identity_id: int) -> str:
    """Unlink a person's account from their identity at the provider; return the address they had there.

    :raises NotFoundError: if it is not theirs.
    :raises ConflictError: for a person without a password, who could no longer sign in.
    """
    row = session.get(ProviderIdentity, identity_id)
    if row is None or row.user_id != user_id:
        raise NotFoundError()
    if session.get_one(User, user_id).password_hash == passwords.NONE:
        raise ConflictError(
            _l("You don't have a password yet, so you would not be able to sign in."),
            next_step=_l("Ask an admin for a link to choose one first."),
        )
    session.delete(row)
    session.flush()
    return row.email


def unclaimed(user: User) -> bool:
    """Return whether nobody has proved to be *user*, so that a verified address at the provider is the first
    proof.

    Always False for an admin, whose only proof is the setup link.
    """
    return (
        user.password_hash == passwords.NONE
        and user.seen_at is None
        and user.second_factor_at is None
        and not user.is_admin
    )


def make(session: Session, claims: Claims, how: SignIn) -> User:
    """Create an account for a person who has one at the provider but not here.

    :raises ForbiddenError: if the setting does not allow it and they have no open invitation.
    """
    open_ones = sa.select(Invitation.email).where(
        Invitation.email == claims.email, Invitation.used_at.is_(None), Invitation.expires_at > clock.now()
    )
    # MariaDB treats é and e as equal; addresses have to match exactly.
    if not how.joins and claims.email not in session.scalars(open_ones).all():
        raise ForbiddenError(
            _l("No account found for %(email)s.", email=claims.email),
            next_step=_l("Ask a desk admin or an owner of your workspace to invite you."),
        )
    try:
        name = users.clean_name(claims.name[: users.MAX_NAME])
    except LobbyError:
        name = claims.email.partition("@")[0]
    user = users.create(session, claims.email, name, None)
    join(session, user.id, claims.issuer, claims.subject, claims.email)
    return user


def apply_groups(session: Session, user: User, claims: Claims, how: SignIn, record: Record) -> None:
    """Apply the roles from a person's groups.

    Workspaces without a rule stay unchanged, as does the admin role without a rule for it, and everything if
    the provider sends no groups. The last admin and the last owner keep their roles.
    """
    if not how.groups or claims.groups is None:
        return
    rules = [one for one in how.groups if one.group == EVERYONE or one.group in claims.groups]
    # Workspaces first: the lock order of host.users.last_ones.
    there = set(session.scalars(sa.select(Workspace.id)))
    for workspace_id in sorted(
        {one.workspace_id for one in how.groups if one.workspace_id is not None} & there
    ):
        _set_place(session, user, workspace_id, _highest(rules, workspace_id), record)
    if any(one.workspace_id is None for one in how.groups):
        _set_admin(session, user, any(one.workspace_id is None for one in rules), record)


def _highest(rules: Sequence[GroupRule], workspace_id: int) -> Role | None:
    given = [one.role for one in rules if one.workspace_id == workspace_id and one.role is not None]
    return max(given, key=members.RANK.index, default=None)


def _set_admin(session: Session, user: User, wanted: bool, record: Record) -> None:
    if user.is_admin == wanted:
        return
    try:
        users.set_admin(session, user.id, wanted)
    except ConflictError as error:
        log.warning("%s stays an admin although no group of theirs says so: %s", user.email, error)
        return
    record("user.made_admin" if wanted else "user.no_longer_admin", user.email, None, {"by": "provider"})


def _set_place(session: Session, user: User, workspace_id: int, role: Role | None, record: Record) -> None:
    membership = session.get(Membership, (user.id, workspace_id))
    if membership is None and role is None:
        return
    ended = Ended((), ())
    try:
        if membership is None:
            assert role is not None
            members.add(session, workspace_id, user.id, role)
            action = "member.joined"
        elif role is None:
            ended = members.remove(session, workspace_id, user.id)
            action = "member.removed"
        elif Role(membership.role) is role:
            return
        else:
            ended = members.set_role(session, workspace_id, user.id, role)
            action = "member.role_changed"
    except ConflictError as error:
        log.warning("the place of %s in workspace %s stays: %s", user.email, workspace_id, error)
        return
    record(action, user.email, workspace_id, {"role": role.value if role else "", "by": "provider"})
    for name in ended.keys:
        record("api_key.ended", name, workspace_id, {"of": user.email})
    for address in ended.invitations:
        record("invitation.ended", address, workspace_id, {"of": user.email})


def _hash(issuer: str, subject: str) -> str:
    return hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()
