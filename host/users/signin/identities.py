"""Find, link and create accounts for identities at the sign-in provider, and assign roles by groups."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import ConflictError, ForbiddenError, LobbyError, NotFoundError
from host.models.signing_in import ProviderIdentity
from host.models.users import Invitation, Membership, Role, User, Workspace
from host.users import leaving, members, passwords, users
from host.users.actor import DeskWork
from host.users.endings import Ended
from host.users.signin.oidc import Claims
from host.users.signin.settings import EVERYONE, GroupRule, SignIn

log = logging.getLogger("lobby.security")


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


def join(work: DeskWork, claims: Claims) -> None:
    """Link the account of the person who acts to their identity at the provider, which signs them in from
    then on.

    :raises ConflictError: if either is linked to another.
    """
    _link(work.session, work.person_id, claims)
    email = work.session.get_one(User, work.person_id).email
    work.audit("identity.joined", email, details={"as": claims.email or "–"})


def _link(session: Session, user_id: int, claims: Claims) -> None:
    if session.get(User, user_id, with_for_update=True) is None:
        raise NotFoundError()
    subject = _hash(claims.issuer, claims.subject)
    there = session.scalar(sa.select(ProviderIdentity).where(ProviderIdentity.subject_hash == subject))
    if there is not None and there.user_id == user_id:
        return
    here = session.scalar(
        sa.select(ProviderIdentity.id).where(
            ProviderIdentity.user_id == user_id, ProviderIdentity.issuer == claims.issuer
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
            subject_hash=subject,
            issuer=claims.issuer[:255],
            email=claims.email[:254],
            created_at=now,
            used_at=now,
        )
    )
    session.flush()


def part(work: DeskWork, identity_id: int) -> None:
    """Unlink the account of the person who acts from their identity at the provider.

    :raises NotFoundError: if it is not theirs.
    :raises ConflictError: for a person without a password, who could no longer sign in.
    """
    row = work.session.get(ProviderIdentity, identity_id)
    if row is None or row.user_id != work.person_id:
        raise NotFoundError()
    user = work.session.get_one(User, row.user_id)
    if user.password_hash == passwords.NONE:
        raise ConflictError(
            _l("You don't have a password yet, so you would not be able to sign in."),
            next_step=_l("Ask an admin for a link to choose one first."),
        )
    work.session.delete(row)
    work.audit("identity.parted", user.email, details={"name": row.email})


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


def arrive(work: DeskWork, claims: Claims, how: SignIn) -> tuple[User, bool]:
    """Return the person whom the provider has identified, and whether they are proven to be that user.

    They are made, or linked if nobody has claimed the account yet; their groups are applied. An account that
    somebody has claimed and only shares the address is returned unproven.

    :raises ForbiddenError: for somebody without an address who is unknown, or who is locked out.
    """
    user = find(work.session, claims)
    if user is None and not claims.email:
        raise ForbiddenError(
            _l("%(provider)s does not report your email address as verified.", provider=how.provider_label),
            next_step=_l("Verify it there, or sign in here and link the accounts on your account page."),
        )
    if user is None:
        user = users.find_user(work.session, claims.email)
        if user is None:
            user = make(work, claims, how)
        elif user.disabled_at is None and unclaimed(user):
            join(work.of(user.id), claims)
        else:
            return user, False
    if user.disabled_at is not None:
        raise ForbiddenError(
            _l("Your account is locked out."), next_step=_l("Ask a desk admin to unlock your account.")
        )
    apply_groups(work.of(user.id), user, claims, how)
    work.session.refresh(user)
    return user, True


def make(work: DeskWork, claims: Claims, how: SignIn) -> User:
    """Create an account for a person who has one at the provider but not here.

    :raises ForbiddenError: if the setting does not allow it and they have no open invitation.
    """
    open_ones = sa.select(Invitation.email).where(
        Invitation.email == claims.email, Invitation.used_at.is_(None), Invitation.expires_at > clock.now()
    )
    # MariaDB treats é and e as equal; addresses have to match exactly.
    if not how.joins and claims.email not in work.session.scalars(open_ones).all():
        raise ForbiddenError(
            _l("No account found for %(email)s.", email=claims.email),
            next_step=_l("Ask a desk admin or an owner of your workspace to invite you."),
        )
    try:
        name = users.clean_name(claims.name[: users.MAX_NAME])
    except LobbyError:
        name = claims.email.partition("@")[0]
    user = users.create(work.session, claims.email, name, None)
    _link(work.session, user.id, claims)
    work.of(user.id).audit("user.came", user.email, details={"by": how.provider_label})
    return user


def apply_groups(work: DeskWork, user: User, claims: Claims, how: SignIn) -> None:
    """Apply the roles from the groups of the person who acts.

    Workspaces without a rule stay unchanged, as does the admin role without a rule for it, and everything if
    the provider sends no groups. The last admin and the last owner keep their roles.
    """
    if not how.groups or claims.groups is None:
        return
    rules = [one for one in how.groups if one.group == EVERYONE or one.group in claims.groups]
    # Workspaces first: the lock order of host.users.last_owners.
    there = set(work.session.scalars(sa.select(Workspace.id)))
    for workspace_id in sorted(
        {one.workspace_id for one in how.groups if one.workspace_id is not None} & there
    ):
        _set_place(work, user, workspace_id, _highest(rules, workspace_id))
    if any(one.workspace_id is None for one in how.groups):
        _set_admin(work, user, any(one.workspace_id is None for one in rules))


def _highest(rules: Sequence[GroupRule], workspace_id: int) -> Role | None:
    given = [one.role for one in rules if one.workspace_id == workspace_id and one.role is not None]
    return max(given, key=members.RANK.index, default=None)


def _set_admin(work: DeskWork, user: User, wanted: bool) -> None:
    if user.is_admin == wanted:
        return
    try:
        users.set_admin(work, user.id, wanted, by="provider")
    except ConflictError as error:
        log.warning("%s stays an admin although no group of theirs says so: %s", user.email, error)


def _set_place(work: DeskWork, user: User, workspace_id: int, role: Role | None) -> None:
    session = work.session
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
    details = {"role": role.value if role else "", "by": "provider"}
    work.audit(action, user.email, workspace_id=workspace_id, details=details)
    leaving.record_end(work, user.email, (), ended, workspace_id)


def _hash(issuer: str, subject: str) -> str:
    return hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()
