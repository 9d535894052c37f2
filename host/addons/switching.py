"""Enable and disable optional built-in features, for the whole desk and without a restart."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import db
from host.core.config import Config
from host.core.errors import ConflictError, NotFoundError
from host.events import consuming, retention
from host.events.models import ActorKind
from host.features import registry
from host.models.users import AuditEntry, Membership, Role, User, Workspace
from host.notifications.notify import Message, notify_users, settle
from host.users import desk_settings
from host.users.actor import Actor
from host.users.desk_settings import DEFAULT_NAME

SWITCHED_ON, SWITCHED_OFF = "feature.switched_on", "feature.switched_off"
MOST = 50
"""Most customers that a disabled feature leaves to people in one round."""


class SetByEnvironmentError(ConflictError):
    """``LOBBY_FEATURES_OFF`` is set, so no page can change features."""

    code = "set_by_environment"
    default_sentence = _l("The server's settings control which features are off.")
    default_next_step = _l(
        "Change LOBBY_FEATURES_OFF and restart Lobby, or unset it to turn features on and off here."
    )


def switch(name: str, *, on: bool, config: Config, actor: Actor) -> bool:
    """Enable or disable the feature *name*; return False if unchanged. Other processes apply it shortly
    afterwards.

    :raises NotFoundError: if there is no such feature, or it is always on.
    :raises SetByEnvironmentError: if the environment defines the disabled features.
    """
    if name not in registry.optional():
        raise NotFoundError
    if desk_settings.FEATURES_OFF in config.given:
        raise SetByEnvironmentError
    return bool(db.write(_switch, name, on, actor))


def let_go(directory: Any) -> bool:
    """Leave what disabled features had under way to people; return whether there may be more."""
    return bool(registry.switched_off()) and any(registry.hooks().let_go(directory=directory, most=MOST))


def _switch(session: Session, name: str, on: bool, actor: Actor) -> bool:
    off = desk_settings.features_off_now(session)
    wanted = off - {name} if on else off | {name}
    if wanted == off:
        return False
    desk_settings.save(session, {desk_settings.FEATURES_OFF: ",".join(sorted(wanted))})
    if not on:
        # Its consumers start with events after it was enabled.
        consuming.note_off(session, retention.consumers_of({name}))
    action = SWITCHED_ON if on else SWITCHED_OFF
    actor.audit(session, action, registry.optional()[name].title, workspace_id=None)
    _tell(session, name, on, actor)
    return True


def _tell(session: Session, name: str, on: bool, actor: Actor) -> None:
    """Notify owners and leads that a feature was turned off; on again, that is settled."""
    switch = registry.optional()[name]
    if on:
        settle(session, None, DEFAULT_NAME, [switch.told])
        return
    mine = sa.select(Membership.user_id, sa.func.min(Membership.workspace_id)).join(User).join(Workspace)
    mine = mine.where(
        Membership.role.in_((Role.OWNER, Role.LEAD)),
        User.disabled_at.is_(None),
        Workspace.archived_at.is_(None),
        Workspace.deleting_at.is_(None),
    )
    person = actor.id if actor.kind is ActorKind.USER else None
    who = person and session.scalar(sa.select(User.name).where(User.id == person))
    message = Message(DEFAULT_NAME, switch.told, switch.stays, {"who": who or DEFAULT_NAME})
    for user_id, workspace_id in session.execute(mine.group_by(Membership.user_id)).all():
        if user_id != person:
            path = f"/w/{workspace_id}/features/{name}"
            notify_users(session, [user_id], message, workspace_id=None, path=path)


class SwitchedOff(NamedTuple):
    """When a feature was turned off, and by whom; None: by somebody who was deleted, or no person."""

    at: datetime
    who: str | None


def switched_off(session: Session, name: str) -> SwitchedOff | None:
    """Return who turned the feature *name* off, and when; None if the audit log does not know."""
    query = (
        sa.select(AuditEntry.action, AuditEntry.at, User.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(
            AuditEntry.workspace_id.is_(None),
            AuditEntry.action.in_((SWITCHED_ON, SWITCHED_OFF)),
            AuditEntry.subject == registry.optional()[name].title,
        )
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    newest = session.execute(query).one_or_none()
    return SwitchedOff(newest.at, newest.name) if newest and newest.action == SWITCHED_OFF else None
