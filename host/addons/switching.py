"""Enable and disable optional built-in features, for the whole desk and without a restart."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import db
from host.core.config import Config
from host.core.errors import ConflictError, NotFoundError
from host.events import consuming, keeping
from host.features import registry
from host.users import desk_settings
from host.users.actor import Actor


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
        consuming.note_off(session, keeping.consumers_of({name}))
    action = "feature.switched_on" if on else "feature.switched_off"
    actor.audit(session, action, registry.optional()[name].title, workspace_id=None)
    return True
